/** @greenroom/client/testing: a server, a microphone and a voice that a test holds in its hand. */

export { FakeDaily, FakeDailyCall } from './daily.ts';
export { FakeDailyRooms, type FakeDailyGuest } from './daily-rooms.ts';
export { DailyStandInSide } from './daily-stand-in.ts';
export { DailyRefusal, type DailyPerson, type DailySeat, type DailySide, type DailyTold } from './daily-side.ts';
export { FakeAudio, FakeMedia } from './media.ts';
export { FakeMicrophone } from './microphone.ts';
export { FakeBeside } from './beside.ts';
export { FakeServer, type FakeRequest } from './server.ts';
export { FakeSocket } from './socket.ts';
export { FakeSpeaker } from './speaker.ts';
