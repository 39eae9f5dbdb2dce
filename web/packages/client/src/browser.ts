/** What a client uses of the browser. A test brings its own: see `@greenroom/client/testing`. */

import type { Ports } from './call.ts';
import type { ListDevices } from './devices.ts';
import { watchLevel } from './level.ts';
import { microphoneAllowed, openMicrophone, type MicrophoneAllowed } from './microphone.ts';
import { openSpeaker } from './speaker.ts';
import type { SocketLike } from './stream.ts';
import type { DailyOptions } from './transports/daily.ts';
import { createTransports, loaders } from './transports/index.ts';

export interface ClientPorts extends Ports {
  fetch: typeof globalThis.fetch;
  microphoneAllowed: MicrophoneAllowed;
  listDevices: ListDevices;
  /** The session that this very tab had before a reload. */
  remembered: () => string | null;
  remember: (sessionId: string | null) => void;
  /** Calls back when the page goes away (a reload, a closed tab). Returns how to stop. */
  onPageHide: (leaving: () => void) => () => void;
}

const REMEMBERED = 'greenroom.session';

function attempt<Result>(action: () => Result): Result | null {
  try {
    return action();
  } catch {
    return null;
  }
}

function listenTo(target: EventTarget | undefined, name: string, callback: () => void): () => void {
  target?.addEventListener(name, callback);
  return () => target?.removeEventListener(name, callback);
}

/** The browser's own. Nothing but code is asked for before it is used, so that a server may make it too. */
export function browserPorts(daily: DailyOptions = {}): ClientPorts {
  const transports = createTransports(loaders(daily));
  // Offers are made, and ride along with the start, for local rooms; so this is never too early.
  transports.load('local');
  return {
    fetch: (...args) => globalThis.fetch(...args),
    openSocket: (url) => new WebSocket(url) as SocketLike,
    openMicrophone,
    microphoneAllowed,
    openMedia: (iceServers, handlers, kind = 'local') => transports.to(kind)(iceServers, handlers),
    openSpeaker,
    watchLevel,
    listDevices: async () => (await navigator.mediaDevices?.enumerateDevices()) ?? [],
    // A tab's storage outlives a reload, and no other tab sees it. It may be forbidden.
    remembered: () => attempt(() => sessionStorage.getItem(REMEMBERED)),
    remember: (sessionId) =>
      void attempt(() =>
        sessionId === null
          ? sessionStorage.removeItem(REMEMBERED)
          : sessionStorage.setItem(REMEMBERED, sessionId),
      ),
    onDevices: (changed) => listenTo(navigator.mediaDevices, 'devicechange', changed),
    onPageHide: (leaving) => listenTo(window, 'pagehide', leaving),
    onWake: (wake) => {
      const online = listenTo(window, 'online', wake);
      const visible = listenTo(document, 'visibilitychange', wake);
      return () => {
        online();
        visible();
      };
    },
  };
}
