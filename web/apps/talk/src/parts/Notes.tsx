/** The user's notes: what the assistant keeps for them, and deleting it. */

import { useNotes } from '@greenroom/client/react/panels';
import { CrossIcon } from './icons.tsx';

export function Notes() {
  const { notes, noteId, problem, deleteNote } = useNotes();
  return (
    <>
      {problem ? <p role="alert">{problem}</p> : null}
      {notes?.length === 0 ? <p className="nothing">No notes yet.</p> : null}
      <ul className="note-list" data-testid="notes">
        {notes?.map(({ id, title, text }) => (
          <li key={id} data-note={id} aria-current={id === noteId}>
            <b>{title}</b>
            <button type="button" className="close" aria-label={`Delete the note: ${title}`} onClick={() => void deleteNote(id)}>
              <CrossIcon />
            </button>
            {text ? <p>{text}</p> : null}
          </li>
        ))}
      </ul>
    </>
  );
}
