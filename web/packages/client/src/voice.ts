/** The voice of one call: connected as its room wants it, and again for as long as it is wanted. */

import { ApiError, type Api } from './api.ts';
import { randomHex } from './id.ts';
import type { MediaHandlers, MediaLink, OpenMedia, RoomKind, WayIn } from './media.ts';
import type { MediaState } from './state.ts';
import { Aborted, backoffMs, pause, within } from './wait.ts';
import type { IceServer, OfferBody, RoomBody } from './wire.ts';
import { VoiceError, problem, type VoiceProblem } from './words.ts';

/**
 * ICE and DTLS need a quarter of a second; a network that needs ten has lost them. Daily's code
 * is loaded first, from its own servers: so long a bot is waited for, too.
 */
const CONNECT_WITHIN_MS: Record<RoomKind, number> = { local: 10_000, daily: 30_000 };
/** What trying again does not help, or not more often than this. */
const MOST_TRIES: Record<string, number> = { daily_missing: 1, daily_failed: 1, room_outdated: 1, room_refused: 3 };

/** Carries an offer to the server where the room takes one, and brings back by what to connect. */
export type Exchange = (offer: OfferBody | null) => Promise<WayIn | null>;

export interface VoiceOptions {
  openMedia: OpenMedia;
  api: Api;
  /** This page; of several pages of one visitor the newest has the voice. */
  participant: string;
  /** Until the session says. */
  kind: RoomKind;
  iceServers: readonly IceServer[];
  /** Aborted when this page has no more part in the session. */
  signal: AbortSignal;
  /** The session, once it is known. */
  sessionId: () => string | null;
  /** Whether a voice is wanted at all: not while the session is being ended. */
  isWanted: () => boolean;
  /** Whether nobody is there to connect to yet: the session waits for a place. */
  isQueued: () => boolean;
  /** Whether the session is ending, and takes its bot away. */
  isEnding: () => boolean;
  microphone: () => { track: MediaStreamTrack | null; muted: boolean };
  onState: (media: MediaState) => void;
  onAudio: (audio: MediaStream) => void;
  onMessage: MediaHandlers['onMessage'];
  onMuted: MediaHandlers['onMuted'];
  onMoved: () => void;
  onLeft: () => void;
  /** There is nothing to connect to any more; the server says why. */
  onGone: (error: VoiceError) => void;
  /** It cannot be connected, whatever is tried. */
  onFailed: (error: VoiceError) => void;
}

export class Voice {
  readonly #options: VoiceOptions;
  #kind: RoomKind;
  #iceServers: readonly IceServer[];
  #link: MediaLink | null = null;
  #reconnecting = false;
  /** How often it was tried since it was last connected. */
  #tries = 0;
  /** Why it was lost last, and how often for that. */
  #trouble: { problem: VoiceProblem; times: number } | null = null;

  constructor(options: VoiceOptions) {
    this.#options = options;
    this.#kind = options.kind;
    this.#iceServers = options.iceServers;
  }

  get kind(): RoomKind {
    return this.#kind;
  }

  /** Why it was lost, for whoever gives it up. */
  get trouble(): VoiceProblem {
    return this.#trouble?.problem ?? problem('connection_lost');
  }

  /** The session's room is known. */
  use(room: RoomBody): void {
    this.#kind = room.kind ?? 'local';
    this.#iceServers = room.iceServers ?? [];
  }

  /** The server takes no offers, as its configuration would have said: the next connection is made without. */
  takeNoOffers(): void {
    this.#kind = 'daily';
  }

