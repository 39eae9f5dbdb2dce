/** The cards of the running conversation, as the assistant's events tell of them. */

import { useVoiceEvent } from '@greenroom/client/react';
import { useState } from 'react';

/** One card. Until it is answered there is no result. */
export interface Card {
  question: string;
  result: { value: number; expected: number; correct: boolean } | null;
}

/** Every card so far; the last one is in the assistant's hand. */
export function useRound(): readonly Card[] {
  const [cards, setCards] = useState<readonly Card[]>([]);
  useVoiceEvent('voice.session.start', () => setCards([]));
  useVoiceEvent('app.question', ({ data: { question } }) => {
    setCards((dealt) => [...dealt, { question, result: null }]);
  });
  useVoiceEvent('app.answer', ({ data: { question, value, expected, correct } }) => {
    setCards((dealt) => [...dealt.slice(0, -1), { question, result: { value, expected, correct } }]);
  });
  return cards;
}
