/** The page: a stage with one card, a string of lights, one button; beside it the script. */

import { useVoiceSession } from '@greenroom/client/react';
import { Announcer } from './parts/Announcer.tsx';
import { Controls } from './parts/Controls.tsx';
import { FlashCard } from './parts/FlashCard.tsx';
import { Meter } from './parts/Meter.tsx';
import { Notice } from './parts/Notice.tsx';
import { Score } from './parts/Score.tsx';
import { Transcript } from './parts/Transcript.tsx';
import { useAssistant } from './useAssistant.ts';
import { useGame, useShownCard } from './useGame.ts';
import { statusLine, timeLeft } from './words.ts';

export function App() {
  const session = useVoiceSession();
  const assistant = useAssistant();
  const game = useGame();
  const card = useShownCard(game.card);
  const isLive = session.intent !== 'none';
  const hasScript = session.messages.length > 0;

  return (
    <div className="room" data-live={isLive} data-script={hasScript}>
      <header className="top">
        <h1 className="wordmark">Greenroom</h1>
        {session.warning ? (
          <p className="time-left" role="status">
            {timeLeft(session.warning.endsInS)}
          </p>
        ) : null}
        <Score right={game.right} asked={game.asked} />
      </header>
      <div className="lamp" data-lit={session.isSpeaking} aria-hidden="true" />
      <main className="stage">
        {isLive || !(session.error || session.end || session.rejoinable) ? (
          <FlashCard card={isLive ? card : null} assistant={assistant} />
        ) : (
          <Notice session={session} game={game} />
        )}
        <div className="below">
          <Meter isLive={session.sessionStatus === 'active'} />
          {isLive && (session.error || session.soundBlocked) ? (
            <Notice session={session} game={game} isSmall />
          ) : null}
          <p className="status" data-testid="status" data-status={session.sessionStatus}>
            {session.isSpeaking ? <Waves /> : null}
            {statusLine(session, card)}
          </p>
          <Controls session={session} />
        </div>
      </main>
      {hasScript ? <Transcript messages={session.messages} /> : null}
      <Announcer session={session} card={card} />
    </div>
  );
}

function Waves() {
  return (
    <span className="waves" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  );
}
