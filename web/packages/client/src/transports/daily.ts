/** A room on Daily: its headless call object, or Prebuilt in a frame. Loaded by `transports/index.ts`. */

import type { MediaHandlers, MediaLink, WayIn } from '../media.ts';
import { VoiceError, problem, type VoiceProblem } from '../words.ts';
import { dailyJs, dailyProblem, type DailyCallLike, type DailyFactoryLike, type DailyFatalType, type LoadDailyJs } from './daily-js.ts';
import type { Transport } from './index.ts';

export interface DailyOptions {
  /**
   * Shows Daily's own interface, Prebuilt, in this element (a function: asked when there is a room
   * to join); left out: the page is the interface.
   */
  prebuilt?: HTMLElement | (() => HTMLElement | null);
  /** Where daily-js comes from, if it is neither a package beside the client nor loaded by a script tag. */
  load?: LoadDailyJs;
}

/** daily-js brings an interrupted connection back by itself, or gives it up; it may take so long. */
const RECOVERY_MS = 20_000;
/** A frame leaves its room by itself, and goes. One that has not joined yet never answers, and is taken away. */
const LEAVE_WITHIN_MS = 3_000;
/** Everybody else in the room: that is the bot. */
const ALL = '*';

/** What is made of daily-js's fatal errors. `ejected` is not here: why is for the server to say. */
const PROBLEMS: Record<Exclude<DailyFatalType, 'ejected'>, VoiceProblem> = {
  'nbf-room': dailyProblem('room_expired'),
  'nbf-token': dailyProblem('room_expired'),
  'exp-room': dailyProblem('room_expired'),
  'exp-token': dailyProblem('room_expired'),
  'no-room': dailyProblem('room_expired'),
  'meeting-full': dailyProblem('room_full'),
  'end-of-life': dailyProblem('room_outdated'),
  'not-allowed': dailyProblem('room_refused'),
  'connection-error': problem('connection_lost'),
};

/** The transport, once daily-js is there. Rejects with `VoiceError`. */
export async function loadDaily(options: DailyOptions): Promise<Transport> {
  const daily = await dailyJs(options.load);
  return { open: (_iceServers, handlers) => new DailyLink(daily, handlers, options.prebuilt) };
}

/** One stay in one room. The call object is made when there is a room to join, and destroyed in every case. */
class DailyLink implements MediaLink {
  readonly #daily: DailyFactoryLike;
  readonly #handlers: MediaHandlers;
  readonly #prebuilt: DailyOptions['prebuilt'];
  #call: DailyCallLike | null = null;
  #track: MediaStreamTrack | null = null;
  /** What daily-js was given last. */
  #sent: MediaStreamTrack | null = null;
  #isMuted = false;
  /** What Daily's own interface shows of the microphone; null: not known yet. */
  #isShownMuted: boolean | null = null;
  #hasJoined = false;
  #isLeaving = false;
  #isClosed = false;
  readonly #interrupted = new Set<string>();
  #recovery: ReturnType<typeof setTimeout> | undefined;

  constructor(daily: DailyFactoryLike, handlers: MediaHandlers, prebuilt: DailyOptions['prebuilt']) {
    this.#daily = daily;
    this.#handlers = handlers;
    this.#prebuilt = prebuilt;
  }

  makeOffer(): Promise<null> {
    return Promise.resolve(null);
  }

