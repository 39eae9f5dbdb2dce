/**
 * @greenroom/client/vapi: `@vapi-ai/web`'s class over a Greenroom session. Change one import:
 *
 *     import Vapi from '@greenroom/client/vapi'; // was '@vapi-ai/web'
 *     const vapi = new Vapi(token, 'https://voice.example.com');
 *
 * The first argument is a user token of Greenroom, or a function that gives one; '' where visitors
 * need none. The second is where Greenroom is; left out: where the page comes from.
 *
 * What is different, because a Greenroom session is one assistant of the server's own:
 * - `start` takes the assistant's name or id. An assistant written out in the page, a squad and a
 *   workflow are refused (`unsupported`): what a bot may do is decided on the server.
 * - `assistantOverrides` reach the bot as `assistantOverrides` of its request's body.
 * - `say` and `control: say-first-message` are refused: what the assistant says is the bot's to
 *   decide. `add-message` takes what the user says (`role: 'user'`), and the assistant answers it.
 * - `speech-start` and `speech-end` come from the bot itself, not from measuring its loudness.
 * - There is no Daily call and no audio element to be had (`getDailyCallObject` and `getAudioPlayer` are
 *   null), no video, no screen sharing, no recording; what VAPI tells of these is never told here.
 *   `reconnect` returns to the user's running session. Background noise is left to the browser.
 *
 * A refusal throws a `VoiceError`, except in `start`, which tells it by `error` and gives null.
 */

import type { ClientPorts } from '../browser.ts';
import { createVoiceClient, type VoiceClient, type VoiceClientOptions } from '../client.ts';
import type { VoiceState } from '../state.ts';
import type { TokenProvider } from '../token.ts';
import { VoiceError, problem, problemOf, type VoiceProblem } from '../words.ts';
import { Emitter } from './emitter.ts';
import { messagesOf } from './messages.ts';
import type { VapiCall, VapiClientMessage, VapiEvents, VapiInputDevices, VapiStartOptions } from './types.ts';

export type { VapiMessage } from './messages.ts';
export type {
  VapiCall,
  VapiClientMessage,
  VapiError,
  VapiEvents,
  VapiFailure,
  VapiInputDevices,
  VapiProgress,
  VapiStartOptions,
} from './types.ts';
export { VoiceError } from '../words.ts';

/** What a test brings: see `@greenroom/client/testing`. */
export interface VapiOptions {
  ports?: Partial<ClientPorts>;
}

export default class Vapi extends Emitter<VapiEvents> {
  readonly #client: VoiceClient;
  /** The client's own options; what the next start asks for is put into them. */
  readonly #request: VoiceClientOptions;
  #stage: 'idle' | 'starting' | 'started' = 'idle';
  /** Whether `call-start` was told, so that `call-end` follows. */
  #isOn = false;
  /** Whether `stop` lets go of the session without ending it, so that `reconnect` finds it again. */
  #isKept = false;
  /** Whether `local-volume-level` is told to whoever listens. */
  #isLevelTold = true;
  #last: VoiceState;
  #unsubscribe: Partial<Record<keyof VapiEvents, () => void>> = {};

