/** Tells a screen reader what changed, politely and one thing at a time. */

import type { VoiceSession } from '@greenroom/client/react';
import type { Card } from '../game.ts';
import { announcement } from '../words.ts';

const STATUS: Record<VoiceSession['sessionStatus'], string> = {
  inactive: '',
  queued: 'Waiting for a place.',
  connecting: 'Connecting.',
  active: 'Connected. You can talk.',
  paused: 'Paused.',
  disconnecting: 'Closing the conversation.',
  unavailable: 'Not reachable.',
};

export function Announcer({ session, card }: { session: VoiceSession; card: Card | null }) {
  return (
    <div className="unseen">
      <p aria-live="polite">{STATUS[session.sessionStatus]}</p>
      <p aria-live="polite">{session.intent === 'none' ? '' : announcement(card)}</p>
    </div>
  );
}
