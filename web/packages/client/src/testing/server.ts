/** A Greenroom that lives in the test: it answers commands and says what the test tells it to. */

import type { ClientPorts } from '../browser.ts';
import type { RoomKind } from '../media.ts';
import type { ConfigAnswer, ErrorAnswer, Event, IceServer, RoomBody, SessionBody, SessionStatus, Subscribe } from '../wire.ts';
import { FakeBeside } from './beside.ts';
import { FakeAudio, FakeMedia } from './media.ts';
import { FakeMicrophone } from './microphone.ts';
import { answerTo, CONFIG, gone, resultOf, type Reply } from './replies.ts';
import { FakeSocket } from './socket.ts';
import { FakeSpeaker } from './speaker.ts';

export interface FakeRequest {
  /** `POST /api/voice/session`, with `{id}` for the session's id. */
  command: string;
  body: Record<string, unknown>;
  /** By their names in lower case. */
  headers: Record<string, string>;
  /** The bearer token that came with it, or null. */
  token: string | null;
}

/** One visitor's server. It works without a clock: what is asked is answered at once. */
export class FakeServer {
  readonly microphone = new FakeMicrophone();
  readonly requests: FakeRequest[] = [];
  readonly sockets: FakeSocket[] = [];
  /** Every connection of voice, oldest first. */
  readonly media: FakeMedia[] = [];
  /** Every speaker that was opened, oldest first. */
  readonly speakers: FakeSpeaker[] = [];
  /** The tokens that are good; null: nobody needs one. */
  tokens: string[] | null = null;
  /** Every event of the session so far; a new subscriber gets those it has not seen. */
  readonly events: Event[] = [];
  session: SessionBody | null = null;
  /** Nobody answers: neither commands nor sockets. */
  isDown = false;
  /** The page is that of a guest in somebody's group call. */
  isGuest = false;
  /** The browser wants a click before it makes a sound. */
  blocksSound = false;
  /** The bot joins as soon as the page's offer is answered. */
  botJoins = true;
  /** DELETE ends the session at once; else the test says when. */
  endsAtOnce = true;
  /** What the tab keeps over a reload. */
  remembered: string | null = null;
  /** How long a bot may take to come, in seconds, as the configuration tells. */
  joinS = CONFIG.joinS;
  /** Told in the configuration and in every new session. */
  iceServers: IceServer[] = [];
  /** Every place is taken: a new session waits, in this place of the queue. */
  queuePosition: number | null = null;
  /** Where people meet: in local rooms, to which one makes an offer, or in Daily's, which one joins by a token. */
  roomKind: RoomKind = 'local';
  /** New voice connects as soon as it is answered. */
  voiceConnects = true;
  /** What is said may be recorded: a start needs the user's consent. */
  records = false;
  /** The page is to begin without a click. */
  autoStart = false;
  /** Assistants, notes and the roll-out. */
  readonly beside = new FakeBeside();
  readonly #refusals = new Map<string, ErrorAnswer & { status: number }>();
  readonly #held = new Map<string, Promise<void>>();
  readonly #tickets = new Set<string>();
  readonly #wakes = new Set<() => void>();
  readonly #pageHides = new Set<() => void>();
  #sessions = 0;
  #issued = 0;

