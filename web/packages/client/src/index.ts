/** @greenroom/client: talk with a voice agent from a browser. */

export { ApiError } from './api.ts';
export {
  createVoiceClient,
  type ClientPorts,
  type EventName,
  type EventOf,
  type VoiceClient,
  type VoiceClientOptions,
} from './client.ts';
export { NOISE_FLOOR, SPEECH_THRESHOLD, type VoiceActivity } from './level.ts';
export type { MediaHandlers, MediaLink, OpenMedia } from './media.ts';
export type { MicrophoneState } from './microphone.ts';
export type { Speaker } from './speaker.ts';
export {
  INITIAL_STATE,
  type Connection,
  type MediaState,
  type VoiceEnd,
  type VoiceMessage,
  type VoiceState,
} from './state.ts';
export type { SocketLike } from './stream.ts';
export type * from './wire.ts';
export { VoiceError, type VoiceProblem } from './words.ts';
