/** Microphones, speakers and the assistant's own loudness. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createVoiceClient, type VoiceClientOptions } from '../src/index.ts';
import { openMicrophone } from '../src/microphone.ts';
import { FakeServer } from '../src/testing/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);
const HEADSET = { deviceId: 'headset', kind: 'audioinput', label: 'Headset' } as const;
const EARPHONES = { deviceId: 'earphones', kind: 'audiooutput', label: 'Earphones' } as const;

function setUp(options: VoiceClientOptions = {}) {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports, ...options });
  const live = () => server.microphone.tracks.filter(({ readyState }) => readyState === 'live');
  return { server, client, live };
}

async function active(options?: VoiceClientOptions) {
  const all = setUp(options);
  all.server.microphone.add(HEADSET);
  all.server.microphone.add(EARPHONES);
  await all.client.start();
  await settle();
  return all;
}

describe('the list', () => {
  test('names what is there, leaves out what the browser does not name, and follows changes', async () => {
    const { server, client } = setUp();
    server.microphone.devices = [{ deviceId: '', kind: 'audioinput', label: '' }, { deviceId: 'cam', kind: 'videoinput', label: 'Camera' }];
    const changes = vi.fn();
    const stop = client.devices.subscribe(changes);
    await settle();
    expect(client.devices.getState()).toMatchObject({ microphones: [], speakers: [] });
    server.microphone.add(HEADSET);
    server.microphone.add(EARPHONES);
    await settle();
    expect(client.devices.getState()).toMatchObject({
      microphones: [{ id: 'headset', label: 'Headset' }],
      speakers: [{ id: 'earphones', label: 'Earphones' }],
    });
    expect(changes).toHaveBeenCalledTimes(2);
    stop();
  });

  test('is the same object until something changes', async () => {
    const { client } = await active();
    const before = client.devices.getState();
    await client.devices.refresh();
    expect(client.devices.getState()).toBe(before);
  });
});

describe('the microphone', () => {
  test('is opened with what the options say of its processing', async () => {
    const { server } = await active({ audio: { echoCancellation: false } });
    expect(server.microphone.wishes).toEqual([{ echoCancellation: false }]);
  });

  test('the browser is asked for all processing that is not switched off, and for the wished device', async () => {
    const getUserMedia = vi.fn(() => Promise.resolve({} as MediaStream));
    vi.stubGlobal('navigator', { mediaDevices: { getUserMedia } });
    await openMicrophone();
    await openMicrophone({ noiseSuppression: false, deviceId: 'headset' });
    const all = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
    expect(getUserMedia.mock.calls).toEqual([
      [{ audio: all }],
      [{ audio: { ...all, noiseSuppression: false, deviceId: { ideal: 'headset' } } }],
    ]);
  });

  test('chosen before the call is the one that is opened', async () => {
    const { server, client } = setUp();
    server.microphone.add(HEADSET);
    await client.devices.chooseMicrophone('headset');
    expect(server.microphone.tracks).toHaveLength(0); // Choosing opens nothing.
    await client.start();
    expect(server.microphone.tracks.map(({ deviceId }) => deviceId)).toEqual(['headset']);
    expect(client.devices.getState().microphone).toBe('headset');
  });

  test('chosen in the middle of a call takes over, muted if the old one was', async () => {
    const { server, client, live } = await active();
    await client.mute(true);
    await client.devices.chooseMicrophone('headset');
    expect(live().map(({ deviceId, enabled }) => [deviceId, enabled])).toEqual([['headset', false]]);
    expect(server.voice?.microphone).toBe(live()[0]);
    expect(server.count('POST /api/voice/session/{id}/offer')).toBe(0); // The connection stays.
    server.microphone.hear(0.4);
    expect(client.getAudioLevel()).toBe(0); // One meter, and it knows of the mute.
    await client.mute(false);
    server.microphone.hear(0.4);
    expect(client.getAudioLevel()).toBeCloseTo(0.4);
  });

  test('that cannot be opened leaves the old one in use', async () => {
    const { server, client, live } = await active();
    server.microphone.next = 'microphone_busy';
    await expect(client.devices.chooseMicrophone('headset')).rejects.toMatchObject({ problem: { code: 'microphone_busy' } });
    expect(live().map(({ deviceId }) => deviceId)).toEqual(['built-in']);
    expect(client.devices.getState().microphone).toBe('built-in');
    expect(client.getState()).toMatchObject({ microphone: 'granted', error: null });
  });

  test('that is pulled out is replaced by the default one, and the talk goes on', async () => {
    const { server, client, live } = await active();
    await client.devices.chooseMicrophone('headset');
    server.microphone.remove('headset');
    await settle();
    expect(live().map(({ deviceId }) => deviceId)).toEqual(['built-in']);
    expect(server.voice?.microphone).toBe(live()[0]);
    expect(client.getState()).toMatchObject({ sessionStatus: 'active', microphone: 'granted', error: null });
    expect(client.devices.getState()).toMatchObject({ microphone: 'built-in', microphones: [{ id: 'built-in' }] });
  });
});

describe('the speaker', () => {
  test('is chosen in a call and holds for the next one', async () => {
    const { server, client } = await active();
    await client.devices.chooseSpeaker('earphones');
    expect(server.speaker?.device).toBe('earphones');
    await client.stop();
    await client.start();
    expect(server.speakers).toHaveLength(2);
    expect(server.speaker?.device).toBe('earphones');
  });

  test('that is pulled out gives way to the default one', async () => {
    const { server, client } = await active();
    await client.devices.chooseSpeaker('earphones');
    server.microphone.remove('earphones');
    await settle();
    expect(server.speaker?.device).toBe('');
    expect(client.devices.getState().speaker).toBeNull();
  });

  test('that cannot be used is refused, and the old one stays', async () => {
    const { server, client } = await active();
    server.speaker!.setDevice = () => Promise.reject(new Error('no such sink'));
    await expect(client.devices.chooseSpeaker('earphones')).rejects.toThrow();
    expect(client.devices.getState().speaker).toBeNull();
  });

  test('volume and silence of this page hold over pauses and calls', async () => {
    const { server, client } = await active();
    client.setVolume(3);
    client.setVolume(Number.NaN);
    expect(server.speaker?.volume).toBe(1);
    client.setVolume(0.25);
    client.muteAssistant(true);
    await client.pause();
    await client.resume();
    expect(server.speaker).toMatchObject({ volume: 0.25, isMuted: true });
    await client.stop();
    await client.start();
    expect(server.speaker).toMatchObject({ volume: 0.25, isMuted: true });
    client.muteAssistant(false);
    expect(server.speaker?.isMuted).toBe(false);
  });
});

describe('the assistant’s level', () => {
  test('is measured while somebody wants to know, and is nothing after the call', async () => {
    const { server, client } = await active();
    server.voice?.speak(0.5);
    expect(client.getAssistantLevel()).toBe(0);
    const told = vi.fn();
    const stop = client.subscribeAssistantLevel(told);
    server.voice?.speak(0.5);
    expect(client.getAssistantLevel()).toBeCloseTo(0.5);
    expect(client.getAudioLevel()).toBe(0); // The microphone has heard nothing.
    await client.stop();
    expect(client.getAssistantLevel()).toBe(0);
    const before = told.mock.calls.length;
    server.voice?.speak(0.5);
    stop();
    expect(told.mock.calls.length).toBe(before);
  });

  test('follows the voice to a new connection', async () => {
    const { server, client } = await active();
    client.subscribeAssistantLevel(() => undefined);
    server.voice?.lose();
    await vi.advanceTimersByTimeAsync(500);
    expect(server.media).toHaveLength(2);
    server.media[0]?.speak(0.9);
    server.voice?.speak(0.2);
    expect(client.getAssistantLevel()).toBeCloseTo(0.2);
  });
});

describe('a voice that stays away', () => {
  test('is given up after the reconnection window, in words, and the session is not ended', async () => {
    const { server, client } = await active({ reconnectWindowS: 20 });
    server.refuse('POST /api/voice/session/{id}/offer', 503, 'unavailable', 'Not now.', true);
    server.voice?.lose();
    await vi.advanceTimersByTimeAsync(19_000);
    expect(client.getState()).toMatchObject({ sessionStatus: 'active', media: 'lost' });
    await vi.advanceTimersByTimeAsync(2_000);
    expect(client.getState()).toMatchObject({ sessionStatus: 'unavailable', error: { code: 'connection_lost' } });
    expect(server.count('DELETE /api/voice/session/{id}')).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('that comes back in time begins a new window the next time', async () => {
    const { server, client } = await active({ reconnectWindowS: 20 });
    for (let i = 0; i < 3; i++) {
      server.isDown = true;
      server.voice?.lose();
      await vi.advanceTimersByTimeAsync(11_000);
      server.isDown = false;
      await vi.advanceTimersByTimeAsync(8_000);
      expect(client.getState()).toMatchObject({ media: 'connected', sessionStatus: 'active' });
    }
  });
});
