/** The client: starts, stops and what comes between, in every order they can come. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createVoiceClient, type VoiceState } from '../src/index.ts';
import { FakeServer } from '../src/testing/index.ts';

const START = 'POST /api/voice/session';
const END = 'DELETE /api/voice/session/{id}';
const OFFER = 'POST /api/voice/session/{id}/offer';
const MUTE = 'POST /api/voice/mute';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  const statuses: VoiceState['sessionStatus'][] = [];
  client.subscribe(() => {
    const { sessionStatus } = client.getState();
    if (statuses.at(-1) !== sessionStatus) statuses.push(sessionStatus);
  });
  return { server, client, statuses };
}

/** Lets everything happen that needs no time. */
const settle = () => vi.advanceTimersByTimeAsync(0);

async function active() {
  const all = setUp();
  await all.client.start();
  await settle();
  expect(all.client.getState()).toMatchObject({ sessionStatus: 'active', media: 'connected', microphone: 'granted' });
  return all;
}

describe('starting', () => {
  test('asks for the microphone and the session at the same time, and the offer rides along', async () => {
    const { server, client, statuses } = setUp();
    server.microphone.next = 'ask';
    const started = client.start();
    expect(client.getState()).toMatchObject({ sessionStatus: 'connecting', microphone: 'asking' });
    await settle();
    // The session is there before the visitor has answered the browser's question.
    expect(server.requests[0]).toMatchObject({ command: START, body: { offer: { sdp: server.voice?.offer } } });
    expect(client.getState().sessionStatus).toBe('active');
    expect(server.voice).toMatchObject({ answer: `answer to ${server.voice?.offer}`, microphone: null });
    server.microphone.answer('allow');
    await started;
    expect(server.voice?.microphone).toBe(server.microphone.tracks[0]);
    expect(statuses).toEqual(['connecting', 'active']);
  });

  test('waits for a place if there is none, and connects when its turn has come', async () => {
    const { server, client, statuses } = setUp();
    server.queuePosition = 2;
    await client.start();
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'queued', queuePosition: 2, media: 'none', error: null });
    expect(server.voice?.isClosed).toBe(true);
    server.moveUp(1);
    expect(client.getState().queuePosition).toBe(1);
    server.letIn();
    await settle();
    expect(server.count(OFFER)).toBe(1);
    expect(client.getState()).toMatchObject({ sessionStatus: 'connecting', queuePosition: null, media: 'connected' });
    expect(server.voice?.microphone).toBe(server.microphone.tracks[0]);
    server.say('active');
    expect(statuses).toEqual(['connecting', 'queued', 'connecting', 'active']);
    expect(server.count(START)).toBe(1);
  });

  test('asks to wait only where the page says so', async () => {
    for (const wait of [true, false]) {
      const server = new FakeServer();
      const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports, wait });
      await client.start();
      expect(server.requests[0]?.body.wait).toBe(wait || undefined);
    }
  });

  test('stops waiting when asked to, and connects to nobody', async () => {
    const { server, client, statuses } = setUp();
    server.queuePosition = 1;
    await client.start();
    await client.stop();
    await settle();
    expect(server.count(END)).toBe(1);
    expect(server.count(OFFER)).toBe(0);
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', queuePosition: null });
    expect(statuses).toEqual(['connecting', 'queued', 'disconnecting', 'inactive']);
  });

  test('finds its place in the queue after a reload', async () => {
    const { server, client } = setUp();
    server.queuePosition = 3;
    server.remembered = server.begin().sessionId;
    server.microphone.allowed = true;
    await client.restore();
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'queued', queuePosition: 3 });
    expect(server.count(OFFER)).toBe(0);
    server.letIn();
    await settle();
    expect(server.count(OFFER)).toBe(1);
    expect(client.getState().media).toBe('connected');
  });

  test('says which limit was met, in the words of the server', async () => {
    const { server, client } = setUp();
    server.refuse(START, 429, 'limit_user_day', 'You have had ten conversations today.', true);
    await client.start();
    expect(client.getState()).toMatchObject({
      sessionStatus: 'inactive',
      error: { code: 'limit_user_day', message: 'You have had ten conversations today.', whatToDo: 'Come back tomorrow.' },
    });
  });

  test('twice is once', async () => {
    const { server, client } = setUp();
    const first = client.start();
    expect(client.start()).toBe(first);
    await first;
    await client.start();
    expect(server.count(START)).toBe(1);
    expect(server.media).toHaveLength(1);
    expect(server.microphone.tracks).toHaveLength(1);
  });

  test('is active only when the server says so', async () => {
    const { server, client } = setUp();
    server.botJoins = false;
    await client.start();
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'connecting', media: 'connected' });
    server.say('active');
    expect(client.getState().sessionStatus).toBe('active');
  });

  test.each(['microphone_refused', 'microphone_missing', 'microphone_busy', 'insecure_page'] as const)(
    '%s: says so, and takes the session back',
    async (code) => {
      const { server, client } = setUp();
      server.microphone.next = code;
      await client.start();
      await settle();
      const state = client.getState();
      expect(state).toMatchObject({ sessionStatus: 'inactive', error: { code } });
      expect(state.error?.message).toMatch(/\.$/);
      expect(state.error?.whatToDo).toMatch(/\.$/);
      expect(['refused', 'missing']).toContain(state.microphone);
      expect(server.count(END)).toBe(1);
      expect(server.voice?.isClosed).toBe(true);
    },
  );

  test('a refusal while the start is still under way ends the session once it is known', async () => {
    const { server, client } = setUp();
    const release = server.hold(START);
    server.microphone.next = 'microphone_refused';
    const started = client.start();
    await settle();
    expect(client.getState()).toMatchObject({ microphone: 'refused', sessionStatus: 'disconnecting' });
    release();
    await started;
    expect(server.count(END)).toBe(1);
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', error: { code: 'microphone_refused' } });
  });

  test('a refusal does not end a session that another page has', async () => {
    const { server, client } = setUp();
    server.begin();
    server.microphone.next = 'microphone_refused';
    await client.start();
    await settle();
    expect(server.count(END)).toBe(0);
    expect(server.session?.endedAt).toBeUndefined();
  });

  test('a server that is not there is said in words, and the next start can succeed', async () => {
    const { server, client } = setUp();
    server.isDown = true;
    await client.start();
    expect(client.getState()).toMatchObject({ sessionStatus: 'unavailable', error: { code: 'unreachable' } });
    expect(server.microphone.tracks.map(({ readyState }) => readyState)).toEqual(['ended']);
    server.isDown = false;
    await client.start();
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'active', error: null });
  });

  test.each([
    ['a server that never answers is given up', false, 35_000],
    ['a server whose bots may have to be waited for is given their time', true, 125_000],
  ])('%s', async (_, isCold, givenUpAfterMs) => {
    const { server, client } = setUp();
    if (isCold) server.joinS = 120;
    const fetch = server.ports.fetch;
    server.ports.fetch = (url, init) =>
      new Promise((resolve, reject) => {
        if (init?.method !== 'POST') return resolve(fetch(url, init));
        init.signal?.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
      });
    const patient = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
    if (isCold) await patient.loadConfig();
    const started = patient.start();
    await vi.advanceTimersByTimeAsync(givenUpAfterMs - 1);
    expect(patient.getState().error).toBeNull();
    await vi.advanceTimersByTimeAsync(1);
    await started;
    expect(patient.getState()).toMatchObject({ sessionStatus: 'unavailable', error: { code: 'too_slow' } });
    expect(client.getState().sessionStatus).toBe('inactive');
  });

  test.each([
    [502, 'launch_failed', 'unavailable'],
    [503, 'draining', 'unavailable'],
    [409, 'offer_conflict', 'inactive'],
    [403, 'forbidden', 'inactive'],
    [429, 'too_many', 'inactive'],
  ])('a refusal with %d %s is told in the server’s words', async (status, code, shown) => {
    const { server, client } = setUp();
    server.refuse(START, status, code, 'The server’s own sentence.');
    await client.start();
    expect(client.getState()).toMatchObject({
      sessionStatus: shown,
      error: { code, message: 'The server’s own sentence.' },
    });
  });

  test('an answer that comes from a proxy without a server behind it is: not reachable', async () => {
    const { server } = setUp();
    const client = createVoiceClient({
      baseUrl: 'http://greenroom.test',
      ports: { ...server.ports, fetch: () => Promise.resolve(new Response('<html>Bad gateway', { status: 502 })) },
    });
    await client.start();
    expect(client.getState()).toMatchObject({ sessionStatus: 'unavailable', error: { code: 'unreachable' } });
  });
});