  /** The third and fourth argument configure Daily in VAPI's SDK; there is none here. */
  constructor(token: string | TokenProvider, baseUrl?: string, _daily?: unknown, _call?: unknown, options: VapiOptions = {}) {
    super();
    this.#request = {
      ...(baseUrl ? { baseUrl: baseUrl.replace(/\/+$/, '') } : {}),
      ...(token ? { token: typeof token === 'string' ? () => token : token } : {}),
      ...options,
    };
    this.#client = createVoiceClient(this.#request);
    this.#last = this.#client.getState();
    this.#client.on('*', (event) => {
      for (const message of messagesOf(event, this.#client.getState().messages)) this.emit('message', message);
    });
    this.#client.subscribe(() => this.#changed());
  }

  /** Starts a call; from a click. Resolves to null when there is one, and, after `error`, when it cannot be had. */
  async start(
    assistant?: string | object,
    assistantOverrides?: object,
    squad?: string | object,
    workflow?: string | object,
    _workflowOverrides?: object,
    options: VapiStartOptions = {},
  ): Promise<VapiCall | null> {
    if (this.#stage !== 'idle') return this.#withdrawn('already-started');
    const startedMs = Date.now();
    this.#isKept = options.roomDeleteOnUserLeaveEnabled === false;
    this.#stage = 'starting';
    this.emit('call-start-progress', { stage: 'initialization', status: 'started', timestamp: now() });
    try {
      this.#wish(assistant, assistantOverrides, squad ?? workflow);
      await this.#client.start();
      return this.#started(startedMs);
    } catch (error) {
      return this.#failed(startedMs, problemOf(error));
    }
  }

  /** Ends the call; one that was started with `roomDeleteOnUserLeaveEnabled: false` goes on without this page. */
  async stop(): Promise<void> {
    if (this.#isKept) this.#client.close();
    else await this.#client.stop();
  }

  /** Ends the call, in any case, and does not wait for it. */
  end(): void {
    void this.#client.stop();
  }

  /** Returns to the user's running session, which a reload interrupted. */
  async reconnect(_call?: unknown): Promise<void> {
    if (this.#stage !== 'idle') return;
    await this.#client.restore();
    await this.#client.rejoin();
    const { intent, error } = this.#client.getState();
    if (intent === 'talk') this.#stage = 'started';
    else this.#problem('reconnect-error', error ?? problem('not_found'));
  }

  /** Throws a `VoiceError` for what cannot be sent; one that the server refuses is told by `error`. */
  send(message: VapiClientMessage): void {
    if (message.type === 'end-call') return this.end();
    if (message.type === 'say') return this.say();
    if (message.type === 'add-message') return this.#add(message.message);
    if (message.control === 'say-first-message') throw unsupported('Saying the first message again');
    this.#client.muteAssistant(message.control === 'mute-assistant');
  }

  /** Throws: what the assistant says is decided by its bot. */
  say(..._message: unknown[]): never {
    throw unsupported('Dictating what the assistant says');
  }

  setMuted(muted: boolean): void {
    void this.#client.mute(muted);
  }

  isMuted(): boolean {
    return this.#client.getState().muted;
  }

  /** How loud the assistant is played, 0 … 1. */
  setVolume(volume: number): void {
    this.#client.setVolume(volume);
  }

  /** `audioDeviceId`: a microphone's id, or null for the system's default. Rejects with `VoiceError`. */
  async setInputDevicesAsync({ audioDeviceId, audioSource }: VapiInputDevices): Promise<void> {
    if (audioSource instanceof Object) throw unsupported('A track of the page’s own as microphone');
    if (audioDeviceId === false || audioSource === false) throw unsupported('A call without a microphone');
    if (audioDeviceId !== undefined) await this.#client.devices.chooseMicrophone(audioDeviceId);
  }

  /** A speaker's id; left out: the system's default. Rejects with `VoiceError`. */
  async setOutputDeviceAsync({ outputDeviceId }: { outputDeviceId?: string | null }): Promise<void> {
    await this.#client.devices.chooseSpeaker(outputDeviceId ?? null);
  }

  getLocalAudioLevel(): number {
    return this.#client.getAudioLevel();
  }

  /** The level is measured anyway: this lets `local-volume-level` be told again. Its interval is ours. */
  async startLocalAudioLevelObserver(_intervalMs?: number): Promise<void> {
    this.#isLevelTold = true;
  }

  stopLocalAudioLevelObserver(): void {
    this.#isLevelTold = false;
  }

  isLocalAudioLevelObserverRunning(): boolean {
    return this.#isLevelTold && this.#client.getState().microphone === 'granted' && this.#stage !== 'idle';
  }

  // Typed as whatever an application made of it, which then finds nobody there.
  getDailyCallObject(): any {
    return null;
  }

  getAudioPlayer(): HTMLAudioElement | null {
    return null;
  }

  /** Rejects: `greenroom doctor` looks at the network, on the server's side. */
  static async runNetworkTestsStandalone(): Promise<Record<string, unknown>> {
    throw unsupported('Testing the network beforehand');
  }

  /** Throws: the browser's automatic gain does this. */
  increaseMicLevel(_gain: number): never {
    throw unsupported('Making the microphone louder');
  }

  startScreenSharing(..._options: unknown[]): never {
    throw unsupported('Sharing the screen');
  }

  stopScreenSharing(): void {
    // Nothing is shared.
  }

  startRecording(): never {
    throw unsupported('Recording from the page');
  }

  stopRecording(): void {
    // Nothing is recorded.
  }

  // ---- starting

  /** What the next start asks for. Throws for what cannot be had. */
  #wish(assistant: string | object | undefined, overrides: object | undefined, other: unknown): void {
    if (other) throw unsupported('A squad or a workflow');
    if (assistant instanceof Object) throw unsupported('An assistant that is written out in the page');
    if (assistant) this.#request.assistant = assistant;
    else delete this.#request.assistant;
    this.#request.body = overrides ? { assistantOverrides: overrides } : {};
  }

  #started(startedMs: number): VapiCall | null {
    const { sessionId, error, sessionStatus } = this.#client.getState();
    if (!sessionId) return error ? this.#failed(startedMs, error) : this.#withdrawn('stopped');
    this.#stage = 'started';
    this.emit('call-start-success', { totalDuration: Date.now() - startedMs, callId: sessionId, timestamp: now() });
    return {
      id: sessionId,
      status: sessionStatus === 'active' ? 'in-progress' : 'ringing',
      type: 'webCall',
      ...(this.#request.assistant ? { assistantId: this.#request.assistant } : {}),
      createdAt: new Date(startedMs).toISOString(),
    };
  }

  #withdrawn(reason: string): null {
    if (reason === 'stopped') this.#stage = 'idle';
    this.emit('call-start-progress', { stage: 'start', status: 'failed', timestamp: now(), metadata: { reason } });
    return null;
  }

  #failed(startedMs: number, { code, message, whatToDo }: VoiceProblem): null {
    this.#stage = 'idle';
    const totalDuration = Date.now() - startedMs;
    this.emit('call-start-failed', { stage: 'start', totalDuration, error: message, timestamp: now(), context: { code } });
    this.#problem('start-method-error', { code, message, whatToDo });
    return null;
  }

  // ---- the call

  /** The state's changes in VAPI's events. */
  #changed(): void {
    const last = this.#last;
    const next = this.#client.getState();
    this.#last = next;
    if (next.sessionStatus === 'active' && !this.#isOn) this.#begin();
    if (next.isSpeaking !== last.isSpeaking) this.emit(next.isSpeaking ? 'speech-start' : 'speech-end');
    if (next.connection !== last.connection && next.intent === 'talk')
      this.emit('network-connection', { event: next.connection === 'online' ? 'connected' : 'interrupted' });
    if (next.error && next.error !== last.error && this.#stage === 'started') this.#problem('call-error', next.error);
    if (next.intent === 'none' && last.intent !== 'none') this.#end(next);
  }

  #begin(): void {
    this.#isOn = true;
    this.emit('call-start');
    this.emit('message', { type: 'status-update', status: 'in-progress' });
  }

  #end({ end, error }: VoiceState): void {
    if (this.#stage === 'started') this.#stage = 'idle';
    if (!this.#isOn) return;
    this.#isOn = false;
    this.emit('call-end');
    this.emit('message', { type: 'status-update', status: 'ended', endedReason: end?.reason ?? error?.code ?? 'left' });
  }

  #add({ role, content }: { role: string; content?: unknown }): void {
    if (role !== 'user') throw unsupported(`Adding a message of the role “${role}”`);
    if (typeof content !== 'string') throw unsupported('Adding a message that is not text');
    this.#client.sendMessage(content).catch((error: unknown) => this.#problem('send-error', problemOf(error)));
  }

  #problem(type: string, { code, message, whatToDo }: VoiceProblem): void {
    this.emit('error', { type, error: { code, message: `${message} ${whatToDo}` }, timestamp: now() });
  }

  /** Loudness is measured only while somebody wants to be told. */
  protected override listenersChanged(): void {
    const client = this.#client;
    this.#while('volume-level', (tell) => client.subscribeAssistantLevel(() => tell(client.getAssistantLevel())));
    this.#while('local-volume-level', (tell) =>
      client.subscribeAudioLevel(() => {
        if (this.#isLevelTold) tell(client.getAudioLevel());
      }),
    );
  }

  #while(event: 'volume-level' | 'local-volume-level', follow: (tell: (level: number) => void) => () => void): void {
    if (this.listenerCount(event) > 0) {
      this.#unsubscribe[event] ??= follow((level) => this.emit(event, level));
    } else {
      this.#unsubscribe[event]?.();
      delete this.#unsubscribe[event];
    }
  }
}

function unsupported(what: string): VoiceError {
  return new VoiceError({
    code: 'unsupported',
    message: `${what} is not possible with a Greenroom session.`,
    whatToDo: 'See the head of @greenroom/client/vapi for what is.',
  });
}

const now = () => new Date().toISOString();
