/** Microphones and speakers: which there are, which one is used, and choosing another at any time. */

import type { MicrophoneWish, OpenMicrophone } from './microphone.ts';

export interface Device {
  id: string;
  /** Empty until the visitor has allowed the microphone. */
  label: string;
}

export interface DevicesState {
  microphones: readonly Device[];
  speakers: readonly Device[];
  /** The microphone that is open, or was chosen for the next call; null: the system's default. */
  microphone: string | null;
  /** The chosen speaker; null: the system's default. */
  speaker: string | null;
}

/** What of `MediaDeviceInfo` is used. */
export type DeviceInfo = Pick<MediaDeviceInfo, 'deviceId' | 'kind' | 'label'>;
export type ListDevices = () => Promise<readonly DeviceInfo[]>;

export interface DevicesOptions {
  listDevices: ListDevices;
  openMicrophone: OpenMicrophone;
  onDevices: (changed: () => void) => () => void;
  /** Opens the microphone of the running call anew, if one is open. Rejects with `VoiceError`. */
  reopenMicrophone: () => Promise<void>;
  /** Rejects with `VoiceError`. */
  setSpeaker: (id: string) => Promise<void>;
  processing: Omit<MicrophoneWish, 'deviceId'>;
}

const NONE: DevicesState = { microphones: [], speakers: [], microphone: null, speaker: null };

/**
 * The devices of one client. It follows what is plugged in and out while somebody is subscribed
 * or a microphone was opened by it.
 */
export class Devices {
  readonly #options: DevicesOptions;
  readonly #listeners = new Set<() => void>();
  #state = NONE;
  #wished: string | null = null;
  #unfollow: (() => void) | null = null;

  constructor(options: DevicesOptions) {
    this.#options = options;
  }

  getState = (): DevicesState => this.#state;

  /** Calls back after every change. Returns how to stop. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#follow();
    return () => void this.#listeners.delete(listener);
  };

  /** Looks what is there now. Never rejects. */
  refresh = async (): Promise<void> => {
    const all = await this.#options.listDevices().catch(() => []);
    const speakers = named(all, 'audiooutput');
    const isSpeakerGone = this.#state.speaker !== null && !speakers.some(({ id }) => id === this.#state.speaker);
    this.#set({ microphones: named(all, 'audioinput'), speakers, ...(isSpeakerGone ? { speaker: null } : {}) });
    // The voice goes on where it can be heard.
    if (isSpeakerGone) await this.#options.setSpeaker('').catch(() => undefined);
  };

  /**
   * Talks into this microphone, now and in later calls; null: the system's default. When it is
   * not there the default is used. Rejects with `VoiceError`; then the old one stays in use.
   */
  chooseMicrophone = async (id: string | null): Promise<void> => {
    const [before, shown] = [this.#wished, this.#state.microphone];
    this.#wished = id;
    this.#set({ microphone: id });
    try {
      await this.#options.reopenMicrophone();
    } catch (error) {
      this.#wished = before;
      this.#set({ microphone: shown });
      throw error;
    }
  };

  /** Hears the assistant on this speaker; null: the default. Rejects with `VoiceError`. */
  chooseSpeaker = async (id: string | null): Promise<void> => {
    await this.#options.setSpeaker(id ?? '');
    this.#set({ speaker: id });
  };

  /** What a call opens: the chosen microphone with the wished processing. */
  openMicrophone = async (): Promise<MediaStream> => {
    const { openMicrophone, processing } = this.#options;
    const wish = this.#wished === null ? processing : { ...processing, deviceId: this.#wished };
    const stream = await openMicrophone(wish);
    const used = stream.getAudioTracks()[0]?.getSettings?.().deviceId;
    if (used) this.#set({ microphone: used });
    this.#follow();
    return stream;
  };

  #follow(): void {
    this.#unfollow ??= this.#options.onDevices(() => void this.refresh());
    void this.refresh();
  }

  /** Hears of changes no more; subscribing or opening a microphone begins again. */
  close(): void {
    this.#unfollow?.();
    this.#unfollow = null;
  }

  #set(values: Partial<DevicesState>): void {
    const next = { ...this.#state, ...values };
    if (same(next, this.#state)) return;
    this.#state = next;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Those of one kind that a page may know of: without permission browsers name none. */
function named(all: readonly DeviceInfo[], kind: MediaDeviceKind): Device[] {
  return all.filter((each) => each.kind === kind && each.deviceId !== '').map(({ deviceId, label }) => ({ id: deviceId, label }));
}

function same(a: DevicesState, b: DevicesState): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
