// @vitest-environment happy-dom
/** The double of daily-js refuses what daily-js refuses, in its words: one contract, held by both. No network is needed. */

import type Daily from '@daily-co/daily-js';
import type { DailyEventObject } from '@daily-co/daily-js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeDaily } from '../src/testing/index.ts';
import type { DailyCallLike, DailyEvents, DailyFactoryLike } from '../src/transports/daily-js.ts';

/** As the client makes its calls. Anew each time: daily-js writes into what it is given. */
const ours = () => ({ allowMultipleCallInstances: true, dailyConfig: { avoidEval: true } });
const ROOM = 'https://stand-in.daily.co/voice-1';
const CHROME = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';

class Track {
  readonly kind = 'audio';
}
const track = new Track() as unknown as MediaStreamTrack;

type Factory = Pick<typeof Daily, 'createCallObject' | 'createFrame' | 'getCallInstance'>;

/** Frames show nothing here (no test gives one an address), and that is no failure. */
function allowFrames() {
  const { happyDOM } = window as unknown as { happyDOM: { settings: Record<string, unknown> } };
  happyDOM.settings.enableIframePageLoading = true;
}

/** daily-js wants to be in a browser that has WebRTC; none of it is used before a room is joined. */
beforeEach(() => {
  allowFrames();
  vi.stubGlobal('MediaStreamTrack', Track);
  vi.stubGlobal('RTCPeerConnection', class {});
  Object.defineProperty(navigator, 'userAgent', { value: CHROME, configurable: true });
  const nothing = () => undefined;
  const devices = { getUserMedia: nothing, enumerateDevices: async () => [], addEventListener: nothing, removeEventListener: nothing };
  Object.defineProperty(navigator, 'mediaDevices', { value: devices, configurable: true });
});
afterEach(() => vi.unstubAllGlobals());

/** What was complained of on the console, which is quiet meanwhile. */
function complaints() {
  const said: string[] = [];
  for (const level of ['error', 'warn'] as const) vi.mocked(console[level]).mockImplementation((text) => void said.push(String(text)));
  return () => {
    for (const level of ['error', 'warn'] as const) vi.mocked(console[level]).mockClear();
    return said;
  };
}

/** Which events of daily-js's types have what the client reads of them. */
type Known = { [Name in keyof DailyEvents]: DailyEventObject<Name> extends DailyEvents[Name] ? true : never };

test('what the client uses of daily-js is in its types, as it is used', () => {
  const events = {} as Known satisfies Record<keyof DailyEvents, true>;
  const call = {} as ReturnType<Factory['createCallObject']> satisfies Omit<DailyCallLike, 'on'>;
  const factory = {} as Factory satisfies Record<keyof DailyFactoryLike, unknown>;
  expect([events, call, factory]).toEqual([{}, {}, {}]); // The compiler is who checks it.
});

describe.each([
  ['daily-js', async () => (await import('@daily-co/daily-js')).default as Factory],
  ['the double', async () => new FakeDaily() as unknown as Factory],
])('%s', (_name, load) => {
  test('makes one call at a time, unless the second says that it knows', async () => {
    const daily = await load();
    const first = daily.createCallObject();
    expect(() => daily.createCallObject()).toThrow('Duplicate DailyIframe instances are not allowed');
    const second = daily.createCallObject(ours());
    expect(daily.getCallInstance()).toBe(first);
    await first.destroy();
    expect(() => daily.createCallObject()).toThrow('Duplicate'); // A page is stopped by ours as well.
    await second.destroy();
    await daily.createCallObject().destroy();
    expect(daily.getCallInstance()).toBeUndefined();
  });

  test('makes what the client asks for, and complains of nothing', async () => {
    const daily = await load();
    const said = complaints();
    const call = daily.createCallObject(ours());
    expect(call.meetingState()).toBe('new');
    await call.destroy();
    expect(said()).toEqual([]);
  });

  test('passes over what it does not know, and says so', async () => {
    const daily = await load();
    const said = complaints();
    await daily.createCallObject({ ...ours(), colour: 'green' } as object).destroy();
    expect(said()).toEqual(["Ignoring unrecognized property 'colour'"]);
  });

  test('joins no room without an address', async () => {
    const daily = await load();
    const said = complaints();
    const call = daily.createCallObject(ours());
    await expect(call.join()).rejects.toThrow('No room URL has been provided');
    expect(said()).toEqual(['No room URL has been provided']);
    await call.destroy();
  });

  test('sends nothing before it has joined', async () => {
    const daily = await load();
    const said = complaints();
    const call = daily.createCallObject(ours());
    expect(() => call.sendAppMessage({})).toThrow('sendAppMessage() only supported after join.');
    expect(said()).toHaveLength(1);
    await call.destroy();
  });

  test('takes a track for its microphone, and nothing that is none', async () => {
    const daily = await load();
    const said = complaints();
    const call = daily.createCallObject(ours());
    await call.setInputDevicesAsync({ audioSource: track });
    await expect(call.join({ url: ROOM, audioSource: 5 as never })).rejects.toThrow("property 'audioSource'");
    expect(said()).toEqual(['audioSource must be a MediaStreamTrack, boolean, or a string']);
    await call.destroy();
  });

  test('can be left before it is joined, and destroyed twice; then it is of no use', async () => {
    const daily = await load();
    const told: string[] = [];
    const call = daily.createCallObject(ours());
    call.on('call-instance-destroyed', () => void told.push('destroyed'));
    await call.leave();
    await call.destroy();
    expect(call.isDestroyed()).toBe(true);
    await expect(call.join({ url: ROOM })).rejects.toThrow('Use after destroy');
    expect(() => call.setLocalAudio(true)).toThrow('Use after destroy');
    await call.leave();
    await call.destroy();
    expect(told[0]).toBe('destroyed');
  });

  test('shows Prebuilt in a frame, and waits for ever for one that was never there', async () => {
    const daily = await load();
    const place = document.createElement('div');
    document.body.append(place);
    const call = daily.createFrame(place, ours());
    expect(place.querySelectorAll('iframe')).toHaveLength(1);
    expect(call.iframe()).toBe(place.firstElementChild);
    const destroyed = call.destroy().then(() => 'destroyed');
    const later = new Promise((resolve) => setTimeout(resolve, 50, 'later'));
    expect(await Promise.race([destroyed, later])).toBe('later');
    place.remove();
  });
});
