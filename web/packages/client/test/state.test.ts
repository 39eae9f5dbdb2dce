/** The reducer: what each thing that happens makes of the state. */

import { describe, expect, test } from 'vitest';
import { INITIAL_STATE, KEPT_MESSAGES, reduce, type Action, type VoiceState } from '../src/state.ts';
import type { Event, SessionBody, SessionStatus } from '../src/wire.ts';
import { problem } from '../src/words.ts';

const SESSION: SessionBody = {
  sessionId: 's1',
  kind: 'voice',
  assistant: 'cards',
  status: 'connecting',
  stage: 'connecting',
  cost: { usd: 0, components: {}, unpriced: [] },
  room: { kind: 'local', name: 'voice-1', iceServers: [] },
  muted: false,
  pauseCauses: [],
  userPresent: false,
  botPresent: false,
  startedAt: '2026-01-01T12:00:00.000Z',
  lastSeq: 0,
};

let seq = 0;
function event(type: string, data: object): Action {
  seq += 1;
  const time = `2026-01-01T12:00:${String(seq % 60).padStart(2, '0')}.000Z`;
  const made: Event = { v: 1, id: `e${seq}`, session: 's1', seq, time, type, data: { ...data } };
  return { type: 'event', event: made };
}
const status = (shown: SessionStatus) =>
  event('voice.session.status', { status: shown, userPresent: true, botPresent: true });
const said = (role: 'user' | 'assistant', text: string, final: boolean, turn: number) =>
  event('voice.transcript', { role, text, final, turn });
const after = (...actions: Action[]) => actions.reduce(reduce, INITIAL_STATE);
const STARTED: Action[] = [{ type: 'started' }, { type: 'session', session: SESSION }];
const ACTIVE: Action[] = [...STARTED, status('active'), { type: 'media', media: 'connected' }];

describe('the status', () => {
  test('is connecting from the click until the server says active', () => {
    expect(after({ type: 'started' }).sessionStatus).toBe('connecting');
    expect(after(...STARTED).sessionStatus).toBe('connecting');
    expect(after(...STARTED, status('active')).sessionStatus).toBe('active');
  });

  test('is the server’s word: media alone makes nothing active', () => {
    expect(after(...STARTED, { type: 'media', media: 'connected' }).sessionStatus).toBe('connecting');
  });

  test('is disconnecting from stop until the end, whatever the server said before', () => {
    const stopping = [...ACTIVE, { type: 'stopping' } as const, status('active')];
    expect(after(...stopping).sessionStatus).toBe('disconnecting');
    const ended = after(...stopping, event('voice.session.end', { reason: 'user', message: 'You ended it.', durationS: 1 }));
    expect(ended).toMatchObject({ sessionStatus: 'inactive', end: { reason: 'user', message: 'You ended it.' } });
  });

  test('is unavailable when neither voice nor events come through, and heals', () => {
    const away = after(...ACTIVE, { type: 'connection', connection: 'offline' });
    expect(away.sessionStatus).toBe('active');
    const gone = reduce(away, { type: 'media', media: 'lost' });
    expect(gone.sessionStatus).toBe('unavailable');
    expect(reduce(gone, { type: 'connection', connection: 'online' }).sessionStatus).toBe('active');
  });

  test('is unavailable after a start that found no server, and connecting again at the next', () => {
    const failed = after({ type: 'started' }, { type: 'failed', problem: problem('unreachable'), unavailable: true });
    expect(failed).toMatchObject({ sessionStatus: 'unavailable', error: { code: 'unreachable' } });
    expect(reduce(failed, { type: 'started' })).toMatchObject({ sessionStatus: 'connecting', error: null });
  });

  test('stopping where nothing runs changes nothing', () => {
    expect(after({ type: 'stopping' })).toBe(INITIAL_STATE);
  });
});

test('stop-everything is shown at once; the end, which says it again, follows', () => {
  const message = 'All conversations were stopped by the people in charge: fire.';
  const told = { v: 1, time: '', type: 'voice.emergency', data: { message }, ephemeral: true } as const;
  const stopping = after(...ACTIVE, { type: 'ephemeral', event: told });
  expect(stopping.sessionStatus).toBe('disconnecting');
  expect(stopping.error).toMatchObject({ code: 'halted', message });
  expect(reduce(INITIAL_STATE, { type: 'ephemeral', event: told })).toBe(INITIAL_STATE);
});

test('the last bill is kept, also after the end, and the next session begins without one', () => {
  const bill = (usd: number) => event('voice.cost', { usd, components: { room: usd }, unpriced: [] });
  const ended = after(...ACTIVE, bill(0.01), bill(0.02), event('voice.session.end', { reason: 'budget', message: '', durationS: 1 }));
  expect(ended.cost).toEqual({ usd: 0.02, components: { room: 0.02 }, unpriced: [] });
  expect(reduce(ended, { type: 'started' }).cost).toBeNull();
});

test('an event that arrives after the end changes nothing', () => {
  const ended = after(...ACTIVE, event('voice.session.end', { reason: 'goodbye', message: 'Bye.', durationS: 1 }));
  expect(reduce(ended, status('active'))).toBe(ended);
  expect(reduce(ended, said('user', 'hello?', true, 9))).toBe(ended);
});

test('the end lets nobody go on speaking and keeps what was said', () => {
  const state = after(
    ...ACTIVE,
    event('voice.bot.speaking', { speaking: true, interrupted: false }),
    event('voice.speech.start', {}),
    said('user', 'good', false, 1),
    event('voice.session.end', { reason: 'goodbye', message: 'Bye.', durationS: 1 }),
  );
  expect(state).toMatchObject({ isSpeaking: false, isUserSpeaking: false, transcript: null, media: 'none' });
  expect(state.messages).toHaveLength(1);
});

