/** A voice session in React: the provider, and hooks that re-render only for what they read. */

import {
  createContext,
  createElement,
  useContext,
  useEffect,
  useEffectEvent,
  useMemo,
  useState,
  useSyncExternalStore,
  type ReactNode,
} from 'react';
import { arrive } from './arrive.ts';
import { createVoiceClient, type EventName, type EventOf, type VoiceClient, type VoiceClientOptions } from '../client.ts';
import { Exclusion } from '../exclusion.ts';
import { createOnce } from '../once.ts';
import type { VoiceState } from '../state.ts';

/** The values of `sessionStatus`, by name. */
export const SESSION_STATUS = {
  INACTIVE: 'inactive',
  QUEUED: 'queued',
  CONNECTING: 'connecting',
  ACTIVE: 'active',
  PAUSED: 'paused',
  DISCONNECTING: 'disconnecting',
  UNAVAILABLE: 'unavailable',
} as const satisfies Record<string, VoiceState['sessionStatus']>;

/** All that a component may want of the session. */
export interface VoiceSession extends VoiceState {
  /** The other name of `isSpeaking`. */
  readonly isAssistantSpeaking: boolean;
  /** 0 … 1. Reading it makes a component render up to 20 times a second. */
  readonly audioLevel: number;
  start: VoiceClient['start'];
  stop: VoiceClient['stop'];
  toggleSession: VoiceClient['toggle'];
  /** Other names of `start` and `stop`. */
  startSession: VoiceClient['start'];
  stopSession: VoiceClient['stop'];
  mute: VoiceClient['mute'];
  pause: VoiceClient['pause'];
  resume: VoiceClient['resume'];
  sendMessage: VoiceClient['sendMessage'];
  rejoin: VoiceClient['rejoin'];
  unblockSound: VoiceClient['unblockSound'];
}

export interface VoiceSessionProviderProps {
  /** A client that lives longer than the provider. Left out: one is made from `options`. */
  client?: VoiceClient;
  /**
   * `baseUrl`, `audio`, `daily`, `reconnectWindowS` and `ports` are read once, when the provider appears; what a start asks
   * for, anew at each start; `token` always as it was given last. For another user give the provider another `key`.
   */
  options?: VoiceClientOptions;
  /** As soon as the page appears, returns to a session that a reload interrupted, or starts where the assistant does so without a click: see `arrive`. */
  restore?: boolean;
  /** Whom to talk with: `options.assistant`, by another name. */
  assistantName?: string;
  /** For how many seconds the bot waits for a page that vanished: `options.limits.persistenceS`, by another name. */
  sessionPersistence?: number;
  /** These reach the bot in its request's body, under the same names. */
  clientLanguage?: string;
  personalityId?: string;
  persona?: string;
  voiceId?: string;
  children?: ReactNode;
}

interface Shared {
  client: VoiceClient;
  exclusion: Exclusion;
}

const SharedContext = createContext<Shared | null>(null);

/**
 * Gives one client to everything below, and pauses it during the page's group calls (the window's
 * events `dailyCall.session.start` and `.end`). A client that it made itself lets go of the call
 * when the provider goes.
 */
export function VoiceSessionProvider({ client, options, restore = false, children, ...request }: VoiceSessionProviderProps) {
  const [live] = useState(() => requestOf(options, request));
  const [own] = useState(() => client ?? createVoiceClient(live));
  const used = client ?? own;
  const isOwn = client === undefined;
  const shared = useMemo(() => ({ client: used, exclusion: new Exclusion(used) }), [used]);
  useEffect(() => {
    // The client reads them when it needs them; what is not given any more must not stay.
    for (const name of Object.keys(live) as (keyof VoiceClientOptions)[]) delete live[name];
    Object.assign(live, requestOf(options, request));
  });
  useEffect(() => (isOwn ? () => used.close() : undefined), [used, isOwn]);
  useEffect(() => {
    if (restore) void arrive(used);
  }, [used, restore]);
  useEffect(() => shared.exclusion.connect(), [shared]);
  return createElement(SharedContext.Provider, { value: shared }, children);
}

type Request = Omit<VoiceSessionProviderProps, 'client' | 'options' | 'restore' | 'children'>;

/** The client's options, with what the provider's own properties say of the request. */
function requestOf(options: VoiceClientOptions = {}, request: Request): VoiceClientOptions {
  const { assistantName, sessionPersistence, ...body } = request;
  const assistant = assistantName ?? options.assistant;
  const limits = sessionPersistence === undefined ? options.limits : { ...options.limits, persistenceS: sessionPersistence };
  return {
    ...options,
    ...(assistant ? { assistant } : {}),
    ...(limits ? { limits } : {}),
    body: { ...options.body, ...body },
  };
}

function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (!shared) throw new Error('Put a VoiceSessionProvider around this component.');
  return shared;
}

/** The client of the nearest provider. */
export function useVoiceClient(): VoiceClient {
  return useShared().client;
}

/** What keeps the session and a group call apart, of the nearest provider. */
export function useExclusion(): Exclusion {
  return useShared().exclusion;
}

/** The session's state and commands. */
export function useVoiceSession(): VoiceSession {
  const client = useVoiceClient();
  const state = useSyncExternalStore(client.subscribe, client.getState, client.getState);
  // The level is followed only by a component that reads it.
  const [reads] = useState(() => ({ level: false }));
  useSyncExternalStore(
    client.subscribeAudioLevel,
    () => (reads.level ? client.getAudioLevel() : 0),
    () => 0,
  );
  return useMemo(
    () => ({
      ...state,
      isAssistantSpeaking: state.isSpeaking,
      get audioLevel() {
        reads.level = true;
        return client.getAudioLevel();
      },
      start: client.start,
      stop: client.stop,
      toggleSession: client.toggle,
      startSession: client.start,
      stopSession: client.stop,
      mute: client.mute,
      pause: client.pause,
      resume: client.resume,
      sendMessage: client.sendMessage,
      rejoin: client.rejoin,
      unblockSound: client.unblockSound,
    }),
    [state, client, reads],
  );
}

/** How loud the microphone is, 0 … 1; the component renders about 20 times a second. */
export function useAudioLevel(): number {
  const client = useVoiceClient();
  return useSyncExternalStore(client.subscribeAudioLevel, client.getAudioLevel, () => 0);
}

/**
 * Calls the newest `handler` once for each event of this type, however often the component
 * renders, and however often its effects are run.
 */
export function useVoiceEvent<Type extends EventName>(type: Type, handler: (event: EventOf<Type>) => void): void {
  const client = useVoiceClient();
  const onEvent = useEffectEvent(handler);
  // The component is the consumer, not the subscription: what it was given is kept over effects.
  const [memories] = useState(() => new Map<string, ReturnType<typeof createOnce>>());
  useEffect(() => {
    const isNew = memories.get(type) ?? createOnce();
    memories.set(type, isNew);
    return client.on(type, (event) => {
      if (isNew(event)) onEvent(event as EventOf<Type>);
    });
  }, [client, type, memories]);
}
