/** What a page does when it appears: back into a session that goes on, or into one that begins by itself. */

import type { VoiceClient } from '../client.ts';

/**
 * Returns to a session that a reload interrupted. If there is none, and the assistant is configured to
 * start without a click (`autoStart`), starts one; not where it is recorded, to which only a click can agree.
 * Never rejects.
 */
export async function arrive(client: VoiceClient): Promise<void> {
  await client.restore();
  const isThere = () => client.getState().intent !== 'none' || client.getState().rejoinable !== null;
  if (isThere()) return;
  try {
    const { autoStart, enabled, records } = await client.loadConfig();
    if (autoStart && enabled && !records && !isThere()) await client.start();
  } catch {
    // Nobody to ask: the click on Talk will tell.
  }
}
