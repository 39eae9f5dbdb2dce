/** Daily's side of a call, as `FakeDaily` needs it: whoever plays it, in memory or over HTTP. */

import type { DailyFatalType } from '../transports/daily-js.ts';

/** Somebody in a room, as the others see them. */
export interface DailyPerson {
  id: string;
  userId: string;
  userName: string;
}

/** What a room tells somebody who is in it. */
export type DailyTold =
  | { type: 'joined'; person: DailyPerson }
  | { type: 'left'; id: string }
  | { type: 'message'; data: unknown; fromId: string }
  /** Somebody's sound can be heard from now on. */
  | { type: 'audio'; id: string; track: MediaStreamTrack }
  /** They are out, and why. */
  | { type: 'out'; why: DailyFatalType };

/** One stay in a room. */
export interface DailySeat {
  me: DailyPerson;
  others: DailyPerson[];
  say(data: unknown, to: string): void;
  leave(): Promise<void>;
}

export interface DailySide {
  /** Lets somebody in. Rejects with `DailyRefusal`. */
  join(url: string, token: string | null, userName: string | null, tell: (told: DailyTold) => void): Promise<DailySeat>;
}

/** Somebody does not get in; `why` is daily-js's type of the error that a page is told. */
export class DailyRefusal extends Error {
  override name = 'DailyRefusal';
  readonly why: DailyFatalType;

  constructor(why: DailyFatalType) {
    super(why);
    this.why = why;
  }
}
