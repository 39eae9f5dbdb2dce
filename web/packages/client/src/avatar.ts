/** What an avatar needs: whether the assistant is idle, listens, thinks or speaks. */

import type { VoiceState } from './state.ts';

export type AvatarState = 'idle' | 'listening' | 'thinking' | 'speaking';

/** What the assistant does now. Idle: there is no conversation, it is paused, or it cannot hear. */
export function avatarOf(state: VoiceState): AvatarState {
  if (state.sessionStatus !== 'active') return 'idle';
  if (state.isSpeaking) return 'speaking';
  if (state.isThinking) return 'thinking';
  return state.muted ? 'idle' : 'listening';
}

/** How much the avatar moves, 0 … 1: with the voice of whoever has the word. */
export function avatarLevel(avatar: AvatarState, microphone: number, assistant: number): number {
  if (avatar === 'speaking') return assistant;
  return avatar === 'listening' ? microphone : 0;
}
