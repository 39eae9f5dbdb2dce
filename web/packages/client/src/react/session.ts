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
import { createVoiceClient, type EventName, type EventOf, type VoiceClient, type VoiceClientOptions } from '../client.ts';
import type { VoiceState } from '../state.ts';

/** The values of `sessionStatus`, by name. */
export const SESSION_STATUS = {
  INACTIVE: 'inactive',
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
  mute: VoiceClient['mute'];
  sendMessage: VoiceClient['sendMessage'];
  rejoin: VoiceClient['rejoin'];
  unblockSound: VoiceClient['unblockSound'];
}

export interface VoiceSessionProviderProps {
  /** A client that lives longer than the provider. Left out: one is made from `options`. */
  client?: VoiceClient;
  /** Read once, when the provider appears. */
  options?: VoiceClientOptions;
  children?: ReactNode;
}

const ClientContext = createContext<VoiceClient | null>(null);

/** Gives one client to everything below. One that it made itself lets go of the call at its end. */
export function VoiceSessionProvider({ client, options, children }: VoiceSessionProviderProps) {
  const [own] = useState(() => client ?? createVoiceClient(options));
  const used = client ?? own;
  const isOwn = client === undefined;
  useEffect(() => (isOwn ? () => used.close() : undefined), [used, isOwn]);
  return createElement(ClientContext.Provider, { value: used }, children);
}

/** The client of the nearest provider. */
export function useVoiceClient(): VoiceClient {
  const client = useContext(ClientContext);
  if (!client) throw new Error('Put a VoiceSessionProvider around this component.');
  return client;
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
      mute: client.mute,
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

/** Calls the newest `handler` once for each event of this type. */
export function useVoiceEvent<Type extends EventName>(type: Type, handler: (event: EventOf<Type>) => void): void {
  const client = useVoiceClient();
  const onEvent = useEffectEvent(handler);
  useEffect(() => client.on(type, (event) => onEvent(event as EventOf<Type>)), [client, type]);
}
