/** A voice without WebRTC: connections that a test connects, loses and moves. */

import type { MediaHandlers, MediaLink } from '../media.ts';

let offers = 0;

/** A stream of the assistant's voice, of which nothing is known but how loud it is. */
export class FakeAudio {
  readonly #watchers = new Set<(level: number) => void>();

  tell(level: number): void {
    for (const onLevel of [...this.#watchers]) onLevel(level);
  }

  watch(onLevel: (level: number) => void): () => void {
    this.#watchers.add(onLevel);
    return () => void this.#watchers.delete(onLevel);
  }
}

/** One connection. It connects by itself when it gets its answer, unless told otherwise. */
export class FakeMedia implements MediaLink {
  readonly handlers: MediaHandlers;
  readonly offer = `offer ${++offers}`;
  answer: string | null = null;
  microphone: MediaStreamTrack | null = null;
  /** What the page plays. */
  readonly audio = new FakeAudio();
  hasLeft = false;
  isClosed = false;
  /** Whether an answer is enough to be connected. */
  connects = true;

  constructor(handlers: MediaHandlers) {
    this.handlers = handlers;
  }

  makeOffer(): Promise<string> {
    return Promise.resolve(this.offer);
  }

  accept(answerSdp: string): Promise<void> {
    this.answer = answerSdp;
    if (this.connects) this.connect();
    return Promise.resolve();
  }

  setMicrophone(track: MediaStreamTrack | null): Promise<void> {
    this.microphone = track;
    return Promise.resolve();
  }

  leave(): void {
    this.hasLeft = true;
  }

  close(): void {
    this.isClosed = true;
  }

  /** The voice is there. */
  connect(): void {
    if (this.isClosed) return;
    this.handlers.onConnected();
    this.handlers.onAudio(this.audio as unknown as MediaStream);
  }

  /** The assistant speaks so loud, 0 … 1, before smoothing. */
  speak(level: number): void {
    this.audio.tell(level);
  }

  /** The voice is gone, as when the network or the bot fails. */
  lose(): void {
    if (this.isClosed) return;
    this.close();
    this.handlers.onLost();
  }

  /** The bot says that another page has taken over. */
  move(): void {
    if (!this.isClosed) this.handlers.onMoved();
  }
}
