/** Daily's rooms as `greenroom stand-in daily` plays them, reached over HTTP from a page. */

import type { DailyFatalType } from '../transports/daily-js.ts';
import { DailyRefusal, type DailyPerson, type DailySeat, type DailySide, type DailyTold } from './daily-side.ts';

/** How often it is asked what happened; nothing is pushed. */
const LOOK_EVERY_MS = 150;

interface Looked {
  others: DailyPerson[];
  messages: { data: unknown; fromId: string }[];
  out: DailyFatalType | null;
}

export class DailyStandInSide implements DailySide {
  readonly #address: string;

  /** `address`: the stand-in's, with or without the `/v1` of its API: `http://127.0.0.1:8650`. */
  constructor(address: string) {
    this.#address = address.replace(/\/(v1\/?)?$/, '');
  }

  async join(url: string, token: string | null, userName: string | null, tell: (told: DailyTold) => void): Promise<DailySeat> {
    const room = `${this.#address}/people/${new URL(url).pathname.slice(1)}`;
    const answer = await ask('POST', room, { ...(token === null ? {} : { token }), ...(userName === null ? {} : { userName }) });
    if (answer.status === 403) throw new DailyRefusal(((await answer.json()) as { why: DailyFatalType }).why);
    const { me, others } = (await answer.json()) as { me: DailyPerson; others: DailyPerson[] };
    const seat = `${room}/${me.id}`;
    const stop = follow(seat, others, tell);
    return {
      me,
      others,
      say: (data, to) => void ask('POST', `${seat}/say`, { data, to }).catch(() => undefined),
      async leave() {
        stop();
        await ask('DELETE', seat).catch(() => undefined);
      },
    };
  }
}

/** Looks what has become of the room, until told to stop. A look that fails is followed by the next. */
function follow(seat: string, others: DailyPerson[], tell: (told: DailyTold) => void): () => void {
  let known = others;
  let heard = 0;
  let isOver = false;
  const look = async () => {
    const looked = (await (await ask('GET', `${seat}?heard=${heard}`)).json()) as Looked;
    if (isOver) return;
    for (const person of looked.others.filter(({ id }) => !known.some((one) => one.id === id))) tell({ type: 'joined', person });
    for (const { id } of known.filter((one) => !looked.others.some((other) => other.id === one.id))) tell({ type: 'left', id });
    known = looked.others;
    heard += looked.messages.length;
    for (const message of looked.messages) tell({ type: 'message', ...message });
    if (looked.out === null) return;
    isOver = true;
    tell({ type: 'out', why: looked.out });
  };
  const run = async () => {
    while (!isOver) {
      await look().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  };
  void run();
  return () => (isOver = true);
}

/** `keepalive`: a page that goes away still says that it leaves. */
function ask(method: string, url: string, body?: object): Promise<Response> {
  return fetch(url, { method, keepalive: true, ...(body ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) } : {}) });
}
