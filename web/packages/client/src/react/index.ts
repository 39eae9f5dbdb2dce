/** @greenroom/client/react: a voice session as a provider and three hooks. */

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