  /** Makes a connection by what `exchange` brings. Resolves when that was taken. */
  async connect(exchange: Exchange): Promise<void> {
    const { microphone, participant, isWanted, isQueued } = this.#options;
    const { link, connected, offerIs } = this.#open();
    const { track, muted } = microphone();
    await link.setMicrophone(track);
    link.setMuted(muted);
    const sdp = await link.makeOffer();
    const offer = sdp === null ? null : { id: randomHex(), participant, sdp };
    if (offer) offerIs(offer.id);
    const way = await exchange(offer);
    if (this.#link !== link || !isWanted()) return;
    if (!way && isQueued()) return this.putDown();
    if (!way) throw new VoiceError(problem('media_failed'));
    await link.accept(way);
    // Whether it connects is watched from here on, without holding up whoever waits for the answer.
    within(CONNECT_WITHIN_MS[this.#kind], connected, () => new Aborted()).catch(() => this.lost(link));
  }

  /** Connects to a session that is there already. */
  reach(id: string): Promise<void> {
    const { api } = this.#options;
    return this.connect(async (offer) => (offer ? api.offer(id, offer) : wayInto(await api.room(id))));
  }

  setMicrophone(track: MediaStreamTrack | null): void {
    const link = this.#link;
    link?.setMicrophone(track).catch(() => this.lost(link));
  }

  setMuted(muted: boolean): void {
    this.#link?.setMuted(muted);
  }

  /** Throws `VoiceError`. */
  send(data: unknown): void {
    if (!this.#link) throw new VoiceError(problem('no_session'));
    this.#link.send(data);
  }

  leave(): void {
    this.#link?.leave();
  }

  close(): void {
    this.#link?.close();
    this.#link = null;
  }

  /** What nobody answers for a while is not kept open: there will be another. */
  putDown(): void {
    this.close();
    this.#options.onState('none');
  }

  /** The voice is gone while the session is not: a new connection, until there is one. */
  lost(which: MediaLink | null = this.#link, why = problem('connection_lost')): void {
    if (which !== this.#link || !this.#options.isWanted()) return;
    const times = this.#trouble?.problem.code === why.code ? this.#trouble.times + 1 : 1;
    this.#trouble = { problem: why, times };
    if (times >= (MOST_TRIES[why.code] ?? Infinity)) return this.#options.onFailed(new VoiceError(why));
    this.#options.onState('lost');
    if (this.#reconnecting) return;
    this.#reconnecting = true;
    void this.#reconnect().finally(() => (this.#reconnecting = false));
  }

  async #reconnect(): Promise<void> {
    const { signal, isWanted, isEnding, sessionId, onGone, onFailed } = this.#options;
    for (;;) {
      await pause(backoffMs(this.#tries++), signal).catch(() => undefined);
      const id = sessionId();
      if (!isWanted() || !id) return;
      // A session that is ending takes its bot away; there is nothing to return to.
      if (isEnding()) continue;
      try {
        return await this.reach(id);
      } catch (error) {
        if (isGone(error)) return onGone(error as VoiceError);
        if (isHopeless(error)) return onFailed(error);
      }
    }
  }

  #open(): { link: MediaLink; connected: Promise<void>; offerIs: (id: string) => void } {
    const { openMedia, api, sessionId, onState, onAudio, onMessage, onMuted, onMoved, onLeft } = this.#options;
    this.#link?.close();
    let offerId = '';
    let arrived = () => undefined as void;
    const connected = new Promise<void>((resolve) => (arrived = resolve));
    const link: MediaLink = openMedia(
      this.#iceServers,
      {
        onConnected: () => {
          this.#tries = 0;
          this.#trouble = null;
          arrived();
          onState('connected');
        },
        onInterrupted: () => onState('lost'),
        onLost: (why) => this.lost(link, why),
        onEjected: () => void this.#ejected(link),
        onCandidates: (candidates) => {
          const id = sessionId();
          // ICE finds its way by the other candidates; the next offer brings these again.
          if (id) api.candidates(id, { offerId, candidates }).catch(() => undefined);
        },
        ...{ onAudio, onMessage, onMuted, onMoved, onLeft },
      },
      this.#kind,
    );
    this.#link = link;
    return { link, connected, offerIs: (id) => (offerId = id) };
  }

  /** Put out of the room: for good when the session is over, and because another page came in when it is not. */
  async #ejected(link: MediaLink): Promise<void> {
    const { api, sessionId, isWanted, onState, onMoved, onGone } = this.#options;
    const id = sessionId();
    if (this.#link !== link || !isWanted() || !id) return;
    onState('lost');
    try {
      const session = await api.session(id);
      if (this.#link !== link || !isWanted()) return;
      if (session.endedAt) onGone(new ApiError(410, 'session_ended', false));
      else if (session.status === 'disconnecting') this.lost(link); // Its end is told in a moment.
      else onMoved();
    } catch (error) {
      if (isGone(error)) onGone(error as VoiceError);
      else this.lost(link);
    }
  }
}

/** By what to join this room; null: it takes offers, or there is no place in it yet. */
export function wayInto({ url, token }: RoomBody): WayIn | null {
  return url && token ? { url, token } : null;
}

export function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.isGone;
}

/** Whether this page cannot connect at all, as it is. */
export function isHopeless(error: unknown): error is VoiceError {
  return error instanceof VoiceError && MOST_TRIES[error.problem.code] === 1;
}