  /** What `createVoiceClient({ ports })` takes. */
  readonly ports: ClientPorts = {
    fetch: (input, init) => this.#fetch(String(input), init),
    openSocket: () => this.#openSocket(),
    openMicrophone: this.microphone.open,
    microphoneAllowed: () => Promise.resolve(this.microphone.allowed),
    watchLevel: (stream, onLevel) =>
      (stream as unknown) instanceof FakeAudio
        ? (stream as unknown as FakeAudio).watch(onLevel)
        : this.microphone.watchLevel(stream, onLevel),
    onDevices: this.microphone.onDevices,
    listDevices: this.microphone.list,
    openMedia: (_iceServers, handlers, kind) => {
      const media = new FakeMedia(handlers, kind);
      media.connects = this.voiceConnects;
      this.media.push(media);
      return media;
    },
    openSpeaker: () => {
      const speaker = new FakeSpeaker(() => !this.blocksSound);
      this.speakers.push(speaker);
      return speaker;
    },
    remembered: () => this.remembered,
    remember: (sessionId) => {
      this.remembered = sessionId;
    },
    onWake: (wake) => keep(this.#wakes, wake),
    onPageHide: (leaving) => keep(this.#pageHides, leaving),
  };

  /** The newest connection of voice. */
  get voice(): FakeMedia | undefined {
    return this.media.at(-1);
  }

  /** The newest speaker. */
  get speaker(): FakeSpeaker | undefined {
    return this.speakers.at(-1);
  }

  /** How often a command was given. */
  count(command: string): number {
    return this.requests.filter((request) => request.command === command).length;
  }

  /** The next requests of this kind are refused, until `accept`. */
  refuse(command: string, status: number, code: string, message: string, retryable = false): void {
    this.#refusals.set(command, { status, code, message, detail: message, retryable });
  }

  accept(command: string): void {
    this.#refusals.delete(command);
  }

  /** Requests of this kind wait. Returns what lets them go on. */
  hold(command: string): () => void {
    let release = () => undefined as void;
    this.#held.set(command, new Promise((resolve) => (release = resolve)));
    return () => {
      this.#held.delete(command);
      release();
    };
  }

  /** Something happened in the session; whoever follows it is told. */
  emit(type: string, data: object): Event {
    if (!this.session) throw new Error('There is no session that could have an event.');
    const seq = this.events.length + 1;
    const event: Event = {
      v: 1,
      id: `event-${this.session.sessionId}-${seq}`,
      session: this.session.sessionId,
      seq,
      time: '2026-01-01T12:00:00.000Z',
      type,
      data: { ...data },
    };
    this.events.push(event);
    this.deliver(event);
    return event;
  }

  /** Sends an event down every open socket, whether its turn has come or not. */
  deliver(event: Event): void {
    for (const socket of this.sockets) socket.deliver({ type: 'event', event });
  }

  /** Sends all events from number `from` on once more, as a server does that is not sure. */
  replay(from = 1): void {
    for (const event of this.events.slice(from - 1)) this.deliver(event);
  }

  /** The assistant calls a tool of the page's; returns the call's id. */
  callTool(name: string, args: object = {}, tool = name): string {
    const toolCallId = `call-${this.events.length + 1}`;
    this.emit('voice.tool.call', { toolCallId, tool, name, where: 'page', arguments: args });
    return toolCallId;
  }

  /** What the page answered to a call, or undefined. */
  toolAnswer(toolCallId: string): Record<string, unknown> | undefined {
    return this.requests.find(({ command }) => command.endsWith(`/tools/${toolCallId}`))?.body;
  }

  /** What people are shown changes. */
  say(status: SessionStatus): void {
    if (this.session) this.session = { ...this.session, status };
    this.emit('voice.session.status', { status, userPresent: true, botPresent: true });
  }

  /** These causes pause the session now. */
  pause(...causes: string[]): void {
    if (!this.session) return;
    const wasPaused = this.session.pauseCauses.length > 0;
    this.session = { ...this.session, pauseCauses: causes.sort() };
    this.emit('voice.session.pause', { causes });
    if (wasPaused !== causes.length > 0) this.say(wasPaused ? 'active' : 'paused');
  }

  /** The session ends. */
  end(reason: string, message: string): void {
    if (!this.session) return;
    const endedAt = '2026-01-01T12:10:00.000Z';
    this.session = { ...this.session, status: 'inactive', stage: 'ended', endedAt, reason, message };
    this.emit('voice.session.end', { reason, message, durationS: 600 });
  }

  /** Something of this moment only, to whoever is connected; never kept. */
  tellNow(type: string, data: object): void {
    const event = { v: 1, session: this.session?.sessionId, time: '2026-01-01T12:00:00.000Z', type, data, ephemeral: true };
    for (const socket of this.sockets) socket.deliver({ type: 'ephemeral', event });
  }

  /** Every connection breaks. */
  dropSockets(code?: number): void {
    for (const socket of this.sockets.filter((each) => each.isOpen)) socket.drop(code);
  }

  heartbeat(): void {
    for (const socket of this.sockets) socket.deliver({ type: 'heartbeat' });
  }

  /** The network is back, or the page is looked at again. */
  wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }

  hidePage(): void {
    for (const leaving of [...this.#pageHides]) leaving();
  }

  /** Another page, or this one before a reload, has a session already. */
  begin(): SessionBody {
    this.events.length = 0;
    const id = `session-${++this.#sessions}`;
    this.session = {
      sessionId: id,
      kind: 'voice',
      assistant: CONFIG.assistant,
      status: this.queuePosition === null ? 'connecting' : 'queued',
      stage: this.queuePosition === null ? 'connecting' : 'queued',
      queuePosition: this.queuePosition,
      cost: { usd: 0, components: {}, unpriced: [] },
      room: this.#room(id),
      muted: false,
      pauseCauses: [],
      userPresent: false,
      botPresent: false,
      startedAt: '2026-01-01T12:00:00.000Z',
      lastSeq: 0,
    };
    if (this.queuePosition === null) this.#tellOfTheStart(this.session);
    else this.moveUp(this.queuePosition);
    return this.session;
  }

  /** The session's place in the queue is this one now. */
  moveUp(position: number): void {
    if (this.session) this.session = { ...this.session, queuePosition: position };
    this.emit('voice.session.queued', { position, endsInS: 300 });
  }

  /** The session's turn has come. */
  letIn(): void {
    if (!this.session) return;
    this.session = { ...this.session, stage: 'connecting', queuePosition: null };
    this.#tellOfTheStart(this.session);
    this.say('connecting');
  }

  #room(id: string): RoomBody {
    const name = `voice-${id}`;
    if (this.roomKind === 'local') return { kind: 'local', name, iceServers: this.iceServers };
    return { kind: 'daily', name, url: `https://stand-in.daily.co/${name}`, token: null, iceServers: [] };
  }

  /** The room with a token that no other answer has. */
  #opened(session: SessionBody): RoomBody {
    const { room } = session;
    return room.kind === 'daily' ? { ...room, token: `meeting-token-${++this.#issued}` } : room;
  }

  #tellOfTheStart({ assistant, room }: SessionBody): void {
    this.emit('voice.session.start', { assistant, room: room.name });
  }