describe('stopping', () => {
  test('is silent at once, and over when the server says so', async () => {
    const { server, client, statuses } = await active();
    server.endsAtOnce = false;
    const stopped = client.stop();
    expect(server.voice?.isClosed).toBe(true);
    expect(server.microphone.tracks[0]?.readyState).toBe('ended');
    await settle();
    expect(client.getState().sessionStatus).toBe('disconnecting');
    server.end('user', 'You ended the conversation.');
    await stopped;
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', end: { reason: 'user' }, error: null });
    expect(statuses).toEqual(['connecting', 'active', 'disconnecting', 'inactive']);
  });

  test('twice is once, and nothing to stop is nothing to do', async () => {
    const { server, client } = await active();
    await Promise.all([client.stop(), client.stop()]);
    await client.stop();
    expect(server.count(END)).toBe(1);
    await setUp().client.stop();
  });

  test('while starting: the session is ended as soon as it is known, and was never active', async () => {
    const { server, client, statuses } = setUp();
    const release = server.hold(START);
    void client.start();
    await settle();
    const stopped = client.stop();
    expect(client.getState().sessionStatus).toBe('disconnecting');
    release();
    await stopped;
    expect(server.count(END)).toBe(1);
    expect(server.session?.endedAt).toBeDefined();
    expect(statuses).toEqual(['connecting', 'disconnecting', 'inactive']);
    expect(client.getState().error).toBeNull();
  });

  test('while the browser still asks for the microphone', async () => {
    const { server, client } = setUp();
    server.microphone.next = 'ask';
    void client.start();
    await settle();
    await client.stop();
    expect(client.getState().sessionStatus).toBe('inactive');
    server.microphone.answer('allow');
    await settle();
    // It came too late and is not kept open.
    expect(server.microphone.tracks.map(({ readyState }) => readyState)).toEqual(['ended']);
  });

  test('while starting at a server that is not there leaves nothing to complain about', async () => {
    const { server, client } = setUp();
    const release = server.hold(START);
    void client.start();
    await settle();
    server.isDown = true;
    const stopped = client.stop();
    release();
    await stopped;
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', error: null });
  });

  test('insists when the server is away for a moment', async () => {
    const { server, client } = await active();
    server.isDown = true;
    const stopped = client.stop();
    await settle();
    server.isDown = false;
    await vi.advanceTimersByTimeAsync(1_000);
    await stopped;
    expect(server.session?.endedAt).toBeDefined();
    expect(client.getState().sessionStatus).toBe('inactive');
  });

  test('says that the server is away when it stays away', async () => {
    const { server, client } = await active();
    server.isDown = true;
    const stopped = client.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    await stopped;
    expect(client.getState()).toMatchObject({ sessionStatus: 'unavailable', error: { code: 'unreachable' } });
  });

  function setPresent(server: FakeServer, userPresent: boolean) {
    if (server.session) server.session = { ...server.session, userPresent };
  }

  async function stoppedOutOfReach() {
    const all = await active();
    all.server.isDown = true;
    const stopped = all.client.stop();
    await vi.advanceTimersByTimeAsync(30_000);
    await stopped;
    all.server.isDown = false;
    return all;
  }

  test('ends the session yet when the server is back, and nobody is in it any more', async () => {
    const { server } = await stoppedOutOfReach();
    setPresent(server, true);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.session?.endedAt).toBeUndefined();
    setPresent(server, false);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.session?.endedAt).toBeDefined();
  });

  test('does not end the session to which the visitor has come back since', async () => {
    const { server, client } = await stoppedOutOfReach();
    await client.start();
    setPresent(server, false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.session?.endedAt).toBeUndefined();
  });

  test('asks the server when the end event does not come through', async () => {
    const { server, client } = await active();
    server.endsAtOnce = false;
    server.ports.openSocket = () => {
      throw new Error('no sockets any more');
    };
    const stopped = client.stop();
    await settle();
    server.sockets.length = 0; // The end event reaches nobody.
    server.end('user', 'You ended the conversation.');
    await vi.advanceTimersByTimeAsync(10_000);
    await stopped;
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', end: { reason: 'user' } });
  });
});

