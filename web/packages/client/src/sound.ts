/** The assistant's voice on this page: on which device, how loud, silenced or not, and how loud it is now. */

import { createSmoother, type WatchLevel } from './level.ts';
import type { OpenSpeaker, Speaker } from './speaker.ts';

export interface SoundPorts {
  openSpeaker: OpenSpeaker;
  watchLevel: WatchLevel;
}

/** Outlives the calls: what was chosen holds for the next one too. */
export class Sound {
  readonly #ports: SoundPorts;
  readonly #listeners = new Set<() => void>();
  #speaker: Speaker | null = null;
  #audio: MediaStream | null = null;
  #stopWatching: (() => void) | null = null;
  #level = 0;
  #device = '';
  #volume = 1;
  #isMuted = false;
  #isPaused = false;

  constructor(ports: SoundPorts) {
    this.#ports = ports;
  }

  /** How loud the assistant is, 0 … 1, measured while somebody is subscribed. */
  get level(): number {
    return this.#level;
  }

  get isMuted(): boolean {
    return this.#isMuted;
  }

  /** The speaker of one call. */
  open: OpenSpeaker = () => {
    const speaker = this.#ports.openSpeaker();
    this.#speaker = speaker;
    this.#isPaused = false;
    speaker.setMuted(this.#isMuted);
    speaker.setVolume(this.#volume);
    if (this.#device) speaker.setDevice(this.#device).catch(() => undefined); // Then the default is heard.
    return {
      play: (audio) => {
        this.#listen(audio);
        return speaker.play(audio);
      },
      unblock: () => speaker.unblock(),
      setVolume: (volume) => speaker.setVolume(volume),
      setDevice: (id) => speaker.setDevice(id),
      setMuted: (paused) => {
        this.#isPaused = paused;
        this.#apply();
      },
      close: () => {
        if (this.#speaker === speaker) {
          this.#speaker = null;
          this.#listen(null);
        }
        speaker.close();
      },
    };
  };

  /** Silences the assistant on this page only; the session does not know of it. */
  mute(muted: boolean): void {
    this.#isMuted = muted;
    this.#apply();
  }

  /** 0 … 1; what is outside is taken for the nearest of them. */
  setVolume(volume: number): void {
    if (!Number.isFinite(volume)) return;
    this.#volume = Math.min(1, Math.max(0, volume));
    this.#speaker?.setVolume(this.#volume);
  }

  /** '' is the system's default. Rejects with `VoiceError` when it cannot be used. */
  async setDevice(id: string): Promise<void> {
    await this.#speaker?.setDevice(id);
    this.#device = id;
  }

  /** Calls back whenever the level was measured. It is measured only while somebody listens. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#watch();
    return () => {
      this.#listeners.delete(listener);
      this.#watch();
    };
  }

  #apply(): void {
    this.#speaker?.setMuted(this.#isMuted || this.#isPaused);
  }

  #listen(audio: MediaStream | null): void {
    this.#stop();
    this.#audio = audio;
    this.#watch();
  }

  /** Measuring costs: it runs exactly while there is a voice and somebody who wants to know. */
  #watch(): void {
    if (!this.#audio || this.#listeners.size === 0) return this.#stop();
    if (this.#stopWatching) return;
    const smooth = createSmoother();
    this.#stopWatching = this.#ports.watchLevel(this.#audio, (raw) => this.#tell(smooth(raw)));
  }

  #stop(): void {
    if (!this.#stopWatching) return;
    this.#stopWatching();
    this.#stopWatching = null;
    this.#tell(0);
  }

  #tell(level: number): void {
    this.#level = level;
    for (const listener of [...this.#listeners]) listener();
  }
}