describe('speaking', () => {
  test('isSpeaking is the assistant, isUserSpeaking the visitor', () => {
    const both = after(...ACTIVE, event('voice.bot.speaking', { speaking: true }), event('voice.speech.start', {}));
    expect(both).toMatchObject({ isSpeaking: true, isUserSpeaking: true });
    const none = [event('voice.bot.speaking', { speaking: false }), event('voice.speech.end', {})].reduce(reduce, both);
    expect(none).toMatchObject({ isSpeaking: false, isUserSpeaking: false });
  });
});

describe('the transcript', () => {
  test('grows in place until it is final', () => {
    const first = after(...ACTIVE, said('user', 'fif', false, 1));
    expect(first.transcript).toMatchObject({ text: 'fif', final: false });
    const second = reduce(first, said('user', 'fifty six', true, 1));
    expect(second.transcript).toBeNull();
    expect(second.messages).toMatchObject([{ id: 'user-1', text: 'fifty six', final: true, time: first.messages[0]?.time }]);
  });

  test('keeps two who speak in the same turn apart', () => {
    const state = after(...ACTIVE, said('user', 'a', false, 1), said('assistant', 'b', true, 1));
    expect(state.messages.map(({ id }) => id)).toEqual(['user-1', 'assistant-1']);
    expect(state.transcript).toMatchObject({ id: 'user-1' });
  });

  test('takes what was typed for itself, each time', () => {
    const typed = (text: string) =>
      event('voice.transcript', { role: 'user', text, final: true, turn: 0, typed: true });
    const state = after(...ACTIVE, said('user', 'a', true, 0), typed('b'), typed('c'));
    expect(state.messages.map(({ text }) => text)).toEqual(['a', 'b', 'c']);
    expect(state.isThinking).toBe(true);
  });

  test('does not grow without end', () => {
    const many = Array.from({ length: KEPT_MESSAGES + 50 }, (_, turn) => said('assistant', `${turn}`, true, turn));
    const { messages } = after(...ACTIVE, ...many);
    expect(messages).toHaveLength(KEPT_MESSAGES);
    expect(messages.at(-1)?.text).toBe(`${KEPT_MESSAGES + 49}`);
  });
});

describe('mute', () => {
  const here = (muted: boolean, at: number): Action => ({ type: 'muted', muted, at });
  const there = (muted: boolean, timestamp: number) => event('voice.session.mute', { muted, timestamp });

  test('the later switch holds, in whatever order the news arrive', () => {
    expect(after(...ACTIVE, here(true, 10), here(false, 20), there(true, 10)).muted).toBe(false);
    expect(after(...ACTIVE, here(true, 10), there(false, 30)).muted).toBe(false);
    expect(after(...ACTIVE, there(false, 30), there(true, 20)).muted).toBe(false);
  });

  test('a session that is muted already is joined muted, unless it was switched here meanwhile', () => {
    const muted: Action = { type: 'session', session: { ...SESSION, muted: true } };
    expect(after({ type: 'started' }, muted).muted).toBe(true);
    expect(after({ type: 'started' }, here(false, 5), muted).muted).toBe(false);
  });
});

describe('the microphone', () => {
  test('that is lost says what to do, and its return takes the words away', () => {
    const lost = after(...ACTIVE, { type: 'microphone', microphone: 'lost' });
    expect(lost).toMatchObject({ sessionStatus: 'active', error: { code: 'microphone_lost' } });
    expect(reduce(lost, { type: 'microphone', microphone: 'granted' }).error).toBeNull();
  });
});

test('the warning is shown until the end', () => {
  const warned = after(...ACTIVE, event('voice.session.warning', { endsInS: 120 }));
  expect(warned.warning).toMatchObject({ endsInS: 120 });
  expect(reduce(warned, { type: 'left' }).warning).toBeNull();
});

test('a cold start is shown until the assistant is there', () => {
  const starting = after(...STARTED, event('voice.bot.starting', { withinS: 120 }));
  expect(starting).toMatchObject({ sessionStatus: 'connecting', startsWithinS: 120 });
  const back = reduce(starting, event('voice.session.status', { status: 'queued' }));
  expect(back.startsWithinS).toBeNull();
  expect(reduce(starting, { type: 'left' }).startsWithinS).toBeNull();
});

test('what does not concern the state leaves it the very same', () => {
  const state = after(...ACTIVE);
  const unchanged: Action[] = [
    event('app.anything', { of: 'the application' }),
    event('voice.from.the.future', {}),
    event('voice.bot.unknown', { kind: 'user.gesture', data: { waves: true } }),
    { type: 'voice', voiceState: 'silent' },
    { type: 'connection', connection: 'online' },
    { type: 'media', media: 'connected' },
    status('active'),
  ];
  for (const action of unchanged) expect(reduce(state, action)).toBe(state);
});

test('the reducer never touches what it was given', () => {
  const frozen = (state: VoiceState): VoiceState => Object.freeze({ ...state, messages: Object.freeze([...state.messages]) });
  let state = frozen(INITIAL_STATE);
  for (const action of [...ACTIVE, said('user', 'a', false, 1), said('user', 'ab', true, 1), { type: 'left' } as const])
    state = frozen(reduce(state, action));
  expect(state.messages).toHaveLength(1);
});
