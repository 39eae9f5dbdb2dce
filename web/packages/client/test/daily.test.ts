// @vitest-environment happy-dom
/** Sessions whose room is on Daily: joined by daily-js, silenced, lost, regained, and always let go of. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createVoiceClient, type OpenMedia, type VoiceClient, type VoiceClientOptions } from '../src/index.ts';
import { FakeDaily, FakeDailyRooms, FakeServer } from '../src/testing/index.ts';
import { createTransports, loaders } from '../src/transports/index.ts';

const START = 'POST /api/voice/session';
const ROOM = 'POST /api/voice/session/{id}/room';
const URL_OF_ROOM = 'https://stand-in.daily.co/voice-session-1';

class Stream {
  readonly tracks: unknown[];
  constructor(tracks: unknown[] = []) {
    this.tracks = tracks;
  }
  getAudioTracks = () => this.tracks;
}

/** Frames show nothing here (no test gives one an address), and that is no failure. */
function allowFrames() {
  const { happyDOM } = window as unknown as { happyDOM: { settings: Record<string, unknown> } };
  happyDOM.settings.enableIframePageLoading = true;
}

beforeEach(() => {
  allowFrames();
  vi.useFakeTimers();
  vi.stubGlobal('MediaStream', Stream);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  document.body.innerHTML = '';
});

const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

function setUp(options: VoiceClientOptions = {}) {
  const server = new FakeServer();
  server.roomKind = 'daily';
  const rooms = new FakeDailyRooms();
  const daily = new FakeDaily(rooms);
  const load = vi.fn(async () => daily);
  const transports = createTransports(loaders({ load, ...options.daily }));
  const openMedia: OpenMedia = (iceServers, handlers, kind) =>
    (kind === 'daily' ? transports.to(kind) : server.ports.openMedia)(iceServers, handlers, kind);
  const ports = { ...server.ports, openMedia };
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports, ...options });
  return { server, rooms, daily, load, client };
}

/** A page that talks; the server's configuration is known, as after `loadConfig()`. */
async function active(options: VoiceClientOptions = {}) {
  const all = setUp(options);
  await all.client.loadConfig();
  const bot = all.rooms.invite(URL_OF_ROOM, 'bot');
  await all.client.start();
  await settle();
  expect(all.client.getState()).toMatchObject({ sessionStatus: 'active', media: 'connected', microphone: 'granted' });
  return { ...all, bot };
}

const status = (client: VoiceClient) => {
  const { sessionStatus, media, error } = client.getState();
  return { sessionStatus, media, code: error?.code ?? null };
};

