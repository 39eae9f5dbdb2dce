/** One visit to one session: microphone, voice and events, from the click to the end. */

import { ApiError, type Api, type PauseCause } from './api.ts';
import { activityOf, createSmoother, type WatchLevel } from './level.ts';
import type { MediaLink, OpenMedia } from './media.ts';
import { stateOfRefusal, type OpenMicrophone } from './microphone.ts';
import type { OpenSpeaker, Speaker } from './speaker.ts';
import type { Action, VoiceState } from './state.ts';
import { EventStream, type OnWake, type OpenSocket } from './stream.ts';
import { Aborted, backoffMs, pause, within } from './wait.ts';
import type { AnswerBody, EphemeralEvent, Event, IceServer, OfferBody, SessionBody, StartBody } from './wire.ts';
import { VoiceError, problem, problemOf } from './words.ts';

/** ICE and DTLS need a quarter of a second; a network that needs this long has lost them. */
const CONNECT_WITHIN_MS = 10_000;
/** The server kills a bot five seconds after it asked it to end. */
const END_WITHIN_MS = 10_000;
const END_ATTEMPTS = 3;

/** What a call needs from the browser; a test brings its own. */
export interface Ports {
  openMicrophone: OpenMicrophone;
  openMedia: OpenMedia;
  openSpeaker: OpenSpeaker;
  openSocket: OpenSocket;
  watchLevel: WatchLevel;
  /** Calls back when a microphone was plugged in or out. Returns how to stop. */
  onDevices: (changed: () => void) => () => void;
  onWake: OnWake;
}

export interface CallOptions {
  ports: Ports;
  api: Api;
  streamUrl: string;
  /** Known from the configuration; the session's own replace them once it is known. */
  iceServers: readonly IceServer[];
  /** This page; of several pages of one visitor the newest has the voice. */
  participant: string;
  request: Omit<StartBody, 'offer'>;
  getState: () => VoiceState;
  dispatch: (action: Action) => void;
  onEvent: (event: Event) => void;
  onEphemeral: (event: EphemeralEvent) => void;
  onLevel: (level: number) => void;
  /** Nothing of this call runs any more. */
  onOver: () => void;
}

/** Carries an offer to the server, and its answer back. */
type Exchange = (offer: OfferBody) => Promise<AnswerBody | null>;

export class Call {
  readonly #options: CallOptions;
  /** Aborted when this page has no more part in the session. */
  readonly #life = new AbortController();
  readonly #speaker: Speaker;
  /** What `start` or `join` returned. */
  begun: Promise<void> = Promise.resolve();
  /** Settles when the session is known or cannot be had; never rejects. */
  #known: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;
  #reconnecting = false;
  /** The session waits for a place: there is nobody to connect to yet. */
  #isQueued = false;
  /** Whether this call made the session, so that it may also take it back. */
  #isOurs = false;
  #iceServers: readonly IceServer[];
  #sessionId: string | null = null;
  #stream: EventStream | null = null;
  #media: MediaLink | null = null;
  #microphone: MediaStream | null = null;
  #stopListening: () => void = () => undefined;

  constructor(options: CallOptions) {
    this.#options = options;
    this.#iceServers = options.iceServers;
    this.#speaker = options.ports.openSpeaker();
  }

  /** Whether nothing of this call runs any more. */
  get isOver(): boolean {
    return this.#life.signal.aborted;
  }

  /** Whether the session is being ended from here. */
  get isStopping(): boolean {
    return this.#stopping !== null;
  }

