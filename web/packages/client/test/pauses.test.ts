/** Pausing by cause: at once here, told to the server until it knows, each cause lifted by itself. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createVoiceClient } from '../src/index.ts';
import { FakeServer } from '../src/testing/index.ts';

const PAUSE = 'POST /api/voice/pause';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settle = () => vi.advanceTimersByTimeAsync(0);

async function active() {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  await client.start();
  await settle();
  const told = () =>
    server.requests.filter(({ command }) => command === PAUSE).map(({ body }) => `${String(body.cause)} ${String(body.paused)}`);
  return { server, client, told };
}

test('nobody hears and nobody is heard at once, before the server has answered', async () => {
  const { server, client } = await active();
  const release = server.hold(PAUSE);
  const paused = client.pause();
  expect(client.getState()).toMatchObject({ sessionStatus: 'paused', pauseCauses: ['user'] });
  expect(server.microphone.tracks[0]?.enabled).toBe(false);
  expect(server.speaker?.isMuted).toBe(true);
  release();
  await paused;
  expect(server.requests.at(-1)?.body).toEqual({ sessionId: server.session?.sessionId, cause: 'user', paused: true });
  expect(server.session?.pauseCauses).toEqual(['user']);
  await client.resume();
  expect(client.getState()).toMatchObject({ sessionStatus: 'active', pauseCauses: [], pausesAsked: {} });
  expect(server.microphone.tracks[0]?.enabled).toBe(true);
  expect(server.speaker?.isMuted).toBe(false);
});

test('that a pause is over is for the server to say', async () => {
  const { server, client } = await active();
  await client.pause();
  const release = server.hold(PAUSE);
  void client.resume();
  await settle();
  expect(client.getState()).toMatchObject({ sessionStatus: 'paused', pauseCauses: [] });
  release();
  await settle();
  expect(client.getState().sessionStatus).toBe('active');
});

test('lifting one cause never lifts another, and a mute holds over a pause', async () => {
  const { server, client } = await active();
  await client.mute(true);
  await client.pause();
  await client.pause('group_call');
  await client.resume('group_call');
  expect(client.getState()).toMatchObject({ sessionStatus: 'paused', pauseCauses: ['user'] });
  await client.resume();
  expect(client.getState()).toMatchObject({ sessionStatus: 'active', pauseCauses: [] });
  expect(server.microphone.tracks[0]?.enabled).toBe(false);
});

test('quick switches are told one after the other, and the last holds', async () => {
  const { server, client, told } = await active();
  const release = server.hold(PAUSE);
  void client.pause();
  await settle(); // On its way; what comes now waits for its answer.
  void client.resume();
  void client.pause();
  const last = client.resume();
  await settle();
  expect(told()).toEqual(['user true']);
  release();
  await last;
  expect(told()).toEqual(['user true', 'user false']);
  expect(server.session?.pauseCauses).toEqual([]);
  expect(client.getState()).toMatchObject({ sessionStatus: 'active', pausesAsked: {} });
});

test('an old word of the server does not switch the microphone back on', async () => {
  const { server, client } = await active();
  const release = server.hold(PAUSE);
  void client.pause();
  await settle();
  server.emit('voice.session.pause', { causes: [] });
  expect(server.microphone.tracks[0]?.enabled).toBe(false);
  expect(client.getState().pauseCauses).toEqual(['user']);
  release();
  await settle();
});

test('is told again until the server knows, and not any more when the session is over', async () => {
  const { server, client, told } = await active();
  server.isDown = true;
  void client.pause();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told().length).toBeGreaterThan(1);
  server.isDown = false;
  await vi.advanceTimersByTimeAsync(8_000);
  expect(server.session?.pauseCauses).toEqual(['user']);
  server.isDown = true;
  void client.resume();
  await settle();
  server.end('pause_limit', 'You were away for too long.');
  const before = told().length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told()).toHaveLength(before);
  expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', pauseCauses: [], pausesAsked: {} });
  expect(vi.getTimerCount()).toBe(0);
});

test('what the server refuses does not hold here', async () => {
  const { server, client } = await active();
  server.refuse(PAUSE, 409, 'not_possible', 'This bot cannot be paused.');
  await client.pause();
  expect(client.getState()).toMatchObject({ sessionStatus: 'active', pauseCauses: [], pausesAsked: {} });
  expect(server.microphone.tracks[0]?.enabled).toBe(true);
});

test('while starting holds from the first moment and is told as soon as there is a session', async () => {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  const release = server.hold('POST /api/voice/session');
  void client.start();
  void client.pause('group_call');
  await settle();
  expect(server.count(PAUSE)).toBe(0);
  release();
  await settle();
  expect(server.session?.pauseCauses).toEqual(['group_call']);
  expect(server.microphone.tracks[0]?.enabled).toBe(false);
  expect(client.getState().sessionStatus).toBe('paused');
});

test('while waiting in the queue is told when there is a place', async () => {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  server.queuePosition = 1;
  await client.start();
  void client.pause('group_call');
  await settle();
  expect(client.getState()).toMatchObject({ sessionStatus: 'queued', pauseCauses: ['group_call'] });
  expect(server.count(PAUSE)).toBe(0);
  server.letIn();
  await settle();
  expect(server.session?.pauseCauses).toEqual(['group_call']);
  expect(client.getState().sessionStatus).toBe('paused');
});

test('without a session there is nothing to pause', async () => {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  await client.pause();
  await client.resume();
  expect(server.requests).toEqual([]);
  expect(client.getState().pauseCauses).toEqual([]);
});

test('that another page set is shown here, and a session entered paused is silent', async () => {
  const { server, client } = await active();
  server.pause('user');
  expect(client.getState()).toMatchObject({ sessionStatus: 'paused', pauseCauses: ['user'] });
  expect(server.microphone.tracks[0]?.enabled).toBe(false);
  client.close();
  await client.start();
  await settle();
  expect(client.getState()).toMatchObject({ sessionStatus: 'paused', pauseCauses: ['user'] });
  expect(server.microphone.tracks.at(-1)?.enabled).toBe(false);
});
