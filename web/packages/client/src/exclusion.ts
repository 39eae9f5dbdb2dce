/** A voice session and a group call on one page: while the call is on, the session is paused. */

import type { VoiceClient } from './client.ts';
import type { VoiceState } from './state.ts';

/** The cause under which a session is paused for a call; other causes are none of our business. */
export const GROUP_CALL = 'group_call';
export const GROUP_CALL_START = 'dailyCall.session.start';
export const GROUP_CALL_END = 'dailyCall.session.end';

/** What a page shows when it has both. */
export interface UnifiedVoiceState {
  activeSession: 'none' | 'voice' | 'dailyCall';
  voiceSession: {
    status: 'inactive' | 'connecting' | 'active' | 'paused';
    /** Where the room is, if it has an address; a room on Greenroom's own machine has none. */
    roomUrl: string | null;
  };
  dailyCall: { joined: boolean; roomUrl: string | null };
}

/** The session that this very tab paused for a call, kept over a reload. */
export interface TabMemory {
  get(): string | null;
  set(sessionId: string | null): void;
}

const KEY = 'greenroom.group-call';
const tabStorage: TabMemory = {
  get: () => attempt(() => sessionStorage.getItem(KEY)),
  set: (id) => void attempt(() => (id === null ? sessionStorage.removeItem(KEY) : sessionStorage.setItem(KEY, id))),
};

/** Keeps one client and one group call apart, from `connect()` on. */
export class Exclusion {
  readonly #client: VoiceClient;
  readonly #memory: TabMemory;
  readonly #listeners = new Set<() => void>();
  #call: UnifiedVoiceState['dailyCall'] = { joined: false, roomUrl: null };
  #state: UnifiedVoiceState;
  #wasTalking = false;
  #sessionId: string | null = null;

  constructor(client: VoiceClient, memory: TabMemory = tabStorage) {
    this.#client = client;
    this.#memory = memory;
    this.#state = unify(client.getState(), this.#call);
  }

  getState = (): UnifiedVoiceState => this.#state;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  /** The page has joined a group call. Said again, nothing more happens. */
  callStarted = (roomUrl: string | null = null): void => {
    const isNew = !this.#call.joined;
    this.#call = { joined: true, roomUrl: roomUrl ?? this.#call.roomUrl };
    if (isNew && this.#client.getState().intent === 'talk') this.#pause();
    this.#update();
  };

  /** The group call is over. Only its own cause is lifted: what the visitor paused stays paused. */
  callEnded = (): void => {
    const wasOn = this.#call.joined;
    this.#call = { joined: false, roomUrl: null };
    if (wasOn) this.#resume();
    this.#update();
  };

  /** Follows the client, and the window's events of the call. Returns how to stop. */
  connect(target: EventTarget | undefined = globalThis.window): () => void {
    const started = (event: Event) => this.callStarted(roomUrlOf(event));
    const unfollow = this.#client.subscribe(() => this.#follow());
    target?.addEventListener(GROUP_CALL_START, started);
    target?.addEventListener(GROUP_CALL_END, this.callEnded);
    this.#follow();
    return () => {
      unfollow();
      target?.removeEventListener(GROUP_CALL_START, started);
      target?.removeEventListener(GROUP_CALL_END, this.callEnded);
    };
  }

  #follow(): void {
    const { intent, sessionId } = this.#client.getState();
    const isTalking = intent === 'talk';
    const began = isTalking && !this.#wasTalking;
    const entered = sessionId !== null && sessionId !== this.#sessionId;
    this.#wasTalking = isTalking;
    this.#sessionId = sessionId;
    if (began && this.#call.joined) this.#pause(); // A session that begins during a call begins paused.
    if (entered) this.#enter(sessionId);
    this.#update();
  }

  #enter(sessionId: string): void {
    if (this.#call.joined) this.#memory.set(sessionId);
    // A reload took the call away; what it had paused must not wait for an end that nobody tells.
    else if (this.#memory.get() === sessionId) this.#resume();
  }

  #pause(): void {
    this.#memory.set(this.#client.getState().sessionId);
    void this.#client.pause(GROUP_CALL);
  }

  #resume(): void {
    this.#memory.set(null);
    void this.#client.resume(GROUP_CALL);
  }

  #update(): void {
    const next = unify(this.#client.getState(), this.#call);
    if (JSON.stringify(next) === JSON.stringify(this.#state)) return;
    this.#state = next;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** The two in one picture. */
export function unify(voice: VoiceState, dailyCall: UnifiedVoiceState['dailyCall']): UnifiedVoiceState {
  const status = simple(voice.sessionStatus);
  const active = status === 'inactive' ? 'none' : 'voice';
  return {
    activeSession: dailyCall.joined ? 'dailyCall' : active,
    voiceSession: { status, roomUrl: voice.roomUrl },
    dailyCall,
  };
}

/** Four words for all that a session can be. */
function simple(status: VoiceState['sessionStatus']): UnifiedVoiceState['voiceSession']['status'] {
  if (status === 'active' || status === 'paused') return status;
  return status === 'inactive' || status === 'unavailable' || status === 'disconnecting' ? 'inactive' : 'connecting';
}

function roomUrlOf(event: Event): string | null {
  const { roomUrl } = ((event as CustomEvent<unknown>).detail ?? {}) as { roomUrl?: unknown };
  return typeof roomUrl === 'string' ? roomUrl : null;
}

function attempt<Result>(action: () => Result): Result | null {
  try {
    return action();
  } catch {
    return null; // Storage may be forbidden.
  }
}
