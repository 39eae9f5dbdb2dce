/** @greenroom/client: talk with a voice agent from a browser. */

export { ApiError, type CommandOptions, type PauseCause, type Request } from './api.ts';
export { avatarLevel, avatarOf, type AvatarState } from './avatar.ts';
export type { ClientPorts } from './browser.ts';
export {
  createVoiceClient,
  type EventName,
  type EventOf,
  type StartOptions,
  type VoiceClient,
  type VoiceClientOptions,
} from './client.ts';
export type { Device, DeviceInfo, DevicesState } from './devices.ts';
export { Exclusion, GROUP_CALL, unify, type TabMemory, type UnifiedVoiceState } from './exclusion.ts';
export { activityOf, createSmoother, levelOf, NOISE_FLOOR, SPEECH_THRESHOLD, type VoiceActivity } from './level.ts';
export type { MediaHandlers, MediaLink, OpenMedia, RoomKind, WayIn } from './media.ts';
export type { AppMessage } from './messages.ts';
export type { AudioProcessing, MicrophoneState, MicrophoneWish } from './microphone.ts';
export type { Overrides, ServiceOverride } from './overrides.ts';
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
export type { TokenProvider } from './token.ts';
export type { OnConsent, ToolCall, ToolHandler } from './tools.ts';
export type { DailyOptions } from './transports/daily.ts';
export type { DailyCallLike, DailyFactoryLike } from './transports/daily-js.ts';
export type * from './wire.ts';
export { VoiceError, type VoiceProblem } from './words.ts';
