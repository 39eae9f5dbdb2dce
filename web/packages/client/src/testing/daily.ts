/**
 * A double of daily-js: the part of its call object that speaks, joins, hears and refuses. What
 * daily-js 0.90 refuses, it refuses in the same words; the client's tests hold both to one contract.
 */

import type { DailyCallLike, DailyEvents, DailyFactoryLike, DailyFatalType, DailyJoin, DailyMaking } from '../transports/daily-js.ts';
import { FakeDailyRooms } from './daily-rooms.ts';
import { DailyRefusal, type DailyPerson, type DailySeat, type DailySide, type DailyTold } from './daily-side.ts';

const MAX_MESSAGE_CHARS = 4_096;
/** The properties that it knows, of the many that daily-js does: what it would warn of, it warns of. */
const PROPERTIES = [
  ...['url', 'token', 'userName', 'audioSource', 'videoSource', 'startAudioOff', 'startVideoOff', 'dailyConfig'],
  ...['subscribeToTracksAutomatically', 'allowMultipleCallInstances', 'strictMode', 'iframeStyle', 'layout'],
];

type MeetingState = 'new' | 'loading' | 'loaded' | 'joining-meeting' | 'joined-meeting' | 'left-meeting' | 'error';
type Properties = DailyJoin & Partial<DailyMaking> & { userName?: string };
type Handler = (event: never) => void;

/** `Daily`, the module: makes call objects, and frames with Prebuilt in them. */
export class FakeDaily implements DailyFactoryLike {
  /** Every call that was made, oldest first. */
  readonly calls: FakeDailyCall[] = [];
  /** The visitor is still being asked for the microphone when a call is joined. */
  asksForMicrophone = false;
  readonly #side: DailySide;

  constructor(side: DailySide = new FakeDailyRooms()) {
    this.#side = side;
  }

  /** Those that were not destroyed. */
  get living(): FakeDailyCall[] {
    return this.calls.filter((call) => !call.isDestroyed());
  }

  /** The newest. */
  get call(): FakeDailyCall | undefined {
    return this.calls.at(-1);
  }

  createCallObject = (properties: Properties = {}): FakeDailyCall => this.#make(null, properties);

  createFrame = (parent: HTMLElement, properties: Properties = {}): FakeDailyCall => {
    const frame = document.createElement('iframe');
    parent.append(frame);
    try {
      return this.#make(frame, properties);
    } catch (error) {
      frame.remove();
      throw error;
    }
  };

  getCallInstance = (): FakeDailyCall | undefined => this.living[0];

  #make(frame: HTMLIFrameElement | null, properties: Properties): FakeDailyCall {
    if (this.living.length > 0 && !properties.allowMultipleCallInstances)
      throw new Error('Duplicate DailyIframe instances are not allowed');
    const call = new FakeDailyCall(this.#side, frame, properties, this.asksForMicrophone);
    this.calls.push(call);
    return call;
  }
}

export class FakeDailyCall implements DailyCallLike {
  /** What it was made with and told since: the newest of each. */
  properties: Properties = {};
  /** The address of the frame, once it loads. */
  frameUrl: string | null = null;
  readonly #side: DailySide;
  readonly #frame: HTMLIFrameElement | null;
  readonly #handlers = new Map<string, Set<Handler>>();
  readonly #others = new Map<string, DailyPerson>();
  #state: MeetingState = 'new';
  #isDestroyed = false;
  readonly #asksForMicrophone: boolean;
  #seat: DailySeat | null = null;
  #hasAudio = false;

  constructor(side: DailySide, frame: HTMLIFrameElement | null, properties: Properties, asksForMicrophone = false) {
    this.#asksForMicrophone = asksForMicrophone;
    this.#side = side;
    this.#frame = frame;
    this.#set(properties);
  }

  // ---- what daily-js has

  meetingState(): MeetingState {
    return this.#state;
  }

  isDestroyed(): boolean {
    return this.#isDestroyed;
  }

  iframe(): HTMLIFrameElement | null {
    return this.#frame;
  }

  localAudio(): boolean | null {
    return this.#seat ? this.#hasAudio : null;
  }

