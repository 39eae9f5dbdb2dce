// @vitest-environment happy-dom
/** 2,000 events over a network that is cut a hundred times: a component processes each once, in order. */

import { act, cleanup, render } from '@testing-library/react';
import { StrictMode, useEffect, useState } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createVoiceClient, type Event } from '../src/index.ts';
import { useVoiceEvent, useVoiceSession, VoiceSessionProvider } from '../src/react/index.ts';
import { FakeServer } from '../src/testing/index.ts';

const EVENTS = 2_000;
const CUTS = 100;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

/** Numbers in 0 … 1 that are the same for the same seed (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** So many different numbers below `below`. */
function pick(count: number, below: number, next: () => number): Set<number> {
  const picked = new Set<number>();
  while (picked.size < count) picked.add(Math.floor(next() * below));
  return picked;
}

/** How the network ends a connection: each of them happens to real pages. */
function cut(server: FakeServer, next: () => number): void {
  const how = next();
  if (how < 0.6) server.dropSockets();
  else if (how < 0.8) server.dropSockets(4408); // The server found us too slow.
  else for (const socket of server.sockets) socket.isOpen = false; // Half dead: nobody says so.
}

/** One event is lost on the way, and the connection stays as if nothing were amiss. */
function loseOne(server: FakeServer, step: number): void {
  const open = server.sockets.filter(({ isOpen }) => isOpen);
  for (const socket of open) socket.isOpen = false;
  server.emit('app.step', { step });
  for (const socket of open) socket.isOpen = true;
}

test.each([1, 2, 3])('seed %d', { timeout: 60_000 }, async (seed) => {
  const next = random(seed);
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  const processed: number[] = [];
  let renders = 0;
  let shake: () => void = () => undefined;

  function Consumer() {
    const { messages } = useVoiceSession(); // Renders for every part of the transcript too.
    const [shaken, setShaken] = useState(0);
    useEffect(() => {
      shake = () => setShaken((count) => count + 1);
    }, []);
    renders += 1;
    // A new function each time, and state in its closure, as people write it.
    useVoiceEvent('app.step', (event: Event) => {
      processed.push(event.data.step as number);
      setShaken(shaken + messages.length + 1);
    });
    return null;
  }
  const page = () => (
    <StrictMode>
      <VoiceSessionProvider client={client}>
        <Consumer />
      </VoiceSessionProvider>
    </StrictMode>
  );
  const { rerender } = render(page());
  await act(async () => {
    await client.start();
    await vi.advanceTimersByTimeAsync(0);
  });

  const cuts = pick(CUTS, EVENTS - 200, next);
  let due = 0;
  let felt = 0;
  const isConnected = () => server.sockets.some(({ isOpen }) => isOpen) && client.getState().connection === 'online';
  for (let step = 0; step < EVENTS; step++) {
    await act(async () => {
      if (next() < 0.02) loseOne(server, step);
      else server.emit('app.step', { step });
      if (next() < 0.1) server.emit('voice.transcript', { role: 'user', text: 'well', final: false, turn: step });
      if (next() < 0.05) server.replay(Math.max(1, server.events.length - 20)); // A server that is not sure.
      if (cuts.has(step)) due += 1;
      if (due > felt && isConnected()) {
        felt += 1; // Only what was connected can be cut.
        cut(server, next);
      }
      if (next() < 0.2) await vi.advanceTimersByTimeAsync(next() * 1_000);
      if (next() < 0.03) await vi.advanceTimersByTimeAsync(20_000);
    });
    if (next() < 0.2) act(() => shake());
    if (next() < 0.1) rerender(page());
  }
  await act(() => vi.advanceTimersByTimeAsync(60_000));

  expect(felt).toBe(CUTS);
  expect(processed).toEqual(Array.from({ length: EVENTS }, (_, step) => step));
  expect(server.sockets.length).toBeGreaterThan(CUTS);
  expect(renders).toBeGreaterThan(EVENTS / 4);
});
