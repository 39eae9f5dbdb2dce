/** The page's own group call, as an application has it: a call object of daily-js, here its double on the stand-in. */

import { DailyStandInSide, FakeDaily } from '@greenroom/client/testing';

/** How the page says that its call begins and ends: by the window's events, or by method. */
export type How = 'events' | 'methods';

export interface Told {
  started(how: How, roomUrl: string): void;
  ended(how: How): void;
}

export function createGroupCall(standIn: string, told: Told) {
  const daily = new FakeDaily(new DailyStandInSide(standIn));
  return {
    /** Joins; resolves when in the room. Whatever ends the call is told, also being put out. */
    async join(url: string, token: string, how: How): Promise<void> {
      const call = daily.createCallObject();
      call.on('joined-meeting', () => told.started(how, url));
      call.on('left-meeting', () => {
        told.ended(how);
        void call.destroy();
      });
      await call.join({ url, token });
    },
    leave: () => daily.call?.leave(),
  };
}
