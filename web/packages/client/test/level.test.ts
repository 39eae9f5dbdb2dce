/** Silent, noise, speaking: the rule and its thresholds. */

import { expect, test } from 'vitest';
import { activityOf, createSmoother, levelOf } from '../src/level.ts';

const tone = (amplitude: number) =>
  Float32Array.from({ length: 2048 }, (_, i) => amplitude * Math.sin((i * Math.PI * 2) / 32));

test.each([
  [0, 'silent'],
  [0.0499, 'silent'],
  [0.05, 'noise'],
  [0.1499, 'noise'],
  [0.15, 'speaking'],
  [1, 'speaking'],
])('a level of %d is %s', (level, activity) => {
  expect(activityOf(level)).toBe(activity);
});

test.each([
  ['digital silence', 0, 'silent'],
  ['a quiet room, −47 dBFS', 0.0063, 'silent'],
  ['a fan, −36 dBFS', 0.0224, 'noise'],
  ['a voice with automatic gain, −23 dBFS', 0.1, 'speaking'],
])('%s is %s', (_, amplitude, activity) => {
  expect(activityOf(levelOf(tone(amplitude)))).toBe(activity);
});

test('a level never leaves 0 … 1, not even for a block without samples', () => {
  expect(levelOf(tone(1))).toBe(1);
  expect(levelOf(new Float32Array())).toBe(0);
});

test('one spike is not speech: the mean of five samples decides', () => {
  const smooth = createSmoother();
  expect([0, 0, 0, 0, 0.6].map(smooth).at(-1)).toBeCloseTo(0.12);
  expect([0.6, 0.6, 0.6, 0.6].map(smooth).at(-1)).toBeCloseTo(0.6);
});