describe('starting while stopping', () => {
  test('begins a new session after the end of the old, once', async () => {
    const { server, client } = await active();
    const first = server.session?.sessionId;
    server.endsAtOnce = false;
    void client.stop();
    await settle();
    const again = client.start();
    expect(client.start()).toBe(again);
    expect(server.count(START)).toBe(1);
    server.end('user', 'You ended the conversation.');
    await again;
    await settle();
    expect(server.count(START)).toBe(2);
    expect(server.session?.sessionId).not.toBe(first);
    expect(client.getState()).toMatchObject({ sessionStatus: 'active', end: null });
  });

  test('and stopping again withdraws it', async () => {
    const { server, client } = await active();
    server.endsAtOnce = false;
    void client.stop();
    await settle();
    void client.start();
    const stopped = client.stop();
    server.end('user', 'You ended the conversation.');
    await stopped;
    await settle();
    expect(server.count(START)).toBe(1);
    expect(client.getState().sessionStatus).toBe('inactive');
  });

  test('any mad clicking leaves at most one session and one open microphone', async () => {
    const { server, client } = setUp();
    for (let i = 0; i < 25; i++) {
      void client.toggle();
      if (i % 3 === 0) await Promise.resolve();
      if (i % 7 === 0) await settle();
    }
    await settle();
    const isOn = client.getState().sessionStatus === 'active';
    const open = server.microphone.tracks.filter(({ readyState }) => readyState === 'live');
    expect(open).toHaveLength(isOn ? 1 : 0);
    expect(server.media.filter(({ isClosed }) => !isClosed)).toHaveLength(isOn ? 1 : 0);
    await client.stop();
    expect(server.session?.endedAt).toBeDefined();
  });
});

