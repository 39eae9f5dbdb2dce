/** Tools that the page carries out: each call once, bounded, and always answered. Loaded when there are any. */

import type { VoiceClient, VoiceClientOptions } from './client.ts';
import { openAddress } from './open.ts';
import { backoffMs, pause } from './wait.ts';
import {
  MAX_RESULT_BYTES,
  MAX_TOOL_TIMEOUT_S,
  type Event,
  type ToolCallData,
  type ToolResultBody,
  type TypedEvent,
} from './wire.ts';

/** A call as its handler is told of it. */
export interface ToolCall extends Omit<ToolCallData, 'where'> {
  /** Aborted when nobody waits for the result any more: the time is up, the user spoke over it, the session ended. */
  signal: AbortSignal;
}

/**
 * Carries a tool out. What it returns (whatever can be written as JSON) goes back to the assistant; an
 * error that it throws goes there as its message, so that should be a sentence that anybody may read.
 */
export type ToolHandler = (args: Record<string, unknown>, call: ToolCall) => unknown;

/**
 * Asks the user whether an address may be opened in a new tab. `true` only after their click: the
 * browser opens nothing without one. When the signal is aborted, the question is not asked any more.
 */
export type OnConsent = (url: URL, signal: AbortSignal) => boolean | Promise<boolean>;

/** After a break, what a call came to follows it at once: then it is not begun. */
const SETTLED_MS = 50;
const ANSWER_ATTEMPTS = 4;
/** More than a session has; those of the oldest are forgotten when another begins. */
const KEPT_CALLS = 1_000;
const MAX_ERROR_CHARS = 500;

/** What a client's page can carry out. */
export interface Tools {
  client: VoiceClient;
  handlers: Map<string, ToolHandler>;
  options: Pick<VoiceClientOptions, 'tools' | 'onConsent'>;
}

const running = new WeakMap<Tools, PageTools>();

/** A tool was called, or a call has come to something. `isOld`: before this page came to the session. */
export function take(tools: Tools, event: Event, isOld: boolean): void {
  const own = running.get(tools) ?? new PageTools(tools);
  running.set(tools, own);
  own.take(event, isOld);
}

class PageTools {
  readonly #tools: Tools;
  readonly #running = new Map<string, AbortController>();
  /** Calls that were begun, refused, or had their result. */
  readonly #seen = new Set<string>();
  #session: string | null = null;

  constructor(tools: Tools) {
    this.#tools = tools;
    // A session that is over waits for nothing.
    const follow = () => {
      const { sessionId } = tools.client.getState();
      if (sessionId !== this.#session) this.#follow(sessionId);
    };
    tools.client.subscribe(follow);
    follow();
  }

  take(event: Event, isOld: boolean): void {
    if (event.session !== this.#session) return;
    const { type, data } = event as TypedEvent;
    if (type === 'voice.tool.result') this.#over(`${event.session} ${data.toolCallId}`);
    if (type !== 'voice.tool.call' || data.where !== 'page') return;
    const key = `${event.session} ${data.toolCallId}`;
    if (this.#seen.has(key)) return;
    const life = new AbortController();
    this.#seen.add(key);
    this.#running.set(key, life);
    void this.#carryOut(event.session, data, life, isOld).finally(() => this.#running.delete(key));
  }

  #follow(session: string | null): void {
    for (const life of this.#running.values()) life.abort();
    this.#session = session;
    // What was begun stays known: a page that lets go of a session may come back to it.
    for (const oldest of this.#seen) {
      if (this.#seen.size <= KEPT_CALLS) break;
      this.#seen.delete(oldest);
    }
  }

  /** It has come to something, or to nothing: whatever this page still does for it, nobody waits for. */
  #over(key: string): void {
    this.#seen.add(key);
    this.#running.get(key)?.abort();
  }

  async #carryOut(session: string, data: ToolCallData, life: AbortController, isOld: boolean): Promise<void> {
    const { signal } = life;
    try {
      await pause(SETTLED_MS, signal);
      // Whether a page before this one has begun with it, nobody knows; twice would be worse than not at all.
      const body = isOld ? failed('The page was loaded anew before this was done.') : await this.#outcome(data, life);
      if (body) await this.#answer(session, data.toolCallId, body, signal);
    } catch {
      // Nobody waits for it any more, or nobody can be told: its time limit tells the assistant.
    }
  }

  /** What came of it; null when nobody waits for it any more. Never rejects. */
  async #outcome({ where: _, ...data }: ToolCallData, life: AbortController): Promise<ToolResultBody | null> {
    const handler = this.#handlerOf(data.name);
    if (!handler) return failed(`This page has no tool called ${data.name}.`);
    const timer = setTimeout(() => life.abort(), MAX_TOOL_TIMEOUT_S * 1000);
    const givenUp = new Promise<null>((resolve) => life.signal.addEventListener('abort', () => resolve(null), { once: true }));
    try {
      const call: ToolCall = { ...data, signal: life.signal };
      // In a function, so that a handler that throws at once is a handler that rejects.
      const done = (async () => bounded(await handler(data.arguments, call)))();
      return await Promise.race([done, givenUp]);
    } catch (error) {
      return failed(error instanceof Error ? error.message : String(error));
    } finally {
      clearTimeout(timer);
    }
  }

  #handlerOf(name: string): ToolHandler | undefined {
    const { tools, onConsent } = this.#tools.options;
    const given = tools && Object.hasOwn(tools, name) ? tools[name] : undefined;
    const own = name === 'open_page' && onConsent ? openAddress(onConsent) : undefined;
    return this.#tools.handlers.get(name) ?? given ?? own;
  }

  async #answer(session: string, toolCallId: string, body: ToolResultBody, signal: AbortSignal): Promise<void> {
    const path = `/api/voice/session/${encodeURIComponent(session)}/tools/${encodeURIComponent(toolCallId)}`;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#tools.client.request('POST', path, { body, signal });
      } catch (error) {
        const again = (error as { retryable?: boolean }).retryable === true && attempt + 1 < ANSWER_ATTEMPTS;
        if (!again) throw error;
        await pause(backoffMs(attempt), signal);
      }
    }
  }
}

/** The result as it is sent; one that is no JSON, or too large, is an error. */
function bounded(result: unknown): ToolResultBody {
  const text = JSON.stringify(result ?? null) as string | undefined;
  if (text === undefined) return failed('The page’s tool gave what cannot be written as JSON.');
  if (new TextEncoder().encode(text).length > MAX_RESULT_BYTES)
    return failed(`The page’s tool gave more than ${MAX_RESULT_BYTES / 1024} KiB.`);
  // Any JSON, for which the wire's types have no word.
  return { result: (result ?? null) as Record<string, unknown> };
}

function failed(sentence: string): ToolResultBody {
  return { error: sentence.slice(0, MAX_ERROR_CHARS) || 'The page’s tool failed.' };
}
