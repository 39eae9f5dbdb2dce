/** A microphone that a test allows, refuses, plugs in and pulls out. */

import { VoiceError, problem } from '../words.ts';

type Answer = 'allow' | 'ask' | 'microphone_refused' | 'microphone_missing' | 'microphone_busy' | 'insecure_page';

class FakeTrack extends EventTarget {
  readonly kind = 'audio';
  enabled = true;
  readyState: MediaStreamTrackState = 'live';

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
  readonly #open: ((answer: Answer) => void)[] = [];
  readonly #devices = new Set<() => void>();
  readonly #levels = new Set<(level: number) => void>();

  /** How many questions wait for the visitor. */
  get questions(): number {
    return this.#open.length;
  }

  open = (): Promise<MediaStream> =>
    new Promise((resolve, reject) => {
      const settle = (answer: Answer) => {
        if (answer === 'ask') this.#open.push(settle);
        else if (answer === 'allow') resolve(this.#stream());
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
    for (const changed of [...this.#devices]) changed();
  }

  /** So loud, 0 … 1, before smoothing. */
  hear(level: number): void {
    for (const onLevel of this.#levels) onLevel(level);
  }

  onDevices = (changed: () => void): (() => void) => {
    this.#devices.add(changed);
    return () => void this.#devices.delete(changed);
  };

  watchLevel = (_microphone: MediaStream, onLevel: (level: number) => void): (() => void) => {
    this.#levels.add(onLevel);
    return () => void this.#levels.delete(onLevel);
  };

  #stream(): MediaStream {
    const track = new FakeTrack();
    this.tracks.push(track);
    const tracks = () => [track];
    return { getTracks: tracks, getAudioTracks: tracks } as unknown as MediaStream;
  }
}
