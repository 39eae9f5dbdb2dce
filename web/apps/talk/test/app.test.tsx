// @vitest-environment happy-dom
/** The page: what people see and press, in the states that a session can be in. */

import { createVoiceClient } from '@greenroom/client';
import { VoiceSessionProvider } from '@greenroom/client/react';
import { FakeServer } from '@greenroom/client/testing';
import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { STATES } from '../gallery/states.ts';
import { App } from '../src/App.tsx';
import { LOOK_MS } from '../src/useGame.ts';
import { speaker } from '../src/words.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

function show() {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  render(
    <StrictMode>
      <VoiceSessionProvider client={client}>
        <App />
      </VoiceSessionProvider>
    </StrictMode>,
  );
  return { server, client };
}

const pass = (ms = 0) => act(() => vi.advanceTimersByTimeAsync(ms));
const data = (testId: string) => ({ ...screen.getByTestId(testId).dataset });

async function talking() {
  const all = show();
  act(() => screen.getByRole('button', { name: /talk/i }).click());
  await pass();
  return all;
}

test('the button is Talk, then Stop, then Talk again', async () => {
  const { server } = await talking();
  expect(data('status')).toMatchObject({ status: 'active' });
  expect(screen.queryByRole('button', { name: /talk/i })).toBeNull();
  server.endsAtOnce = false;
  act(() => screen.getByRole('button', { name: /stop|end/i }).click());
  await pass();
  const ending = screen.getByRole('button', { name: /end/i });
  expect(ending.getAttribute('aria-disabled')).toBe('true');
  act(() => ending.click());
  act(() => server.end('user', 'You ended the conversation.'));
  await pass();
  expect(server.count('DELETE /api/voice/session/{id}')).toBe(1);
  expect(screen.getByRole('button', { name: /talk/i })).toBeTruthy();
  expect(data('notice')).toMatchObject({ code: 'user' });
});

test('while the browser asks for the microphone nobody is told that they are heard', async () => {
  const { server } = show();
  server.microphone.next = 'ask';
  act(() => screen.getByRole('button', { name: /talk/i }).click());
  await pass();
  act(() => void server.emit('voice.bot.speaking', { speaking: true }));
  expect(data('status')).toMatchObject({ status: 'active' });
  expect(screen.getByTestId('status').textContent).toBe('Please allow the microphone');
  expect(screen.queryByText('Connected. You can talk.')).toBeNull();
  act(() => server.microphone.answer('allow'));
  await pass();
  expect(screen.getByText('Connected. You can talk.')).toBeTruthy();
});

test('the card shows the question, turns with the answer, and is looked at before the next', async () => {
  const { server } = await talking();
  act(() => void server.emit('app.question', { question: '8 × 7', number: 1 }));
  await pass();
  expect(data('card')).toMatchObject({ question: '8 × 7', state: 'question', number: '1' });
  act(() => {
    server.emit('app.answer', { question: '8 × 7', value: 54, expected: 56, correct: false, right: 0, asked: 1 });
  });
  await pass();
  act(() => void server.emit('app.question', { question: '6 × 9', number: 2 }));
  await pass(LOOK_MS - 100);
  expect(data('card')).toMatchObject({ question: '8 × 7', state: 'wrong' });
  expect(screen.getByTestId('card').textContent).toContain('Not quite');
  expect(screen.getByTestId('card').textContent).toContain('You said 54.');
  expect(data('score')).toMatchObject({ right: '0', asked: '1' });
  await pass(100);
  expect(data('card')).toMatchObject({ question: '6 × 9', state: 'question', number: '2' });
});

test('an answer that comes with its question in one burst is still seen turned', async () => {
  const { server } = await talking();
  act(() => {
    server.emit('app.question', { question: '8 × 7', number: 1 });
    server.emit('app.answer', { question: '8 × 7', value: 56, expected: 56, correct: true, right: 1, asked: 1 });
  });
  await pass();
  expect(data('card')).toMatchObject({ state: 'right', number: '1' });
});