describe('joining', () => {
  test('sends no offer, and joins by what the start answers: microphone on, camera off', async () => {
    const { server, daily, client } = await active();
    expect(server.requests.filter(({ command }) => command === START).map(({ body }) => 'offer' in body)).toEqual([false]);
    expect(daily.call?.properties).toMatchObject({
      url: URL_OF_ROOM,
      token: expect.stringMatching(/^meeting-token-/),
      audioSource: server.microphone.tracks[0],
      startAudioOff: false,
      videoSource: false,
      startVideoOff: true,
    });
    expect(client.getState().roomUrl).toBe(URL_OF_ROOM);
    expect(daily.call?.localAudio()).toBe(true);
  });

  test('finds out by itself where nobody has asked for the configuration, and then knows', async () => {
    const { server, rooms, load, client } = setUp();
    expect(load).not.toHaveBeenCalled();
    rooms.invite(URL_OF_ROOM, 'bot');
    await client.start();
    await settle();
    expect(status(client)).toEqual({ sessionStatus: 'active', media: 'connected', code: null });
    expect(server.requests.filter(({ command }) => command === START).map(({ body }) => 'offer' in body)).toEqual([true, false]);
    expect(rooms.inside(URL_OF_ROOM)).toHaveLength(2);
    await client.stop();
    await client.start();
    expect(server.count(START)).toBe(3);
    expect(load).toHaveBeenCalledOnce();
  });

  test('daily-js is not asked for where rooms are local', async () => {
    const { server, load, client } = setUp();
    server.roomKind = 'local';
    await client.loadConfig();
    await client.start();
    await client.stop();
    expect(load).not.toHaveBeenCalled();
  });

  test('does not wait for the visitor’s word on the microphone, and uses it once it is there', async () => {
    const { server, daily, client } = setUp();
    await client.loadConfig();
    server.microphone.next = 'ask';
    void client.start();
    await settle();
    expect(daily.call?.properties).toMatchObject({ startAudioOff: true });
    expect(daily.call?.localAudio()).toBe(false);
    server.microphone.answer('allow');
    await settle();
    expect(daily.call?.properties.audioSource).toBe(server.microphone.tracks[0]);
    expect(daily.call?.localAudio()).toBe(true);
  });

  test('plays what the bot says', async () => {
    const { server, bot } = await active();
    const track = {} as MediaStreamTrack;
    bot.speak(track);
    expect((server.speaker?.playing as unknown as Stream | null)?.tracks).toEqual([track]);
  });

  test('waits for a place, and joins when its turn has come', async () => {
    const { server, daily, client } = setUp();
    await client.loadConfig();
    server.queuePosition = 1;
    await client.start();
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'queued', media: 'none', error: null });
    expect(daily.calls).toEqual([]);
    server.letIn();
    await settle();
    expect(server.count(ROOM)).toBe(1);
    expect(client.getState().media).toBe('connected');
  });

  test('returns to a session after a reload, by a new token, and puts its own ghost out', async () => {
    const { server, rooms, daily, client } = await active();
    const ghost = rooms.inside(URL_OF_ROOM).at(-1);
    server.remembered = 'session-1';
    server.microphone.allowed = true;
    const { openMedia: _, ...ports } = server.ports;
    const reloaded = createVoiceClient({ baseUrl: 'http://greenroom.test', ports, daily: { load: async () => daily } });
    await reloaded.restore();
    await settle();
    expect(reloaded.getState()).toMatchObject({ sessionStatus: 'active', media: 'connected' });
    expect(rooms.inside(URL_OF_ROOM).map(({ id }) => id)).not.toContain(ghost?.id);
    expect(new Set(daily.calls.map(({ properties }) => properties.token)).size).toBe(2);
    // The older page is told, and lets go of everything.
    expect(status(client)).toMatchObject({ sessionStatus: 'inactive', code: 'moved' });
    expect(daily.living).toHaveLength(1);
  });

  test('says what to do where there is no daily-js, and starts nothing for it', async () => {
    const { server, client } = setUp({ daily: { load: () => Promise.reject(new Error('no such package')) } });
    await client.loadConfig();
    await client.start();
    expect(status(client)).toMatchObject({ sessionStatus: 'inactive', code: 'daily_missing' });
    expect(server.count(START)).toBe(0);
  });

  test('ends what it has started where no call can be made', async () => {
    const { server, daily, client } = setUp();
    await client.loadConfig();
    vi.spyOn(daily, 'createCallObject').mockImplementation(() => {
      throw new Error('WebRTC not supported or suppressed');
    });
    await client.start();
    await settle();
    expect(status(client)).toMatchObject({ sessionStatus: 'inactive', code: 'daily_failed' });
    expect(server.session?.endedAt).toBeTruthy();
  });
});

describe('silence', () => {
  test('muting is seen in the room, and heard by nobody; so is a pause', async () => {
    const { server, daily, client } = await active();
    await client.mute(true);
    expect([daily.call?.localAudio(), server.microphone.tracks[0]?.enabled]).toEqual([false, false]);
    await client.pause();
    await client.mute(false);
    expect([daily.call?.localAudio(), server.microphone.tracks[0]?.enabled]).toEqual([false, false]);
    await client.resume();
    await settle();
    expect([daily.call?.localAudio(), server.microphone.tracks[0]?.enabled]).toEqual([true, true]);
  });

  test('another microphone is given to the room, muted as the last one was', async () => {
    const { server, daily, client } = await active();
    server.microphone.add({ deviceId: 'headset', kind: 'audioinput', label: 'Headset' });
    await client.mute(true);
    await client.devices.chooseMicrophone('headset');
    await settle();
    expect(daily.call?.properties.audioSource).toMatchObject({ deviceId: 'headset', enabled: false });
    expect(daily.call?.localAudio()).toBe(false);
    expect(server.microphone.wishes.at(-1)).toMatchObject({ deviceId: 'headset' });
  });
});

