/** What goes over a local room's line beside the voice: the connection's own words, and the application's. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { MediaHandlers } from '../src/media.ts';
import { open } from '../src/transports/local.ts';

class Line extends EventTarget {
  readyState: RTCDataChannelState = 'connecting';
  readonly sent: string[] = [];

  send(text: string): void {
    this.sent.push(text);
  }

  open(): void {
    this.readyState = 'open';
    this.dispatchEvent(new Event('open'));
  }

  say(data: unknown): void {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }
}

class Peer extends EventTarget {
  static line: Line;
  static received = 0;
  connectionState: RTCPeerConnectionState = 'connected';
  getStats = async () => new Map([['p', { type: 'candidate-pair', bytesReceived: Peer.received }]]);
  addTransceiver = () => ({});
  createDataChannel = () => (Peer.line = new Line());
  close = () => undefined;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('RTCPeerConnection', Peer);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function connected() {
  const onMessage = vi.fn();
  const onMoved = vi.fn();
  const onInterrupted = vi.fn();
  const onConnected = vi.fn();
  const link = open([], { onMessage, onMoved, onInterrupted, onConnected } as unknown as MediaHandlers);
  return { link, line: Peer.line, onMessage, onMoved, onInterrupted, onConnected };
}

test('what the bot sends is handed on; what the connection says to itself is not', () => {
  const { link, line, onMessage, onMoved } = connected();
  line.open();
  for (const text of ['pong', '{"type":"signalling","message":{"type":"renegotiate"}}', '{"type":"greenroom","event":"later"}', '{', 'null'])
    line.say(text);
  expect(onMessage).not.toHaveBeenCalled();
  line.say('{"label":"rtvi-ai","type":"bot-ready"}');
  expect(onMessage).toHaveBeenCalledExactlyOnceWith({ label: 'rtvi-ai', type: 'bot-ready' }, 'bot');
  line.say('{"type":"greenroom","event":"moved"}');
  expect(onMoved).toHaveBeenCalledOnce();
  link.close();
  line.say('{"too":"late"}');
  expect(onMessage).toHaveBeenCalledOnce();
});

test('what the page sends goes over an open line, and is refused before', () => {
  const { link, line } = connected();
  expect(() => link.send({ card: 7 })).toThrow('no conversation');
  line.open();
  link.send({ card: 7 });
  expect(line.sent).toEqual(['ping', '{"card":7}']);
  link.close();
});

test('a line on which nothing comes any more is interrupted within three seconds, and may come back', async () => {
  const { link, line, onInterrupted, onConnected } = connected();
  const seconds = async (count: number, bytes: number) => {
    for (; count > 0; count--) {
      Peer.received += bytes;
      await vi.advanceTimersByTimeAsync(1_000);
    }
  };
  line.open();
  await seconds(5, 80);
  expect(onInterrupted).not.toHaveBeenCalled();
  await seconds(3, 0);
  expect(onInterrupted).toHaveBeenCalledOnce();
  expect(onConnected).not.toHaveBeenCalled();
  await seconds(2, 80);
  expect(onConnected).toHaveBeenCalledOnce();
  await seconds(1, 0);
  await seconds(1, 80);
  expect(onInterrupted).toHaveBeenCalledOnce();
  link.close();
});
