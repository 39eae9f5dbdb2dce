/** The client: one voice session of one page, as a plain object for any framework or none. */

import { createApi, ofAssistant, type Api, type PauseCause, type Request } from './api.ts';
import { browserPorts, type ClientPorts } from './browser.ts';
import { Call } from './call.ts';
import { Devices } from './devices.ts';
import { randomHex } from './id.ts';
import type { RoomKind } from './media.ts';
import { appMessage, checkSize, type AppMessage } from './messages.ts';
import type { AudioProcessing } from './microphone.ts';
import { createOnce } from './once.ts';
import { Pauses } from './pauses.ts';
import { createPrepared, type Prepared } from './prepared.ts';
import { createReconnectWindow, RECONNECT_WINDOW_S } from './reconnect.ts';
import { Sound } from './sound.ts';
import { INITIAL_STATE, reduce, type Action, type VoiceState } from './state.ts';
import { withToken, type TokenProvider } from './token.ts';
import type { OnConsent, ToolHandler, Tools } from './tools.ts';
import type { DailyOptions } from './transports/daily.ts';
import type { Overrides } from './overrides.ts';
import { VoiceError, problem } from './words.ts';
import type {
  ConfigAnswer,
  EphemeralEvent,
  EphemeralType,
  Event,
  EventType,
  LimitsBody,
  ProviderAnswer,
  StartBody,
  TypedEphemeralEvent,
  TypedEvent,
} from './wire.ts';

/**
 * The event of this type: with its own data where the type is known, `Event` where it is not. An
 * application's own ephemeral event has `ephemeral: true` instead of `id` and `seq`.
 */
export type EventOf<Type extends string> = Type extends (TypedEvent | TypedEphemeralEvent | AppMessage)['type']
  ? Extract<TypedEvent | TypedEphemeralEvent | AppMessage, { type: Type }>
  : Event;

/** A known type, an application's own, or `*` for all. */
export type EventName = EventType | EphemeralType | TypedEvent['type'] | AppMessage['type'] | '*' | (string & {});

type AnyEvent = Event | EphemeralEvent | AppMessage;

export interface VoiceClientOptions {
  /** Where Greenroom is. Left out: where this page comes from. */
  baseUrl?: string;
  /** Which assistant to talk with. Left out: the server's own. */
  assistant?: string;
  /** Where every place is taken: wait for one (`queued`) instead of being refused. */
  wait?: boolean;
  /** Shorter limits than the assistant's, or longer ones up to what the server allows. */
  limits?: LimitsBody;
  /** What the bot is given as its request's body. */
  body?: Record<string, unknown>;
  /** What each session changes of its assistant's record, as far as that allows it. */
  overrides?: Overrides;
  /** Carried out in this page when the assistant calls them, by name: see `VoiceClient.tool`. */
  tools?: Record<string, ToolHandler>;
  /** Asks the user whether an address may be opened (the built-in tool `browser`). Left out: none is. */
  onConsent?: OnConsent;
  /**
   * Says who the visitor is, where the server wants a token: asked when it is needed, again before
   * the last one expires, and once more when the server refuses it.
   */
  token?: TokenProvider;
  /** What the browser does to what the microphone hears; all of it unless switched off. */
  audio?: Partial<AudioProcessing>;
  /** For how long a lost voice is tried to be regained, in seconds: 300, as the server waits. */
  reconnectWindowS?: number;
  /** For servers whose rooms are Daily's: Prebuilt, and where daily-js comes from. */
  daily?: DailyOptions;
  /** What is used of the browser; a test replaces it. */
  ports?: Partial<ClientPorts>;
}

/** What one start says beside the options. */
export interface StartOptions {
  /** In place of the options' own. */
  overrides?: Overrides;
  /** The user agrees to be recorded, as they have to where the configuration says `records`. */
  recordingConsent?: boolean;
}