describe('losing it', () => {
  test('an interruption is shown, and left to daily-js, which brings it back', async () => {
    const { daily, client } = await active();
    daily.call?.network('interrupted', 'signaling'); // One still talks.
    expect(client.getState().media).toBe('connected');
    daily.call?.network('interrupted');
    daily.call?.network('interrupted', 'peer-to-peer');
    expect(client.getState().media).toBe('lost');
    daily.call?.network('connected');
    expect(client.getState().media).toBe('lost');
    await settle(5_000);
    daily.call?.network('connected', 'peer-to-peer');
    expect(client.getState().media).toBe('connected');
    await settle(30_000);
    expect(daily.calls).toHaveLength(1);
  });

  test('an interruption that lasts ends in a new call, and the old one is destroyed', async () => {
    const { server, daily, client } = await active();
    daily.call?.network('interrupted');
    await settle(20_500);
    expect(daily.calls).toHaveLength(2);
    expect(daily.living).toEqual([daily.call]);
    expect(server.count(ROOM)).toBe(1);
    expect(client.getState().media).toBe('connected');
  });

  test.each(['connection-error', 'exp-room', 'exp-token', 'nbf-room', 'nbf-token', 'no-room'] as const)(
    '%s: joins anew, by a new token',
    async (why) => {
      const { server, daily, client } = await active();
      const [token] = daily.calls.map(({ properties }) => properties.token);
      await daily.call?.fail(why);
      expect(client.getState().media).toBe('lost');
      await settle(1_000);
      expect(server.count(ROOM)).toBe(1);
      expect(daily.call?.properties.token).not.toBe(token);
      expect(status(client)).toEqual({ sessionStatus: 'active', media: 'connected', code: null });
      expect(daily.living).toHaveLength(1);
    },
  );

  test('what was long in coming back is tried for at once when it is lost again', async () => {
    const { server, rooms, daily, client } = await active();
    rooms.refuses = 'connection-error';
    await daily.call?.fail('connection-error');
    await settle(30_000);
    rooms.refuses = null;
    await settle(10_000);
    expect(client.getState().media).toBe('connected');
    const asked = server.count(ROOM);
    await daily.call?.fail('connection-error');
    await settle(300);
    expect(server.count(ROOM)).toBe(asked + 1);
  });

  test('a room without a place is tried ever more slowly, and named when it is given up', async () => {
    const { server, rooms, daily, client } = await active();
    rooms.refuses = 'meeting-full';
    await daily.call?.fail('connection-error');
    await settle(60_000);
    expect(server.count(ROOM)).toBeGreaterThan(5);
    expect(server.count(ROOM)).toBeLessThan(25);
    await settle(250_000);
    expect(status(client)).toMatchObject({ sessionStatus: 'unavailable', code: 'room_full' });
    expect(daily.living).toEqual([]);
  });

  test('a room that lets nobody in is not tried for ever; what was begun is ended', async () => {
    const { server, rooms, daily, client } = setUp();
    await client.loadConfig();
    rooms.tokens = [];
    await client.start();
    await settle(10_000);
    expect(daily.calls).toHaveLength(3);
    expect(status(client)).toMatchObject({ sessionStatus: 'inactive', code: 'room_refused' });
    expect(server.session?.endedAt).toBeTruthy();
    expect(daily.living).toEqual([]);
  });

  test('a page that is too old for Daily says so at once', async () => {
    const { daily, client } = await active();
    await daily.call?.fail('end-of-life');
    await settle();
    expect(status(client)).toMatchObject({ sessionStatus: 'inactive', code: 'room_outdated' });
    expect(daily.living).toEqual([]);
  });

  test('put out because the session is over: its end is shown', async () => {
    const { server, rooms, daily, client } = await active();
    server.dropSockets(); // What tells of the end comes another way.
    server.end('hard_limit', 'Ten minutes are over.');
    rooms.put(URL_OF_ROOM, rooms.inside(URL_OF_ROOM).at(-1)?.id ?? '');
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', end: { reason: 'hard_limit' }, error: null });
    expect(daily.living).toEqual([]);
  });

  test('put out while the session ends: nothing is joined, and the end is waited for', async () => {
    const { server, rooms, daily, client } = await active();
    server.say('disconnecting');
    rooms.put(URL_OF_ROOM, rooms.inside(URL_OF_ROOM).at(-1)?.id ?? '');
    await settle(2_000);
    expect(daily.calls).toHaveLength(1);
    expect(client.getState().sessionStatus).toBe('disconnecting');
    server.end('goodbye', 'Goodbye.');
    await settle();
    expect(client.getState().end?.reason).toBe('goodbye');
  });
});

