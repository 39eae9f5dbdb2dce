/** A connection whose offer is made before the click, so that the click need not wait for it. */

import type { MediaHandlers, MediaLink, OpenMedia } from './media.ts';
import type { IceServer } from './wire.ts';

/** Holds at most one connection to a local room that nobody uses yet; other rooms take no offer. */
export interface Prepared {
  /** Makes one ready, unless there is one. Its sockets stay open until it is taken or dropped. */
  make(iceServers: readonly IceServer[]): void;
  /** As `openMedia`: the one that is ready, if it was made with these servers, or a new one. */
  open: OpenMedia;
  drop(): void;
}

interface Waiting {
  iceServers: readonly IceServer[];
  link: MediaLink;
  belongTo(handlers: MediaHandlers): void;
}

export function createPrepared(openMedia: OpenMedia): Prepared {
  let waiting: Waiting | null = null;

  const drop = () => {
    waiting?.link.close();
    waiting = null;
  };

  return {
    make(iceServers) {
      // A relay would have to hold an address for every visitor who only reads the page.
      if (waiting || iceServers.some(isRelay)) return;
      const made = ahead(openMedia, iceServers, drop);
      waiting = made;
      made.link.makeOffer().catch(() => {
        if (waiting === made) drop();
      });
    },
    open(iceServers, handlers, kind = 'local') {
      const ready = waiting;
      if (!ready || kind !== 'local' || ready.iceServers !== iceServers) {
        drop();
        return openMedia(iceServers, handlers, kind);
      }
      waiting = null;
      ready.belongTo(handlers);
      return ready.link;
    },
    drop,
  };
}

/** A connection that tells its handlers of later; until it has them, being lost is all there is to tell. */
function ahead(openMedia: OpenMedia, iceServers: readonly IceServer[], onLost: () => void): Waiting {
  let owner: MediaHandlers | null = null;
  const link = openMedia(iceServers, {
    onCandidates: (candidates) => owner?.onCandidates(candidates),
    onConnected: () => owner?.onConnected(),
    onInterrupted: () => owner?.onInterrupted(),
    onLost: (why) => (owner ? owner.onLost(why) : onLost()),
    onMoved: () => owner?.onMoved(),
    onEjected: () => owner?.onEjected(),
    onLeft: () => owner?.onLeft(),
    onMuted: (muted) => owner?.onMuted(muted),
    onAudio: (audio) => owner?.onAudio(audio),
    onMessage: (data, fromId) => owner?.onMessage(data, fromId),
  });
  const offer = link.makeOffer();
  return {
    iceServers,
    link: {
      makeOffer: () => offer,
      accept: (way) => link.accept(way),
      setMicrophone: (track) => link.setMicrophone(track),
      setMuted: (muted) => link.setMuted(muted),
      send: (data) => link.send(data),
      leave: () => link.leave(),
      close: () => link.close(),
    },
    belongTo(handlers) {
      owner = handlers;
    },
  };
}

function isRelay({ urls }: IceServer): boolean {
  return [urls].flat().some((url) => /^turns?:/i.test(url));
}
