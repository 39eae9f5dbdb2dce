/** What a page knows of its voice session: one value, changed by one pure function. */

import type { VoiceActivity } from './level.ts';
import type { MicrophoneState } from './microphone.ts';
import type { PauseCause } from './api.ts';
import { withAsked } from './pauses.ts';
import type {
  CostData,
  EphemeralEvent,
  Event,
  SessionBody,
  SessionStatus,
  TranscriptData,
  TypedEphemeralEvent,
  TypedEvent,
} from './wire.ts';
import { problem, type VoiceProblem } from './words.ts';

/** Whether events arrive: `offline` is `reconnecting` for long, or a browser without network. */
export type Connection = 'online' | 'reconnecting' | 'offline';

/** The voice between page and bot. */
export type MediaState = 'none' | 'connecting' | 'connected' | 'lost';

/** One utterance. `id` stays the same while its text grows. */
export interface VoiceMessage {
  id: string;
  role: 'user' | 'assistant';
  text: string;
  final: boolean;
  time: string;
}

/** Why the last session ended. `message` is the server's sentence for people. */
export interface VoiceEnd {
  reason: string;
  message: string;
}

/** What this page is trying to do; the only part of the status that is not the server's. */
type Intent = 'none' | 'talk' | 'stop';

export interface VoiceState {
  sessionId: string | null;
  /** The room's address, for rooms that have one. */
  roomUrl: string | null;
  /** Derived from all the rest: see `statusOf`. */
  sessionStatus: SessionStatus;
  /** What the server said last. */
  serverStatus: SessionStatus | null;
  intent: Intent;
  microphone: MicrophoneState;
  connection: Connection;
  media: MediaState;
  /** The browser refuses to make a sound until the visitor does something. */
  soundBlocked: boolean;
  /** The assistant speaks. */
  isSpeaking: boolean;
  /** The server hears the visitor speak. */
  isUserSpeaking: boolean;
  /** The visitor has said something, and the assistant has not yet begun to answer. */
  isThinking: boolean;
  /** What this page's own microphone measures. */
  voiceState: VoiceActivity;
  muted: boolean;
  /** When the microphone was last switched, epoch ms; a later switch wins over an earlier one. */
  mutedAt: number;
  /** Why the session is paused; empty: it is not. Nobody speaks or is heard; a mute stays as it was chosen. */
  pauseCauses: readonly string[];
  /** Causes that were set or lifted here and that the server was not told of yet. */
  pausesAsked: Readonly<Partial<Record<PauseCause, boolean>>>;
  /** The utterance that is being spoken now. */
  transcript: VoiceMessage | null;
  messages: readonly VoiceMessage[];
  /** The place in the queue while the session is `queued`; 1 is the next. */
  queuePosition: number | null;
  /** The assistant's machine may have to be made first, which takes so long at most. While `connecting`; else null. */
  startsWithinS: number | null;
  /** The session ends in so many seconds, said by the server at `at`. */
  warning: { endsInS: number; at: string } | null;
  /** What the session has cost so far; after its end, what it cost. */
  cost: CostData | null;
  error: VoiceProblem | null;
  end: VoiceEnd | null;
  /** A session of this visitor that goes on elsewhere or from before a reload. */
  rejoinable: SessionBody | null;
}

const NONE: readonly string[] = [];

export const INITIAL_STATE: VoiceState = {
  sessionId: null,
  roomUrl: null,
  sessionStatus: 'inactive',
  serverStatus: null,
  intent: 'none',
  microphone: 'unknown',
  connection: 'online',
  media: 'none',
  soundBlocked: false,
  isSpeaking: false,
  isUserSpeaking: false,
  isThinking: false,
  voiceState: 'silent',
  muted: false,
  mutedAt: 0,
  pauseCauses: NONE,
  pausesAsked: {},
  transcript: null,
  messages: [],
  queuePosition: null,
  startsWithinS: null,
  warning: null,
  cost: null,
  error: null,
  end: null,
  rejoinable: null,
};

/** Enough to read back; a long session must not fill the page's memory. */
export const KEPT_MESSAGES = 500;

export type Action =
  | { type: 'started' }
  | { type: 'stopping' }
  | { type: 'session'; session: SessionBody }
  | { type: 'event'; event: Event }
  | { type: 'ephemeral'; event: EphemeralEvent }
  | { type: 'microphone'; microphone: MicrophoneState; problem?: VoiceProblem }
  | { type: 'connection'; connection: Connection }
  | { type: 'media'; media: MediaState }
  | { type: 'voice'; voiceState: VoiceActivity }
  | { type: 'muted'; muted: boolean; at: number }
  | { type: 'paused'; cause: PauseCause; paused: boolean }
  | { type: 'pauseTold'; cause: PauseCause; refused: VoiceProblem | null }
  | { type: 'sound'; blocked: boolean }
  | { type: 'ended'; end: VoiceEnd }
  | { type: 'left' }
  | { type: 'failed'; problem: VoiceProblem; unavailable: boolean }
  | { type: 'rejoinable'; session: SessionBody | null };

