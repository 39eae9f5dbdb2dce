/** How long a page tries to get a lost voice back before it says that the call is lost. */

import type { MediaState } from './state.ts';

/** As long as the server waits for a page that vanished (`persistence`), unless told otherwise. */
export const RECONNECT_WINDOW_S = 300;

/**
 * Watches the voice. Returns a function to be told of each change of its state; `onOver` is
 * called when it was lost for the whole window. Events have no window: they are tried for ever,
 * since a voice without them still is a conversation.
 */
export function createReconnectWindow(windowS: number, onOver: () => void): (media: MediaState) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return (media) => {
    if (media === 'lost') {
      timer ??= setTimeout(onOver, windowS * 1000);
    } else if (media !== 'connecting') {
      clearTimeout(timer);
      timer = undefined;
    }
  };
}
