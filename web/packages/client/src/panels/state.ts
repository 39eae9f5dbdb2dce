/** What the assistant shows beside the conversation: one value, changed by pure functions. */

import type { CardData, Event, HtmlData, NoteBody, Panel, TypedEvent } from '../wire.ts';

export interface PanelsState {
  /** Which panels are open: as the assistant or the user said last. */
  open: Readonly<Record<Panel, boolean>>;
  /** The user's notes, the latest changed first; null until they are known. */
  notes: readonly NoteBody[] | null;
  /** The note that the assistant spoke of last. */
  noteId: string | null;
  /** A page of HTML, written by whoever speaks: never to be put into the page itself (`sandboxed`). */
  html: HtmlData | null;
  /** The flash card; its back once it is turned. */
  card: CardData | null;
  /** Why the notes could not be read or deleted, in words. */
  problem: string | null;
}

export const NO_PANELS: PanelsState = {
  // What is said is shown unless somebody closes it; the rest comes when there is something in it.
  open: { notes: false, html: false, cards: false, messages: true },
  notes: null,
  noteId: null,
  html: null,
  card: null,
  problem: null,
};

/** The panels after an event; events of other kinds change nothing. */
export function withEvent(state: PanelsState, event: Event): PanelsState {
  const { type, data } = event as TypedEvent;
  switch (type) {
    case 'voice.session.start':
      return { ...NO_PANELS, notes: state.notes }; // They are the user's, not the session's.
    case 'ui.note':
      return data.action === 'deleted' ? withoutNote(state, data.note.id) : opened(withNote(state, data.note), 'notes');
    case 'ui.html':
      return opened({ ...state, html: data }, 'html');
    case 'ui.card':
      return opened({ ...state, card: data }, 'cards');
    case 'ui.panel':
      return opened(state, data.panel, data.open);
    default:
      return state;
  }
}

/** The state with a panel open or closed. */
export function opened(state: PanelsState, panel: Panel, open = true): PanelsState {
  return state.open[panel] === open ? state : { ...state, open: { ...state.open, [panel]: open } };
}

/** Events of a session come again after a reload: of two versions of a note the later one holds. */
function withNote(state: PanelsState, note: NoteBody): PanelsState {
  const known = state.notes?.find(({ id }) => id === note.id);
  const latest = known && known.updatedAt > note.updatedAt ? known : note;
  const others = (state.notes ?? []).filter(({ id }) => id !== note.id);
  const notes = [latest, ...others].sort((a, b) => (a.updatedAt < b.updatedAt ? 1 : -1));
  return { ...state, notes, noteId: note.id };
}

export function withoutNote(state: PanelsState, noteId: string): PanelsState {
  const notes = state.notes?.filter(({ id }) => id !== noteId) ?? null;
  return { ...state, notes, noteId: state.noteId === noteId ? null : state.noteId };
}