  async #fetch(url: string, init: RequestInit = {}): Promise<Response> {
    const { pathname: path, searchParams } = new URL(url, 'http://greenroom.test');
    const command = `${init.method ?? 'GET'} ${path.replace(/session\/session-\d+/, 'session/{id}')}`;
    const body = (init.body ? JSON.parse(String(init.body)) : {}) as Record<string, unknown>;
    const headers = Object.fromEntries(new Headers(init.headers));
    const token = headers.authorization?.replace(/^Bearer /, '') ?? null;
    this.requests.push({ command, body, headers, token });
    await this.#held.get(command);
    if (init.signal?.aborted) throw new DOMException('aborted', 'AbortError');
    if (this.isDown) throw new TypeError('Failed to fetch');
    const refusal = this.#refusals.get(command);
    const isKnown = this.tokens === null || (token !== null && this.tokens.includes(token));
    const [status, answer] = refusal
      ? ([refusal.status, refusal] as Reply)
      : isKnown
        ? this.#answer(command, body, searchParams.get('assistant'))
        : gone(401, 'unauthorized', 'The user token is not valid (any more).');
    return new Response(answer ? JSON.stringify(answer) : null, { status });
  }

  #answer(command: string, body: Record<string, unknown>, assistant: string | null): Reply {
    const { session } = this;
    switch (command) {
      case 'GET /api/voice/config':
        return [200, this.#config(assistant)];
      case 'GET /api/voice/session/current':
        return session && !session.endedAt ? [200, { ...session, lastSeq: this.events.length }] : [204];
      case 'POST /api/voice/session':
        return this.#start(body);
    }
    const beside = this.beside.answer(command, assistant);
    if (beside) return beside;
    if (!session) return gone(404, 'not_found');
    if (command === 'GET /api/voice/session/{id}') return [200, session];
    if (command === 'DELETE /api/voice/session/{id}') return this.#delete(session);
    if (session.endedAt) return gone(410, 'session_ended');
    switch (command) {
      case 'POST /api/voice/session/{id}/room':
        return session.status === 'queued' ? gone(409, 'still_queued') : [200, this.#opened(session)];
      case 'POST /api/voice/session/{id}/offer':
        if (this.roomKind !== 'local') return gone(400, 'unsupported_transport');
        return session.status === 'queued' ? gone(409, 'still_queued') : [200, answerTo(body)];
      case 'POST /api/voice/session/{id}/ticket':
        return [200, { ticket: this.#ticket(), expiresInS: 30 }];
      case 'POST /api/voice/mute':
        this.emit('voice.session.mute', { muted: body.isMuted, timestamp: body.timestamp });
        return [200, session];
      case 'POST /api/voice/pause':
        return [200, this.#pauseFor(session, String(body.cause), body.paused === true)];
      case 'PATCH /api/voice/session/{id}/offer':
      case 'POST /api/voice/session/{id}/message':
        return [204];
      default:
        return this.#toolDone(command, body) ?? gone(404, 'not_found');
    }
  }

  #config(assistant: string | null): ConfigAnswer {
    const { iceServers, joinS, roomKind, records, autoStart } = this;
    const chosen = this.beside.assistants.find(({ name }) => name === assistant);
    const who = chosen ? { assistant: chosen.name, title: chosen.title, enabled: chosen.enabled } : {};
    return { ...CONFIG, ...who, iceServers, joinS, roomKind, records, autoStart };
  }

  #toolDone(command: string, body: Record<string, unknown>): Reply | null {
    const result = resultOf(command, body, this.events);
    if (result) this.emit('voice.tool.result', result);
    return result && [202];
  }

  #start(body: Record<string, unknown>): Reply {
    if (body.offer && this.roomKind !== 'local') return gone(400, 'unsupported_transport');
    const reused = this.session !== null && !this.session.endedAt;
    if (this.records && !reused && body.recordingConsent !== true) return gone(403, 'consent_needed', 'This is recorded.');
    if (!reused) this.begin();
    if (this.botJoins && this.session?.status === 'connecting') this.say('active');
    const answer = { reused, session: this.session, ticket: this.#ticket() };
    if (this.session?.status === 'queued') return [reused ? 200 : 201, answer];
    if (this.session && this.roomKind !== 'local')
      return [reused ? 200 : 201, { ...answer, session: { ...this.session, room: this.#opened(this.session) } }];
    return [reused ? 200 : 201, { ...answer, answer: answerTo(body.offer as Record<string, unknown>) }];
  }

  #pauseFor(session: SessionBody, cause: string, paused: boolean): SessionBody {
    const others = session.pauseCauses.filter((each) => each !== cause);
    const isChange = session.pauseCauses.includes(cause) !== paused;
    if (isChange) this.pause(...others, ...(paused ? [cause] : []));
    return this.session ?? session;
  }

  #delete(session: SessionBody): Reply {
    if (session.endedAt) return [200, session];
    if (this.endsAtOnce) this.end('stopped', 'You ended the conversation.');
    else this.say('disconnecting');
    return [200, this.session ?? session];
  }

  #openSocket(): FakeSocket {
    const socket = new FakeSocket((message, from) => this.#subscribe(message, from));
    this.sockets.push(socket);
    queueMicrotask(() => (this.isDown ? socket.drop() : socket.open()));
    return socket;
  }

  #subscribe({ ticket, after }: Subscribe, socket: FakeSocket): void {
    if (!this.session || !this.#tickets.delete(ticket)) return socket.drop(4401);
    socket.deliver({ type: 'subscribed', session: this.session.sessionId, after, own: !this.isGuest });
    for (const event of this.events.slice(after)) socket.deliver({ type: 'event', event });
  }

  #ticket(): string {
    const ticket = `ticket-${++this.#issued}`;
    this.#tickets.add(ticket);
    return ticket;
  }
}

function keep(callbacks: Set<() => void>, callback: () => void): () => void {
  callbacks.add(callback);
  return () => void callbacks.delete(callback);
}
