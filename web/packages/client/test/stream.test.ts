/** The stream: each event once and in order, over any network. */

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiError } from '../src/api.ts';
import type { Connection } from '../src/state.ts';
import { DEAD_AFTER_MS, EventStream, type SocketLike } from '../src/stream.ts';
import { FakeSocket } from '../src/testing/index.ts';
import type { EphemeralEvent, Event, Subscribe } from '../src/wire.ts';
import type { VoiceError } from '../src/words.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const numbered = (seq: number, session = 's1'): Event => ({
  v: 1, id: `${session}.${seq}`, session, seq, time: '2026-01-01T12:00:00.000Z', type: 'app.n', data: { seq },
});

/** A stream on sockets that the test holds. */
function follow(answer: (subscribe: Subscribe, socket: FakeSocket) => void = () => undefined) {
  const sockets: FakeSocket[] = [];
  const subscribes: Subscribe[] = [];
  const seen: number[] = [];
  const ephemeral: EphemeralEvent[] = [];
  const connections: Connection[] = [];
  const gone: VoiceError[] = [];
  const wakes = new Set<() => void>();
  let tickets = 0;
  const ticket = vi.fn(() => Promise.resolve(`ticket-${++tickets}`));
  const stream = new EventStream({
    url: 'ws://greenroom.test/ws',
    sessionId: 's1',
    ticket,
    openSocket: () => {
      const socket = new FakeSocket((subscribe, from) => {
        subscribes.push(subscribe);
        from.deliver({ type: 'subscribed', session: 's1', after: subscribe.after, own: true });
        answer(subscribe, from);
      });
      sockets.push(socket);
      queueMicrotask(() => socket.open());
      return socket as SocketLike;
    },
    onWake: (wake) => {
      wakes.add(wake);
      return () => void wakes.delete(wake);
    },
    onEvent: ({ seq }) => void seen.push(seq),
    onEphemeral: (event) => void ephemeral.push(event),
    onConnection: (connection) => void connections.push(connection),
    onGone: (error) => void gone.push(error),
  });
  const send = (seq: number, session?: string) =>
    sockets.at(-1)?.deliver({ type: 'event', event: numbered(seq, session) });
  return { stream, sockets, subscribes, seen, ephemeral, connections, gone, wakes, ticket, send };
}

test('asks with a ticket and from the beginning', async () => {
  const { stream, subscribes, connections } = follow();
  await vi.advanceTimersByTimeAsync(0);
  expect(subscribes).toEqual([{ type: 'subscribe', ticket: 'ticket-1', after: 0 }]);
  expect(connections).toEqual(['online']);
  stream.close();
});

test('after a break: a new ticket, and on from the last number', async () => {
  const { stream, sockets, subscribes, connections, seen, send } = follow();
  await vi.advanceTimersByTimeAsync(0);
  send(1);
  send(2);
  sockets[0]?.drop();
  await vi.advanceTimersByTimeAsync(300);
  expect(subscribes[1]).toEqual({ type: 'subscribe', ticket: 'ticket-2', after: 2 });
  send(2); // Once more from the server
  send(3);
  expect(seen).toEqual([1, 2, 3]);
  expect(connections).toEqual(['online', 'reconnecting', 'online']);
  stream.close();
});

test('a missing number is asked for, not skipped', async () => {
  const { stream, subscribes, seen, send } = follow();
  await vi.advanceTimersByTimeAsync(0);
  send(1);
  send(3);
  expect(seen).toEqual([1]);
  await vi.advanceTimersByTimeAsync(300);
  expect(subscribes[1]?.after).toBe(1);
  stream.close();
});

test('another session’s events are not this one’s', async () => {
  const { stream, seen, send } = follow();
  await vi.advanceTimersByTimeAsync(0);
  send(1, 'another');
  send(1);
  expect(seen).toEqual([1]);
  stream.close();
});

test('what is of this moment comes between the numbers, of this session or of all, and is not asked for again', async () => {
  const { stream, sockets, subscribes, seen, ephemeral, send } = follow();
  await vi.advanceTimersByTimeAsync(0);
  const tell = (type: string, session?: string) =>
    sockets.at(-1)?.deliver({ type: 'ephemeral', event: { v: 1, session, time: '', type, data: {}, ephemeral: true } });
  send(1);
  tell('app.pointer', 's1');
  tell('app.pointer', 'another');
  tell('voice.emergency');
  send(2);
  expect(ephemeral.map(({ type }) => type)).toEqual(['app.pointer', 'voice.emergency']);
  expect(seen).toEqual([1, 2]);
  expect(subscribes).toHaveLength(1);
  stream.close();
});