describe('letting go', () => {
  test('stopping leaves and destroys; the next call finds nothing in its way', async () => {
    const { rooms, daily, client } = await active();
    await client.stop();
    await settle();
    expect(daily.living).toEqual([]);
    expect(rooms.inside(URL_OF_ROOM).map(({ userName }) => userName)).toEqual(['bot']);
    expect(() => daily.createCallObject().destroy()).not.toThrow();
    await client.start();
    expect(daily.living).toHaveLength(1);
  });

  test('stopping at the door: nobody comes in', async () => {
    const { rooms, daily, client } = setUp();
    await client.loadConfig();
    const letIn = rooms.hold();
    await client.start();
    expect(daily.call?.meetingState()).toBe('joining-meeting');
    await client.stop();
    letIn();
    await settle();
    expect(daily.living).toEqual([]);
    expect(rooms.inside(URL_OF_ROOM)).toEqual([]);
    expect(status(client)).toEqual({ sessionStatus: 'inactive', media: 'none', code: null });
  });

  test('a component that is mounted twice has one call at a time, and none in the end', async () => {
    const { daily, client, server } = setUp();
    await client.loadConfig();
    void client.start();
    client.close();
    void client.start();
    await settle();
    expect(daily.living).toHaveLength(1);
    client.close();
    await settle();
    expect(daily.living).toEqual([]);
    expect(server.speakers.every(({ isClosed }) => isClosed)).toBe(true);
  });

  test('a page with a call of its own keeps it, and may make another if it says so', async () => {
    const { daily, client } = setUp();
    const own = daily.createCallObject();
    await client.loadConfig();
    await client.start();
    await settle();
    expect(client.getState().media).toBe('connected');
    expect(() => daily.createCallObject()).toThrow('Duplicate');
    const other = daily.createCallObject({ allowMultipleCallInstances: true });
    await client.stop();
    expect(daily.living).toEqual([own, other]);
  });

  test('a page that goes away leaves the room, and joins again if it comes back', async () => {
    const { server, rooms, client } = await active();
    server.hidePage();
    await settle();
    expect(rooms.inside(URL_OF_ROOM).map(({ userName }) => userName)).toEqual(['bot']);
    await settle(1_000);
    expect(client.getState().media).toBe('connected');
  });
});

describe('messages', () => {
  test('what the bot sends comes as app-message, once, and as nothing else', async () => {
    const { server, bot, client } = await active();
    const got: unknown[] = [];
    const others = vi.fn();
    client.on('app-message', ({ data, fromId }) => void got.push([data, fromId]));
    client.on('voice.transcript', others);
    client.on('*', others);
    bot.say({ type: 'voice.transcript', data: { text: 'hello' } });
    bot.say('a text is a message, too');
    expect(got).toEqual([
      [{ type: 'voice.transcript', data: { text: 'hello' } }, bot.person.id],
      ['a text is a message, too', bot.person.id],
    ]);
    expect(others).not.toHaveBeenCalled();
    expect(client.getState().messages).toEqual([]);
    // The same words, as the server tells them: they are what the state says, and come once.
    server.emit('voice.transcript', { role: 'assistant', text: 'hello', final: true, turn: 1 });
    expect(got).toHaveLength(2);
    expect(client.getState().messages).toHaveLength(1);
  });

  test('what the page sends reaches the bot, up to 4 kB; without a room it is refused', async () => {
    const { bot, client } = await active();
    client.sendAppMessage({ card: 7 });
    expect(bot.heard).toEqual([{ card: 7 }]);
    expect(() => client.sendAppMessage({ text: 'x'.repeat(4_096) })).toThrow('larger than 4 kB');
    expect(() => client.sendAppMessage(undefined)).toThrow(TypeError);
    const stopping = client.stop();
    expect(() => client.sendAppMessage({})).toThrow('no conversation');
    await stopping;
    expect(() => client.sendAppMessage({})).toThrow('no conversation');
    expect(bot.heard).toHaveLength(1);
  });

  test('a handler that was removed hears no more', async () => {
    const { bot, client } = await active();
    const got = vi.fn();
    const off = client.on('app-message', got);
    off();
    bot.say({});
    expect(got).not.toHaveBeenCalled();
  });
});

