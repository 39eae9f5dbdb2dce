/** The HTTP commands of Greenroom, each with a time limit and its refusals in words. */

import { randomHex } from './id.ts';
import type {
  AnswerBody,
  CandidatesBody,
  ConfigAnswer,
  ErrorAnswer,
  OfferBody,
  PauseBody,
  RoomBody,
  SessionBody,
  StartAnswer,
  StartBody,
  TicketAnswer,
} from './wire.ts';
import { VoiceError, problem } from './words.ts';

const TIMEOUT_MS = 10_000;
/** A start waits for a cold bot; the server itself gives up after 30 seconds, unless it says otherwise. */
const START_TIMEOUT_MS = 35_000;
const ANSWER_MARGIN_MS = 5_000;

/** The server refused, or could not be asked (`status` 0). */
export class ApiError extends VoiceError {
  override name = 'ApiError';
  readonly status: number;
  readonly retryable: boolean;

  constructor(status: number, code: string, retryable: boolean, message?: string, cause?: unknown) {
    super(problem(code, message), { cause });
    this.status = status;
    this.retryable = retryable;
  }

  /** Whether the session that was asked for is no more. */
  get isGone(): boolean {
    return this.status === 404 || this.status === 410;
  }
}

/** Why a session is paused. Each cause is lifted on its own. */
export type PauseCause = NonNullable<PauseBody['cause']>;

/** A command by method and path below the server's address, with a body and a signal that gives it up. */
export type Request = <Answer>(method: string, path: string, options?: CommandOptions) => Promise<Answer>;

export interface CommandOptions {
  body?: object;
  signal?: AbortSignal | undefined;
}

export interface Api {
  /** Any command, as all of these are sent. */
  request: Request;
  config(assistant: string | undefined): Promise<ConfigAnswer>;
  /** The session that this visitor already has with the assistant, or null. */
  current(assistant: string | undefined, signal?: AbortSignal): Promise<SessionBody | null>;
  start(body: StartBody): Promise<StartAnswer>;
  session(id: string): Promise<SessionBody>;
  end(id: string): Promise<SessionBody>;
  offer(id: string, body: OfferBody): Promise<AnswerBody>;
  /** Comes into the room (again), by what the answer says; where rooms take no offers. */
  room(id: string): Promise<RoomBody>;
  candidates(id: string, body: CandidatesBody): Promise<void>;
  ticket(id: string): Promise<TicketAnswer>;
  mute(sessionId: string, isMuted: boolean, timestamp: number): Promise<void>;
  pause(sessionId: string, cause: PauseCause, paused: boolean): Promise<void>;
  message(id: string, text: string): Promise<void>;
}

interface Call extends CommandOptions {
  timeoutMs?: number;
  headers?: Record<string, string>;
}

/** A new trace that begins with this click (W3C Trace Context): its id is on the server's log lines too. */
function traceparent(): string {
  return `00-${randomHex(16)}-${randomHex(8)}-01`;
}

/**
 * The commands, spoken to `baseUrl` ('' is the page's own server) with the visitor's cookie.
 *
 * Every call rejects with `ApiError`, and with nothing else.
 */
export function createApi(baseUrl: string, fetch: typeof globalThis.fetch): Api {
  const sessions = '/api/voice/session';
  const one = (id: string) => `${sessions}/${encodeURIComponent(id)}`;

  async function call<T>(method: string, path: string, options: Call = {}): Promise<T> {
    const limit = new AbortController();
    const giveUp = () => limit.abort();
    const timer = setTimeout(giveUp, options.timeoutMs ?? TIMEOUT_MS);
    options.signal?.addEventListener('abort', giveUp, { once: true });
    try {
      const response = await fetch(baseUrl + path, {
        method,
        credentials: 'include',
        headers: { ...(options.body ? { 'content-type': 'application/json' } : {}), ...options.headers },
        ...(options.body ? { body: JSON.stringify(options.body) } : {}),
        signal: limit.signal,
      });
      const text = await response.text();
      if (!response.ok) throw refusal(response.status, text);
      return (text ? parse(text) : null) as T;
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw new ApiError(0, limit.signal.aborted ? 'too_slow' : 'unreachable', true, '', error);
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', giveUp);
    }
  }

  let startTimeoutMs = START_TIMEOUT_MS;

  return {
    request: call,
    async config(assistant) {
      const config: ConfigAnswer = await call('GET', `/api/voice/config${ofAssistant(assistant)}`);
      startTimeoutMs = Math.max(START_TIMEOUT_MS, config.joinS * 1000 + ANSWER_MARGIN_MS);
      return config;
    },
    current: (assistant, signal) => call('GET', `${sessions}/current${ofAssistant(assistant)}`, { signal }),
    start: (body) =>
      call('POST', sessions, { body, timeoutMs: startTimeoutMs, headers: { traceparent: traceparent() } }),
    session: (id) => call('GET', one(id)),
    end: (id) => call('DELETE', one(id)),
    offer: (id, body) => call('POST', `${one(id)}/offer`, { body }),
    room: (id) => call('POST', `${one(id)}/room`),
    candidates: (id, body) => call('PATCH', `${one(id)}/offer`, { body }),
    ticket: (id) => call('POST', `${one(id)}/ticket`),
    mute: (sessionId, isMuted, timestamp) =>
      call('POST', '/api/voice/mute', { body: { sessionId, isMuted, timestamp } }),
    pause: (sessionId, cause, paused) =>
      call('POST', '/api/voice/pause', { body: { sessionId, cause, paused } }),
    message: (id, text) => call('POST', `${one(id)}/message`, { body: { text } }),
  };
}

/** The end of an address that asks of one assistant, or of the server's own. */
export function ofAssistant(name: string | undefined): string {
  return name ? `?assistant=${encodeURIComponent(name)}` : '';
}

/** The server's own refusal, or what can be said of an answer that is not from Greenroom. */
function refusal(status: number, text: string): ApiError {
  const body = parse(text) as Partial<ErrorAnswer> | null;
  if (typeof body?.code === 'string')
    return new ApiError(status, body.code, body.retryable === true, body.message);
  // A proxy in front of a server that is not there answers for it.
  if (status >= 502 && status <= 504) return new ApiError(status, 'unreachable', true);
  return new ApiError(status, STATUS_CODES[status] ?? 'internal', status >= 500);
}

const STATUS_CODES: Record<number, string> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  410: 'session_ended',
  503: 'unavailable',
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
