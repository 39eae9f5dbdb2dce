/** `Daily`, as a page has it that loads daily-js by a script tag: here the double, whose rooms are the stand-in's. */

import { DailyStandInSide, FakeDaily } from '@greenroom/client/testing';

Object.assign(window, { Daily: new FakeDaily(new DailyStandInSide('https://stand-in.daily.co')) });