  async accept(way: WayIn): Promise<void> {
    if (this.#isClosed) return;
    if (!('token' in way)) throw new VoiceError(problem('media_failed'));
    const call = this.#make();
    this.#call = call;
    this.#listen(call);
    // A rejection without an event is told, too; the event says more, and comes first or at once after it.
    this.#join(call, way).catch(() => setTimeout(() => this.#lost(PROBLEMS['connection-error'])));
  }

  async setMicrophone(track: MediaStreamTrack | null): Promise<void> {
    this.#track = track;
    await this.#applyMicrophone();
  }

  setMuted(muted: boolean): void {
    this.#isMuted = muted;
    if (this.#hasJoined && (this.#track || this.#prebuilt)) this.#call?.setLocalAudio(!muted);
  }

  send(data: unknown): void {
    if (!this.#hasJoined || this.#isClosed) throw new VoiceError(problem('no_session'));
    this.#call?.sendAppMessage(data, ALL);
  }

  leave(): void {
    if (!this.#call || this.#isClosed) return;
    this.#isLeaving = true;
    this.#call.leave().catch(() => undefined);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#recovery);
    const call = this.#call;
    this.#call = null;
    if (!call) return;
    const frame = call.iframe();
    if (frame && this.#hasJoined) call.setLocalAudio(false); // Its microphone is no track of ours.
    if (frame) frame.style.display = 'none';
    const limit = setTimeout(() => frame?.remove(), LEAVE_WITHIN_MS);
    call.destroy().then(() => clearTimeout(limit), () => undefined);
  }

  /** Beside whatever call the page has of its own: daily-js allows another one only to who says so. */
  #make(): DailyCallLike {
    const making = { allowMultipleCallInstances: true, dailyConfig: { avoidEval: true } };
    try {
      if (!this.#prebuilt) return this.#daily.createCallObject(making);
      const place = typeof this.#prebuilt === 'function' ? this.#prebuilt() : this.#prebuilt;
      if (!place) throw new Error('There is no element for Prebuilt.');
      return this.#daily.createFrame(place, making);
    } catch (cause) {
      throw new VoiceError(dailyProblem('daily_failed'), { cause });
    }
  }

  async #join(call: DailyCallLike, { url, token }: { url: string; token: string }): Promise<void> {
    if (this.#prebuilt) {
      // Given to the frame at once, the token would stand in its address.
      await call.load({ url });
      if (!this.#isClosed) await call.join({ token, startAudioOff: this.#isMuted, startVideoOff: true });
      return;
    }
    this.#sent = this.#track;
    await call.join({
      url,
      token,
      ...(this.#track ? { audioSource: this.#track } : {}),
      startAudioOff: this.#isMuted || !this.#track,
      videoSource: false,
      startVideoOff: true,
    });
  }

  #listen(call: DailyCallLike): void {
    const heard = <Event>(handle: (event: Event) => void) => (event: Event) => {
      if (!this.#isClosed) handle(event);
    };
    call.on('joined-meeting', heard(() => this.#joined()));
    call.on('left-meeting', heard(() => this.#left()));
    call.on('error', heard(({ error }) => this.#failed(error?.type)));
    call.on('network-connection', heard(({ type, event, session_id }) => this.#network(type, event, session_id)));
    call.on('app-message', heard(({ data, fromId }) => this.#handlers.onMessage(data, fromId)));
    // Prebuilt plays what is heard, and has a button for the microphone.
    if (this.#prebuilt) call.on('participant-updated', heard(({ participant }) => this.#updated(participant)));
    else call.on('track-started', heard((event) => this.#trackStarted(event)));
  }

  #joined(): void {
    this.#hasJoined = true;
    this.#applyMicrophone().catch(() => this.#lost());
    this.#handlers.onConnected();
  }

  async #applyMicrophone(): Promise<void> {
    if (!this.#call || !this.#hasJoined || this.#isClosed) return;
    if (this.#track && this.#track !== this.#sent) {
      this.#sent = this.#track;
      await this.#call.setInputDevicesAsync({ audioSource: this.#track });
    }
    if (this.#isClosed) return;
    if (!this.#prebuilt) this.#call.setLocalAudio(this.#track !== null && !this.#isMuted);
    else if (this.#isMuted) this.#call.setLocalAudio(false); // It asks for the microphone itself, if it is wanted.
  }

  #trackStarted({ participant, track, type }: { participant: { local: boolean } | null; track: MediaStreamTrack; type: string }): void {
    if (participant && !participant.local && type === 'audio') this.#handlers.onAudio(new MediaStream([track]));
  }

  /** Of Prebuilt: what the visitor does with its button, and not what we did ourselves. */
  #updated({ local, audio }: { local: boolean; audio: boolean }): void {
    if (!local || this.#isShownMuted === !audio) return;
    const isFirst = this.#isShownMuted === null;
    this.#isShownMuted = !audio;
    if (isFirst || this.#isShownMuted === this.#isMuted) return;
    this.#isMuted = this.#isShownMuted;
    this.#handlers.onMuted(this.#isMuted);
  }

  /** Of the lines that carry the voice; without signalling one still talks, and daily-js says if that ends badly. */
  #network(type: string, event: string, peer = ''): void {
    if (type === 'signaling') return;
    const wasInterrupted = this.#interrupted.size > 0;
    if (event === 'interrupted') this.#interrupted.add(type + peer);
    else if (event === 'connected') this.#interrupted.delete(type + peer);
    const isInterrupted = this.#interrupted.size > 0;
    if (isInterrupted === wasInterrupted) return;
    clearTimeout(this.#recovery);
    if (!isInterrupted) return this.#handlers.onConnected();
    this.#recovery = setTimeout(() => this.#lost(PROBLEMS['connection-error']), RECOVERY_MS);
    this.#handlers.onInterrupted();
  }

  /** daily-js has given up; `left-meeting` follows at once, and says nothing more. */
  #failed(type: DailyFatalType | undefined): void {
    if (type !== 'ejected') return this.#lost(PROBLEMS[type ?? 'connection-error']);
    this.close();
    this.#handlers.onEjected();
  }

  #left(): void {
    if (!this.#prebuilt || this.#isLeaving) return this.#lost();
    this.close();
    this.#handlers.onLeft();
  }

  #lost(why?: VoiceProblem): void {
    if (this.#isClosed) return;
    this.close();
    this.#handlers.onLost(why);
  }
}
