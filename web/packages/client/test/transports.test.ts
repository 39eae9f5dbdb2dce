/** What carries the voice is loaded beside the core: early, once, and never in anybody's way. */

import { expect, test, vi } from 'vitest';

import type { MediaHandlers } from '../src/media.ts';
import { FakeMedia } from '../src/testing/media.ts';
import { createTransports, type Transport } from '../src/transports/index.ts';

const handlers: MediaHandlers = {
  onCandidates: vi.fn(),
  onConnected: vi.fn(),
  onInterrupted: vi.fn(),
  onLost: vi.fn(),
  onMoved: vi.fn(),
  onEjected: vi.fn(),
  onLeft: vi.fn(),
  onMuted: vi.fn(),
  onAudio: vi.fn(),
  onMessage: vi.fn(),
};
const track = {} as MediaStreamTrack;

/** A loader that loads when it is told to, and what it has opened. */
function aLoader() {
  const opened: FakeMedia[] = [];
  const arrivals: { resolve: (transport: Transport) => void; reject: (error: Error) => void }[] = [];
  const open = (_: unknown, owner: MediaHandlers) => {
    const media = new FakeMedia(owner);
    opened.push(media);
    return media;
  };
  const local = vi.fn(
    () => new Promise<Transport>((resolve, reject) => void arrivals.push({ resolve, reject })),
  );
  return { opened, local, arrive: () => arrivals.at(-1)?.resolve({ open }), fail: () => arrivals.at(-1)?.reject(new Error('away')) };
}

test('it is loaded once, and before anybody connects', async () => {
  const { opened, local, arrive } = aLoader();
  const transports = createTransports({ local });
  transports.load('local');
  transports.load('local');
  arrive();
  await Promise.resolve();
  transports.to('local')([], handlers);
  expect(local).toHaveBeenCalledOnce();
  expect(opened).toHaveLength(1); // at once: whoever clicks waits for nothing
});

test('what is asked of a connection before its code has come is done then, in its order', async () => {
  const { opened, local, arrive } = aLoader();
  const link = createTransports({ local }).to('local')([], handlers);
  const asked = Promise.all([link.setMicrophone(track), link.makeOffer(), link.accept({ sdp: 'answer' })]);
  expect(opened).toHaveLength(0);
  arrive();
  const [, offer] = await asked;
  expect(offer).toBe(opened[0]?.offer);
  expect(opened[0]).toMatchObject({ microphone: track, answer: 'answer' });
  expect(handlers.onConnected).toHaveBeenCalled();
});

test('a connection that was given up before its code came is never opened', async () => {
  const { opened, local, arrive } = aLoader();
  const link = createTransports({ local }).to('local')([], handlers);
  const offer = link.makeOffer();
  link.leave();
  link.close();
  arrive();
  await expect(offer).rejects.toThrow();
  expect(opened).toHaveLength(0);
});

test('what could not be loaded is loaded when it is next asked for', async () => {
  const { opened, local, arrive, fail } = aLoader();
  const open = createTransports({ local }).to('local');
  const offer = open([], handlers).makeOffer();
  fail();
  await expect(offer).rejects.toThrow('away');
  const again = open([], handlers).makeOffer();
  arrive();
  expect(await again).toBe(opened[0]?.offer);
});
