/** One visit to one session: microphone, voice and events, from the click to the end. */

import { ApiError, type Api, type PauseCause } from './api.ts';
import { activityOf, createSmoother, type WatchLevel } from './level.ts';
import type { OpenMedia, RoomKind } from './media.ts';
import { stateOfRefusal, type OpenMicrophone } from './microphone.ts';
import type { OpenSpeaker, Speaker } from './speaker.ts';
import type { Action, VoiceState } from './state.ts';
import { EventStream, type OnWake, type OpenSocket } from './stream.ts';
import { isGone, isHopeless, Voice, wayInto, type Exchange } from './voice.ts';
import { backoffMs, pause } from './wait.ts';
import type { EphemeralEvent, Event, IceServer, SessionBody, StartBody } from './wire.ts';
import { VoiceError, problem, problemOf } from './words.ts';

/** The server kills a bot five seconds after it asked it to end. */
const END_WITHIN_MS = 10_000;
const END_ATTEMPTS = 3;
/** An end that could not be asked for is asked for later: for some five minutes, as long as a bot waits. */
const LATER_ATTEMPTS = 45;

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
  /** A microphone that is null is the business of the room's own interface. */
  ports: Omit<Ports, 'openMicrophone'> & { openMicrophone: () => Promise<MediaStream | null> };
  api: Api;
  streamUrl: string;
  /** Known from the configuration; the session's own replace them once it is known. */
  iceServers: readonly IceServer[];
  roomKind: RoomKind;
  /** This page; of several pages of one visitor the newest has the voice. */
  participant: string;
  request: Omit<StartBody, 'offer'>;
  getState: () => VoiceState;
  dispatch: (action: Action) => void;
  /** `isOld`: it happened before this page came (back) to the session. `own`: as the stream says. */
  onEvent: (event: Event, isOld: boolean, own: boolean) => void;
  onEphemeral: (event: EphemeralEvent) => void;
  onLevel: (level: number) => void;
  onMessage: (data: unknown, fromId: string) => void;
  /** The visitor has switched the microphone by a button of the room's own, or has left by one. */
  onMuted: (muted: boolean) => void;
  onLeft: () => void;
  /** Nothing of this call runs any more. */
  onOver: () => void;
}

export class Call {
  readonly #options: CallOptions;
  /** Aborted when this page has no more part in the session. */
  readonly #life = new AbortController();
  /** Aborted when an end that could not be asked for is not to be asked for any more. */
  readonly #later = new AbortController();
  readonly #speaker: Speaker;
  readonly #voice: Voice;
  /** What `start` or `join` returned. */
  begun: Promise<void> = Promise.resolve();
  /** Settles when the session is known or cannot be had; never rejects. */
  #known: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | null = null;
  /** The session waits for a place: there is nobody to connect to yet. */
  #isQueued = false;
  /** Whether this call made the session, so that it may also take it back. */
  #isOurs = false;
  #sessionId: string | null = null;
  #stream: EventStream | null = null;
  #microphone: MediaStream | null = null;
  #stopListening: () => void = () => undefined;