describe('Prebuilt', () => {
  async function prebuilt() {
    const place = document.createElement('div');
    document.body.append(place);
    return { place, ...(await active({ daily: { prebuilt: () => place } })) };
  }

  test('is shown in its place; it has the microphone, and the token is in no address', async () => {
    const { place, server, daily } = await prebuilt();
    expect(place.querySelectorAll('iframe')).toHaveLength(1);
    expect(daily.call?.frameUrl).toBe(URL_OF_ROOM);
    expect(daily.call?.properties.token).toMatch(/^meeting-token-/);
    expect(server.microphone.tracks).toEqual([]);
  });

  test('its button and ours switch the same microphone', async () => {
    const { server, daily, client } = await prebuilt();
    daily.call?.pressMicrophone();
    await settle();
    expect(client.getState().muted).toBe(true);
    expect(server.requests.at(-1)).toMatchObject({ command: 'POST /api/voice/mute', body: { isMuted: true } });
    await client.mute(false);
    expect(daily.call?.localAudio()).toBe(true);
    await client.pause();
    expect(daily.call?.localAudio()).toBe(false);
    expect(client.getState().muted).toBe(false);
    expect(server.count('POST /api/voice/mute')).toBe(2);
  });

  test('while it asks for the microphone, nobody has switched it off', async () => {
    const place = document.createElement('div');
    const { daily, client } = setUp({ daily: { prebuilt: place } });
    await client.loadConfig();
    daily.asksForMicrophone = true;
    await client.start();
    await settle();
    expect([daily.call?.localAudio(), client.getState().muted]).toEqual([false, false]);
    daily.call?.pressMicrophone(); // The visitor has allowed it.
    await settle();
    expect([daily.call?.localAudio(), client.getState().muted]).toEqual([true, false]);
  });

  test('what was switched while it was joining holds when it has joined', async () => {
    const place = document.createElement('div');
    const { rooms, daily, client } = setUp({ daily: { prebuilt: place } });
    await client.loadConfig();
    const letIn = rooms.hold();
    await client.start();
    await settle();
    await client.mute(true);
    letIn();
    await settle();
    expect([daily.call?.localAudio(), client.getState().muted]).toEqual([false, true]);
  });

  test('its button that leaves ends the session, and the frame goes', async () => {
    const { place, server, daily, client } = await prebuilt();
    await daily.call?.pressLeave();
    await settle();
    expect(server.session?.reason).toBe('stopped');
    expect(client.getState().sessionStatus).toBe('inactive');
    expect(place.innerHTML).toBe('');
  });

  test('stopped before it has joined, it is hidden at once and taken away', async () => {
    const place = document.createElement('div');
    document.body.append(place);
    const { rooms, client } = setUp({ daily: { prebuilt: place } });
    await client.loadConfig();
    rooms.hold();
    await client.start();
    await settle();
    await client.stop();
    expect(place.querySelector('iframe')?.style.display).toBe('none');
    await settle(3_000);
    expect(place.innerHTML).toBe('');
  });

  test('has an ordinary microphone where rooms are local', async () => {
    const { server, client } = setUp({ daily: { prebuilt: document.body } });
    server.roomKind = 'local';
    void client.start();
    await settle();
    expect(server.microphone.tracks).toHaveLength(1);
    client.close();
  });
});
