/** The names and shapes of VAPI's web SDK, as far as they mean something here. */

/** What `start` resolves to: the session, with the names that a VAPI call has. */
export interface VapiCall {
  id: string;
  status: 'ringing' | 'in-progress';
  type: 'webCall';
  /** The assistant that was asked for; left out: the server's own. */
  assistantId?: string;
  createdAt: string;
  /** What else a VAPI call has: nothing of it is known here. */
  [field: string]: unknown;
}

export interface VapiStartOptions {
  /** `false`: `stop` only leaves, and `reconnect` returns within the time that the bot waits. */
  roomDeleteOnUserLeaveEnabled?: boolean;
}

/** What of Daily's devices means something here. */
export interface VapiInputDevices {
  audioDeviceId?: string | false | null;
  audioSource?: MediaStreamTrack | false;
  videoDeviceId?: string | false | null;
  videoSource?: MediaStreamTrack | false;
}

export type VapiClientMessage =
  | { type: 'add-message'; message: { role: string; content?: unknown }; triggerResponseEnabled?: boolean }
  | {
      type: 'control';
      control: 'mute-assistant' | 'unmute-assistant' | 'say-first-message';
      videoRecordingStartDelaySeconds?: number;
    }
  | {
      type: 'say';
      message: string;
      endCallAfterSpoken?: boolean;
      interruptionsEnabled?: boolean;
      interruptAssistantEnabled?: boolean;
    }
  | { type: 'end-call' };

/** `type` says at which step, `error.message` what happened and what to do. */
export interface VapiError {
  type: string;
  error: { code: string; message: string };
  timestamp: string;
}

/** What an application calls it; VAPI leaves these untyped too, so that a listener may say what it expects. */
type Anything = any;

export interface VapiEvents {
  'call-start': () => void;
  'call-end': () => void;
  /** The assistant begins and stops speaking. */
  'speech-start': () => void;
  'speech-end': () => void;
  /** How loud the assistant is, and how loud the microphone: 0 … 1, about 20 times a second. */
  'volume-level': (volume: number) => void;
  'local-volume-level': (volume: number) => void;
  /** A `VapiMessage`. */
  message: (message: Anything) => void;
  /** A `VapiError`. */
  error: (error: Anything) => void;
  'call-start-progress': (event: VapiProgress) => void;
  'call-start-success': (event: { totalDuration: number; callId?: string; timestamp: string }) => void;
  'call-start-failed': (event: VapiFailure) => void;
  'network-connection': (event: Anything) => void;
  // Known, so that an application may listen; there is nothing here that could tell of them.
  'local-audio-level-observer-error': (error: Anything) => void;
  'network-quality-change': (event: Anything) => void;
  'daily-participant-updated': (participant: Anything) => void;
  'camera-error': (error: Anything) => void;
  video: (track: MediaStreamTrack) => void;
  audio: (player: HTMLAudioElement) => void;
  'recording-started': (event: Anything) => void;
  'recording-stopped': (event: Anything) => void;
  'recording-stats': (event: Anything) => void;
  'recording-error': (event: Anything) => void;
  'recording-upload-completed': (event: Anything) => void;
}

export interface VapiProgress {
  stage: string;
  status: 'started' | 'completed' | 'failed';
  duration?: number;
  timestamp: string;
  metadata?: Record<string, unknown>;
}

export interface VapiFailure {
  stage: string;
  totalDuration: number;
  error: string;
  errorStack?: string;
  timestamp: string;
  context: Record<string, unknown>;
}