describe('the end', () => {
  test('that the server announces closes everything and says why', async () => {
    const { server, client } = await active();
    server.end('goodbye', 'You said goodbye.');
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', end: { reason: 'goodbye', message: 'You said goodbye.' } });
    expect(server.voice?.isClosed).toBe(true);
    expect(server.microphone.tracks[0]?.readyState).toBe('ended');
    expect(server.sockets.every(({ isOpen }) => !isOpen)).toBe(true);
    expect(server.count(END)).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('that happened while nobody listened is found out', async () => {
    const { server, client } = await active();
    server.sockets[0]!.isOpen = false; // Half dead: nothing arrives, nothing is said.
    server.end('idle', 'Nobody said anything for a while.');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', end: { reason: 'idle' } });
  });
});

describe('events', () => {
  test('are handed out by type, each once, over a break', async () => {
    const { server, client } = await active();
    const answers: number[] = [];
    const all: number[] = [];
    client.on('app.answer', ({ data }) => void answers.push(data.value));
    client.on('*', ({ seq }) => void all.push(seq));
    const answer = { question: '6 × 9', correct: true, expected: 54, right: 1, asked: 1 };
    server.emit('app.answer', { ...answer, value: 1 });
    server.dropSockets();
    server.emit('app.answer', { ...answer, value: 2 });
    expect(client.getState().connection).toBe('online');
    await vi.advanceTimersByTimeAsync(500);
    server.deliver(server.events.at(-1)!);
    server.emit('app.answer', { ...answer, value: 3 });
    expect(answers).toEqual([1, 2, 3]);
    expect(all).toEqual(server.events.slice(-3).map(({ seq }) => seq));
  });

  test('of a newer bot or server are handed on, and change nothing here', async () => {
    const { server, client } = await active();
    const before = client.getState();
    const all: string[] = [];
    const kinds: string[] = [];
    client.on('*', ({ type }) => void all.push(type));
    client.on('voice.bot.unknown', ({ data }) => void kinds.push(data.kind));
    server.emit('voice.bot.unknown', { kind: 'user.gesture', data: { waves: true } });
    server.emit('voice.from.the.future', { any: ['thing'] });
    expect(all).toEqual(['voice.bot.unknown', 'voice.from.the.future']);
    expect(kinds).toEqual(['user.gesture']);
    expect(client.getState()).toBe(before);
  });

  test('one handler that throws keeps no other from its event', async () => {
    const { server, client } = await active();
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve));
    const seen = vi.fn();
    const stop = client.on('app.question', () => {
      throw new Error('a mistake of the page');
    });
    client.on('app.question', seen);
    server.emit('app.question', { question: '6 × 9', number: 1 });
    stop();
    expect(seen).toHaveBeenCalledOnce();
    await expect(thrown).resolves.toMatchObject({ message: 'a mistake of the page' });
  });
});

