/** The voice: one connection between this page and the bot, whatever carries it. */

import type { Candidate, IceServer, RoomBody } from './wire.ts';
import type { VoiceProblem } from './words.ts';

export type RoomKind = RoomBody['kind'] & string;

/** What a connection tells its owner. After `close()` it says nothing more. */
export interface MediaHandlers {
  /** Candidates that were found after the offer was made. */
  onCandidates(candidates: Candidate[]): void;
  /** The voice is there, for the first time or again. */
  onConnected(): void;
  /** The voice is away, and this connection may yet bring it back. */
  onInterrupted(): void;
  /** The voice is gone; this connection will not come back. `why`, where more is known than that. */
  onLost(why?: VoiceProblem): void;
  /** Another page of the same visitor has taken over. */
  onMoved(): void;
  /** The room has put this page out: another page came in, or the session is over. The server knows which. */
  onEjected(): void;
  /** The visitor has left by a button of the room's own. */
  onLeft(): void;
  /** The visitor has switched the microphone by a button of the room's own. */
  onMuted(muted: boolean): void;
  onAudio(audio: MediaStream): void;
  /** The bot has sent a message of the application's. `fromId`: who it is in the room. */
  onMessage(data: unknown, fromId: string): void;
}

/** What the server gave to connect by: the answer to an offer, or a room and what opens it. */
export type WayIn = { sdp: string } | { url: string; token: string };

export interface MediaLink {
  /** Makes the SDP offer; null where the room takes none. Call once. */
  makeOffer(): Promise<string | null>;
  /** Connects; resolves before it is connected, which the handlers are told. */
  accept(way: WayIn): Promise<void>;
  /** Sends this track from now on; null: nothing. Good before and after the offer. */
  setMicrophone(track: MediaStreamTrack | null): Promise<void>;
  /** Shows in the room that the microphone is off. That nothing is heard is the track's to do, if it is ours. */
  setMuted(muted: boolean): void;
  /** Sends the bot a message of the application's. Throws `VoiceError` when it cannot. */
  send(data: unknown): void;
  /** Tells the bot that this page goes away, so that it need not wait to find out. */
  leave(): void;
  close(): void;
}

export type OpenMedia = (iceServers: readonly IceServer[], handlers: MediaHandlers, kind?: RoomKind) => MediaLink;