/** The next state. Pure; returns the same object when nothing changed. */
export function reduce(state: VoiceState, action: Action): VoiceState {
  const next = step(state, action);
  if (next === state) return state;
  const sessionStatus = statusOf(next);
  return next.sessionStatus === sessionStatus ? next : { ...next, sessionStatus };
}

/** What people are shown: the server's word, except while the page itself asks for a change. */
function statusOf(state: VoiceState): SessionStatus {
  if (state.intent === 'none') return state.serverStatus === 'unavailable' ? 'unavailable' : 'inactive';
  if (state.intent === 'stop') return 'disconnecting';
  // Neither voice nor data: whatever the server said last, nobody can talk now.
  if (state.connection === 'offline' && state.media === 'lost') return 'unavailable';
  const said = state.serverStatus;
  // A pause holds here at once; that it was lifted is for the server to say.
  if (said === 'active' && state.pauseCauses.length > 0) return 'paused';
  return said === null || said === 'inactive' ? 'connecting' : said;
}

function step(state: VoiceState, action: Action): VoiceState {
  switch (action.type) {
    case 'started':
      return { ...INITIAL_STATE, intent: 'talk', media: 'connecting', microphone: state.microphone };
    case 'stopping':
      return state.intent === 'talk' ? { ...silenced(state), intent: 'stop' } : state;
    case 'session':
      return withSession(state, action.session);
    case 'event':
      return state.intent === 'none' ? state : withEvent(state, action.event as TypedEvent);
    case 'ephemeral':
      return state.intent === 'none' ? state : withEphemeral(state, action.event);
    case 'microphone':
      return withMicrophone(state, action.microphone, action.problem ?? null);
    case 'connection':
      return set(state, { connection: action.connection });
    case 'media':
      return set(state, { media: action.media });
    case 'voice':
      return set(state, { voiceState: action.voiceState });
    case 'muted':
      return withMute(state, action.muted, action.at);
    case 'paused':
      return withPause(state, action.cause, action.paused);
    case 'pauseTold':
      return withPauseTold(state, action.cause, action.refused);
    case 'sound':
      return set(state, { soundBlocked: action.blocked });
    case 'ended':
      return { ...over(state), end: action.end };
    case 'left':
      return over(state);
    case 'failed':
      return {
        ...over(state),
        error: action.problem,
        serverStatus: action.unavailable ? 'unavailable' : null,
      };
    case 'rejoinable':
      return set(state, { rejoinable: action.session });
  }
}

/** The state with these values, or the very same when it has them already. */
function set(state: VoiceState, values: Partial<VoiceState>): VoiceState {
  const changes = (Object.keys(values) as (keyof VoiceState)[]).some((key) => state[key] !== values[key]);
  return changes ? { ...state, ...values } : state;
}

/** Nobody is heard any more; what was said stays. */
function silenced(state: VoiceState): VoiceState {
  return {
    ...state,
    media: 'none',
    soundBlocked: false,
    isSpeaking: false,
    isUserSpeaking: false,
    isThinking: false,
    voiceState: 'silent',
    warning: null,
  };
}

/** No session any more; the conversation can still be read. */
function over(state: VoiceState): VoiceState {
  return {
    ...silenced(state),
    intent: 'none',
    sessionId: null,
    roomUrl: null,
    serverStatus: null,
    connection: 'online',
    muted: false,
    pauseCauses: NONE,
    pausesAsked: {},
    transcript: null,
    queuePosition: null,
    startsWithinS: null,
    error: null,
    rejoinable: null,
  };
}

function withSession(state: VoiceState, session: SessionBody): VoiceState {
  if (state.intent === 'none') return state;
  const { url = null } = session.room as { url?: string | null };
  const next = set(withCauses(state, session.pauseCauses), {
    sessionId: session.sessionId,
    roomUrl: url,
    serverStatus: session.status,
    queuePosition: session.queuePosition ?? null,
  });
  // A switch that was made on this page while the answer was under way is newer.
  return state.mutedAt > 0 ? next : set(next, { muted: session.muted });
}

function withMicrophone(
  state: VoiceState,
  microphone: MicrophoneState,
  error: VoiceProblem | null,
): VoiceState {
  const regained = microphone === 'granted' && state.error?.code.startsWith('microphone_') === true;
  return set(state, {
    microphone,
    ...(microphone === 'lost' ? { error: error ?? problem('microphone_lost') } : {}),
    ...(regained ? { error: null } : {}),
  });
}

