/** Cards and score from events. */

import type { Event } from '@greenroom/client';
import { expect, test } from 'vitest';
import { NEW_GAME, play } from '../src/game.ts';

const event = (type: string, data: object): Event => ({
  v: 1, id: type, session: 's1', seq: 1, time: '', type, data: { ...data },
});
const question = (text: string, number: number) => event('app.question', { question: text, number });
const answer = (text: string, value: number, expected: number, right: number, asked: number) =>
  event('app.answer', { question: text, value, expected, correct: value === expected, right, asked });

test('a question is a new card, an answer turns it and sets the score', () => {
  const asked = play(NEW_GAME, question('8 × 7', 1));
  expect(asked).toMatchObject({ card: { question: '8 × 7', number: 1, state: 'question' }, asked: 0 });
  expect(play(asked, answer('8 × 7', 56, 56, 1, 1))).toMatchObject({ card: { state: 'right', number: 1 }, right: 1, asked: 1 });
  expect(play(asked, answer('8 × 7', 54, 56, 0, 1))).toMatchObject({
    card: { state: 'wrong', answer: { value: 54, expected: 56 } }, right: 0, asked: 1,
  });
});

test('a new session begins anew, other events change nothing', () => {
  const game = play(play(NEW_GAME, question('8 × 7', 1)), answer('8 × 7', 56, 56, 1, 1));
  expect(play(game, event('voice.transcript', {}))).toBe(game);
  expect(play(game, event('voice.session.start', {}))).toEqual(NEW_GAME);
});
