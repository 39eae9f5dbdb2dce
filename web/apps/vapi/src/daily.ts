/**
 * What stands where VAPI's SDK imports Daily: the real one, or, with `?people=…`, a double of its call
 * object that joins the stand-in's rooms over HTTP. It has what the SDK uses, and refuses what Daily does.
 */
import Daily from 'real-daily-js';

const people = new URLSearchParams(location.search).get('people');
const MAX_MESSAGE_CHARS = 4_096;

interface Person {
  id: string;
  userName: string;
}

interface Told {
  joined?: Person;
  left?: Person;
  message?: unknown;
  sender?: string;
  levels?: Record<string, number>;
  out?: string;
}

type Handler = (event: unknown) => void;

let living = 0;

class Call {
  readonly #handlers = new Map<string, Set<Handler>>();
  #me: Person | null = null;
  #isDestroyed = false;
  #hasAudio = true;
  #isWatched = false;

  constructor() {
    if (living > 0) throw new Error('Duplicate DailyIframe instances are not allowed');
    living += 1;
  }

  iframe(): null {
    return null;
  }

  on(name: string, handler: Handler): this {
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(handler));
    return this;
  }

  once(name: string, handler: Handler): this {
    const first: Handler = (event) => {
      this.#handlers.get(name)?.delete(first);
      handler(event);
    };
    return this.on(name, first);
  }

  async join(options: { url: string; token?: string }): Promise<object> {
    if ('token' in options && typeof options.token !== 'string') throw new Error('token should be a string');
    if (this.#isDestroyed) throw new Error('Use after destroy');
    const room = new URL(options.url).pathname.slice(1);
    const answer = await ask(`join/${room}`, { token: options.token ?? null });
    const { me, others } = (await answer.json()) as { me: Person; others: Person[] };
    this.#me = me;
    this.#tell('joined-meeting', {});
    for (const person of others) this.#meet(person);
    void this.#follow(me.id);
    return {};
  }

  sendAppMessage(data: unknown): void {
    if (!this.#me) throw new Error('sendAppMessage() only supported after join.');
    if (JSON.stringify(data).length > MAX_MESSAGE_CHARS) throw new Error(`Message data too large. Max size is ${MAX_MESSAGE_CHARS}`);
    void ask(`say/${this.#me.id}`, { data });
  }

  setLocalAudio(enabled: boolean): void {
    this.#hasAudio = enabled;
  }

  localAudio(): boolean {
    return this.#hasAudio;
  }

  updateParticipant(): void {
    // Whose tracks it gets is all the same here.
  }

  async updateInputSettings(): Promise<object> {
    return {};
  }

  async startRemoteParticipantsAudioLevelObserver(): Promise<void> {
    this.#isWatched = true;
  }

  async destroy(): Promise<void> {
    if (this.#isDestroyed) return;
    await this.#leave();
    this.#isDestroyed = true;
    living -= 1;
  }

  async #leave(): Promise<void> {
    const me = this.#me;
    if (!me) return;
    this.#me = null;
    await ask(`leave/${me.id}`, {});
    this.#tell('left-meeting', {});
  }

  async #follow(id: string): Promise<void> {
    while (this.#me?.id === id) {
      const answer = await fetch(`${people}/happened/${id}`);
      for (const told of (await answer.json()) as Told[]) this.#hear(told);
    }
  }

  #hear(told: Told): void {
    if (!this.#me) return;
    if (told.joined) this.#meet(told.joined);
    else if (told.left) this.#tell('participant-left', { participant: participant(told.left) });
    else if (told.levels && this.#isWatched) this.#tell('remote-participants-audio-level', { participantsAudioLevel: told.levels });
    else if (told.message !== undefined) this.#tell('app-message', { data: told.message, fromId: told.sender });
    else if (told.out) {
      this.#me = null;
      this.#tell('error', { errorMsg: told.out, error: { type: told.out } });
      this.#tell('left-meeting', {});
    }
  }

  #meet(person: Person): void {
    this.#tell('participant-joined', { participant: participant(person) });
    const sound = new AudioContext().createMediaStreamDestination().stream.getAudioTracks()[0];
    this.#tell('track-started', { participant: participant(person), track: sound, type: 'audio' });
  }

  #tell(action: string, event: object): void {
    for (const handler of [...(this.#handlers.get(action) ?? [])]) handler({ action, ...event });
  }
}

function participant({ id, userName }: Person): object {
  return { session_id: id, user_name: userName, local: false };
}

async function ask(path: string, body: object): Promise<Response> {
  const answer = await fetch(`${people}/${path}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

const double = { createCallObject: () => new Call() };

export default people ? double : Daily;
