/** The panels of one client: filled by events and by the user's notes, which the server keeps. */

import type { VoiceClient } from '../client.ts';
import type { Event, NotesAnswer, Panel } from '../wire.ts';
import { problemOf } from '../words.ts';
import { NO_PANELS, opened, withEvent, withoutNote, type PanelsState } from './state.ts';

const NOTES = '/api/voice/notes';
/** Several changes at once are one look at the server's list. */
const LOOK_AFTER_MS = 250;

export interface Panels {
  getState(): PanelsState;
  /** Calls back after every change. Returns how to stop. */
  subscribe(listener: () => void): () => void;
  /** Opens or closes a panel, as the user wishes. */
  set(panel: Panel, open: boolean): void;
  /** Reads the user's notes from the server. Never rejects: see `problem` in the state. */
  readNotes(): Promise<void>;
  /** Deletes one of the user's notes, for good. Never rejects. */
  deleteNote(id: string): Promise<void>;
}

const all = new WeakMap<VoiceClient, Panels>();

/**
 * The panels of this client, always the same; call it before the click, so that they miss nothing.
 * They live as long as the client.
 */
export function panelsOf(client: VoiceClient): Panels {
  const own = all.get(client) ?? createPanels(client);
  all.set(client, own);
  return own;
}

function createPanels(client: VoiceClient): Panels {
  const listeners = new Set<() => void>();
  let state = NO_PANELS;
  let looking: ReturnType<typeof setTimeout> | undefined;

  function become(next: PanelsState): void {
    if (next === state) return;
    state = next;
    for (const listener of [...listeners]) listener();
  }
  async function readNotes(): Promise<void> {
    try {
      const { notes } = await client.request<NotesAnswer>('GET', NOTES);
      become({ ...state, notes, problem: null });
    } catch (error) {
      become({ ...state, problem: problemOf(error).message });
    }
  }
  async function deleteNote(id: string): Promise<void> {
    try {
      await client.request('DELETE', `${NOTES}/${encodeURIComponent(id)}`);
      become({ ...withoutNote(state, id), problem: null });
    } catch (error) {
      become({ ...state, problem: problemOf(error).message });
      if (error instanceof Error && 'isGone' in error && error.isGone) await readNotes();
    }
  }

  client.on('*', (event: Event) => {
    become(withEvent(state, event));
    if (event.type !== 'ui.note') return;
    // What another session did to the notes meanwhile no event of this one tells.
    looking ??= setTimeout(() => {
      looking = undefined;
      void readNotes();
    }, LOOK_AFTER_MS);
  });
  return {
    getState: () => state,
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    set: (panel, open) => become(opened(state, panel, open)),
    readNotes,
    deleteNote,
  };
}