describe('the voice', () => {
  test('that breaks is connected anew, with the same microphone, while the session goes on', async () => {
    const { server, client } = await active();
    server.voice?.lose();
    expect(client.getState()).toMatchObject({ sessionStatus: 'active', media: 'lost' });
    await vi.advanceTimersByTimeAsync(500);
    expect(server.count(OFFER)).toBe(1);
    expect(server.voice?.microphone).toBe(server.microphone.tracks[0]);
    expect(client.getState().media).toBe('connected');
  });

  test('is tried again and again while the server is away', async () => {
    const { server, client } = await active();
    server.isDown = true;
    server.voice?.lose();
    await vi.advanceTimersByTimeAsync(20_000);
    expect(server.count(OFFER)).toBeGreaterThan(3);
    server.isDown = false;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(client.getState().media).toBe('connected');
    expect(server.media.filter(({ isClosed }) => !isClosed)).toHaveLength(1);
  });

  test('that never connects is tried again', async () => {
    const { server, client } = setUp();
    server.voiceConnects = false;
    await client.start();
    await settle();
    expect(client.getState().media).toBe('connecting');
    server.voiceConnects = true;
    await vi.advanceTimersByTimeAsync(11_000);
    expect(client.getState().media).toBe('connected');
    expect(server.count(OFFER)).toBe(1);
  });

  test('that breaks because the session is over tells why', async () => {
    const { server, client } = await active();
    server.dropSockets();
    server.isDown = true;
    server.end('bot_crashed', 'The assistant stopped working.');
    server.voice?.lose();
    await settle();
    server.isDown = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(client.getState().end).toMatchObject({ reason: 'bot_crashed' });
    expect(client.getState().sessionStatus).toBe('inactive');
  });

  test('is not called back while the session is ending', async () => {
    const { server } = await active();
    server.say('disconnecting');
    server.voice?.lose();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(server.count(OFFER)).toBe(0);
  });

  test('that moved to another page is let go of without ending the session', async () => {
    const { server, client } = await active();
    server.voice?.move();
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', error: { code: 'moved' } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.count(END)).toBe(0);
    expect(server.session?.endedAt).toBeUndefined();
    expect(server.microphone.tracks[0]?.readyState).toBe('ended');
    await client.start(); // And back again.
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'active', error: null });
  });

  test('that the browser keeps silent waits for a click', async () => {
    const { server, client } = setUp();
    server.blocksSound = true;
    await client.start();
    await settle();
    expect(client.getState().soundBlocked).toBe(true);
    await client.unblockSound();
    expect(client.getState().soundBlocked).toBe(false);
  });

  test('late candidates are sent after the offer they belong to', async () => {
    const { server } = await active();
    server.voice?.handlers.onCandidates([{ candidate: 'candidate:1', sdpMid: '0', sdpMlineIndex: 0 }]);
    await settle();
    const { body } = server.requests.at(-1)!;
    const offer = server.requests[0]?.body.offer as { id: string };
    expect(body).toEqual({ offerId: offer.id, candidates: [{ candidate: 'candidate:1', sdpMid: '0', sdpMlineIndex: 0 }] });
  });
});

