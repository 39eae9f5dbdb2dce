/** A flash card of the assistant's: its front, and its back once it is turned. */

import type { CardData } from '@greenroom/client';

/** What is longer is set smaller. */
const LONG_CHARS = 60;

export function ToolCard({ card }: { card: CardData }) {
  const isTurned = typeof card.back === 'string';
  return (
    <section key={card.id} className="card" aria-label="Flash card" data-testid="tool-card" data-state={isTurned ? 'right' : 'question'}>
      <div className="card-body">
        <div className="face front" aria-hidden={isTurned}>
          <Words text={card.front} />
        </div>
        <div className="face rear" aria-hidden={!isTurned}>
          <p className="hint">{card.front}</p>
          <Words text={card.back ?? ''} />
        </div>
      </div>
    </section>
  );
}

function Words({ text }: { text: string }) {
  return (
    <p className="card-words" data-long={text.length > LONG_CHARS}>
      {text}
    </p>
  );
}
