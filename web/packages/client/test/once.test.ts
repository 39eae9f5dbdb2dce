/** Each event once to each consumer, also when the page lets go of a session and comes back to it. */

import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createVoiceClient } from '../src/index.ts';
import { createOnce } from '../src/once.ts';
import { FakeServer } from '../src/testing/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settle = () => vi.advanceTimersByTimeAsync(0);

test('a consumer that saw a session’s events does not see them again after a return; a new one sees all', async () => {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  const [old, late]: number[][] = [[], []];
  client.on('*', ({ seq }) => void old!.push(seq));
  await client.start();
  await settle();
  server.emit('app.note', {});
  server.voice?.move(); // Another tab takes over …
  server.emit('app.note', {});
  client.on('*', ({ seq }) => void late!.push(seq));
  await client.start(); // … and this one takes it back.
  await settle();
  server.emit('app.note', {});
  const all = server.events.map(({ seq }) => seq);
  expect(old).toEqual(all);
  expect(late).toEqual(all);
  expect(client.getState().sessionId).toBe(server.session?.sessionId);
});

test('an ephemeral event reaches the handlers of its type, is kept for nobody, and leaves the numbers alone', async () => {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  const levels: number[] = [];
  const all: string[] = [];
  client.on('voice.audio.level', ({ data }) => void levels.push(data.level));
  client.on('*', ({ type }) => void all.push(type));
  await client.start();
  await settle();
  server.tellNow('voice.audio.level', { role: 'assistant', level: 0.5 });
  server.tellNow('voice.audio.level', { role: 'assistant', level: 0.25 });
  client.on('voice.audio.level', () => expect.fail('it was there too late'));
  server.emit('app.note', {});
  server.dropSockets();
  await vi.advanceTimersByTimeAsync(300);
  expect(levels).toEqual([0.5, 0.25]);
  expect(all).toEqual(server.events.map(({ type }) => type));
});

test('the events of the next session are new, though their numbers are not', async () => {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  const starts: string[] = [];
  client.on('voice.session.start', ({ session }) => void starts.push(session));
  for (let i = 0; i < 20; i++) {
    await client.start();
    await settle();
    await client.stop();
  }
  expect(starts).toEqual(Array.from({ length: 20 }, (_, i) => `session-${i + 1}`));
});

test('for any order of repetitions a number is let through once, and never after a greater one', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ session: fc.constantFrom('a', 'b'), seq: fc.integer({ min: 1, max: 20 }) })), (events) => {
      const isNew = createOnce();
      const shown = events.filter(isNew);
      for (const session of ['a', 'b']) {
        const seqs = shown.filter((event) => event.session === session).map(({ seq }) => seq);
        expect(seqs).toEqual([...new Set(seqs)].sort((x, y) => x - y));
      }
    }),
  );
});
