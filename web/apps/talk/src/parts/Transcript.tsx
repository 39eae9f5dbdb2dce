/** What was said, set like the script of a play. It follows the newest line unless one reads back. */

import type { VoiceMessage } from '@greenroom/client';
import { useLayoutEffect, useRef } from 'react';

/** As near to the end as this counts as being at the end. */
const NEAR_END_PX = 48;

interface TranscriptProps {
  messages: readonly VoiceMessage[];
  /** As whom the assistant is spoken of. */
  who: string;
}

export function Transcript({ messages, who }: TranscriptProps) {
  const lines = useRef<HTMLOListElement>(null);
  const follows = useRef(true);

  useLayoutEffect(() => {
    const list = lines.current;
    if (list && follows.current) list.scrollTop = list.scrollHeight;
  }, [messages]);

  return (
    <section className="transcript" aria-label="Transcript">
      <h2 className="script-title">Script</h2>
      <ol
        ref={lines}
        className="lines"
        data-testid="transcript"
        // Reading along is for those who look; the announcer tells the rest. Whoever has no mouse
        // scrolls it by keyboard.
        aria-live="off"
        tabIndex={0}
        onScroll={({ currentTarget: list }) => {
          follows.current = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX;
        }}
      >
        {messages.map((message, index) => (
          <li
            key={message.id}
            data-role={message.role}
            data-final={message.final}
            data-goes-on={messages[index - 1]?.role === message.role}
          >
            <b>{message.role === 'user' ? 'You' : who}</b>
            <span>{message.text}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
