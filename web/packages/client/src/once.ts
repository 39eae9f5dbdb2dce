/** What one consumer was given already, so that it is given each event once. */

import type { Event } from './wire.ts';

/** A page has one session after the other; an older one than these does not come back. */
const KEPT_SESSIONS = 16;

/**
 * The memory of one consumer. Returns a function that says whether an event is new to it, and
 * remembers that it was shown. Events come in order, so the last number of each session is enough.
 * Ephemeral events have no number, and come once anyway.
 */
export function createOnce(): (event: Pick<Event, 'session' | 'seq'> | { ephemeral: true }) => boolean {
  const shown = new Map<string, number>();
  return (event) => {
    if ('ephemeral' in event) return true;
    const { session, seq } = event;
    if (seq <= (shown.get(session) ?? 0)) return false;
    shown.delete(session); // Put at the end: the map forgets the session that was heard of longest ago.
    shown.set(session, seq);
    for (const oldest of shown.keys()) {
      if (shown.size <= KEPT_SESSIONS) break;
      shown.delete(oldest);
    }
    return true;
  };
}
