/** The client: one voice session of one page, as a plain object for any framework or none. */

import { createApi, type Api } from './api.ts';
import { Call, randomId, type Ports } from './call.ts';
import { watchLevel } from './level.ts';
import { openMedia } from './media.ts';
import { microphoneAllowed, openMicrophone, type MicrophoneAllowed } from './microphone.ts';
import { openSpeaker } from './speaker.ts';
import { INITIAL_STATE, reduce, type Action, type VoiceState } from './state.ts';
import type { SocketLike } from './stream.ts';
import type { ConfigAnswer, Event, EventType, TypedEvent } from './wire.ts';

/** The event of this type: with its own data where the type is known, `Event` where it is not. */
export type EventOf<Type extends string> = Type extends TypedEvent['type']
  ? Extract<TypedEvent, { type: Type }>
  : Event;

/** A known type, an application's own, or `*` for all. */
export type EventName = EventType | TypedEvent['type'] | '*' | (string & {});

export interface VoiceClientOptions {
  /** Where Greenroom is, without a slash at the end. Left out: where this page comes from. */
  baseUrl?: string;
  /** Which assistant to talk with. Left out: the server's own. */
  assistant?: string;
  /** What the bot is given as its request's body. */
  body?: Record<string, unknown>;
  /** What is used of the browser; a test replaces it. */
  ports?: Partial<ClientPorts>;
}

export interface ClientPorts extends Ports {
  fetch: typeof globalThis.fetch;
  microphoneAllowed: MicrophoneAllowed;
  /** The session that this very tab had before a reload. */
  remembered: () => string | null;
  remember: (sessionId: string | null) => void;
  /** Calls back when the page goes away (a reload, a closed tab). Returns how to stop. */
  onPageHide: (leaving: () => void) => () => void;
}

export interface VoiceClient {
  getState(): VoiceState;
  /** Calls back after every change of the state. Returns how to stop. */
  subscribe(listener: () => void): () => void;
  /** How loud the microphone is, 0 … 1: apart from the state because it changes 20 times a second. */
  getAudioLevel(): number;
  subscribeAudioLevel(listener: () => void): () => void;
  /**
   * Calls back for every event of the session of this type, each once and in order. After a
   * reload they come again from the first. Returns how to stop.
   */
  on<Type extends EventName>(type: Type, handler: (event: EventOf<Type>) => void): () => void;
  /** What the page can know before the click; asked once. Rejects with `ApiError`. */
  loadConfig(): Promise<ConfigAnswer>;
  /**
   * Starts a session; call it from a click. While one runs or is being started: the same promise.
   * While one is being ended: the next one afterwards. Never rejects: see `error` in the state.
   */
  start(): Promise<void>;
  /** Ends the session. Never rejects; calling it twice ends it once. */
  stop(): Promise<void>;
  /** Starts when there is no session, ends it when there is one. */
  toggle(): Promise<void>;
  /** Switches the microphone. The server learns of it, and so does the bot. */
  mute(muted: boolean): Promise<void>;
  /** Sends typed words to the assistant. Rejects with `ApiError`. */
  sendMessage(text: string): Promise<void>;
  /**
   * Looks for a session of this visitor that a reload interrupted. Returns to it when the
   * microphone may be used without asking, and no other page would lose it by that; else it
   * stands in the state as `resumable`.
   */
  resume(): Promise<void>;
  /** Returns to the `resumable` session; call it from a click. */
  rejoin(): Promise<void>;
  /** Makes a sound heard that the browser refused; call it from a click. */
  unblockSound(): Promise<void>;
  /** Lets go of everything without ending the session. The client can be used again. */
  close(): void;
}

/** A client. Nothing happens and nothing is asked for until one of its functions is called. */
export function createVoiceClient(options: VoiceClientOptions = {}): VoiceClient {
  return new Client(options);
}

class Client implements VoiceClient {
  readonly #options: VoiceClientOptions;
  readonly #ports: ClientPorts;
  readonly #api: Api;
  readonly #participant = randomId();
  readonly #listeners = new Set<() => void>();
  readonly #levelListeners = new Set<() => void>();
  readonly #handlers = new Map<string, Set<(event: Event) => void>>();
  #state = INITIAL_STATE;
  #level = 0;
  #call: Call | null = null;
  /** A start that waits for the end of the session before. */
  #queued: Promise<void> | null = null;
  #config: Promise<ConfigAnswer> | null = null;
  #iceServers: ConfigAnswer['iceServers'] = [];
  #resuming: AbortController | null = null;
  #forgetPage: () => void = () => undefined;

  constructor(options: VoiceClientOptions) {
    this.#options = options;
    this.#ports = { ...browserPorts(), ...options.ports };
    this.#api = createApi(options.baseUrl ?? '', (...args) => this.#ports.fetch(...args));
  }

  getState = (): VoiceState => this.#state;
  getAudioLevel = (): number => this.#level;

