/** A microphone that a test allows, refuses, plugs in and pulls out. */

import type { DeviceInfo } from '../devices.ts';
import type { MicrophoneWish } from '../microphone.ts';
import { VoiceError, problem } from '../words.ts';

type Answer = 'allow' | 'ask' | 'microphone_refused' | 'microphone_missing' | 'microphone_busy' | 'insecure_page';

class FakeTrack extends EventTarget {
  readonly kind = 'audio';
  readonly deviceId: string;
  enabled = true;
  readyState: MediaStreamTrackState = 'live';

  constructor(deviceId: string) {
    super();
    this.deviceId = deviceId;
  }

  getSettings(): MediaTrackSettings {
    return { deviceId: this.deviceId };
  }

  stop(): void {
    this.readyState = 'ended';
  }
}

export class FakeMicrophone {
  /** What asking for it leads to; `ask` leaves the question open until `answer()`. */
  next: Answer = 'allow';
  /** Whether it would open without a question. */
  allowed = false;
  /** Every track that was handed out. */
  readonly tracks: FakeTrack[] = [];
  /** How each of them was wished for. */
  readonly wishes: MicrophoneWish[] = [];
  /** What is plugged in; the first microphone is the system's default. */
  devices: DeviceInfo[] = [
    { deviceId: 'built-in', kind: 'audioinput', label: 'Built-in microphone' },
    { deviceId: 'loudspeaker', kind: 'audiooutput', label: 'Built-in speaker' },
  ];
  readonly #open: ((answer: Answer) => void)[] = [];
  readonly #onDevices = new Set<() => void>();
  readonly #levels = new Set<(level: number) => void>();

  /** How many questions wait for the visitor. */
  get questions(): number {
    return this.#open.length;
  }

  open = (wish: MicrophoneWish = {}): Promise<MediaStream> =>
    new Promise((resolve, reject) => {
      const settle = (answer: Answer) => {
        if (answer === 'ask') this.#open.push(settle);
        else if (answer === 'allow') resolve(this.#stream(wish));
        else reject(new VoiceError(problem(answer)));
      };
      settle(this.next);
    });

  /** The visitor answers every open question. */
  answer(answer: Exclude<Answer, 'ask'>): void {
    for (const settle of this.#open.splice(0)) settle(answer);
  }

  /** It is pulled out; until `plugIn` there is none. */
  unplug(): void {
    this.next = 'microphone_missing';
    for (const track of this.tracks.filter((each) => each.readyState === 'live')) {
      track.stop();
      track.dispatchEvent(new Event('ended'));
    }
  }

  plugIn(): void {
    this.next = 'allow';
    this.#changed();
  }

  /** A further device is plugged in. */
  add(device: DeviceInfo): void {
    this.devices = [...this.devices, device];
    this.#changed();
  }

  /** One device is pulled out, whether it is in use or not. */
  remove(deviceId: string): void {
    this.devices = this.devices.filter((device) => device.deviceId !== deviceId);
    for (const track of this.tracks.filter((each) => each.deviceId === deviceId && each.readyState === 'live')) {
      track.stop();
      track.dispatchEvent(new Event('ended'));
    }
    this.#changed();
  }

  list = (): Promise<DeviceInfo[]> => Promise.resolve(this.devices);

  /** So loud, 0 … 1, before smoothing. */
  hear(level: number): void {
    for (const onLevel of this.#levels) onLevel(level);
  }

  onDevices = (changed: () => void): (() => void) => {
    this.#onDevices.add(changed);
    return () => void this.#onDevices.delete(changed);
  };

  watchLevel = (_microphone: MediaStream, onLevel: (level: number) => void): (() => void) => {
    this.#levels.add(onLevel);
    return () => void this.#levels.delete(onLevel);
  };

  #changed(): void {
    for (const changed of [...this.#onDevices]) changed();
  }

  /** The wished device, or the default where it is not there: as browsers do for an `ideal` one. */
  #stream(wish: MicrophoneWish): MediaStream {
    const inputs = this.devices.filter(({ kind }) => kind === 'audioinput');
    const used = inputs.find(({ deviceId }) => deviceId === wish.deviceId) ?? inputs[0];
    const track = new FakeTrack(used?.deviceId ?? '');
    this.wishes.push(wish);
    this.tracks.push(track);
    const tracks = () => [track];
    return { getTracks: tracks, getAudioTracks: tracks } as unknown as MediaStream;
  }
}
