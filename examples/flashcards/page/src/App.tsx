/** The page: a card, the assistant around it, two buttons, and the score. */

import { AssistantButton, AssistantCanvas, useVoiceSession } from '@greenroom/client/react';
import { useRound, type Card } from './useRound.ts';
import { useScore } from './useScore.ts';

export function App() {
  const score = useScore();
  const round = useRound();
  return (
    <main>
      <header>
        <h1>Flash cards</h1>
        <p data-testid="score" data-right={score?.right} data-asked={score?.asked}>
          {score && score.asked > 0 ? `${score.right} of ${score.asked} right` : 'Say the answers aloud'}
        </p>
      </header>
      <AssistantCanvas>
        <Shown card={round.at(-1)} />
        <Results round={round} />
      </AssistantCanvas>
      <nav>
        <AssistantButton className="talk" labels={{ inactive: 'Let’s practise', active: 'Stop' }} />
        <Mute />
      </nav>
      {score && score.practise.length > 0 ? <p className="practise">To practise: {score.practise.join(', ')}</p> : null}
    </main>
  );
}

function Shown({ card }: { card: Card | undefined }) {
  if (!card) return <div className="card">a × b</div>;
  const { question, result } = card;
  const verdict = result && (result.correct ? 'right' : 'wrong');
  return (
    <div className="card" data-testid="card" data-question={question} data-verdict={verdict}>
      {question}
      <output>{result ? `= ${result.expected}` : ' '}</output>
    </div>
  );
}

/** One mark for each answered card of this conversation. */
function Results({ round }: { round: readonly Card[] }) {
  const answered = round.flatMap(({ question, result }) => (result ? [{ question, ...result }] : []));
  return (
    <ol className="results" aria-label="Answers so far">
      {answered.map(({ question, value, correct }, place) => (
        <li key={place} data-correct={correct} title={`${question} = ${value}`} />
      ))}
    </ol>
  );
}

function Mute() {
  const { sessionStatus, muted, mute } = useVoiceSession();
  const isTalking = sessionStatus === 'active' || sessionStatus === 'paused';
  return (
    <button type="button" disabled={!isTalking} aria-pressed={muted} onClick={() => void mute(!muted)}>
      {muted ? 'Unmute' : 'Mute'}
    </button>
  );
}
