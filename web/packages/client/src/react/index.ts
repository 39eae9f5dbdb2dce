/** @greenroom/client/react: a voice session as a provider, hooks, a button and a canvas. */

export { AssistantButton, type AssistantButtonProps, type ButtonLabels } from './AssistantButton.tsx';
export { AssistantCanvas, type AssistantCanvasProps } from './AssistantCanvas.tsx';
export { arrive } from './arrive.ts';
export { useAvatar, useAvatarState, useDevices, useGroupCall, useUnifiedVoiceState } from './around.ts';
export {
  SESSION_STATUS,
  useAudioLevel,
  useVoiceClient,
  useVoiceEvent,
  useVoiceSession,
  VoiceSessionProvider,
  type VoiceSession,
  type VoiceSessionProviderProps,
} from './session.ts';
export type { AvatarState } from '../avatar.ts';
export type { DevicesState } from '../devices.ts';
export type { UnifiedVoiceState } from '../exclusion.ts';
