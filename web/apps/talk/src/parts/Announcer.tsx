/** Tells a screen reader what changed, politely and one thing at a time. */

import { useVoiceEvent, type VoiceSession } from '@greenroom/client/react';
import { useState } from 'react';
import type { Card } from '../game.ts';
import { announcement, isAsked, noteNews } from '../words.ts';

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
  const news = usePanelNews();
  return (
    <div className="unseen">
      <p aria-live="polite">{isAsked(session) ? 'Please allow the microphone.' : STATUS[session.sessionStatus]}</p>
      <p aria-live="polite">{session.intent === 'none' ? '' : announcement(card)}</p>
      <p aria-live="polite">{news}</p>
    </div>
  );
}

/** What the assistant did to a panel last. */
function usePanelNews(): string {
  const [news, setNews] = useState('');
  useVoiceEvent('ui.note', ({ data }) => setNews(noteNews(data)));
  useVoiceEvent('ui.html', ({ data }) => setNews(`The assistant shows: ${data.title || 'a page'}.`));
  useVoiceEvent('ui.card', ({ data }) => setNews(data.back ? `The card’s back: ${data.back}` : `A card: ${data.front}`));
  return news;
}
