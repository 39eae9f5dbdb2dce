// @vitest-environment happy-dom
/**
 * How to test a page of your own: `@greenroom/client/testing` has a server, a microphone and a voice that the
 * test holds in its hand. This file is the documented example; each test shows one thing that one does with it.
 */

import { act, cleanup, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AssistantButton, AssistantCanvas, useVoiceEvent, useVoiceSession, VoiceSessionProvider } from '../src/react/index.ts';
import { FakeServer } from '../src/testing/index.ts';

// ---- The page: a button, a caption, and a count of right answers.

function Score() {
  const { connection } = useVoiceSession();
  const [right, setRight] = useState(0);
  useVoiceEvent('app.answer', ({ data }) => setRight(right + (data.correct ? 1 : 0)));
  return (
    <output>
      {right} right, {connection}
    </output>
  );
}

// ---- The test's side: the client waits by timers, so a test that lets time pass brings its own.

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

/** Lets happen what needs `ms` of time; 0 is enough for everything but waiting. */
const pass = (ms = 0) => act(() => vi.advanceTimersByTimeAsync(ms));

async function talking() {
  const server = new FakeServer();
  render(
    <VoiceSessionProvider options={{ baseUrl: 'http://greenroom.test', ports: server.ports }}>
      <AssistantButton />
      <AssistantCanvas />
      <Score />
    </VoiceSessionProvider>,
  );
  act(() => screen.getByRole('button').click());
  await pass();
  return server;
}

const answer = { question: '6 × 9', value: 54, correct: true, expected: 54, right: 1, asked: 1 };
const shown = () => screen.getByRole('status').textContent;

test('push events, as the bot would', async () => {
  const server = await talking();
  act(() => {
    server.emit('voice.transcript', { role: 'assistant', text: 'Right!', final: true, turn: 1 });
    server.emit('app.answer', answer);
  });
  expect(screen.getByText('Right!')).toBeDefined();
  expect(shown()).toBe('1 right, online');
});

test('drop the connection: what happens meanwhile arrives afterwards', async () => {
  const server = await talking();
  act(() => server.dropSockets());
  await pass();
  act(() => void server.emit('app.answer', answer));
  expect(shown()).toBe('0 right, reconnecting');
  await pass(1_000);
  expect(shown()).toBe('1 right, online');
});

test('replay events: none counts twice', async () => {
  const server = await talking();
  act(() => void server.emit('app.answer', answer));
  act(() => server.replay());
  expect(shown()).toBe('1 right, online');
});

test('refuse: the page says why, and what to do', async () => {
  const server = new FakeServer();
  server.refuse('POST /api/voice/session', 429, 'user_limit', 'You have talked enough for today.');
  render(
    <VoiceSessionProvider options={{ baseUrl: 'http://greenroom.test', ports: server.ports }}>
      <AssistantButton />
      <AssistantCanvas />
    </VoiceSessionProvider>,
  );
  act(() => screen.getByRole('button').click());
  await pass();
  expect(screen.getByRole('alert').textContent).toMatch(/You have talked enough for today\./);
  server.accept('POST /api/voice/session');
  act(() => screen.getByRole('button').click());
  await pass();
  expect(screen.getByRole('button').dataset.status).toBe('active');
});

test('the microphone: refused, heard, pulled out; and what the page asked the server for', async () => {
  const server = await talking();
  act(() => server.microphone.hear(0.5));
  act(() => server.microphone.unplug());
  await pass();
  expect(screen.getByRole('alert').textContent).toMatch(/unplugged/);
  expect(server.requests.map(({ command }) => command)).toEqual(['POST /api/voice/session']);
});

test('the voice: lost and found again; and the end, as the server says it', async () => {
  const server = await talking();
  act(() => server.voice?.lose());
  await pass(1_000);
  expect(server.media).toHaveLength(2);
  act(() => server.end('goodbye', 'You said goodbye.'));
  expect(screen.getByRole('button').dataset.status).toBe('inactive');
});