  /** Asks for the microphone and for a session at the same time. Never rejects. */
  start(): Promise<void> {
    return this.#begin(async (offer) => {
      const started = await this.#options.api.start({ ...this.#options.request, offer });
      this.#isOurs = !started.reused;
      // The page let go before anybody could talk: nobody would come for this bot.
      if (this.isOver && this.#isOurs) void this.#takeBack(started.session.sessionId);
      this.#enter(started.session, started.ticket);
      return started.answer ?? null;
    });
  }

  /** Returns to a session that goes on without this page. Never rejects. */
  join(session: SessionBody): Promise<void> {
    return this.#begin(async (offer) => {
      this.#enter(session);
      return this.#isQueued ? null : this.#options.api.offer(session.sessionId, offer);
    });
  }

  /**
   * Ends the session. Silence at once; resolves when the server says that it is over, or when it
   * could not be asked. Calling it again gives the same promise.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** Lets go of the session without ending it: the bot waits for a while. */
  leave(): void {
    this.#media?.leave();
    this.#finish({ type: 'left' });
  }

  /** The page goes away, perhaps to come back (a reload): only the bot is told. */
  announceLeaving(): void {
    this.#media?.leave();
  }

  /** Switches the microphone here at once, and tells the server until it knows. */
  async mute(muted: boolean, at: number): Promise<void> {
    this.#options.dispatch({ type: 'muted', muted, at });
    await this.#known;
    for (let attempt = 0; this.#sessionId && this.#options.getState().mutedAt === at; attempt++) {
      try {
        return await this.#options.api.mute(this.#sessionId, muted, at);
      } catch (error) {
        if (!(error instanceof ApiError) || !error.retryable) return;
        await pause(backoffMs(attempt), this.#life.signal).catch(() => undefined);
        if (this.isOver) return;
      }
    }
  }

  /** Pauses for a cause, or lifts it. Rejects with `ApiError`: who is heard is the server's to say. */
  async pause(paused: boolean, cause: PauseCause): Promise<void> {
    await this.#known;
    if (!this.#sessionId) return;
    await this.#options.api.pause(this.#sessionId, cause, paused);
  }

  /** Sends typed words to the assistant. Rejects with `VoiceError`. */
  async say(text: string): Promise<void> {
    await this.#known;
    if (!this.#sessionId || this.isOver || this.#stopping) throw new VoiceError(problem('no_session'));
    await this.#options.api.message(this.#sessionId, text);
  }

  /** Makes a refused sound heard; call from a click. */
  async unblockSound(): Promise<void> {
    this.#heard(await this.#speaker.unblock());
  }

  /** Ends this page's part: the voice was away for longer than it was waited for. */
  lose(): void {
    this.#finish({ type: 'failed', problem: problem('connection_lost'), unavailable: true });
  }

  /** Opens the microphone anew, as it is wished for now. Rejects, and keeps the old one, when it cannot. */
  async changeMicrophone(): Promise<void> {
    await this.begun;
    if (!this.#microphone) return;
    const microphone = await this.#options.ports.openMicrophone();
    if (this.isOver || this.#stopping || !this.#microphone) return stopTracks(microphone);
    this.#stopListening();
    this.#useMicrophone(microphone);
  }

  /** Makes microphone and voice what the state says of mute and pause. */
  applyMute(): void {
    const { muted, pauseCauses } = this.#options.getState();
    const isPaused = pauseCauses.length > 0;
    const track = this.#track();
    if (track) track.enabled = !muted && !isPaused;
    this.#speaker.setMuted(isPaused);
  }

  // ---- beginning

  #begin(exchange: Exchange): Promise<void> {
    this.#options.dispatch({ type: 'started' });
    const microphone = this.#openMicrophone();
    const session = this.#connect(exchange).catch((error: unknown) => {
      if (this.#stopping) return; // Whoever stops says how it ends.
      if (this.#sessionId && !isGone(error)) this.#mediaLost();
      else this.#fail(error);
    });
    // Stopping needs to know the session, but not whether the visitor allowed the microphone.
    this.#known = session;
    this.begun = Promise.all([session, microphone]).then(() => undefined);
    return this.begun;
  }

  /** The session is known: follow its events, and show what the server says of it. */
  #enter(session: SessionBody, ticket?: string): void {
    const { ports, api, streamUrl, dispatch } = this.#options;
    if (this.isOver) return;
    this.#sessionId = session.sessionId;
    this.#iceServers = session.room.iceServers;
    this.#isQueued = session.status === 'queued';
    dispatch({ type: 'session', session });
    let unused = ticket;
    this.#stream = new EventStream({
      url: streamUrl,
      openSocket: ports.openSocket,
      onWake: ports.onWake,
      sessionId: session.sessionId,
      ticket: async () => {
        const first = unused;
        unused = undefined;
        return first ?? (await api.ticket(session.sessionId)).ticket;
      },
      onEvent: (event) => this.#takeEvent(event),
      onEphemeral: (event) => {
        dispatch({ type: 'ephemeral', event });
        this.#options.onEphemeral(event);
      },
      onConnection: (connection) => dispatch({ type: 'connection', connection }),
      onGone: (error) => void this.#gone(error),
    });
  }

  #takeEvent(event: Event): void {
    this.#options.dispatch({ type: 'event', event });
    if (event.type === 'voice.session.end') this.#finish(null);
    if (this.#isQueued && this.#options.getState().serverStatus !== 'queued') void this.#comeIn();
    this.#options.onEvent(event);
  }

  /** There is a place now: the voice, whose offer nobody could answer before. */
  async #comeIn(): Promise<void> {
    const { api, dispatch } = this.#options;
    const id = this.#sessionId;
    this.#isQueued = false;
    if (this.isOver || this.#stopping || !id) return;
    dispatch({ type: 'media', media: 'connecting' });
    try {
      await this.#connect((offer) => api.offer(id, offer));
    } catch (error) {
      if (isGone(error)) await this.#gone(error as VoiceError);
      else this.#mediaLost();
    }
  }

  // ---- the voice

  /** Makes a connection whose offer travels by `exchange`. Resolves when the answer was taken. */
  async #connect(exchange: Exchange): Promise<void> {
    const link = this.#openMedia();
    await link.media.setMicrophone(this.#track());
    const offer = { id: randomId(), participant: this.#options.participant };
    link.offerId = offer.id;
    const answer = await exchange({ ...offer, sdp: await link.media.makeOffer() });
    if (this.#media !== link.media || this.isOver || this.#stopping) return;
    if (!answer && this.#isQueued) return this.#putDownMedia();
    if (!answer) throw new VoiceError(problem('media_failed'));
    await link.media.accept(answer.sdp);
    // Whether it connects is watched from here on, without holding up whoever waits for the answer.
    within(CONNECT_WITHIN_MS, link.connected, () => new Aborted()).catch(() => this.#mediaLost(link.media));
  }

  #openMedia() {
    const { ports, api, dispatch } = this.#options;
    this.#media?.close();
    const link = { offerId: '', connected: Promise.resolve(), media: null as unknown as MediaLink };
    link.connected = new Promise((resolve) => {
      link.media = ports.openMedia(this.#iceServers, {
        onConnected: () => {
          resolve();
          dispatch({ type: 'media', media: 'connected' });
        },
        onLost: () => this.#mediaLost(link.media),
        onMoved: () => this.#finish({ type: 'failed', problem: problem('moved'), unavailable: false }),
        onAudio: (audio) => void this.#speaker.play(audio).then((heard) => this.#heard(heard)),
        onCandidates: (candidates) => {
          if (!this.#sessionId) return;
          // ICE finds its way by the other candidates; the next offer brings these again.
          api.candidates(this.#sessionId, { offerId: link.offerId, candidates }).catch(() => undefined);
        },
      });
    });
    this.#media = link.media;
    return link;
  }

  /** What nobody answers for a while is not kept open: there will be another. */
  #putDownMedia(): void {
    this.#media?.close();
    this.#media = null;
    this.#options.dispatch({ type: 'media', media: 'none' });
  }

  /** The voice is gone while the session is not: a new connection, until there is one. */
  #mediaLost(which: MediaLink | null = this.#media): void {
    if (which !== this.#media || this.isOver || this.#stopping) return;
    this.#options.dispatch({ type: 'media', media: 'lost' });
    if (!this.#reconnecting) {
      this.#reconnecting = true;
      void this.#reconnect().finally(() => (this.#reconnecting = false));
    }
  }

  async #reconnect(): Promise<void> {
    const { api, getState } = this.#options;
    for (let attempt = 0; ; attempt++) {
      await pause(backoffMs(attempt), this.#life.signal).catch(() => undefined);
      const id = this.#sessionId;
      if (this.isOver || this.#stopping || !id) return;
      // A session that is ending takes its bot away; there is nothing to return to.
      if (getState().serverStatus === 'disconnecting') continue;
      try {
        return await this.#connect((offer) => api.offer(id, offer));
      } catch (error) {
        if (isGone(error)) return void this.#gone(error as VoiceError);
      }
    }
  }

  #heard(heard: boolean): void {
    if (!this.isOver) this.#options.dispatch({ type: 'sound', blocked: !heard });
  }

  // ---- the microphone

  async #openMicrophone(): Promise<void> {
    const { dispatch, ports } = this.#options;
    dispatch({ type: 'microphone', microphone: 'asking' });
    try {
      this.#useMicrophone(await ports.openMicrophone());
    } catch (error) {
      if (this.isOver || this.#stopping) return;
      const { code } = problemOf(error);
      dispatch({ type: 'microphone', microphone: stateOfRefusal(code) });
      await this.#giveUp(error);
    }
  }

  #useMicrophone(microphone: MediaStream): void {
    if (this.isOver || this.#stopping) return stopTracks(microphone);
    const { dispatch, ports, onLevel } = this.#options;
    this.#microphone = microphone;
    this.applyMute();
    dispatch({ type: 'microphone', microphone: 'granted' });
    this.#media?.setMicrophone(this.#track()).catch(() => this.#mediaLost());
    const smooth = createSmoother();
    const stopWatching = ports.watchLevel(microphone, (raw) => {
      const level = this.#track()?.enabled ? smooth(raw) : 0;
      onLevel(level);
      dispatch({ type: 'voice', voiceState: activityOf(level) });
    });
    const track = this.#track();
    const onEnded = () => this.#microphoneLost();
    track?.addEventListener('ended', onEnded, { once: true });
    this.#stopListening = () => {
      stopWatching();
      track?.removeEventListener('ended', onEnded);
      stopTracks(microphone);
      onLevel(0);
    };
  }

  /** Unplugged, or taken away by the system: the next one that can be had is used. */
  #microphoneLost(): void {
    const { dispatch, ports } = this.#options;
    this.#stopListening();
    this.#microphone = null;
    dispatch({ type: 'voice', voiceState: 'silent' });
    dispatch({ type: 'microphone', microphone: 'lost' });
    const retry = () =>
      ports.openMicrophone().then(
        (microphone) => {
          if (this.#microphone) return stopTracks(microphone); // Two changes at once, two answers.
          unsubscribe();
          this.#useMicrophone(microphone);
        },
        () => undefined, // None yet; the next change of devices asks again.
      );
    const unsubscribe = ports.onDevices(() => void retry());
    this.#stopListening = unsubscribe;
    void retry();
  }

  #track(): MediaStreamTrack | null {
    return this.#microphone?.getAudioTracks()[0] ?? null;
  }

  // ---- ending

  async #stop(): Promise<void> {
    if (this.isOver) return;
    this.#options.dispatch({ type: 'stopping' });
    this.#silence();
    await this.#known;
    if (this.isOver) return;
    if (!this.#sessionId) return this.#finish({ type: 'left' });
    try {
      await this.#endSession(this.#sessionId);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Asks the server to end the session and waits until it has. Rejects when it cannot be asked. */
  async #endSession(id: string): Promise<void> {
    const { api } = this.#options;
    const session = await this.#insist(() => api.end(id));
    if (this.isOver) return;
    if (!session.endedAt) await this.#endEvent();
    // The end event says it first, unless the events do not come through: then the server is asked.
    if (!this.isOver) this.#showEnd(session.endedAt ? session : await api.session(id));
  }

  /** Tries a command again while the server cannot be reached. A session that is gone has ended. */
  async #insist(command: () => Promise<SessionBody>): Promise<SessionBody> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await command();
      } catch (error) {
        const again = error instanceof ApiError && error.retryable && attempt < END_ATTEMPTS;
        if (!again || this.isOver) throw error;
        await pause(backoffMs(attempt), this.#life.signal).catch(() => undefined);
      }
    }
  }

  /** Resolves when the end event has arrived, or after the longest time that an end may take. */
  async #endEvent(): Promise<void> {
    await pause(END_WITHIN_MS, this.#life.signal).catch(() => undefined);
  }

  /** The stream or an offer was told that the session is no more: the server says why. */
  async #gone(error: VoiceError): Promise<void> {
    if (this.isOver) return;
    if (!isGone(error) || !this.#sessionId) return this.#fail(error);
    try {
      this.#showEnd(await this.#options.api.session(this.#sessionId));
    } catch {
      this.#fail(error);
    }
  }

  #showEnd(session: SessionBody): void {
    this.#finish({
      type: 'ended',
      end: { reason: session.reason ?? 'ended', message: session.message ?? '' },
    });
  }

  /** Without a microphone there is nothing to talk with: a session made for it is taken back. */
  async #giveUp(error: unknown): Promise<void> {
    this.#options.dispatch({ type: 'stopping' });
    this.#silence();
    this.#stopping = this.#known.then(async () => {
      const id = this.#sessionId;
      this.#fail(error);
      if (id && this.#isOurs) await this.#takeBack(id);
    });
    await this.#stopping;
  }

  async #takeBack(id: string): Promise<void> {
    await this.#options.api.end(id).catch(() => undefined); // Its join deadline ends it anyway.
  }

  #fail(error: unknown): void {
    // A stop that finds nothing to end has done what it was asked.
    if (this.#stopping && isGone(error)) return this.#finish({ type: 'left' });
    const unavailable = error instanceof ApiError && (error.status === 0 || error.status >= 500);
    this.#finish({ type: 'failed', problem: problemOf(error), unavailable });
  }

  /** Nobody hears and nobody is heard; events still arrive. */
  #silence(): void {
    this.#stopListening();
    this.#stopListening = () => undefined;
    this.#microphone = null;
    this.#media?.close();
    this.#media = null;
    this.#speaker.close();
  }

  /** The last step, taken once: everything is let go of, then the state says why. */
  #finish(last: Action | null): void {
    if (this.isOver) return;
    this.#life.abort();
    this.#silence();
    this.#stream?.close();
    if (last) this.#options.dispatch(last);
    this.#options.onOver();
  }
}

function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.isGone;
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}

/** 22 characters that nobody else will have; `randomUUID` exists on secure pages only. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (c) => ({ '+': '-', '/': '_' })[c] ?? '');
}