describe('the microphone', () => {
  test('that is pulled out is said; plugged in again, the voice goes on', async () => {
    const { server, client } = await active();
    server.microphone.unplug();
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'active', microphone: 'lost', error: { code: 'microphone_lost' } });
    server.microphone.plugIn();
    server.microphone.plugIn(); // Browsers like to say it twice.
    await settle();
    expect(client.getState()).toMatchObject({ microphone: 'granted', error: null });
    const live = server.microphone.tracks.filter(({ readyState }) => readyState === 'live');
    expect(live).toEqual([server.voice?.microphone]);
  });

  test('shows silent, noise and speaking, and its level without changing the state', async () => {
    const { server, client } = await active();
    const changes = vi.fn();
    client.subscribe(changes);
    const hear = (level: number) => {
      for (let i = 0; i < 5; i++) server.microphone.hear(level);
      return client.getState().voiceState;
    };
    expect(hear(0.1)).toBe('noise');
    expect(hear(0.4)).toBe('speaking');
    expect(client.getAudioLevel()).toBeCloseTo(0.4);
    const before = changes.mock.calls.length;
    hear(0.41);
    expect(changes.mock.calls.length).toBe(before);
    expect(hear(0)).toBe('silent');
  });
});

describe('mute', () => {
  test('is silent here at once, and told to the server', async () => {
    const { server, client } = await active();
    const muted = client.mute(true);
    expect(server.microphone.tracks[0]?.enabled).toBe(false);
    expect(client.getState().muted).toBe(true);
    await muted;
    expect(server.requests.at(-1)).toMatchObject({ command: MUTE, body: { isMuted: true } });
  });

  test('two quick switches: the second holds, whatever the order of the news', async () => {
    const { server, client } = await active();
    const release = server.hold(MUTE);
    void client.mute(true);
    await settle();
    void client.mute(false);
    release();
    await settle();
    expect(client.getState().muted).toBe(false);
    expect(server.microphone.tracks[0]?.enabled).toBe(true);
    const [first, second] = server.requests.filter(({ command }) => command === MUTE).map(({ body }) => body.timestamp as number);
    expect(second).toBeGreaterThan(first!);
  });

  test('on another page mutes here too', async () => {
    const { server, client } = await active();
    server.emit('voice.session.mute', { muted: true, timestamp: Date.now() + 1 });
    expect(client.getState().muted).toBe(true);
    expect(server.microphone.tracks[0]?.enabled).toBe(false);
  });

  test('while starting holds for the microphone that comes later, and is told afterwards', async () => {
    const { server, client } = setUp();
    server.microphone.next = 'ask';
    void client.start();
    void client.mute(true);
    await settle();
    server.microphone.answer('allow');
    await settle();
    expect(server.microphone.tracks[0]?.enabled).toBe(false);
    expect(server.count(MUTE)).toBe(1);
  });

  test('is told again until the server knows', async () => {
    const { server, client } = await active();
    server.isDown = true;
    void client.mute(true);
    await settle();
    server.isDown = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.requests.filter(({ command }) => command === MUTE).length).toBeGreaterThan(1);
    expect(server.events.at(-1)).toMatchObject({ type: 'voice.session.mute', data: { muted: true } });
  });
});

