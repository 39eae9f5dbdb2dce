/** A group call on the same page: the session waits, and goes on as it was. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createVoiceClient, Exclusion, type TabMemory } from '../src/index.ts';
import { FakeServer } from '../src/testing/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settle = () => vi.advanceTimersByTimeAsync(0);

function tab(): TabMemory {
  let kept: string | null = null;
  return { get: () => kept, set: (id) => void (kept = id) };
}

function setUp(server = new FakeServer(), memory = tab()) {
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  const exclusion = new Exclusion(client, memory);
  const target = new EventTarget();
  const disconnect = exclusion.connect(target);
  const call = (what: 'start' | 'end', detail?: object) =>
    void target.dispatchEvent(new CustomEvent(`dailyCall.session.${what}`, { detail }));
  return { server, client, exclusion, call, memory, disconnect };
}

async function active(server?: FakeServer, memory?: TabMemory) {
  const all = setUp(server, memory);
  await all.client.start();
  await settle();
  return all;
}

test('the window’s events pause and resume, and one picture shows both', async () => {
  const { server, exclusion, call } = await active();
  expect(exclusion.getState()).toEqual({
    activeSession: 'voice',
    voiceSession: { status: 'active', roomUrl: null },
    dailyCall: { joined: false, roomUrl: null },
  });
  call('start', { roomUrl: 'https://calls.test/room' });
  await settle();
  expect(server.session?.pauseCauses).toEqual(['group_call']);
  expect(exclusion.getState()).toEqual({
    activeSession: 'dailyCall',
    voiceSession: { status: 'paused', roomUrl: null },
    dailyCall: { joined: true, roomUrl: 'https://calls.test/room' },
  });
  call('end');
  await settle();
  expect(server.session?.pauseCauses).toEqual([]);
  expect(exclusion.getState()).toMatchObject({ activeSession: 'voice', voiceSession: { status: 'active' } });
});

test('by method is the same, and twice is once', async () => {
  const { server, exclusion } = await active();
  exclusion.callStarted();
  exclusion.callStarted('https://calls.test/room');
  await settle();
  exclusion.callEnded();
  exclusion.callEnded();
  await settle();
  expect(server.requests.filter(({ command }) => command === 'POST /api/voice/pause').map(({ body }) => body.paused)).toEqual([true, false]);
});

test('what the visitor paused or muted before stays so after the call', async () => {
  const { server, client, call } = await active();
  await client.pause();
  await client.mute(true);
  call('start');
  await settle();
  expect(server.session?.pauseCauses).toEqual(['group_call', 'user']);
  call('end');
  await settle();
  expect(server.session?.pauseCauses).toEqual(['user']);
  await client.resume();
  expect(client.getState()).toMatchObject({ sessionStatus: 'active', muted: true });
});

test('a session that begins during a call begins paused, and goes on after it', async () => {
  const { server, client, call } = setUp();
  call('start');
  expect(server.requests).toEqual([]);
  void client.start();
  await settle();
  expect(client.getState()).toMatchObject({ sessionStatus: 'paused', pauseCauses: ['group_call'] });
  expect(server.microphone.tracks[0]?.enabled).toBe(false);
  call('end');
  await settle();
  expect(client.getState().sessionStatus).toBe('active');
});

test('every session of a long call is paused, also one after another', async () => {
  const { server, client, call } = await active();
  call('start');
  await settle();
  await client.stop();
  await client.start();
  await settle();
  expect(server.session?.pauseCauses).toEqual(['group_call']);
});

test('a server that refuses the pause is not asked for ever', async () => {
  const { server, client, call } = await active();
  server.refuse('POST /api/voice/pause', 409, 'not_possible', 'This bot cannot be paused.');
  call('start');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(server.count('POST /api/voice/pause')).toBe(1);
  expect(client.getState().sessionStatus).toBe('active');
});

test('a reload that takes the call away lifts what this tab had paused, and no other tab’s pause', async () => {
  const { server, client, call, memory, disconnect } = await active();
  call('start');
  await settle();
  disconnect();
  client.close(); // The page is gone, without a word about the call.
  const other = await active(server);
  expect(server.session?.pauseCauses).toEqual(['group_call']);
  other.client.close();
  const same = await active(server, memory);
  expect(server.session?.pauseCauses).toEqual([]);
  expect(same.client.getState().sessionStatus).toBe('active');
});

test('after disconnecting nothing is heard any more', async () => {
  const { server, call, disconnect } = await active();
  disconnect();
  call('start');
  await settle();
  expect(server.count('POST /api/voice/pause')).toBe(0);
});

test('tells of a change once, and of none not at all', async () => {
  const { client, exclusion, call } = await active();
  const told = vi.fn();
  exclusion.subscribe(told);
  const before = exclusion.getState();
  await client.mute(true);
  expect(exclusion.getState()).toBe(before);
  expect(told).not.toHaveBeenCalled();
  call('start');
  expect(told).toHaveBeenCalled();
});
