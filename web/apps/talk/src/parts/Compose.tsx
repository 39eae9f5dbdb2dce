/** Typing instead of speaking, in the same conversation. */

import { VoiceError } from '@greenroom/client';
import { useVoiceClient } from '@greenroom/client/react';
import { useState, type FormEvent } from 'react';

/** What a typed message may have (`MessageBody`). */
const MOST_CHARS = 4_000;

export function Compose() {
  const client = useVoiceClient();
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const [isSending, setIsSending] = useState(false);

  async function send(event: FormEvent) {
    event.preventDefault();
    const said = text.trim();
    if (!said || isSending) return;
    setIsSending(true);
    try {
      await client.sendMessage(said);
      setText('');
      setProblem('');
    } catch (error) {
      // What was typed stays, to be sent again.
      setProblem(error instanceof VoiceError ? error.problem.message : 'That did not get there.');
    } finally {
      setIsSending(false);
    }
  }

  return (
    <form className="compose" onSubmit={(event) => void send(event)}>
      <input
        type="text"
        aria-label="Type instead of speaking"
        placeholder="Or type"
        value={text}
        maxLength={MOST_CHARS}
        autoComplete="off"
        onChange={({ currentTarget }) => setText(currentTarget.value)}
      />
      <button type="submit" className="plain" aria-disabled={!text.trim() || isSending}>
        Say it
      </button>
      {problem ? <p role="alert">{problem}</p> : null}
    </form>
  );
}
