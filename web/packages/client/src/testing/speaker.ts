/** Where a test hears the assistant: what is played, how loud, on which device. */

import type { Speaker } from '../speaker.ts';

export class FakeSpeaker implements Speaker {
  readonly #allows: () => boolean;
  playing: MediaStream | null = null;
  isMuted = false;
  isClosed = false;
  volume = 1;
  /** '' is the system's default. */
  device = '';

  /** `allows`: whether the browser lets the page make a sound. */
  constructor(allows: () => boolean) {
    this.#allows = allows;
  }

  play(audio: MediaStream): Promise<boolean> {
    this.playing = audio;
    return Promise.resolve(this.#allows());
  }

  unblock(): Promise<boolean> {
    return Promise.resolve(true);
  }

  setMuted(muted: boolean): void {
    this.isMuted = muted;
  }

  setVolume(volume: number): void {
    this.volume = volume;
  }

  setDevice(id: string): Promise<void> {
    this.device = id;
    return Promise.resolve();
  }

  close(): void {
    this.playing = null;
    this.isClosed = true;
  }
}
