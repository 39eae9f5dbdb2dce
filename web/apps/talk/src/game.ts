/** The cards and the score, as the built-in assistant's events tell them. */

import type { AnswerData, Event, QuestionData } from '@greenroom/client';

export interface Card {
  number: number;
  question: string;
  state: 'question' | 'right' | 'wrong';
  /** What was answered, and what is right; null until then. */
  answer: { value: number; expected: number } | null;
}

export interface Game {
  card: Card | null;
  right: number;
  asked: number;
}

export const NEW_GAME: Game = { card: null, right: 0, asked: 0 };

/** The game after an event; events of other kinds change nothing. */
export function play(game: Game, event: Event): Game {
  switch (event.type) {
    case 'voice.session.start':
      return NEW_GAME;
    case 'app.question':
      return { ...game, card: dealt(event.data as unknown as QuestionData) };
    case 'app.answer':
      return turned(game, event.data as unknown as AnswerData);
    default:
      return game;
  }
}

function dealt({ question, number }: QuestionData): Card {
  return { number, question, state: 'question', answer: null };
}

function turned(game: Game, answer: AnswerData): Game {
  const { question, value, expected, correct, right, asked } = answer;
  const number = game.card?.question === question ? game.card.number : asked;
  const state = correct ? 'right' : 'wrong';
  return { card: { number, question, state, answer: { value, expected } }, right, asked };
}
