/** Who one talks with, as the server says before the click. */

import type { ConfigAnswer } from '@greenroom/client';
import { useVoiceClient } from '@greenroom/client/react';
import { useEffect, useState } from 'react';

export type Assistant = Pick<ConfigAnswer, 'assistant' | 'title' | 'records'>;

/**
 * The assistant; null until it is known, which a click on Talk does not wait for.
 *
 * Args:
 *   chosen: Asked for anew when another one was chosen.
 */
export function useAssistant(chosen: string | null): Assistant | null {
  const client = useVoiceClient();
  const [assistant, setAssistant] = useState<Assistant | null>(null);
  useEffect(() => {
    let isShown = true;
    client.loadConfig().then(
      (config) => isShown && setAssistant(config),
      () => undefined, // The click on Talk will tell that nobody is there.
    );
    return () => {
      isShown = false;
    };
  }, [client, chosen]);
  return assistant;
}