describe('pause', () => {
  test('FAILURES 12: a group call pauses, its end resumes, and what was chosen before still holds', async () => {
    const { server, client } = await active();
    const microphone = () => server.microphone.tracks[0]?.enabled;
    await client.mute(true);
    await client.pause('group_call');
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'paused', pauseCauses: ['group_call'], muted: true });
    await client.resume('group_call');
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'active', pauseCauses: [], muted: true });
    expect(microphone()).toBe(false);
    await client.mute(false);
    expect(microphone()).toBe(true);
  });

  test('each cause is lifted on its own, and nobody is heard while there is one', async () => {
    const { server, client } = await active();
    await client.pause();
    await client.pause('group_call');
    await client.resume('group_call');
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'paused', pauseCauses: ['user'] });
    expect(server.microphone.tracks[0]?.enabled).toBe(false);
    await client.resume();
    await settle();
    expect(server.microphone.tracks[0]?.enabled).toBe(true);
  });

  test('that is refused is said, and changes nothing', async () => {
    const { server, client } = await active();
    server.refuse('POST /api/voice/pause', 409, 'not_now', 'Not now.');
    await client.pause();
    expect(client.getState()).toMatchObject({ pauseCauses: [], error: { code: 'not_now', message: 'Not now.' } });
  });
});

describe('a trace', () => {
  test('begins with each click, as W3C writes it', async () => {
    const { server, client } = setUp();
    for (let click = 0; click < 2; click++) {
      await client.start();
      await client.stop();
    }
    const traces = server.requests.filter(({ command }) => command === START).map(({ headers }) => headers.traceparent);
    expect(traces).toHaveLength(2);
    expect(new Set(traces).size).toBe(2);
    for (const trace of traces) expect(trace).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
});

describe('a reload', () => {
  test('with an allowed microphone returns by itself, to the whole conversation', async () => {
    const { server, client } = setUp();
    server.begin();
    server.say('active');
    server.emit('voice.transcript', { role: 'assistant', text: 'What is six times nine?', final: true, turn: 1 });
    server.microphone.allowed = true;
    await client.restore();
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'active', media: 'connected', rejoinable: null });
    expect(client.getState().messages).toHaveLength(1);
    expect(server.count(START)).toBe(0);
    expect(server.count(OFFER)).toBe(1);
  });

  test('without a permission waits for a click', async () => {
    const { server, client } = setUp();
    const session = server.begin();
    await client.restore();
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', rejoinable: { sessionId: session.sessionId } });
    expect(server.microphone.tracks).toHaveLength(0);
    await client.rejoin();
    await settle();
    expect(client.getState()).toMatchObject({ media: 'connected', rejoinable: null });
  });

  test('takes a session from no other page that has it; its own it takes back', async () => {
    const { server, client } = setUp();
    const session = server.begin();
    server.session = { ...session, userPresent: true };
    server.microphone.allowed = true;
    await client.restore();
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', rejoinable: { userPresent: true } });
    expect(server.count(OFFER)).toBe(0);
    server.remembered = session.sessionId; // As after a reload of the tab that had it.
    await client.restore();
    await settle();
    expect(server.count(OFFER)).toBe(1);
    expect(client.getState()).toMatchObject({ media: 'connected', rejoinable: null });
    await client.stop();
    expect(server.remembered).toBeNull();
  });

  test('finds nothing where there is nothing', async () => {
    const { server, client } = setUp();
    await client.restore();
    server.isDown = true;
    await client.restore();
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', rejoinable: null, error: null });
  });

  test('a session that ended meanwhile is told of, not begun anew', async () => {
    const { server, client } = setUp();
    server.begin();
    await client.restore();
    server.end('left', 'You were away for too long.');
    await client.rejoin();
    await settle();
    expect(client.getState()).toMatchObject({ sessionStatus: 'inactive' });
    expect(server.count(START)).toBe(0);
  });

  test('a page that goes away tells the bot and ends nothing', async () => {
    const { server } = await active();
    server.hidePage();
    expect(server.voice?.hasLeft).toBe(true);
    expect(server.count(END)).toBe(0);
  });
});

