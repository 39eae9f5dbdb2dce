/** Where the assistant is heard. */

import { VoiceError, problem } from './words.ts';

/** Plays the assistant's voice. */
export interface Speaker {
  /** Plays from now on. Resolves to false when the browser wants the visitor to act first. */
  play(audio: MediaStream): Promise<boolean>;
  /** Plays again after a refusal; call from a click. */
  unblock(): Promise<boolean>;
  /** Makes it silent without stopping it. */
  setMuted(muted: boolean): void;
  /** 0 … 1. */
  setVolume(volume: number): void;
  /** Plays on this device; '' is the system's default. Rejects with `VoiceError`. */
  setDevice(id: string): Promise<void>;
  close(): void;
}

export type OpenSpeaker = () => Speaker;

/**
 * The browser's own: an audio element, so that echo cancellation knows what is heard.
 *
 * It is made within the visitor's click, which is when browsers allow a page to make a sound.
 */
export const openSpeaker: OpenSpeaker = () => {
  const element = document.createElement('audio');
  element.autoplay = true;
  element.hidden = true;
  element.dataset.greenroom = 'assistant';
  document.body.append(element);
  const unblock = () =>
    element.play().then(
      () => true,
      (error: unknown) => (error as { name?: string }).name !== 'NotAllowedError',
    );
  return {
    play(audio) {
      element.srcObject = audio;
      return unblock();
    },
    unblock,
    setMuted: (muted) => void (element.muted = muted),
    setVolume: (volume) => void (element.volume = volume),
    async setDevice(id) {
      // Not every browser lets a page choose.
      if (!('setSinkId' in element)) throw new VoiceError(problem('speaker_fixed'));
      await element.setSinkId(id).catch((cause: unknown) => {
        throw new VoiceError(problem('speaker_missing'), { cause });
      });
    },
    close() {
      element.srcObject = null;
      element.remove();
    },
  };
};