  participants(): Record<string, ReturnType<FakeDailyCall['local']>> {
    const others = [...this.#others.values()].map((person) => [person.id, participant(person, false, true)] as const);
    return { ...(this.#seat ? { local: this.local() } : {}), ...Object.fromEntries(others) };
  }

  async load(properties: Properties = {}): Promise<void> {
    this.#mustLive();
    if (!['new', 'left-meeting', 'error'].includes(this.#state)) return;
    this.#set(properties);
    if (this.#frame && !this.properties.url) throw new Error("can't load iframe meeting because url property isn't set");
    this.#state = 'loading';
    this.#tell('loading', {});
    // As daily-js makes it: a token that is known by now would stand in it.
    const { url, token } = this.properties;
    if (this.#frame) this.frameUrl = `${url ?? ''}${token === undefined ? '' : `?t=${token}`}`;
    await Promise.resolve();
    if (this.#state !== 'loading') throw new Error('left while loading');
    this.#state = 'loaded';
    this.#tell('loaded', {});
  }

  async join(properties: Properties = {}): Promise<unknown> {
    if (!properties.url && !this.properties.url) {
      console.error('No room URL has been provided');
      throw new Error('No room URL has been provided');
    }
    this.#mustLive();
    if (this.#state === 'joined-meeting' || this.#state === 'joining-meeting') {
      console.warn('already joined meeting, call leave() before joining again');
      return undefined;
    }
    if (this.#state !== 'loaded') await this.load(properties);
    else this.#set(properties);
    this.#state = 'joining-meeting';
    this.#tell('joining-meeting', {});
    return this.#enter();
  }

  async leave(): Promise<void> {
    if (this.#isDestroyed || this.#state === 'left-meeting' || this.#state === 'error') return;
    // A frame that has not joined answers nothing, and daily-js waits for its answer.
    if (this.#frame && this.#state !== 'joined-meeting') return new Promise(() => undefined);
    await this.#goOut('left-meeting');
  }

  async destroy(): Promise<void> {
    await this.leave();
    this.#frame?.remove();
    this.#isDestroyed = true;
    this.#tell('call-instance-destroyed', {});
  }

  setLocalAudio(enabled: boolean): this {
    this.#mustLive();
    if (!this.#seat || this.#hasAudio === enabled) return this;
    this.#hasAudio = enabled;
    this.#tell('participant-updated', { participant: this.local() });
    return this;
  }

  async setInputDevicesAsync(devices: { audioSource?: MediaStreamTrack | false }): Promise<object> {
    this.#mustLive();
    this.#set(devices.audioSource ? { audioSource: devices.audioSource } : {});
    return {};
  }

  sendAppMessage(data: unknown, to = '*'): this {
    if (this.#state !== 'joined-meeting') {
      console.error('sendAppMessage() only supported after join.');
      throw new Error('sendAppMessage() only supported after join.');
    }
    if (JSON.stringify(data).length > MAX_MESSAGE_CHARS) throw new Error(`Message data too large. Max size is ${MAX_MESSAGE_CHARS}`);
    this.#seat?.say(data, to);
    return this;
  }

  on<Name extends keyof DailyEvents>(name: Name, handler: (event: DailyEvents[Name]) => void): this;
  on(name: string, handler: (event: never) => void): this;
  on(name: string, handler: Handler): this {
    const handlers = this.#handlers.get(name) ?? new Set();
    this.#handlers.set(name, handlers.add(handler));
    return this;
  }

  off(name: string, handler: Handler): this {
    this.#handlers.get(name)?.delete(handler);
    return this;
  }

  // ---- what a test does with it

  /** The network is away, or back: `sfu` carries the sound, `signaling` all the rest. */
  network(event: 'interrupted' | 'connected', type: 'sfu' | 'peer-to-peer' | 'signaling' = 'sfu'): void {
    this.#tell('network-connection', { type, event });
  }

  /** It ends as daily-js ends it: an error, and then `left-meeting`. */
  async fail(why: DailyFatalType): Promise<void> {
    if (this.#state === 'error' || this.#isDestroyed) return;
    const seat = this.#seat;
    this.#seat = null;
    this.#others.clear();
    this.#state = 'error';
    this.#tell('error', { errorMsg: why, error: { type: why, msg: why } });
    this.#tell('left-meeting', {});
    await seat?.leave();
  }

  /** The visitor presses the microphone's button of Prebuilt. */
  pressMicrophone(): void {
    this.setLocalAudio(!this.#hasAudio);
  }

  /** The visitor presses the button of Prebuilt that leaves. */
  pressLeave(): Promise<void> {
    return this.leave();
  }

  // ---- within

  local() {
    return participant(this.#seat?.me ?? { id: '', userId: '', userName: '' }, true, this.#hasAudio);
  }

  async #enter(): Promise<unknown> {
    const { url = '', token = null, userName = null } = this.properties;
    let seat: DailySeat;
    try {
      seat = await this.#side.join(url, token, userName, (told) => this.#hear(told));
    } catch (error) {
      if (this.#state !== 'joining-meeting') throw error;
      const why = error instanceof DailyRefusal ? error.why : 'connection-error';
      await this.fail(why);
      throw why; // daily-js rejects with its sentence, which is no Error.
    }
    if (this.#state !== 'joining-meeting') {
      await seat.leave(); // It was left, or destroyed, at the door.
      return new Promise(() => undefined); // daily-js says nothing more of it either.
    }
    this.#seat = seat;
    this.#state = 'joined-meeting';
    this.#hasAudio = this.properties.startAudioOff !== true && !this.#asksForMicrophone;
    for (const person of seat.others) this.#others.set(person.id, person);
    this.#tell('joined-meeting', { participants: this.participants() });
    this.#tell('participant-updated', { participant: this.local() });
    return this.participants();
  }

  async #goOut(state: MeetingState): Promise<void> {
    const seat = this.#seat;
    this.#seat = null;
    this.#others.clear();
    this.#state = state;
    await seat?.leave();
    this.#tell('left-meeting', {});
  }

  #hear(told: DailyTold): void {
    if (told.type === 'out') return void this.fail(told.why);
    if (told.type === 'message') return this.#tell('app-message', { data: told.data, fromId: told.fromId });
    if (told.type === 'joined') {
      this.#others.set(told.person.id, told.person);
      return this.#tell('participant-joined', { participant: participant(told.person, false, true) });
    }
    const person = this.#others.get(told.id);
    if (!person) return;
    if (told.type === 'audio')
      return this.#tell('track-started', { participant: participant(person, false, true), track: told.track, type: 'audio' });
    this.#others.delete(told.id);
    this.#tell('participant-left', { participant: participant(person, false, false) });
  }

  #set(properties: Properties): void {
    for (const name of Object.keys(properties).filter((each) => !PROPERTIES.includes(each)))
      console.warn(`Ignoring unrecognized property '${name}'`);
    const { audioSource } = properties as { audioSource?: unknown };
    if (audioSource !== undefined && typeof audioSource !== 'boolean' && typeof audioSource !== 'string' && !isTrack(audioSource)) {
      console.error('audioSource must be a MediaStreamTrack, boolean, or a string');
      throw new Error("property 'audioSource': undefined");
    }
    this.properties = { ...this.properties, ...properties };
  }

  #mustLive(): void {
    if (this.#isDestroyed) throw new Error('Use after destroy');
  }

  #tell(action: string, event: object): void {
    for (const handler of [...(this.#handlers.get(action) ?? [])]) handler({ action, ...event } as never);
  }
}

/** A track of the browser's, or of `FakeMicrophone`. */
function isTrack(source: unknown): boolean {
  return (source as { kind?: unknown } | null)?.kind === 'audio';
}

function participant({ id, userId, userName }: DailyPerson, local: boolean, audio: boolean) {
  const off = { state: 'off' as const };
  return {
    session_id: id,
    user_id: userId,
    user_name: userName,
    local,
    audio,
    video: false,
    tracks: { audio: audio ? { state: 'playable' as const } : off, video: off },
  };
}