test('no heartbeat for 15 seconds: the connection is dead, whatever the socket thinks', async () => {
  const { stream, sockets, connections } = follow();
  await vi.advanceTimersByTimeAsync(0);
  await vi.advanceTimersByTimeAsync(DEAD_AFTER_MS - 1);
  sockets[0]?.deliver({ type: 'heartbeat' });
  await vi.advanceTimersByTimeAsync(DEAD_AFTER_MS - 1);
  expect(sockets).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(connections.at(-1)).toBe('reconnecting');
  await vi.advanceTimersByTimeAsync(300);
  expect(sockets).toHaveLength(2);
  expect(sockets[0]?.isOpen).toBe(false);
  stream.close();
});

test('broken messages end the connection, not the stream', async () => {
  const { stream, sockets, seen, send } = follow();
  await vi.advanceTimersByTimeAsync(0);
  sockets[0]?.onmessage?.({ data: 'not json' });
  await vi.advanceTimersByTimeAsync(300);
  send(1);
  expect(seen).toEqual([1]);
  stream.close();
});

test('a server that stays away is told as offline; looking at the page again tries at once', async () => {
  const { stream, sockets, ticket, connections, wakes } = follow();
  await vi.advanceTimersByTimeAsync(0);
  ticket.mockRejectedValue(new ApiError(0, 'unreachable', true));
  sockets[0]?.drop();
  await vi.advanceTimersByTimeAsync(30_000);
  expect(connections.slice(0, 2)).toEqual(['online', 'reconnecting']);
  expect(connections.at(-1)).toBe('offline');
  const calls = ticket.mock.calls.length;
  ticket.mockResolvedValue('fresh');
  for (const wake of [...wakes]) wake();
  await vi.advanceTimersByTimeAsync(0);
  expect(ticket.mock.calls.length).toBe(calls + 1);
  expect(connections.at(-1)).toBe('online');
  stream.close();
});

describe('an end that trying again cannot change', () => {
  test.each([401, 403, 404, 410])('a ticket refused with %d', async (code) => {
    const { ticket, gone, sockets } = follow();
    ticket.mockRejectedValue(new ApiError(code, 'x', false));
    await vi.advanceTimersByTimeAsync(0);
    expect(sockets).toHaveLength(1); // The first ticket was good: now it breaks.
    sockets[0]?.drop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(gone).toHaveLength(1);
    expect(ticket).toHaveBeenCalledTimes(2);
  });

  test('a page of a wrong origin', async () => {
    const { gone, sockets } = follow();
    await vi.advanceTimersByTimeAsync(0);
    sockets[0]?.drop(4403);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(gone.map(({ problem }) => problem.code)).toEqual(['forbidden']);
    expect(sockets).toHaveLength(1);
  });
});

test('closing is for good: no event, no attempt, no timer is left', async () => {
  const { stream, sockets, seen, send } = follow();
  await vi.advanceTimersByTimeAsync(0);
  send(1);
  stream.close();
  send(2);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(seen).toEqual([1]);
  expect(sockets).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});

type Mishap = { drop: boolean } | { repeat: number } | { skip: number };

test('property: whatever is repeated, left out or cut off, each event is seen once and in order', async () => {
  const mishap: fc.Arbitrary<Mishap> = fc.oneof(
    fc.record({ drop: fc.boolean() }),
    fc.record({ repeat: fc.integer({ min: 0, max: 5 }) }),
    fc.record({ skip: fc.integer({ min: 1, max: 3 }) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 25 }), fc.array(mishap, { maxLength: 25 }), async (total, mishaps) => {
      const left = [...mishaps];
      // The server's events from a number on, through a network that has mishaps.
      const { stream, seen } = follow(({ after }, socket) => {
        let seq = after + 1;
        while (seq <= total && socket.isOpen) {
          const next = left.shift();
          if (next && 'skip' in next) seq += next.skip;
          if (next && 'repeat' in next) seq = Math.max(1, seq - next.repeat);
          if (seq <= total) socket.deliver({ type: 'event', event: numbered(seq) });
          if (next && 'drop' in next && next.drop) return socket.drop();
          seq += 1;
        }
        // Something was left out at the very end: the server would send it with what comes next.
        if (socket.isOpen && seen.at(-1) !== total) socket.drop();
      });
      for (let i = 0; i < 60 && seen.at(-1) !== total; i++) await vi.advanceTimersByTimeAsync(8_000);
      stream.close();
      expect(seen).toEqual(Array.from({ length: total }, (_, index) => index + 1));
    }),
    { numRuns: 150 },
  );
});
