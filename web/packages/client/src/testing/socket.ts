/** A WebSocket without a network. */

import type { SocketLike } from '../stream.ts';
import type { Subscribe } from '../wire.ts';

export class FakeSocket implements SocketLike {
  onopen: SocketLike['onopen'] = null;
  onmessage: SocketLike['onmessage'] = null;
  onclose: SocketLike['onclose'] = null;
  onerror: SocketLike['onerror'] = null;
  isOpen = false;
  readonly #onSubscribe: (message: Subscribe, socket: FakeSocket) => void;

  constructor(onSubscribe: (message: Subscribe, socket: FakeSocket) => void) {
    this.#onSubscribe = onSubscribe;
  }

  /** The server accepts the connection. */
  open(): void {
    this.isOpen = true;
    this.onopen?.(undefined as never);
  }

  send(data: string): void {
    this.#onSubscribe(JSON.parse(data) as Subscribe, this);
  }

  /** The server says something. */
  deliver(message: object): void {
    if (this.isOpen) this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** The page closes it. */
  close(): void {
    this.isOpen = false;
  }

  /** The server or the network closes it. */
  drop(code = 1006): void {
    this.isOpen = false;
    this.onclose?.({ code });
  }
}
