/** A voice without WebRTC: connections that a test connects, loses and moves. */

import type { MediaHandlers, MediaLink, RoomKind, WayIn } from '../media.ts';
import { VoiceError, problem, type VoiceProblem } from '../words.ts';

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
  readonly kind: RoomKind;
  readonly offer = `offer ${++offers}`;
  answer: string | null = null;
  /** The room that it joined, and by what. */
  room: { url: string; token: string } | null = null;
  /** What the page sent. */
  readonly sent: unknown[] = [];
  isMuted = false;
  microphone: MediaStreamTrack | null = null;
  /** What the page plays. */
  readonly audio = new FakeAudio();
  hasLeft = false;
  isClosed = false;
  /** Whether an answer is enough to be connected. */
  connects = true;

  constructor(handlers: MediaHandlers, kind: RoomKind = 'local') {
    this.handlers = handlers;
    this.kind = kind;
  }

  makeOffer(): Promise<string | null> {
    return Promise.resolve(this.kind === 'local' ? this.offer : null);
  }

  accept(way: WayIn): Promise<void> {
    if ('sdp' in way) this.answer = way.sdp;
    else this.room = way;
    if (this.connects) this.connect();
    return Promise.resolve();
  }

  setMicrophone(track: MediaStreamTrack | null): Promise<void> {
    this.microphone = track;
    return Promise.resolve();
  }

  setMuted(muted: boolean): void {
    this.isMuted = muted;
  }

  send(data: unknown): void {
    if (this.isClosed) throw new VoiceError(problem('no_session'));
    this.sent.push(data);
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

  /** The voice is gone, as when the network or the bot fails; `why`: where more is known. */
  lose(why?: VoiceProblem): void {
    if (this.isClosed) return;
    this.close();
    this.handlers.onLost(why);
  }

  /** The room puts the page out. */
  eject(): void {
    if (this.isClosed) return;
    this.close();
    this.handlers.onEjected();
  }

  /** The bot sends a message of the application's. */
  tell(data: unknown, fromId = 'bot'): void {
    if (!this.isClosed) this.handlers.onMessage(data, fromId);
  }

  /** The bot says that another page has taken over. */
  move(): void {
    if (!this.isClosed) this.handlers.onMoved();
  }
}