test('closing lets go of everything and ends nothing; the client can be used again', async () => {
  const { server, client } = await active();
  client.close();
  expect(client.getState().sessionStatus).toBe('inactive');
  expect(server.voice).toMatchObject({ hasLeft: true, isClosed: true });
  expect(server.count(END)).toBe(0);
  await client.start();
  await settle();
  expect(client.getState().sessionStatus).toBe('active');
});

test('the configuration is asked for once', async () => {
  const { server, client } = setUp();
  const [first, second] = await Promise.all([client.loadConfig(), client.loadConfig()]);
  expect(first).toBe(second);
  expect(server.count('GET /api/voice/config')).toBe(1);
});

test('what is known before the click is ready for it: one connection, made ahead, and dropped with the page', async () => {
  const { server, client } = setUp();
  await client.loadConfig();
  const ready = server.voice;
  expect(ready?.isClosed).toBe(false);
  await client.start();
  expect(server.voice).toBe(ready);
  expect(server.requests.find(({ body }) => body && 'offer' in body)?.body).toMatchObject({
    offer: { sdp: ready?.offer },
  });
  await client.stop();
  await settle();
  expect(server.voice).not.toBe(ready);
  client.close();
  expect(server.voice?.isClosed).toBe(true);
});

test('ICE servers come from the configuration, and from the session once it is known', async () => {
  const { server, client } = setUp();
  const used: unknown[] = [];
  const { openMedia } = server.ports;
  const again = createVoiceClient({
    baseUrl: 'http://greenroom.test',
    ports: {
      ...server.ports,
      openMedia: (iceServers, handlers) => {
        used.push(iceServers);
        return openMedia(iceServers, handlers);
      },
    },
  });
  server.iceServers = [{ urls: ['stun:config.test'] }];
  await again.loadConfig();
  server.iceServers = [{ urls: ['turn:session.test'], username: 'a', credential: 'b' }];
  await again.start();
  server.voice?.lose();
  await vi.advanceTimersByTimeAsync(500);
  expect(used).toMatchObject([[{ urls: ['stun:config.test'] }], [{ urls: ['turn:session.test'] }]]);
  client.close();
});

test('typed words go to the session, and are not lost in silence where there is none', async () => {
  const { server, client } = await active();
  await client.sendMessage('fifty-four');
  expect(server.requests.at(-1)).toMatchObject({ body: { text: 'fifty-four' } });
  const before = server.requests.length;
  const stopping = client.stop();
  await expect(client.sendMessage('too late')).rejects.toMatchObject({ problem: { code: 'no_session' } });
  await stopping;
  await expect(client.sendMessage('far too late')).rejects.toMatchObject({ problem: { code: 'no_session' } });
  expect(server.requests.slice(before).map(({ command }) => command)).toEqual(['DELETE /api/voice/session/{id}']);
});

test('messages of the application’s own go both ways, through the room', async () => {
  const { server, client } = await active();
  const got: unknown[] = [];
  client.on('app-message', ({ data, fromId, session }) => void got.push([data, fromId, session]));
  server.voice?.tell({ hello: 1 });
  client.sendAppMessage({ hello: 2 });
  expect(got).toEqual([[{ hello: 1 }, 'bot', 'session-1']]);
  expect(server.voice?.sent).toEqual([{ hello: 2 }]);
  await client.stop();
  expect(() => client.sendAppMessage({})).toThrow('no conversation');
});

test('an address may end with a slash', async () => {
  const server = new FakeServer();
  const opened: string[] = [];
  const ports = { ...server.ports, openSocket: (url: string) => (opened.push(url), server.ports.openSocket(url)) };
  const client = createVoiceClient({ baseUrl: 'https://greenroom.test/', ports });
  await client.start();
  await vi.advanceTimersByTimeAsync(0);
  expect(client.getState().sessionStatus).toBe('active');
  expect(opened).toEqual(['wss://greenroom.test/ws']);
});