test('a screen reader hears the question and the result, and no running text', async () => {
  const { server } = await talking();
  act(() => void server.emit('app.question', { question: '8 × 7', number: 3 }));
  await pass();
  const polite = () => [...document.querySelectorAll('[aria-live=polite]')].map(({ textContent }) => textContent);
  expect(polite()).toContain('Question 3: 8 times 7?');
  act(() => {
    server.emit('app.answer', { question: '8 × 7', value: 56, expected: 56, correct: true, right: 1, asked: 1 });
    server.emit('voice.transcript', { role: 'user', text: 'fifty six', final: false, turn: 2 });
  });
  await pass();
  expect(polite()).toContain('Right. 8 times 7 is 56.');
  expect(polite().join()).not.toContain('fifty six');
  expect(screen.getByTestId('transcript').textContent).toContain('fifty six');
});

test('the meter names silent, noise and speaking, and that the microphone is off', async () => {
  const { server } = await talking();
  const hear = (level: number) => act(() => [1, 2, 3, 4, 5].forEach(() => server.microphone.hear(level)));
  for (const [level, state, label] of [[0, 'silent', 'You are silent'], [0.1, 'noise', 'Some noise'], [0.5, 'speaking', 'You are speaking']] as const) {
    hear(level);
    expect(data('meter')).toMatchObject({ voiceState: state });
    expect(screen.getByTestId('meter').textContent).toBe(label);
  }
  act(() => screen.getByRole('button', { name: /mute/i }).click());
  await pass();
  expect(screen.getByTestId('meter').textContent).toBe('Microphone off');
  expect(screen.getByRole('button', { name: /mute/i }).getAttribute('aria-pressed')).toBe('true');
});

describe('every state of the gallery', () => {
  test.each(Object.entries(STATES))('%s can be shown, with exactly one button to talk or to stop', async (_, bringAbout) => {
    const scene = show();
    await act(async () => {
      const brought = bringAbout(scene);
      await vi.advanceTimersByTimeAsync(500);
      await brought;
    });
    expect(screen.getAllByRole('button', { name: /^(talk|stop|ending…)$/i })).toHaveLength(1);
    expect(screen.getByTestId('status').textContent).not.toBe('');
    const notice = screen.queryByTestId('notice');
    if (notice) expect(notice.textContent).toMatch(/[.!?]/);
  });
});

test('whoever speaks on a line that is gone is not said to speak', async () => {
  const { server } = await talking();
  act(() => server.emit('voice.bot.speaking', { speaking: true, interrupted: false }));
  await pass();
  expect(screen.getByTestId('status').textContent).toBe('Greenroom is speaking');
  expect(document.querySelector('.waves')).not.toBeNull();
  act(() => server.voice?.handlers.onInterrupted());
  await pass();
  expect(screen.getByTestId('status').textContent).toBe('The sound broke off, reconnecting');
  expect(document.querySelector('.waves, .lamp[data-lit=true]')).toBeNull();
  act(() => server.voice?.connect());
  await pass();
  expect(screen.getByTestId('status').textContent).toBe('Greenroom is speaking');
});

test.each([
  [{ assistant: 'cards', title: 'Multiplication cards' }, 'Greenroom'],
  [{ assistant: 'mary', title: 'Mary, the teacher' }, 'Mary'],
  [{ assistant: 'bot', title: 'bot' }, 'The assistant'],
  [{ assistant: 'mary', title: 'Mary '.repeat(20) }, 'The assistant'],
  [null, 'Greenroom'],
])('an assistant is spoken of by a name that people know: %j', (assistant, name) => {
  expect(speaker(assistant && { ...assistant, records: false })).toBe(name);
});

test('a cold start says that it takes a while', async () => {
  const { server } = await talking();
  act(() => server.emit('voice.session.status', { status: 'connecting', userPresent: true, botPresent: false }));
  act(() => server.emit('voice.bot.starting', { withinS: 120 }));
  await pass();
  expect(screen.getByTestId('status').textContent).toBe('Waking the assistant, up to a minute');
});
