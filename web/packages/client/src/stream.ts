/** The stream of a session's events: every event once and in order, whatever the network does. */

import {
  HEARTBEAT_S,
  WS_BAD_ORIGIN,
  type EphemeralEvent,
  type EphemeralMessage,
  type Event,
  type EventMessage,
  type Heartbeat,
  type Refused,
  type Subscribe,
  type Subscribed,
} from './wire.ts';
import { ApiError } from './api.ts';
import type { Connection } from './state.ts';
import { Aborted, backoffMs, pause } from './wait.ts';
import { VoiceError, problem } from './words.ts';

/** Three heartbeats missed: nobody is there, though the socket may not know. */
export const DEAD_AFTER_MS = 3 * HEARTBEAT_S * 1000;
/** So many failed attempts (about four seconds) are told as offline. */
export const OFFLINE_AFTER_ATTEMPTS = 4;

/** What of a WebSocket is used, so that a test can bring its own. */
export type SocketLike = Pick<WebSocket, 'send' | 'close'> & {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  onerror: ((event: never) => void) | null;
};
export type OpenSocket = (url: string) => SocketLike;

/** Calls back when waiting longer makes no sense (network is back, page is looked at). */
export type OnWake = (wake: () => void) => () => void;

export interface StreamOptions {
  url: string;
  openSocket: OpenSocket;
  onWake: OnWake;
  sessionId: string;
  /** A ticket that nobody has used; called once for each connection. */
  ticket: () => Promise<string>;
  /** `own`: the page is the session's own user's, and not that of a guest in their group call. */
  onEvent: (event: Event, own: boolean) => void;
  /** Something of this moment only: it has no number, and what is missed is missed. */
  onEphemeral: (event: EphemeralEvent) => void;
  onConnection: (connection: Connection) => void;
  /** The session is no more, or may not be followed; the stream has ended. */
  onGone: (error: VoiceError) => void;
}

type ServerMessage = Subscribed | EventMessage | EphemeralMessage | Heartbeat | Refused;

/** Follows one session from its first event on, until `close()` is called. */
export class EventStream {
  readonly #options: StreamOptions;
  readonly #life = new AbortController();
  /** The number of the last event that was handed out. */
  #after = 0;
  #failures = 0;
  #own = true;

  constructor(options: StreamOptions) {
    this.#options = options;
    void this.#run();
  }

  close(): void {
    this.#life.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#life;
    while (!signal.aborted) {
      try {
        await this.#connect(await this.#options.ticket());
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof VoiceError && isFinal(error)) {
          this.close();
          return this.#options.onGone(error);
        }
      }
      if (signal.aborted) return;
      this.#report(this.#failures >= OFFLINE_AFTER_ATTEMPTS ? 'offline' : 'reconnecting');
      await this.#wait(backoffMs(this.#failures++));
    }
  }

  /** One connection, from its opening to its end. Rejects when it must not be tried again. */
  #connect(ticket: string): Promise<void> {
    const { url, openSocket } = this.#options;
    const { signal } = this.#life;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(new Aborted());
      const socket = openSocket(url);
      let deadline = setTimeout(() => end(), DEAD_AFTER_MS);
      // Ends the connection for us at once: a dead socket may take minutes to say that it closed.
      const end = (error?: Error) => {
        clearTimeout(deadline);
        signal.removeEventListener('abort', onAbort);
        socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
        socket.close();
        if (error) reject(error);
        else resolve();
      };
      const onAbort = () => end(new Aborted());
      signal.addEventListener('abort', onAbort, { once: true });
      socket.onopen = () => {
        const hello: Subscribe = { type: 'subscribe', ticket, after: this.#after };
        socket.send(JSON.stringify(hello));
      };
      socket.onmessage = ({ data }) => {
        clearTimeout(deadline);
        deadline = setTimeout(() => end(), DEAD_AFTER_MS);
        if (!this.#take(data)) end();
      };
      socket.onerror = () => end();
      socket.onclose = ({ code }) =>
        end(code === WS_BAD_ORIGIN ? new VoiceError(problem('forbidden')) : undefined);
    });
  }

  /** Handles one message. Returns false when the connection is of no more use. */
  #take(data: string): boolean {
    const message = parse(data);
    switch (message?.type) {
      case 'subscribed':
        this.#failures = 0;
        this.#own = message.own !== false; // An older server does not say.
        this.#report('online');
        return true;
      case 'event':
        return this.#takeEvent(message.event);
      case 'ephemeral':
        return this.#takeEphemeral(message.event);
      case 'refused':
      case undefined:
        return false;
      default:
        return true;
    }
  }

  #takeEvent(event: Event): boolean {
    if (event.session !== this.#options.sessionId || event.seq <= this.#after) return true;
    if (event.seq > this.#after + 1) return false; // One is missing: ask again from there.
    this.#after = event.seq;
    this.#options.onEvent(event, this.#own);
    return !this.#life.signal.aborted;
  }

  #takeEphemeral(event: EphemeralEvent): boolean {
    const { sessionId, onEphemeral } = this.#options;
    if ((event.session ?? sessionId) === sessionId) onEphemeral(event);
    return !this.#life.signal.aborted;
  }

  async #wait(ms: number): Promise<void> {
    const waiting = new AbortController();
    const enough = () => waiting.abort();
    const unsubscribe = this.#options.onWake(enough);
    this.#life.signal.addEventListener('abort', enough, { once: true });
    await pause(ms, waiting.signal).catch(() => undefined);
    this.#life.signal.removeEventListener('abort', enough);
    unsubscribe();
  }

  #report(connection: Connection): void {
    if (!this.#life.signal.aborted) this.#options.onConnection(connection);
  }
}

function parse(data: string): ServerMessage | null {
  try {
    return JSON.parse(data) as ServerMessage;
  } catch {
    return null;
  }
}

/** Whether trying again cannot help. */
function isFinal(error: VoiceError): boolean {
  if (!(error instanceof ApiError)) return error.problem.code === 'forbidden';
  return error.isGone || error.status === 401 || error.status === 403;
}
