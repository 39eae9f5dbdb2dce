/** The voice: one connection between this page and the bot, whatever carries it. */

import type { Candidate, IceServer } from './wire.ts';

/** What a connection tells its owner. After `close()` it says nothing more. */
export interface MediaHandlers {
  /** Candidates that were found after the offer was made. */
  onCandidates(candidates: Candidate[]): void;
  onConnected(): void;
  /** The voice is gone; this connection will not come back. */
  onLost(): void;
  /** Another page of the same visitor has taken over. */
  onMoved(): void;
  onAudio(audio: MediaStream): void;
}

export interface MediaLink {
  /** Makes the SDP offer. Call once. */
  makeOffer(): Promise<string>;
  accept(answerSdp: string): Promise<void>;
  /** Sends this track from now on; null: nothing. Good before and after the offer. */
  setMicrophone(track: MediaStreamTrack | null): Promise<void>;
  /** Tells the bot that this page goes away, so that it need not wait to find out. */
  leave(): void;
  close(): void;
}

export type OpenMedia = (iceServers: readonly IceServer[], handlers: MediaHandlers) => MediaLink;
