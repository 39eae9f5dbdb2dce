/** The card: it is dealt face up with a question, and turns in space when it is answered. */

import type { CSSProperties } from 'react';
import type { Card } from '../game.ts';
import type { Assistant } from '../useAssistant.ts';
import { invitation } from '../words.ts';
import { CheckIcon, CrossIcon } from './icons.tsx';

interface FlashCardProps {
  card: Card | null;
  assistant: Assistant | null;
}

export function FlashCard({ card, assistant }: FlashCardProps) {
  if (!card) return <Deck assistant={assistant} />;
  return (
    <section
      // A new card is a new thing on the table: it is dealt, the old one does not turn back.
      key={`${card.number} ${card.question}`}
      className="card"
      aria-label={`Card ${card.number}`}
      data-testid="card"
      data-question={card.question}
      data-state={card.state}
      data-number={card.number}
    >
      <div className="card-body">
        <div className="face front" aria-hidden={card.state !== 'question'}>
          <Corner number={card.number} />
          <p className="sum" style={fitting(card.question)}>{card.question}</p>
          <p className="hint">Say the answer</p>
        </div>
        <div className="face rear" aria-hidden={card.state === 'question'}>
          <Corner number={card.number} />
          {card.answer ? <Result card={card} answer={card.answer} /> : null}
        </div>
      </div>
    </section>
  );
}

/** A longer sum is set smaller, so that it stays on the card in every font. */
function fitting(sum: string): CSSProperties {
  return { '--chars': sum.length } as CSSProperties;
}

function Result({ card, answer }: { card: Card; answer: NonNullable<Card['answer']> }) {
  const isRight = card.state === 'right';
  return (
    <>
      <p className="verdict">
        <span className="seal">{isRight ? <CheckIcon /> : <CrossIcon />}</span>
        {isRight ? 'Right' : 'Not quite'}
      </p>
      <p className="sum solved" style={fitting(`${card.question} = ${answer.expected}`)}>
        <span className="asked">{card.question} =</span> {answer.expected}
      </p>
      <p className="hint">{isRight ? 'Well heard.' : `You said ${answer.value}.`}</p>
    </>
  );
}

function Corner({ number }: { number: number }) {
  return (
    <span className="corner" aria-hidden="true">
      {number}
    </span>
  );
}

/** The deck before the first question: the backs of the cards. */
function Deck({ assistant }: { assistant: Assistant | null }) {
  const { title, hint } = invitation(assistant);
  return (
    <div className="card deck">
      <div className="card-body">
        <div className="face back">
          <p className="deck-title">{title}</p>
          <p className="deck-hint">{hint}</p>
        </div>
      </div>
    </div>
  );
}
