/** What stands around a session in React: an avatar, the devices, and a group call on the same page. */

import { useSyncExternalStore } from 'react';
import { avatarLevel, avatarOf, type AvatarState } from '../avatar.ts';
import type { VoiceClient } from '../client.ts';
import type { DevicesState } from '../devices.ts';
import type { Exclusion, UnifiedVoiceState } from '../exclusion.ts';
import { useExclusion, useVoiceClient } from './session.ts';

/** Whether the assistant is idle, listens, thinks or speaks. */
export function useAvatarState(): AvatarState {
  const client = useVoiceClient();
  const get = () => avatarOf(client.getState());
  return useSyncExternalStore(client.subscribe, get, get);
}

/** The same with a level (0 … 1) to move with; the component renders about 20 times a second. */
export function useAvatar(): { state: AvatarState; level: number } {
  const client = useVoiceClient();
  const state = useAvatarState();
  const microphone = useSyncExternalStore(client.subscribeAudioLevel, client.getAudioLevel, () => 0);
  const assistant = useSyncExternalStore(client.subscribeAssistantLevel, client.getAssistantLevel, () => 0);
  return { state, level: avatarLevel(state, microphone, assistant) };
}

/** Microphones and speakers, and choosing among them. */
export function useDevices(): DevicesState & Pick<VoiceClient['devices'], 'chooseMicrophone' | 'chooseSpeaker'> {
  const { devices } = useVoiceClient();
  const state = useSyncExternalStore(devices.subscribe, devices.getState, devices.getState);
  return { ...state, chooseMicrophone: devices.chooseMicrophone, chooseSpeaker: devices.chooseSpeaker };
}

/** Session and group call in one picture. */
export function useUnifiedVoiceState(): UnifiedVoiceState {
  const exclusion = useExclusion();
  return useSyncExternalStore(exclusion.subscribe, exclusion.getState, exclusion.getState);
}

/** For a page that says by method when its group call begins and ends; window events do the same. */
export function useGroupCall(): Pick<Exclusion, 'callStarted' | 'callEnded'> {
  const { callStarted, callEnded } = useExclusion();
  return { callStarted, callEnded };
}
