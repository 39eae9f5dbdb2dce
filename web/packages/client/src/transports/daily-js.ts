/** What of `@daily-co/daily-js` (0.67 or newer) is used, and where it comes from: it is loaded for rooms on Daily only. */

import { VoiceError, type VoiceProblem } from '../words.ts';

/** The types of daily-js's fatal errors, as its own `index.d.ts` names them. */
export type DailyFatalType =
  | 'ejected'
  | 'nbf-room'
  | 'nbf-token'
  | 'exp-room'
  | 'exp-token'
  | 'no-room'
  | 'meeting-full'
  | 'end-of-life'
  | 'not-allowed'
  | 'connection-error';

/** Its events, as far as they are listened to. */
export interface DailyEvents {
  'joined-meeting': object;
  'left-meeting': object;
  error: { errorMsg: string; error?: { type: DailyFatalType } };
  'network-connection': { type: string; event: string; session_id?: string };
  'track-started': { participant: { local: boolean } | null; track: MediaStreamTrack; type: string };
  'participant-updated': { participant: { local: boolean; audio: boolean } };
  'app-message': { data: unknown; fromId: string };
}

export interface DailyJoin {
  url?: string;
  token?: string;
  audioSource?: MediaStreamTrack;
  videoSource?: false;
  startAudioOff?: boolean;
  startVideoOff?: boolean;
}

/** A call object, or a frame with Prebuilt in it. */
export interface DailyCallLike {
  load(properties: { url: string }): Promise<unknown>;
  join(properties: DailyJoin): Promise<unknown>;
  leave(): Promise<unknown>;
  destroy(): Promise<unknown>;
  iframe(): HTMLIFrameElement | null;
  setLocalAudio(enabled: boolean): unknown;
  setInputDevicesAsync(devices: { audioSource: MediaStreamTrack }): Promise<unknown>;
  sendAppMessage(data: unknown, to?: string): unknown;
  on<Name extends keyof DailyEvents>(name: Name, handler: (event: DailyEvents[Name]) => void): unknown;
}

export interface DailyFactoryLike {
  createCallObject(properties: DailyMaking): DailyCallLike;
  createFrame(parent: HTMLElement, properties: DailyMaking): DailyCallLike;
}

export interface DailyMaking {
  allowMultipleCallInstances: boolean;
  dailyConfig: { avoidEval: boolean };
}

export type LoadDailyJs = () => Promise<DailyFactoryLike>;

/**
 * daily-js: what the page says, or what it has loaded by a script tag, or the package beside this
 * one. Rejects with `VoiceError` (`daily_missing`).
 */
export async function dailyJs(load?: LoadDailyJs): Promise<DailyFactoryLike> {
  try {
    if (load) return await load();
    const { Daily } = globalThis as { Daily?: Partial<DailyFactoryLike> };
    if (typeof Daily?.createCallObject === 'function') return Daily as DailyFactoryLike;
    // Within `try`, so that bundlers take a package that is not installed for what it is: optional.
    return (await import('@daily-co/daily-js')).default as DailyFactoryLike;
  } catch (cause) {
    throw new VoiceError(dailyProblem('daily_missing'), { cause });
  }
}

const TRY_AGAIN = 'Press Talk to try again.';
/** What can go wrong with Daily alone, in words that no other page carries. */
const PROBLEMS = {
  room_full: ['There is no place in the room of the conversation.', 'Close other windows in which you talk, then press Talk.'],
  room_expired: ['The room of the conversation has closed.', TRY_AGAIN],
  room_refused: ['The room of the conversation does not let you in.', TRY_AGAIN],
  room_outdated: ['This page is too old for the room of the conversation.', 'Reload the page. If that does not help, tell whoever runs it.'],
  daily_missing: [
    'The rooms of this server are Daily’s, and this page has no code for them.',
    'Install @daily-co/daily-js beside the client, or load it before the page’s own code.',
  ],
  daily_failed: ['Daily’s call could not be made in this browser.', 'Use a current browser, then press Talk.'],
} as const;

export function dailyProblem(code: keyof typeof PROBLEMS): VoiceProblem {
  const [message, whatToDo] = PROBLEMS[code];
  return { code, message, whatToDo };
}
