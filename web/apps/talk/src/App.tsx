/** The page: a stage with one card, a string of lights, one button; beside it what is said and shown. */

import { useVoiceSession, type VoiceSession } from '@greenroom/client/react';
import { useOpenPage } from '@greenroom/client/react/panels';
import { useState } from 'react';
import { Announcer } from './parts/Announcer.tsx';
import { Beside, isBesideShown, PanelSwitches, usePanels, type PanelsInUse } from './parts/Beside.tsx';
import { Chooser } from './parts/Chooser.tsx';
import { Controls } from './parts/Controls.tsx';
import { FlashCard } from './parts/FlashCard.tsx';
import { Meter } from './parts/Meter.tsx';
import { Notice } from './parts/Notice.tsx';
import { OpenPage, RecordingConsent } from './parts/questions.tsx';
import { Score } from './parts/Score.tsx';
import { ToolCard } from './parts/ToolCard.tsx';
import type { Game } from './game.ts';
import { useAssistant, type Assistant } from './useAssistant.ts';
import { useGame, useShownCard } from './useGame.ts';
import { isHeard, speaker, statusLine, timeLeft } from './words.ts';

interface AppProps {
  /** Who was chosen before this page was shown, and who is to be told of another choice. */
  chosen?: string | null;
  onChoose?: (assistant: string | null) => void;
}

export function App({ chosen: chosenFirst = null, onChoose }: AppProps) {
  const session = useVoiceSession();
  const [chosen, setChosen] = useState(chosenFirst);
  const [asksConsent, setAsksConsent] = useState(false);
  const assistant = useAssistant(chosen);
  const game = useGame();
  const card = useShownCard(game.card);
  const panels = usePanels();
  const question = useOpenPage();
  const isLive = session.intent !== 'none';
  const who = speaker(assistant);

  const choose = (name: string | null) => {
    onChoose?.(name);
    setChosen(name);
  };
  const begin = (agrees: boolean) => {
    setAsksConsent(false);
    void session.start({ recordingConsent: agrees });
  };
  const toggle = () => {
    if (isLive) void session.stop();
    else if (assistant?.records) setAsksConsent(true);
    else void session.start();
  };

  return (
    <div className="room" data-live={isLive} data-script={isBesideShown(panels)} data-panels={panels.shows('notes') || panels.shows('html')}>
      <header className="top">
        <h1 className="wordmark">Greenroom</h1>
        {session.warning ? (
          <p className="time-left" role="status">
            {timeLeft(session.warning.endsInS)}
          </p>
        ) : null}
        <PanelSwitches panels={panels} />
        <Score right={game.right} asked={game.asked} />
      </header>
      <div className="lamp" data-lit={isHeard(session)} aria-hidden="true" />
      <main className="stage">
        {asksConsent && !isLive ? (
          <RecordingConsent onAgree={() => begin(true)} onRefuse={() => setAsksConsent(false)} />
        ) : (
          <Middle session={session} game={game} card={card} assistant={assistant} panels={panels} onAgree={() => begin(true)} />
        )}
        <div className="below">
          <Meter isLive={session.sessionStatus === 'active'} />
          {isLive && (session.error || session.soundBlocked) ? (
            <Notice session={session} game={game} isSmall />
          ) : null}
          {question ? <OpenPage question={question} /> : null}
          <p className="status" data-testid="status" data-status={session.sessionStatus}>
            {isHeard(session) ? <Waves /> : null}
            {statusLine(session, card, who)}
          </p>
          {isLive || !onChoose ? null : <Chooser chosen={chosen} onChoose={choose} />}
          <Controls session={session} onToggle={toggle} />
        </div>
      </main>
      <Beside panels={panels} who={who} />
      <Announcer session={session} card={card} />
    </div>
  );
}

interface MiddleProps {
  session: VoiceSession;
  game: Game;
  card: Game['card'];
  assistant: Assistant | null;
  panels: PanelsInUse;
  onAgree: () => void;
}

/** What lies on the table: a card, the deck before the first one, or what has to be said. */
function Middle({ session, game, card, assistant, panels, onAgree }: MiddleProps) {
  const isLive = session.intent !== 'none';
  if (!isLive && (session.error || session.end || session.rejoinable))
    return <Notice session={session} game={game} onAgree={onAgree} />;
  if (isLive && !card && panels.shows('cards') && panels.card) return <ToolCard card={panels.card} />;
  return <FlashCard card={isLive ? card : null} assistant={assistant} />;
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
