/** A local room: one WebRTC connection between this page and the bot. Loaded by `transports/index.ts`. */

import type { MediaHandlers, OpenMedia } from '../media.ts';
import type { Candidate, IceServer } from '../wire.ts';
import { VoiceError, problem } from '../words.ts';

/** A bot that hears nothing of a page for three seconds takes it for dead. */
const PING_EVERY_MS = 1_000;
/** Each ping is acknowledged at once. After so many of which nothing came back, the line is interrupted. */
const UNHEARD_PINGS = 2;
/** Trickled candidates are sent together when several come at once. */
const TRICKLE_AFTER_MS = 20;
/** A connection that says `disconnected` often recovers by itself; this long it may. */
const RECOVERY_MS = 3_000;

/**
 * How long an offer waits for candidates to go with it. Measured from the click to the first sound
 * (headless Chromium, local bot, two busy cores, eight calls each): 624 ms on average without
 * waiting, 637 ms with 50 ms, 753 ms with 200 ms. So it costs nothing to take along what is found
 * at once, and it lets a server that knows no trickling connect.
 */
const GATHER_MS = 50;
/** Who else is there: on this line nobody but the bot. */
const BOT = 'bot';
/** Messages of the connection itself, and not of the application. */
const OURS = ['greenroom', 'signalling'];

/** The browser's own. */
export const open: OpenMedia = (iceServers, handlers) => {
  const peer = new RTCPeerConnection({ iceServers: iceServers.map(asBrowserServer) });
  const voice = peer.addTransceiver('audio', { direction: 'sendrecv' });
  const data = peer.createDataChannel('greenroom');
  const closing = new AbortController();
  const { signal } = closing;
  const trickle = createTrickle(handlers);
  let ping: ReturnType<typeof setInterval> | undefined;
  let recovery: ReturnType<typeof setTimeout> | undefined;

  const close = () => {
    closing.abort();
    clearInterval(ping);
    clearTimeout(recovery);
    trickle.stop();
    peer.close();
  };
  const lost = () => {
    if (signal.aborted) return;
    close();
    handlers.onLost();
  };

  peer.addEventListener('icecandidate', ({ candidate }) => trickle.add(candidate), { signal });
  peer.addEventListener(
    'track',
    ({ track, streams }) => handlers.onAudio(streams[0] ?? new MediaStream([track])),
    { signal },
  );
  peer.addEventListener(
    'connectionstatechange',
    () => {
      clearTimeout(recovery);
      if (peer.connectionState === 'connected') handlers.onConnected();
      else if (peer.connectionState === 'disconnected') {
        handlers.onInterrupted();
        recovery = setTimeout(lost, RECOVERY_MS);
      }
      else if (peer.connectionState === 'failed') lost();
    },
    { signal },
  );
  data.addEventListener(
    'open',
    () => {
      const listen = createListener(peer, handlers, signal);
      data.send('ping');
      ping = setInterval(() => {
        void listen();
        data.send('ping');
      }, PING_EVERY_MS);
    },
    { signal },
  );
  data.addEventListener(
    'message',
    ({ data: text }) => {
      const message = parse(text);
      if (isMoved(message)) handlers.onMoved();
      else if (message !== null && !isOurs(message)) handlers.onMessage(message, BOT);
    },
    { signal },
  );
  data.addEventListener('close', lost, { signal });

  return {
    async makeOffer() {
      await peer.setLocalDescription(await peer.createOffer());
      await gathered(peer, GATHER_MS);
      trickle.start(); // What was found until now is in the offer.
      return peer.localDescription?.sdp ?? '';
    },
    async accept(way) {
      if (!('sdp' in way)) throw new VoiceError(problem('media_failed'));
      await peer.setRemoteDescription({ type: 'answer', sdp: way.sdp });
      trickle.flow();
    },
    setMicrophone: (track) => voice.sender.replaceTrack(track),
    setMuted() {}, // The bot hears of it from the server.
    send(message) {
      if (data.readyState !== 'open') throw new VoiceError(problem('no_session'));
      data.send(JSON.stringify(message));
    },
    leave() {
      if (data.readyState === 'open') data.send(JSON.stringify({ type: 'greenroom', event: 'leave' }));
    },
    close,
  };
};

/**
 * Looks whether anything came since it was asked last. ICE takes some five seconds longer to miss the
 * other side, and until then a page would show somebody speaking whom nobody hears.
 */
function createListener(peer: RTCPeerConnection, handlers: MediaHandlers, signal: AbortSignal) {
  let received = 0;
  let unheard = 0;
  return async () => {
    const now = await bytesReceived(peer);
    if (signal.aborted) return;
    if (now !== received) {
      if (unheard >= UNHEARD_PINGS && peer.connectionState === 'connected') handlers.onConnected();
      unheard = 0;
    } else if (++unheard === UNHEARD_PINGS) handlers.onInterrupted();
    received = now;
  };
}

/** All that the other side has sent, the acknowledgements of our own messages included. */
async function bytesReceived(peer: RTCPeerConnection): Promise<number> {
  let bytes = 0;
  (await peer.getStats()).forEach(({ type, bytesReceived }) => {
    if (type === 'candidate-pair') bytes += bytesReceived ?? 0;
  });
  return bytes;
}

/** Resolves when all candidates are found, or after so long. */
function gathered(peer: RTCPeerConnection, ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (peer.iceGatheringState === 'complete') return resolve();
    const done = () => {
      clearTimeout(timer);
      peer.removeEventListener('icegatheringstatechange', look);
      resolve();
    };
    const look = () => {
      if (peer.iceGatheringState === 'complete') done();
    };
    const timer = setTimeout(done, ms);
    peer.addEventListener('icegatheringstatechange', look);
  });
}

/** Collects late candidates, and holds them until the server knows the offer they belong to. */
function createTrickle(handlers: Pick<MediaHandlers, 'onCandidates'>) {
  let late: Candidate[] = [];
  let collecting = false;
  let flowing = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const flush = () => {
    timer = undefined;
    if (late.length > 0) handlers.onCandidates(late.splice(0));
  };
  const schedule = () => {
    if (flowing && late.length > 0) timer ??= setTimeout(flush, TRICKLE_AFTER_MS);
  };
  return {
    add(found: RTCIceCandidate | null) {
      if (!collecting || !found?.candidate) return;
      late.push({
        candidate: found.candidate,
        sdpMid: found.sdpMid,
        sdpMlineIndex: found.sdpMLineIndex,
      });
      schedule();
    },
    start() {
      collecting = true;
    },
    flow() {
      flowing = true;
      schedule();
    },
    stop() {
      clearTimeout(timer);
      late = [];
      flowing = false;
    },
  };
}

function asBrowserServer({ urls, username, credential }: IceServer): RTCIceServer {
  return {
    urls,
    ...(username != null ? { username } : {}),
    ...(credential != null ? { credential } : {}),
  };
}

/** A message, or null for what is none (`pong`). */
function parse(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}

function isOurs(message: unknown): boolean {
  return OURS.includes((message as { type?: unknown }).type as string);
}

function isMoved(message: unknown): boolean {
  const { type, event } = (message ?? {}) as { type?: unknown; event?: unknown };
  return type === 'greenroom' && event === 'moved';
}
