/** What went wrong, or how it ended: in words, and with what to do next. */

import type { VoiceSession } from '@greenroom/client/react';
import type { Game } from '../game.ts';
import { farewell, scoreSentence, trouble } from '../words.ts';

interface NoticeProps {
  session: VoiceSession;
  game: Game;
  /** Beside a running conversation instead of in place of the card. */
  isSmall?: boolean;
  /** Begins anew, with the user's consent to being recorded. */
  onAgree?: () => void;
}

interface Content {
  code: string;
  kind: 'trouble' | 'end' | 'offer';
  heading: string;
  message: string;
  whatToDo: string;
  action?: { label: string; run: () => void };
}

export function Notice({ session, game, isSmall = false, onAgree }: NoticeProps) {
  const content = contentOf(session, onAgree);
  if (!content) return null;
  const showsScore = content.kind === 'end' && game.asked > 0;
  return (
    <section
      className={isSmall ? 'notice small' : 'notice'}
      data-testid="notice"
      data-code={content.code}
      data-kind={content.kind}
      role={content.kind === 'trouble' ? 'alert' : 'status'}
    >
      <h2>{content.heading}</h2>
      {showsScore ? <p className="notice-score">{scoreSentence(game.right, game.asked)}</p> : null}
      <p>{content.message}</p>
      <p className="what-to-do">{content.whatToDo}</p>
      {content.action ? (
        <button type="button" className="plain" onClick={content.action.run}>
          {content.action.label}
        </button>
      ) : null}
    </section>
  );
}

/** The one thing to be said: a blocked sound, a problem, an end, or a way back. */
function contentOf(session: VoiceSession, onAgree?: () => void): Content | null {
  const { error, end, rejoinable, soundBlocked } = session;
  if (soundBlocked)
    return {
      code: 'sound_blocked',
      kind: 'trouble',
      heading: 'You cannot hear me yet',
      message: 'The browser waits for a click before it lets this page make a sound.',
      whatToDo: '',
      action: { label: 'Let me hear', run: () => void session.unblockSound() },
    };
  if (error)
    return {
      ...error,
      kind: 'trouble',
      heading: trouble(error.code),
      ...(error.code === 'consent_needed' && onAgree ? { action: { label: 'Agree and talk', run: onAgree } } : {}),
    };
  if (end)
    return { code: end.reason, kind: 'end', message: end.message, ...farewell(end) };
  if (rejoinable)
    return {
      code: 'rejoinable',
      kind: 'offer',
      heading: 'Where were we?',
      message: rejoinable.userPresent
        ? 'Your conversation is open in another tab or window.'
        : 'Your conversation is still there.',
      whatToDo: '',
      action: { label: rejoinable.userPresent ? 'Continue here' : 'Continue', run: () => void session.rejoin() },
    };
  return null;
}
