/** VAPI's class over a session: its methods, its events, and clear words where there is no such thing. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeServer } from '../src/testing/index.ts';
import Vapi, { type VapiEvents, type VapiMessage } from '../src/vapi/index.ts';

const NAMES = ['call-start', 'call-end', 'speech-start', 'speech-end', 'error', 'call-start-success', 'call-start-failed', 'network-connection'] as const;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settle = () => vi.advanceTimersByTimeAsync(0);

function setUp(token = '') {
  const server = new FakeServer();
  const vapi = new Vapi(token, 'http://greenroom.test/', undefined, undefined, { ports: server.ports });
  const told: string[] = [];
  const messages: VapiMessage[] = [];
  for (const name of NAMES) vapi.on(name, ((...args: { error?: { code: string } }[]) => told.push([name, args[0]?.error?.code].filter(Boolean).join(' '))) as VapiEvents[typeof name]);
  vapi.on('message', (message) => void messages.push(message));
  return { server, vapi, told, messages };
}

async function calling() {
  const all = setUp();
  const call = await all.vapi.start('cards');
  await settle();
  return { ...all, call };
}

describe('start', () => {
  test('gives the call, and call-start comes when the assistant is there', async () => {
    const { server, vapi, told, messages } = setUp('a-user-token');
    server.tokens = ['a-user-token'];
    server.botJoins = false;
    const call = await vapi.start('cards', { variableValues: { name: 'Ada' } });
    expect(call).toMatchObject({ id: server.session?.sessionId, status: 'ringing', type: 'webCall', assistantId: 'cards' });
    expect(server.requests[0]?.body).toMatchObject({
      assistant: 'cards',
      body: { assistantOverrides: { variableValues: { name: 'Ada' } } },
    });
    expect(told).toEqual(['call-start-success']);
    server.say('active');
    await settle();
    expect(told).toEqual(['call-start-success', 'call-start']);
    expect(messages).toEqual([{ type: 'status-update', status: 'in-progress' }]);
  });

  test('while there is one gives null and starts nothing', async () => {
    const { server, vapi } = await calling();
    expect(await vapi.start('cards')).toBeNull();
    expect(server.count('POST /api/voice/session')).toBe(1);
  });

  test('that fails gives null, after error, and the next one can succeed', async () => {
    const { server, vapi, told } = setUp();
    server.isDown = true;
    expect(await vapi.start('cards')).toBeNull();
    expect(told).toEqual(['call-start-failed', 'error unreachable']);
    server.isDown = false;
    expect(await vapi.start('cards')).not.toBeNull();
  });

  test('without a microphone fails, though the session was there for a moment', async () => {
    const { server, vapi, told } = setUp();
    server.microphone.next = 'microphone_refused';
    expect(await vapi.start()).toBeNull();
    await settle();
    expect(told.filter((each) => each.startsWith('error'))).toEqual(['error microphone_refused']);
    expect(told.filter((each) => each === 'call-start').length).toBe(told.filter((each) => each === 'call-end').length);
  });

  test.each([
    ['an assistant that is written out', [{ model: {} }]],
    ['a squad', ['cards', undefined, 'squad-1']],
    ['a workflow', ['cards', undefined, undefined, 'flow-1']],
  ] as [string, Parameters<Vapi['start']>][])('%s is refused in words, and no request is made', async (_, args) => {
    const { server, vapi, told } = setUp();
    expect(await vapi.start(...args)).toBeNull();
    expect(told).toEqual(['call-start-failed', 'error unsupported']);
    expect(server.requests).toEqual([]);
  });

  test('stopped meanwhile gives null, without an error', async () => {
    const { server, vapi, told } = setUp();
    const release = server.hold('POST /api/voice/session');
    const started = vapi.start('cards');
    await settle();
    const stopped = vapi.stop();
    release();
    await stopped;
    expect(await started).toBeNull();
    expect(told).toEqual([]);
    expect(server.session?.endedAt).toBeDefined();
    expect(await vapi.start('cards')).not.toBeNull();
  });
});

describe('the call', () => {
  test('what is said comes as transcript, and whole sentences as conversation-update', async () => {
    const { server, messages } = await calling();
    messages.length = 0;
    server.emit('voice.speech.start', {});
    server.emit('voice.transcript', { role: 'user', text: 'fifty', final: false, turn: 1 });
    server.emit('voice.speech.end', {});
    server.emit('voice.transcript', { role: 'user', text: 'fifty-four', final: true, turn: 1 });
    server.emit('voice.transcript', { role: 'assistant', text: 'Right!', final: true, turn: 2 });
    server.emit('app.answer', { value: 54, correct: true });
    expect(messages).toEqual([
      { type: 'speech-update', role: 'user', status: 'started' },
      { type: 'transcript', role: 'user', transcriptType: 'partial', transcript: 'fifty' },
      { type: 'speech-update', role: 'user', status: 'stopped' },
      { type: 'transcript', role: 'user', transcriptType: 'final', transcript: 'fifty-four' },
      { type: 'conversation-update', conversation: [{ role: 'user', content: 'fifty-four' }] },
      { type: 'transcript', role: 'assistant', transcriptType: 'final', transcript: 'Right!' },
      { type: 'conversation-update', conversation: [{ role: 'user', content: 'fifty-four' }, { role: 'assistant', content: 'Right!' }] },
      { type: 'app.answer', data: { value: 54, correct: true } },
    ]);
  });

  test('speech-start and speech-end are the assistant’s, and a call that ends ends the speech', async () => {
    const { server, told, messages } = await calling();
    told.length = messages.length = 0;
    server.emit('voice.bot.speaking', { speaking: true, interrupted: false });
    server.emit('voice.bot.speaking', { speaking: false, interrupted: true });
    server.emit('voice.bot.speaking', { speaking: true, interrupted: false });
    server.end('goodbye', 'You said goodbye.');
    expect(told).toEqual(['speech-start', 'speech-end', 'speech-start', 'speech-end', 'call-end']);
    expect(messages.map(({ type }) => type).filter((type) => type !== 'speech-update')).toEqual(['user-interrupted', 'status-update']);
    expect(messages.at(-1)).toEqual({ type: 'status-update', status: 'ended', endedReason: 'goodbye' });
  });

  test.each(['stop', 'end'] as const)('%s ends it once', async (method) => {
    const { server, vapi, told, messages } = await calling();
    void vapi[method]();
    void vapi[method]();
    await settle();
    expect(server.session?.endedAt).toBeDefined();
    expect(told.filter((each) => each === 'call-end')).toHaveLength(1);
    expect(messages.filter(({ status }) => status === 'ended')).toEqual([{ type: 'status-update', status: 'ended', endedReason: 'stopped' }]);
    expect(await vapi.start('cards')).not.toBeNull();
  });

  test('a problem in it is told by error, and one that ends it by call-end too', async () => {
    const { server, told } = await calling();
    told.length = 0;
    server.emit('voice.error', { code: 'tts_failed', message: 'The voice is not there.', retryable: false });
    server.voice?.move();
    expect(told).toEqual(['error tts_failed', 'error moved', 'call-end']);
  });

  test('a network that goes and comes is told', async () => {
    const { server, vapi } = await calling();
    const states: string[] = [];
    vapi.on('network-connection', ({ event }) => void states.push(event));
    server.dropSockets();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(states).toEqual(['interrupted', 'connected']);
  });

  test('mute, send and the loudness of the assistant', async () => {
    const { server, vapi } = await calling();
    expect(vapi.isMuted()).toBe(false);
    vapi.setMuted(true);
    expect(vapi.isMuted()).toBe(true);
    expect(server.microphone.tracks[0]?.enabled).toBe(false);
    vapi.send({ type: 'control', control: 'mute-assistant' });
    expect(server.speaker?.isMuted).toBe(true);
    vapi.send({ type: 'control', control: 'unmute-assistant' });
    expect(server.speaker?.isMuted).toBe(false);
    vapi.setVolume(0.5);
    expect(server.speaker?.volume).toBe(0.5);
    vapi.send({ type: 'add-message', message: { role: 'user', content: 'fifty-four' } });
    await settle();
    expect(server.requests.at(-1)).toMatchObject({ body: { text: 'fifty-four' } });
    vapi.send({ type: 'end-call' });
    await settle();
    expect(server.session?.endedAt).toBeDefined();
  });

  test('a message that the server refuses is told by error', async () => {
    const { server, vapi, told } = await calling();
    server.refuse('POST /api/voice/session/{id}/message', 409, 'not_active', 'Nobody can be told now.');
    vapi.send({ type: 'add-message', message: { role: 'user', content: 'hello' } });
    await settle();
    expect(told.at(-1)).toBe('error not_active');
  });

  test('volume-level is told while somebody listens', async () => {
    const { server, vapi } = await calling();
    const levels: number[] = [];
    const listen = (level: number) => void levels.push(level);
    vapi.on('volume-level', listen);
    vapi.on('local-volume-level', (level) => void levels.push(-level));
    server.voice?.speak(0.5);
    server.microphone.hear(0.25);
    expect(levels).toEqual([0.5, -0.25]);
    expect(vapi.getLocalAudioLevel()).toBe(0.25);
    vapi.off('volume-level', listen);
    const before = levels.length;
    server.voice?.speak(0.6);
    expect(levels.slice(before).filter((level) => level > 0)).toEqual([]);
  });

  test('devices are chosen by id', async () => {
    const { server, vapi } = await calling();
    server.microphone.add({ deviceId: 'headset', kind: 'audioinput', label: 'Headset' });
    await vapi.setInputDevicesAsync({ audioDeviceId: 'headset' });
    expect(server.microphone.tracks.at(-1)?.deviceId).toBe('headset');
    await vapi.setInputDevicesAsync({ videoDeviceId: 'camera' });
    expect(server.microphone.tracks.at(-1)?.deviceId).toBe('headset');
    await vapi.setInputDevicesAsync({ audioDeviceId: null });
    expect(server.microphone.tracks.at(-1)?.deviceId).toBe('built-in');
    await vapi.setOutputDeviceAsync({ outputDeviceId: 'loudspeaker' });
    expect(server.speaker?.device).toBe('loudspeaker');
    const track = new EventTarget() as MediaStreamTrack;
    await expect(vapi.setInputDevicesAsync({ audioSource: track })).rejects.toMatchObject({ problem: { code: 'unsupported' } });
  });

  test.each<[string, (vapi: Vapi) => void]>([
    ['say', (vapi) => vapi.say('Hello')],
    ['send say', (vapi) => vapi.send({ type: 'say', message: 'Hello' })],
    ['say-first-message', (vapi) => vapi.send({ type: 'control', control: 'say-first-message' })],
    ['a system message', (vapi) => vapi.send({ type: 'add-message', message: { role: 'system', content: 'Be brief.' } })],
    ['a picture', (vapi) => vapi.send({ type: 'add-message', message: { role: 'user', content: [{}] } })],
    ['screen sharing', (vapi) => vapi.startScreenSharing()],
    ['recording', (vapi) => vapi.startRecording()],
    ['gain', (vapi) => vapi.increaseMicLevel(2)],
  ])('%s throws and says what is not possible', async (_, act) => {
    const { server, vapi } = await calling();
    const before = server.requests.length;
    expect(() => act(vapi)).toThrow(/is not possible with a Greenroom session\.$/);
    expect(server.requests).toHaveLength(before);
  });

  test('stop leaves a call that was to outlive it, and reconnect returns to it; end ends it', async () => {
    const { server, vapi, told } = setUp();
    await vapi.start('cards', undefined, undefined, undefined, undefined, { roomDeleteOnUserLeaveEnabled: false });
    await settle();
    await vapi.stop();
    expect(told.at(-1)).toBe('call-end');
    expect(server.session?.endedAt).toBeUndefined();
    server.remembered = server.session?.sessionId ?? null;
    await vapi.reconnect();
    await settle();
    expect(told.at(-1)).toBe('call-start');
    vapi.end();
    await settle();
    expect(server.session?.endedAt).toBeDefined();
  });

  test('what VAPI has and Greenroom has not is there, and says nothing', async () => {
    const { server, vapi } = await calling();
    const levels = vi.fn();
    // An application's listeners keep their own types.
    vapi.on('message', (message: { type: 'transcript'; transcript: string }) => void message.transcript);
    vapi.on('error', (error: Error) => void error.message);
    vapi.on('camera-error', (error) => void error).on('network-quality-change', (event) => void event);
    vapi.on('local-volume-level', levels);
    expect([vapi.getDailyCallObject(), vapi.getAudioPlayer()]).toEqual([null, null]);
    expect(vapi.getDailyCallObject()?.participants()).toBeUndefined();
    expect(vapi.isLocalAudioLevelObserverRunning()).toBe(true);
    vapi.stopLocalAudioLevelObserver();
    server.microphone.hear(0.5);
    expect([vapi.isLocalAudioLevelObserverRunning(), levels.mock.calls.length]).toEqual([false, 0]);
    await vapi.startLocalAudioLevelObserver(100);
    server.microphone.hear(0.5);
    expect([vapi.isLocalAudioLevelObserverRunning(), levels.mock.calls.length]).toEqual([true, 1]);
    await vapi.stop();
    expect(vapi.isLocalAudioLevelObserverRunning()).toBe(false);
    await expect(Vapi.runNetworkTestsStandalone()).rejects.toMatchObject({ problem: { code: 'unsupported' } });
  });

  test('reconnect returns to a session that a reload interrupted; where there is none it says so', async () => {
    const { server, vapi, told } = setUp();
    await vapi.reconnect();
    expect(told).toEqual(['error not_found']);
    server.begin();
    server.say('active');
    await vapi.reconnect();
    await settle();
    expect(told.slice(1)).toEqual(['call-start']);
    expect(server.count('POST /api/voice/session/{id}/offer')).toBe(1);
    expect(await vapi.start('cards')).toBeNull();
  });
});

describe('listeners', () => {
  test('once is once, off is off, and one that throws keeps nobody from being told', async () => {
    const { vapi } = setUp();
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
    const [once, off, always] = [vi.fn(), vi.fn(), vi.fn()];
    vapi.once('call-start', once).on('call-start', off).off('call-start', off);
    vapi.once('call-start', () => {
      throw new Error('a mistake of the page');
    });
    vapi.addListener('call-start', always);
    vapi.emit('call-start');
    vapi.emit('call-start');
    expect([once, off, always].map((listener) => listener.mock.calls.length)).toEqual([1, 0, 2]);
    expect(vapi.removeAllListeners('call-start').listenerCount('call-start')).toBe(0);
    expect(vapi.emit('call-start')).toBe(false);
    await expect(thrown).resolves.toMatchObject({ message: 'a mistake of the page' });
  });
});
