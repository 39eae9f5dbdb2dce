/** What carries the voice, by the kind of room: each loaded when it is needed, and no part of the core. */

import type { MediaHandlers, MediaLink, OpenMedia, RoomKind } from '../media.ts';
import type { IceServer } from '../wire.ts';
import { VoiceError, problem } from '../words.ts';
import type { DailyOptions } from './daily.ts';

/** A module that can connect to one kind of room. */
export interface Transport {
  open: OpenMedia;
}

export type Loaders = Partial<Record<RoomKind, () => Promise<Transport>>>;

/** One line a kind of room that this client can join. */
export function loaders(daily: DailyOptions = {}): Loaders {
  return {
    local: () => import('./local.ts'),
    daily: async () => (await import('./daily.ts')).loadDaily(daily),
  };
}

export interface Transports {
  /** Begins to load what such a room needs, so that a click need not wait for it. */
  load(kind: RoomKind): void;
  /** How to connect to such a room. What is asked of a connection waits until its code is there. */
  to(kind: RoomKind): OpenMedia;
}

export function createTransports(from: Loaders = loaders()): Transports {
  const loading = new Map<RoomKind, Promise<Transport>>();
  const loaded = new Map<RoomKind, Transport>();

  const load = (kind: RoomKind) => {
    const begun = loading.get(kind);
    if (begun) return begun;
    const transport = from[kind]?.() ?? Promise.reject(new Error(`This client cannot join rooms of the kind “${kind}”.`));
    loading.set(kind, transport);
    transport.then(
      (ready) => loaded.set(kind, ready),
      () => loading.delete(kind), // The network was away: it is loaded when it is next asked for.
    );
    return transport;
  };

  return {
    load: (kind) => void load(kind),
    to: (kind) => (iceServers, handlers) =>
      loaded.get(kind)?.open(iceServers, handlers) ?? onceLoaded(load(kind), iceServers, handlers),
  };
}

/** A connection whose code is still on its way. */
function onceLoaded(transport: Promise<Transport>, iceServers: readonly IceServer[], handlers: MediaHandlers): MediaLink {
  let isClosed = false;
  let link: MediaLink | null = null;
  const opened = transport.then(({ open }) => {
    if (isClosed) throw new Error('The connection was closed before it was opened.');
    link = open(iceServers, handlers);
    return link;
  });
  opened.catch(() => {}); // Whoever asks something of it is told.
  return {
    makeOffer: async () => (await opened).makeOffer(),
    accept: async (way) => (await opened).accept(way),
    setMicrophone: async (track) => (await opened).setMicrophone(track),
    setMuted: (muted) => void opened.then((ready) => ready.setMuted(muted)).catch(() => undefined),
    send(data) {
      if (!link) throw new VoiceError(problem('no_session'));
      link.send(data);
    },
    leave: () => link?.leave(),
    close() {
      isClosed = true;
      link?.close();
    },
  };
}
