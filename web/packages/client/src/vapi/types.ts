/** The names and shapes of VAPI's web SDK, as far as they mean something here. */

import type { VapiMessage } from './messages.ts';

/** What `start` resolves to: the session, with the names that a VAPI call has. */
export interface VapiCall {
  id: string;
  status: 'ringing' | 'in-progress';
  type: 'webCall';
  /** The assistant that was asked for; left out: the server's own. */
  assistantId?: string;
  createdAt: string;
}

export type VapiClientMessage =
  | { type: 'add-message'; message: { role: string; content?: unknown }; triggerResponseEnabled?: boolean }
  | { type: 'control'; control: 'mute-assistant' | 'unmute-assistant' | 'say-first-message' }
  | { type: 'say'; message: string; endCallAfterSpoken?: boolean }
  | { type: 'end-call' };

/** `type` says at which step, `error.message` what happened and what to do. */
export interface VapiError {
  type: string;
  error: { code: string; message: string };
  timestamp: string;
}

export interface VapiEvents {
  'call-start': () => void;
  'call-end': () => void;
  /** The assistant begins and stops speaking. */
  'speech-start': () => void;
  'speech-end': () => void;
  /** How loud the assistant is, and how loud the microphone: 0 … 1, about 20 times a second. */
  'volume-level': (volume: number) => void;
  'local-volume-level': (volume: number) => void;
  message: (message: VapiMessage) => void;
  error: (error: VapiError) => void;
  'call-start-progress': (event: { stage: string; status: 'started' | 'completed' | 'failed'; timestamp: string; metadata?: Record<string, unknown> }) => void;
  'call-start-success': (event: { totalDuration: number; callId?: string; timestamp: string }) => void;
  'call-start-failed': (event: { stage: string; totalDuration: number; error: string; timestamp: string; context: Record<string, unknown> }) => void;
  'network-connection': (event: { event: 'connected' | 'interrupted' }) => void;
}