  subscribe = (listener: () => void): (() => void) => listen(this.#listeners, listener);
  subscribeAudioLevel = (listener: () => void): (() => void) =>
    listen(this.#levelListeners, listener);

  on = <Type extends EventName>(type: Type, handler: (event: EventOf<Type>) => void) => {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    return listen(handlers, handler as (event: Event) => void);
  };

  loadConfig = (): Promise<ConfigAnswer> => {
    this.#config ??= this.#api.config().then(
      (config) => {
        this.#iceServers = config.iceServers;
        return config;
      },
      (error: unknown) => {
        this.#config = null; // Asked again next time.
        throw error;
      },
    );
    return this.#config;
  };

  start = (): Promise<void> => {
    if (this.#queued) return this.#queued;
    const live = this.#live();
    if (!live) return this.#newCall().start();
    if (!live.isStopping) return live.begun;
    const queued = live.stop().then(() => {
      if (this.#queued !== queued) return undefined; // Stop was pressed again meanwhile.
      this.#queued = null;
      return this.start();
    });
    this.#queued = queued;
    return queued;
  };

  stop = (): Promise<void> => {
    this.#queued = null;
    return this.#call?.stop() ?? Promise.resolve();
  };

  toggle = (): Promise<void> => (this.#state.intent === 'none' ? this.start() : this.stop());

  mute = async (muted: boolean): Promise<void> => {
    // Two switches within one millisecond must not look simultaneous.
    const at = Math.max(Date.now(), this.#state.mutedAt + 1);
    await this.#live()?.mute(muted, at);
  };

  sendMessage = async (text: string): Promise<void> => {
    await this.#live()?.say(text);
  };

  resume = async (): Promise<void> => {
    if (this.#live() || this.#resuming) return;
    const resuming = new AbortController();
    this.#resuming = resuming;
    try {
      const [session, allowed] = await Promise.all([
        this.#api.current(resuming.signal),
        this.#ports.microphoneAllowed(),
      ]);
      if (resuming.signal.aborted || this.#live() || !session) return;
      if (session.endedAt || session.status === 'disconnecting') return;
      this.#dispatch({ type: 'resumable', session });
      const isElsewhere = session.userPresent && session.sessionId !== this.#ports.remembered();
      if (allowed && !isElsewhere) await this.rejoin();
    } catch {
      // Nothing to return to, or nobody to ask: the click on Talk will tell.
    } finally {
      if (this.#resuming === resuming) this.#resuming = null;
    }
  };

  rejoin = (): Promise<void> => {
    const session = this.#state.resumable;
    const live = this.#live();
    if (live) return live.begun;
    return session ? this.#newCall().join(session) : Promise.resolve();
  };

  unblockSound = async (): Promise<void> => {
    await this.#live()?.unblockSound();
  };

  close = (): void => {
    this.#queued = null;
    this.#resuming?.abort();
    this.#resuming = null;
    this.#live()?.leave();
    this.#forgetPage();
  };

  #live(): Call | null {
    return this.#call && !this.#call.isOver ? this.#call : null;
  }

  #newCall(): Call {
    this.#forgetPage();
    const { baseUrl = '', assistant, body = {} } = this.#options;
    const call = new Call({
      ports: this.#ports,
      api: this.#api,
      streamUrl: streamUrl(baseUrl),
      iceServers: this.#iceServers,
      participant: this.#participant,
      request: { body, ...(assistant ? { assistant } : {}) },
      getState: this.getState,
      dispatch: (action) => {
        if (this.#call === call) this.#dispatch(action);
      },
      onEvent: (event) => this.#emit(event),
      onLevel: (level) => {
        this.#level = level;
        notify(this.#levelListeners, undefined);
      },
    });
    this.#call = call;
    this.#forgetPage = this.#ports.onPageHide(() => call.announceLeaving());
    return call;
  }

  #dispatch(action: Action): void {
    const next = reduce(this.#state, action);
    if (next === this.#state) return;
    if (next.sessionId !== this.#state.sessionId) this.#ports.remember(next.sessionId);
    this.#state = next;
    notify(this.#listeners, undefined);
  }

  #emit(event: Event): void {
    notify(this.#handlers.get(event.type), event);
    notify(this.#handlers.get('*'), event);
  }
}

function listen<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Calls each listener; one that throws is reported and keeps nobody else from being told. */
function notify<Value>(listeners: Set<(value: Value) => void> | undefined, value: Value): void {
  for (const listener of [...(listeners ?? [])]) {
    try {
      listener(value);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

/** The address of the stream of events beside `baseUrl`. */
function streamUrl(baseUrl: string): string {
  const url = new URL(`${baseUrl}/ws`, globalThis.location?.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

const REMEMBERED = 'greenroom.session';

function attempt<Result>(action: () => Result): Result | null {
  try {
    return action();
  } catch {
    return null;
  }
}

function browserPorts(): ClientPorts {
  const listenTo = (target: EventTarget | undefined, name: string, callback: () => void) => {
    target?.addEventListener(name, callback);
    return () => target?.removeEventListener(name, callback);
  };
  return {
    fetch: (...args) => globalThis.fetch(...args),
    openSocket: (url) => new WebSocket(url) as SocketLike,
    openMicrophone,
    microphoneAllowed,
    openMedia,
    openSpeaker,
    watchLevel,
    // A tab's storage outlives a reload, and no other tab sees it. It may be forbidden.
    remembered: () => attempt(() => sessionStorage.getItem(REMEMBERED)),
    remember: (sessionId) =>
      void attempt(() =>
        sessionId === null
          ? sessionStorage.removeItem(REMEMBERED)
          : sessionStorage.setItem(REMEMBERED, sessionId),
      ),
    onDevices: (changed) => listenTo(navigator.mediaDevices, 'devicechange', changed),
    onPageHide: (leaving) => listenTo(window, 'pagehide', leaving),
    onWake: (wake) => {
      const online = listenTo(window, 'online', wake);
      const visible = listenTo(document, 'visibilitychange', wake);
      return () => {
        online();
        visible();
      };
    },
  };
}
