/** The game for React, and a card that stays turned long enough to be seen. */

import type { Event } from '@greenroom/client';
import { useVoiceEvent } from '@greenroom/client/react';
import { useEffect, useReducer, useState } from 'react';
import { NEW_GAME, play, type Card, type Game } from './game.ts';

/** A turned card is looked at this long, even when the next question is there already. */
export const LOOK_MS = 1_600;

/** The cards and the score of the running session, kept after its end. */
export function useGame(): Game {
  const [game, onEvent] = useReducer(play, NEW_GAME);
  useVoiceEvent('*', (event: Event) => onEvent(event));
  return game;
}

/**
 * The card to show: the newest, except that a turned one is held for a moment before the next.
 * This paces what is seen; the score and the session never wait for it.
 */
export function useShownCard(newest: Card | null): Card | null {
  const [shown, setShown] = useState(newest);
  const [turnedAt, setTurnedAt] = useState(0);
  const isTurn = newest !== null && newest.state !== 'question';
  const holds = shown !== null && shown.state !== 'question' && newest?.state === 'question';

  useEffect(() => {
    if (newest === shown) return undefined;
    const wait = holds ? Math.max(0, turnedAt + LOOK_MS - performance.now()) : 0;
    const timer = setTimeout(() => {
      setShown(newest);
      if (isTurn) setTurnedAt(performance.now());
    }, wait);
    return () => clearTimeout(timer);
  }, [newest, shown, holds, turnedAt, isTurn]);

  return shown;
}
