/** A connection that is ready before the click: used once, never for a relay, gone with the page. */

import { expect, test } from 'vitest';
import type { MediaHandlers } from '../src/media.ts';
import { createPrepared } from '../src/prepared.ts';
import { FakeMedia } from '../src/testing/media.ts';

const NONE = [] as const;

function setUp(makeOffer?: () => Promise<string>) {
  const opened: FakeMedia[] = [];
  const prepared = createPrepared((_servers, handlers) => {
    const media = new FakeMedia(handlers);
    if (makeOffer) media.makeOffer = makeOffer;
    opened.push(media);
    return media;
  });
  return { prepared, opened };
}

function handlers() {
  const told: string[] = [];
  const note = (name: string) => () => void told.push(name);
  const all: MediaHandlers = {
    onCandidates: note('candidates'),
    onConnected: note('connected'),
    onInterrupted: note('interrupted'),
    onLost: note('lost'),
    onMoved: note('moved'),
    onEjected: note('ejected'),
    onLeft: note('left'),
    onMuted: note('muted'),
    onAudio: note('audio'),
    onMessage: note('message'),
  };
  return { all, told };
}

test('the click takes the one that is ready, and it tells whoever took it', async () => {
  const { prepared, opened } = setUp();
  prepared.make(NONE);
  prepared.make(NONE);
  expect(opened).toHaveLength(1);
  const { all, told } = handlers();
  const link = prepared.open(NONE, all);
  expect(opened).toHaveLength(1);
  expect(await link.makeOffer()).toBe(opened[0]?.offer);
  await link.accept({ sdp: 'answer' });
  expect(told).toContain('connected');
});

test('the next one is new', () => {
  const { prepared, opened } = setUp();
  prepared.make(NONE);
  prepared.open(NONE, handlers().all);
  prepared.open(NONE, handlers().all);
  expect(opened).toHaveLength(2);
  expect(opened[0]?.isClosed).toBe(false);
});

test('with other servers than it was made with it is of no use', () => {
  const { prepared, opened } = setUp();
  prepared.make(NONE);
  prepared.open([{ urls: ['stun:stun.test'] }], handlers().all);
  expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, false]);
});

test('nobody holds a relay before the click', () => {
  const { prepared, opened } = setUp();
  prepared.make([{ urls: ['stun:stun.test', 'turn:turn.test'], username: 'a', credential: 'b' }]);
  prepared.make([{ urls: 'turns:turn.test' } as never]);
  expect(opened).toEqual([]);
});

test('dropped, lost or failed, it leaves the click a new one', async () => {
  const { prepared, opened } = setUp();
  prepared.make(NONE);
  prepared.drop();
  prepared.make(NONE);
  opened[1]?.handlers.onLost();
  prepared.open(NONE, handlers().all);
  expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, true, false]);

  const failing = setUp(() => Promise.reject(new Error('no offer')));
  failing.prepared.make(NONE);
  await new Promise((resolve) => setTimeout(resolve));
  expect(failing.opened[0]?.isClosed).toBe(true);
});