export interface VoiceClient {
  getState(): VoiceState;
  /** Calls back after every change of the state. Returns how to stop. */
  subscribe(listener: () => void): () => void;
  /** How loud the microphone is, 0 … 1: apart from the state because it changes 20 times a second. */
  getAudioLevel(): number;
  subscribeAudioLevel(listener: () => void): () => void;
  /** How loud the assistant is, 0 … 1; measured while somebody is subscribed. */
  getAssistantLevel(): number;
  subscribeAssistantLevel(listener: () => void): () => void;
  /** Microphones and speakers, and choosing among them. */
  readonly devices: Pick<Devices, 'getState' | 'subscribe' | 'refresh' | 'chooseMicrophone' | 'chooseSpeaker'>;
  /**
   * Calls back for every event of the session of this type, each once and in order. A handler that
   * is new gets them from the first again when the page returns to a running session (a reload,
   * another tab); one that has seen them does not. Returns how to stop. Ephemeral events come to
   * handlers of their own type, while they are true, and never again; `*` does not include them.
   * So do messages that the bot sends through the room (`app-message`).
   */
  on<Type extends EventName>(type: Type, handler: (event: EventOf<Type>) => void): () => void;
  /**
   * What the page can know before the click; asked once. Also makes the first offer ready, which
   * saves the click about 65 ms. Rejects with `ApiError`.
   */
  loadConfig(): Promise<ConfigAnswer>;
  /** Which side the user's next conversation is on, in a roll-out. Rejects with `ApiError`. */
  provider(): Promise<ProviderAnswer>;
  /**
   * Any other command of Greenroom's API, as this user: its answer's body. Rejects with `ApiError`.
   */
  request: Request;
  /**
   * Carries a tool out in this page when the assistant calls it: what the handler returns goes back
   * to the assistant, or what it throws, as a sentence. Each call is carried out once; none that was
   * made before this page came. Returns how to stop.
   */
  tool(name: string, handler: ToolHandler): () => void;
  /**
   * Starts a session; call it from a click. While one runs or is being started: the same promise.
   * While one is being ended: the next one afterwards. Never rejects: see `error` in the state.
   */
  start(options?: StartOptions): Promise<void>;
  /** Ends the session. Never rejects; calling it twice ends it once. */
  stop(): Promise<void>;
  /** Starts when there is no session, ends it when there is one. */
  toggle(): Promise<void>;
  /** Switches the microphone. The server learns of it, and so does the bot. */
  mute(muted: boolean): Promise<void>;
  /**
   * Pauses the session: nobody hears and nobody is heard, and no idle clock runs. Each cause
   * (`user` if left out) is lifted by itself; while one holds, the session is paused. Never
   * rejects: see `error` in the state.
   */
  pause(cause?: PauseCause): Promise<void>;
  /** Lifts one cause of a pause, and no other. Never rejects. */
  resume(cause?: PauseCause): Promise<void>;
  /** Sends typed words to the assistant. Rejects with `VoiceError` when they did not get there. */
  sendMessage(text: string): Promise<void>;
  /**
   * Sends the bot a message of the application's own, through the room: whatever can be written as
   * JSON, up to 4 kB. It gets there while voice is connected, and is not kept. Throws `VoiceError`.
   */
  sendAppMessage(data: unknown): void;
  /**
   * Looks for a session of this visitor that a reload interrupted. Returns to it when the
   * microphone may be used without asking, and no other page would lose it by that; else it
   * stands in the state as `rejoinable`.
   */
  restore(): Promise<void>;
  /** Returns to the `rejoinable` session; call it from a click. */
  rejoin(): Promise<void>;
  /** Silences the assistant on this page only: it goes on speaking, unheard. */
  muteAssistant(muted: boolean): void;
  /** How loud the assistant is played, 0 … 1; holds for later calls too. */
  setVolume(volume: number): void;
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
  readonly #prepared: Prepared;
  readonly #participant = randomHex();
  readonly #listeners = new Set<() => void>();
  readonly #levelListeners = new Set<() => void>();
  readonly #tools: Tools;
  readonly #handlers = new Map<string, Set<(event: AnyEvent) => void>>();
  readonly #sound: Sound;
  readonly #pauses: Pauses;
  readonly #watchMedia: (media: VoiceState['media']) => void;
  readonly devices: Devices;
  #state = INITIAL_STATE;
  #level = 0;
  #call: Call | null = null;
  /** A start that waits for the end of the session before. */
  #queued: Promise<void> | null = null;
  #config: Promise<ConfigAnswer> | null = null;
  #configOf: string | undefined;
  readonly request: Request;
  #iceServers: ConfigAnswer['iceServers'] = [];
  /** Local until the server says otherwise: by its configuration, or by a session. */
  #roomKind: RoomKind = 'local';
  #restoring: AbortController | null = null;
  #forgetPage: () => void = () => undefined;

