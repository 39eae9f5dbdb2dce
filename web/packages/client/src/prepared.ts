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

/** A connection that gets its handlers later. Until it is answered it can be lost, and has nothing else to tell. */
function ahead(openMedia: OpenMedia, iceServers: readonly IceServer[], onLost: () => void): Waiting {
  const handlers = { onLost } as MediaHandlers;
  const link = openMedia(iceServers, handlers);
  const offer = link.makeOffer();
  link.makeOffer = () => offer;
  return { iceServers, link, belongTo: (owner) => void Object.assign(handlers, owner) };
}

function isRelay({ urls }: IceServer): boolean {
  return [urls].flat().some((url) => /^turns?:/i.test(url));
}
