/** Daily's rooms in a test's own memory: who is in them, and what goes wrong. */

import type { DailyFatalType } from '../transports/daily-js.ts';
import { DailyRefusal, type DailyPerson, type DailySeat, type DailySide, type DailyTold } from './daily-side.ts';

interface Guest {
  person: DailyPerson;
  tell: (told: DailyTold) => void;
}

let people = 0;

/** Somebody in a room whom the test plays: the bot, or another person. */
export class FakeDailyGuest {
  readonly #rooms: FakeDailyRooms;
  readonly #url: string;
  readonly person: DailyPerson;
  /** What the others sent them, oldest first. */
  readonly heard: unknown[] = [];

  constructor(rooms: FakeDailyRooms, url: string, userName: string) {
    this.#rooms = rooms;
    this.#url = url;
    this.person = { id: `guest-${++people}`, userId: userName, userName };
  }

  say(data: unknown, to = '*'): void {
    this.#rooms.pass(this.#url, this.person.id, data, to);
  }

  /** Begins to be heard. */
  speak(track: MediaStreamTrack): void {
    this.#rooms.tellOthers(this.#url, this.person.id, { type: 'audio', id: this.person.id, track });
  }

  leave(): void {
    this.#rooms.leave(this.#url, this.person.id);
  }
}

/**
 * Any room whose address ends in a name is there, for two, and private. As in Greenroom's rooms, all
 * tokens are one user's, and who comes in again puts out their own older connection.
 */
export class FakeDailyRooms implements DailySide {
  /** How many find a place in one room. */
  places = 2;
  /** The tokens that open a room; null: any. */
  tokens: string[] | null = null;
  /** Nobody gets in any more, for this reason; null: they do. */
  refuses: DailyFatalType | null = null;
  readonly #rooms = new Map<string, Map<string, Guest>>();
  #held: Promise<void> = Promise.resolve();

  /** Who is in the room now. */
  inside(url: string): DailyPerson[] {
    return [...this.#room(url).values()].map(({ person }) => person);
  }

  /** Whoever joins waits at the door. Returns what lets them in. */
  hold(): () => void {
    let release = () => undefined as void;
    this.#held = new Promise((resolve) => (release = resolve));
    return release;
  }

  /** A guest of the test's own comes in; rules are for pages. */
  invite(url: string, userName: string): FakeDailyGuest {
    const guest = new FakeDailyGuest(this, url, userName);
    const tell = (told: DailyTold) => {
      if (told.type === 'message') guest.heard.push(told.data);
    };
    this.#enter(url, { person: guest.person, tell });
    return guest;
  }

  /** Puts somebody out. */
  put(url: string, id: string, why: DailyFatalType = 'ejected'): void {
    const guest = this.#room(url).get(id);
    this.leave(url, id);
    guest?.tell({ type: 'out', why });
  }

  async join(url: string, token: string | null, userName: string | null, tell: (told: DailyTold) => void): Promise<DailySeat> {
    await this.#held;
    if (this.refuses) throw new DailyRefusal(this.refuses);
    if (token === null || (this.tokens !== null && !this.tokens.includes(token))) throw new DailyRefusal('not-allowed');
    for (const { id, userId } of this.inside(url)) if (userId === 'user') this.put(url, id);
    const others = this.inside(url);
    if (others.length >= this.places) throw new DailyRefusal('meeting-full');
    const me = { id: `person-${++people}`, userId: 'user', userName: userName ?? 'user' };
    this.#enter(url, { person: me, tell });
    return {
      me,
      others,
      say: (data, to) => this.pass(url, me.id, data, to),
      leave: async () => this.leave(url, me.id),
    };
  }

  leave(url: string, id: string): void {
    if (this.#room(url).delete(id)) this.tellOthers(url, id, { type: 'left', id });
  }

  /** Passes a message on to the others; nobody hears their own. */
  pass(url: string, fromId: string, data: unknown, to: string): void {
    for (const [id, { tell }] of this.#room(url))
      if (id !== fromId && (to === '*' || to === id)) tell({ type: 'message', data: structuredClone(data), fromId });
  }

  tellOthers(url: string, id: string, told: DailyTold): void {
    for (const [other, { tell }] of this.#room(url)) if (other !== id) tell(told);
  }

  #enter(url: string, guest: Guest): void {
    this.tellOthers(url, guest.person.id, { type: 'joined', person: guest.person });
    this.#room(url).set(guest.person.id, guest);
  }

  #room(url: string): Map<string, Guest> {
    const room = this.#rooms.get(url) ?? new Map<string, Guest>();
    this.#rooms.set(url, room);
    return room;
  }
}