function withMute(state: VoiceState, muted: boolean, at: number): VoiceState {
  if (at < state.mutedAt) return state;
  return set(state, { muted, mutedAt: at, ...(muted ? { voiceState: 'silent', isUserSpeaking: false } : {}) });
}

/** The server's causes, with what was asked for here laid over them. While there is one, nobody is heard. */
function withCauses(state: VoiceState, told: readonly string[]): VoiceState {
  const causes = withAsked(told, state.pausesAsked);
  const same = causes.length === state.pauseCauses.length && causes.every((each) => state.pauseCauses.includes(each));
  if (same) return state;
  const still = causes.length > 0 ? { isUserSpeaking: false, isThinking: false, voiceState: 'silent' as const } : {};
  return { ...state, ...still, pauseCauses: causes };
}

/** Paused or lifted on this page; there must be a session that it can be true of. */
function withPause(state: VoiceState, cause: PauseCause, paused: boolean): VoiceState {
  if (state.intent !== 'talk' || state.pauseCauses.includes(cause) === paused) return state;
  return withCauses({ ...state, pausesAsked: { ...state.pausesAsked, [cause]: paused } }, state.pauseCauses);
}

/** The server knows. What it refused does not hold here either, and is said. */
function withPauseTold(state: VoiceState, cause: PauseCause, refused: VoiceProblem | null): VoiceState {
  const { [cause]: asked, ...pausesAsked } = state.pausesAsked;
  const next = { ...state, pausesAsked };
  if (refused === null) return next;
  const causes = withAsked(state.pauseCauses, { [cause]: asked === false });
  return withCauses({ ...next, error: refused }, causes);
}

function withEvent(state: VoiceState, event: TypedEvent): VoiceState {
  switch (event.type) {
    case 'voice.session.status':
      return set(state, {
        serverStatus: event.data.status,
        ...(event.data.status === 'queued' ? {} : { queuePosition: null }),
        ...(event.data.status === 'connecting' ? {} : { startsWithinS: null }),
      });
    case 'voice.bot.starting':
      return set(state, { startsWithinS: event.data.withinS });
    case 'voice.session.queued':
      return set(state, { queuePosition: event.data.position });
    case 'voice.session.mute':
      return withMute(state, event.data.muted, event.data.timestamp);
    case 'voice.session.pause':
      return withCauses(state, event.data.causes);
    case 'voice.session.warning':
      return { ...state, warning: { endsInS: event.data.endsInS, at: event.time } };
    case 'voice.session.end':
      return {
        ...over(state),
        end: { reason: event.data.reason, message: event.data.message },
      };
    case 'voice.speech.start':
      return set(state, { isUserSpeaking: true, isThinking: false });
    case 'voice.speech.end':
      return set(state, { isUserSpeaking: false });
    case 'voice.bot.speaking':
      return set(state, { isSpeaking: event.data.speaking, isThinking: false });
    case 'voice.transcript':
      return withTranscript(state, event.data, event);
    case 'voice.cost':
      return { ...state, cost: event.data };
    case 'voice.error':
      return { ...state, error: problem(event.data.code, event.data.message) };
    default:
      return state; // The application's own, and what a newer server says.
  }
}

/** Of this moment only. What follows from it for good, an event with a number says as well. */
function withEphemeral(state: VoiceState, told: EphemeralEvent): VoiceState {
  const event = told as unknown as TypedEphemeralEvent;
  if (event.type !== 'voice.emergency') return state;
  return { ...state, serverStatus: 'disconnecting', error: problem('halted', event.data.message) };
}

/** Parts of one utterance have the same role and turn; a later part replaces an earlier one. */
function withTranscript(state: VoiceState, data: TranscriptData, event: { seq: number; time: string }): VoiceState {
  const id = data.typed ? `typed-${event.seq}` : `${data.role}-${data.turn}`;
  const found = state.messages.findIndex((message) => message.id === id);
  const said: VoiceMessage = {
    id,
    role: data.role,
    text: data.text,
    final: data.final,
    time: state.messages[found]?.time ?? event.time,
  };
  const messages =
    found < 0
      ? [...state.messages, said].slice(-KEPT_MESSAGES)
      : state.messages.with(found, said);
  const transcript = said.final ? (state.transcript?.id === id ? null : state.transcript) : said;
  const isAsked = said.role === 'user' && said.final && !state.isSpeaking;
  return { ...state, messages, transcript, isThinking: isAsked || state.isThinking };
}
