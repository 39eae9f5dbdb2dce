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
  const link = open([], { onMessage, onMoved } as unknown as MediaHandlers);
  return { link, line: Peer.line, onMessage, onMoved };
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