  constructor(options: VoiceClientOptions) {
    this.#options = options;
    this.#ports = { ...browserPorts(options.daily), ...options.ports };
    const fetch: typeof globalThis.fetch = (...args) => this.#ports.fetch(...args);
    this.#prepared = createPrepared((...args) => this.#ports.openMedia(...args));
    // Who says who is asking is looked up each time: a component that renders anew may name another.
    const signed = withToken(fetch, () => options.token?.() ?? '');
    this.#api = createApi(baseUrlOf(options), (...args) => (options.token ? signed : fetch)(...args));
    this.request = this.#api.request;
    this.#tools = { client: this, handlers: new Map(), options };
    this.#sound = new Sound(this.#ports);
    this.#pauses = new Pauses({
      getState: this.getState,
      dispatch: (action) => this.#dispatch(action),
      tell: (...pause) => this.#api.pause(...pause),
    });
    this.#watchMedia = createReconnectWindow(options.reconnectWindowS ?? RECONNECT_WINDOW_S, () => this.#live()?.lose());
    this.devices = new Devices({
      ...this.#ports,
      reopenMicrophone: async () => this.#live()?.changeMicrophone(),
      setSpeaker: (id) => this.#sound.setDevice(id),
      processing: options.audio ?? {},
    });
  }

  getState = (): VoiceState => this.#state;
  getAudioLevel = (): number => this.#level;
  getAssistantLevel = (): number => this.#sound.level;

  subscribe = (listener: () => void): (() => void) => listen(this.#listeners, listener);
  subscribeAudioLevel = (listener: () => void): (() => void) =>
    listen(this.#levelListeners, listener);
  subscribeAssistantLevel = (listener: () => void): (() => void) => this.#sound.subscribe(listener);

  on = <Type extends EventName>(type: Type, handler: (event: EventOf<Type>) => void) => {
    const handlers = this.#handlers.get(type) ?? new Set();
    this.#handlers.set(type, handlers);
    const isNew = createOnce();
    return listen(handlers, (event: AnyEvent) => {
      if (isNew(event)) handler(event as EventOf<Type>);
    });
  };

  loadConfig = (): Promise<ConfigAnswer> => {
    const { assistant } = this.#options;
    if (this.#configOf !== assistant) this.#config = null;
    this.#configOf = assistant;
    this.#config ??= this.#api.config(assistant).then(
      (config) => {
        this.#iceServers = config.iceServers;
        this.#roomKind = config.roomKind ?? 'local';
        this.#prepare();
        return config;
      },
      (error: unknown) => {
        this.#config = null; // Asked again next time.
        throw error;
      },
    );
    return this.#config;
  };

  provider = (): Promise<ProviderAnswer> =>
    this.request('GET', `/api/voice/provider${ofAssistant(this.#options.assistant)}`);

  tool = (name: string, handler: ToolHandler) => {
    this.#tools.handlers.set(name, handler);
    void import('./tools.ts').catch(ignore); // Here before it is called.
    return () => {
      if (this.#tools.handlers.get(name) === handler) this.#tools.handlers.delete(name);
    };
  };

  start = (options?: StartOptions): Promise<void> => {
    if (this.#queued) return this.#queued;
    const live = this.#live();
    if (!live) return this.#newCall(options).start();
    if (!live.isStopping) return live.begun;
    const queued = live.stop().then(() => {
      if (this.#queued !== queued) return undefined; // Stop was pressed again meanwhile.
      this.#queued = null;
      return this.start(options);
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

  pause = async (cause: PauseCause = 'user'): Promise<void> => {
    if (this.#live()) await this.#pauses.set(cause, true);
  };

  resume = async (cause: PauseCause = 'user'): Promise<void> => {
    if (this.#live()) await this.#pauses.set(cause, false);
  };

  sendMessage = async (text: string): Promise<void> => {
    const live = this.#live();
    if (!live) throw new VoiceError(problem('no_session'));
    await live.say(text);
  };

  sendAppMessage = (data: unknown): void => {
    checkSize(data);
    const live = this.#live();
    if (!live) throw new VoiceError(problem('no_session'));
    live.send(data);
  };

  restore = async (): Promise<void> => {
    if (this.#live() || this.#restoring) return;
    const restoring = new AbortController();
    this.#restoring = restoring;
    try {
      const [session, allowed] = await Promise.all([
        this.#api.current(this.#options.assistant, restoring.signal),
        this.#ports.microphoneAllowed(),
      ]);
      if (restoring.signal.aborted || this.#live() || !session) return;
      if (session.endedAt || session.status === 'disconnecting') return;
      this.#dispatch({ type: 'rejoinable', session });
      const isElsewhere = session.userPresent && session.sessionId !== this.#ports.remembered();
      if (allowed && !isElsewhere) await this.rejoin();
    } catch {
      // Nothing to return to, or nobody to ask: the click on Talk will tell.
    } finally {
      if (this.#restoring === restoring) this.#restoring = null;
    }
  };

  rejoin = (): Promise<void> => {
    const session = this.#state.rejoinable;
    const live = this.#live();
    if (live) return live.begun;
    return session ? this.#newCall().join(session) : Promise.resolve();
  };

  muteAssistant = (muted: boolean): void => this.#sound.mute(muted);

  setVolume = (volume: number): void => this.#sound.setVolume(volume);

  unblockSound = async (): Promise<void> => {
    await this.#live()?.unblockSound();
  };

  close = (): void => {
    this.#queued = null;
    this.#restoring?.abort();
    this.#restoring = null;
    this.#live()?.leave();
    this.#forgetPage();
    this.devices.close();
    this.#prepared.drop();
  };

  #live(): Call | null {
    return this.#call && !this.#call.isOver ? this.#call : null;
  }

  #newCall(options: StartOptions = {}): Call {
    this.#forgetPage();
    this.#call?.makeWay();
    const { assistant, wait, limits, overrides, body = {} } = this.#options;
    // What is undefined is not sent.
    const request: { [Name in keyof StartBody]: StartBody[Name] | undefined } = {
      ...{ body, limits },
      wait: wait || undefined,
      assistant: assistant || undefined,
      overrides: options.overrides ?? overrides,
      recordingConsent: options.recordingConsent,
    };
    const call = new Call({
      ports: {
        ...this.#ports,
        openMedia: this.#prepared.open,
        openMicrophone: this.#openMicrophone,
        openSpeaker: this.#sound.open,
      },
      api: this.#api,
      streamUrl: streamUrl(baseUrlOf(this.#options)),
      iceServers: this.#iceServers,
      roomKind: this.#roomKind,
      participant: this.#participant,
      request: request as StartBody,
      getState: this.getState,
      dispatch: (action) => {
        if (action.type === 'session') this.#roomKind = action.session.room.kind ?? 'local';
        if (this.#call === call) this.#dispatch(action);
      },
      onEvent: (event, isOld, own) => this.#emit(event, isOld, own),
      onEphemeral: (event) => notify(this.#handlers.get(event.type), event),
      onMessage: (data, fromId) => {
        const message = appMessage(this.#state.sessionId, data, fromId);
        notify(this.#handlers.get(message.type), message);
      },
      onMuted: (muted) => void this.mute(muted),
      onLeft: () => void this.stop(),
      onOver: () => {
        if (this.#config) this.#prepare(); // for the next click
      },
      onLevel: (level) => {
        this.#level = level;
        notify(this.#levelListeners, undefined);
      },
    });
    this.#call = call;
    this.#forgetPage = this.#ports.onPageHide(() => call.announceLeaving());
    return call;
  }

  /** Prebuilt asks for the microphone itself; for it the kind of the rooms must be known first. */
  #openMicrophone = async (): Promise<MediaStream | null> => {
    if (this.#options.daily?.prebuilt) await this.loadConfig().catch(ignore);
    const isDailys = this.#options.daily?.prebuilt && this.#roomKind === 'daily';
    return isDailys ? null : this.devices.openMicrophone();
  };

  /** Before a click only: a page that goes away must not be kept in memory for a connection's sake. */
  #prepare(): void {
    if (this.#live() || this.#roomKind !== 'local') return;
    this.#prepared.make(this.#iceServers);
    this.#forgetPage();
    this.#forgetPage = this.#ports.onPageHide(() => this.#prepared.drop());
  }

  #dispatch(action: Action): void {
    const last = this.#state;
    const next = reduce(last, action);
    if (next === last) return;
    if (next.sessionId !== last.sessionId) this.#ports.remember(next.sessionId);
    this.#state = next;
    if (next.muted !== last.muted || next.pauseCauses !== last.pauseCauses) this.#live()?.applyMute();
    if (next.media !== last.media) this.#watchMedia(next.media);
    if (next.sessionId !== last.sessionId || next.serverStatus !== last.serverStatus) this.#follow(next.sessionId);
    notify(this.#listeners, undefined);
  }

  /** Another session, none, or one that has begun: what was asked for before is told now. */
  #follow(sessionId: string | null): void {
    if (sessionId === null) this.#pauses.reset();
    else void this.#pauses.flush();
  }

  #emit(event: Event, isOld: boolean, own: boolean): void {
    notify(this.#handlers.get(event.type), event);
    notify(this.#handlers.get('*'), event);
    // Loaded when there are any; those that come meanwhile are taken in their order. A guest's page is not asked.
    if (own && event.type.startsWith('voice.tool.'))
      void import('./tools.ts').then((tools) => tools.take(this.#tools, event, isOld), ignore); // Its time limit tells the assistant.
  }
}

const ignore = (): void => undefined;

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

/** Where Greenroom is, so that a path can follow; '' is the page's own server. */
function baseUrlOf({ baseUrl = '' }: VoiceClientOptions): string {
  return baseUrl.replace(/\/+$/, '');
}

/** The address of the stream of events beside `baseUrl`. */
function streamUrl(baseUrl: string): string {
  const url = new URL(`${baseUrl}/ws`, globalThis.location?.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
