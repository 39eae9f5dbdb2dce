/** Messages of an application's own between page and bot, through the room: never stored, never twice. */

import { VoiceError, problem } from './words.ts';

/** What Daily takes at most, as JSON (https://docs.daily.co/reference/daily-js/instance-methods/send-app-message). */
export const MAX_APP_MESSAGE_CHARS = 4_096;

/**
 * A message that the bot sent through the room. `data` is what it sent; nothing is made of it here:
 * what the session's state and events say comes from the server, and comes once.
 */
export interface AppMessage {
  type: 'app-message';
  session: string | null;
  time: string;
  data: unknown;
  /** Who it is in the room: on Daily a session id, in a local room `bot`. */
  fromId: string;
  ephemeral: true;
}

export function appMessage(session: string | null, data: unknown, fromId: string): AppMessage {
  return { type: 'app-message', session, time: new Date().toISOString(), data, fromId, ephemeral: true };
}

/** Throws `VoiceError` when it is larger than a room takes, wherever the room is. */
export function checkSize(data: unknown): void {
  const text = JSON.stringify(data) as string | undefined;
  if (text === undefined) throw new TypeError('A message is something that can be written as JSON.');
  if (text.length > MAX_APP_MESSAGE_CHARS) throw new VoiceError(problem('message_too_large'));
}