  constructor(options: CallOptions) {
    this.#options = options;
    this.#speaker = options.ports.openSpeaker();
    this.#voice = this.#makeVoice();
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
    return this.#begin(async () => {
      try {
        await this.#voice.connect(this.#startBy);
      } catch (error) {
        if (!takesNoOffers(error) || this.#voice.kind !== 'local') throw error;
        this.#voice.takeNoOffers();
        await this.#voice.connect(this.#startBy);
      }
    });
  }

  /** Returns to a session that goes on without this page. Never rejects. */
  join(session: SessionBody): Promise<void> {
    return this.#begin(async () => {
      this.#voice.use(session.room);
      await this.#voice.connect(async (offer) => {
        this.#enter(session);
        if (this.#isQueued) return null;
        const { api } = this.#options;
        return offer ? api.offer(session.sessionId, offer) : wayInto(await api.room(session.sessionId));
      });
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

  /** Another call begins: it may return to the session whose end could not be asked for. */
  makeWay(): void {
    this.#later.abort();
  }

  /** Lets go of the session without ending it: the bot waits for a while. */
  leave(): void {
    this.#voice.leave();
    this.#finish({ type: 'left' });
  }

  /** The page goes away, perhaps to come back (a reload): only the bot is told. */
  announceLeaving(): void {
    this.#voice.leave();
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

  /** Sends the bot a message of the application's, through the room. Throws `VoiceError`. */
  send(data: unknown): void {
    if (this.isOver || this.#stopping) throw new VoiceError(problem('no_session'));
    this.#voice.send(data);
  }

  /** Makes a refused sound heard; call from a click. */
  async unblockSound(): Promise<void> {
    this.#heard(await this.#speaker.unblock());
  }

  /** Ends this page's part: the voice was away for longer than it was waited for. */
  lose(): void {
    this.#finish({ type: 'failed', problem: this.#voice.trouble, unavailable: true });
  }

  /** Opens the microphone anew, as it is wished for now. Rejects, and keeps the old one, when it cannot. */
  async changeMicrophone(): Promise<void> {
    await this.begun;
    if (!this.#microphone) return;
    const microphone = await this.#options.ports.openMicrophone();
    if (!microphone) return;
    if (this.isOver || this.#stopping || !this.#microphone) return stopTracks(microphone);
    this.#stopListening();
    this.#useMicrophone(microphone);
  }

  /** Makes microphone and voice what the state says of mute and pause. */
  applyMute(): void {
    const isPaused = this.#options.getState().pauseCauses.length > 0;
    const track = this.#track();
    if (track) track.enabled = !this.#isSilent();
    this.#voice.setMuted(this.#isSilent());
    this.#speaker.setMuted(isPaused);
  }

  #isSilent(): boolean {
    const { muted, pauseCauses } = this.#options.getState();
    return muted || pauseCauses.length > 0;
  }

  // ---- beginning

  #begin(connect: () => Promise<void>): Promise<void> {
    this.#options.dispatch({ type: 'started' });
    const microphone = this.#openMicrophone();
    const session = connect().catch((error: unknown) => {
      if (this.#stopping) return; // Whoever stops says how it ends.
      if (this.#sessionId && isHopeless(error)) void this.#giveUp(error);
      else if (this.#sessionId && !isGone(error)) this.#voice.lost();
      else this.#fail(error);
    });
    // Stopping needs to know the session, but not whether the visitor allowed the microphone.
    this.#known = session;
    this.begun = Promise.all([session, microphone]).then(() => undefined);
    return this.begun;
  }

  /** Starts a session, with an offer where the room takes one. */
  #startBy: Exchange = async (offer) => {
    const { api, request } = this.#options;
    const started = await api.start({ ...request, ...(offer ? { offer } : {}) });
    this.#isOurs = !started.reused;
    // The page let go before anybody could talk: nobody would come for this bot.
    if (this.isOver && this.#isOurs) void this.#takeBack(started.session.sessionId);
    this.#enter(started.session, started.ticket);
    return started.answer ?? wayInto(started.session.room);
  };

  /** The session is known: follow its events, and show what the server says of it. */
  #enter(session: SessionBody, ticket?: string): void {
    const { ports, api, streamUrl, dispatch } = this.#options;
    if (this.isOver) return;
    this.#sessionId = session.sessionId;
    this.#voice.use(session.room);
    this.#isQueued = session.status === 'queued';
    const told = this.#isOurs ? 0 : session.lastSeq;
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
      onEvent: (event, own) => this.#takeEvent(event, event.seq <= told, own),
      onEphemeral: (event) => {
        dispatch({ type: 'ephemeral', event });
        this.#options.onEphemeral(event);
      },
      onConnection: (connection) => dispatch({ type: 'connection', connection }),
      onGone: (error) => void this.#gone(error),
    });
  }

  #takeEvent(event: Event, isOld: boolean, own: boolean): void {
    this.#options.dispatch({ type: 'event', event });
    if (event.type === 'voice.session.end') this.#finish(null);
    if (this.#isQueued && this.#options.getState().serverStatus !== 'queued') void this.#comeIn();
    this.#options.onEvent(event, isOld, own);
  }

  /** There is a place now: the voice, whose offer nobody could answer before. */
  async #comeIn(): Promise<void> {
    const id = this.#sessionId;
    this.#isQueued = false;
    if (this.isOver || this.#stopping || !id) return;
    this.#options.dispatch({ type: 'media', media: 'connecting' });
    try {
      await this.#voice.reach(id);
    } catch (error) {
      if (isGone(error)) await this.#gone(error as VoiceError);
      else if (isHopeless(error)) await this.#giveUp(error);
      else this.#voice.lost();
    }
  }

  // ---- the voice

  #makeVoice(): Voice {
    const { ports, api, iceServers, roomKind, participant, dispatch, onMessage, onMuted, onLeft } = this.#options;
    return new Voice({
      openMedia: ports.openMedia,
      ...{ api, iceServers, participant, onMessage, onMuted, onLeft },
      kind: roomKind,
      signal: this.#life.signal,
      sessionId: () => this.#sessionId,
      isWanted: () => !this.isOver && !this.#stopping,
      isQueued: () => this.#isQueued,
      isEnding: () => this.#options.getState().serverStatus === 'disconnecting',
      microphone: () => ({ track: this.#track(), muted: this.#isSilent() }),
      onState: (media) => dispatch({ type: 'media', media }),
      onAudio: (audio) => void this.#speaker.play(audio).then((heard) => this.#heard(heard)),
      onMoved: () => this.#finish({ type: 'failed', problem: problem('moved'), unavailable: false }),
      onGone: (error) => void this.#gone(error),
      onFailed: (error) => void this.#giveUp(error),
    });
  }

  #heard(heard: boolean): void {
    if (!this.isOver) this.#options.dispatch({ type: 'sound', blocked: !heard });
  }

  // ---- the microphone

  async #openMicrophone(): Promise<void> {
    const { dispatch, ports } = this.#options;
    dispatch({ type: 'microphone', microphone: 'asking' });
    try {
      const microphone = await ports.openMicrophone();
      if (microphone) this.#useMicrophone(microphone);
      else dispatch({ type: 'microphone', microphone: 'granted' });
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
    this.#voice.setMicrophone(this.#track());
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
          if (!microphone) return;
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
      if (mayWorkLater(error)) void this.#endLater(this.#sessionId).catch(() => undefined);
    }
  }

  /** Stop was pressed while the server was out of reach: it ends the session yet, unless the visitor is back in it. */
  async #endLater(id: string): Promise<void> {
    const { api } = this.#options;
    for (let attempt = END_ATTEMPTS; attempt < LATER_ATTEMPTS; attempt++) {
      await pause(backoffMs(attempt), this.#later.signal);
      try {
        if ((await api.session(id)).userPresent) continue;
        if (!this.#later.signal.aborted) await api.end(id);
        return;
      } catch (error) {
        if (!mayWorkLater(error)) return;
      }
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
        const again = mayWorkLater(error) && attempt < END_ATTEMPTS;
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
    this.#voice.close();
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

/** The server's rooms are not local ones, which its configuration would have told. */
function takesNoOffers(error: unknown): boolean {
  return error instanceof ApiError && error.problem.code === 'unsupported_transport';
}

function mayWorkLater(error: unknown): boolean {
  return error instanceof ApiError && error.retryable;
}

function stopTracks(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
