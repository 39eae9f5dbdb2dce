/** @greenroom/client/testing: a server, a microphone and a voice that a test holds in its hand. */

export { FakeAudio, FakeMedia } from './media.ts';
export { FakeMicrophone } from './microphone.ts';
export { FakeServer, type FakeRequest } from './server.ts';
export { FakeSocket } from './socket.ts';
export { FakeSpeaker } from './speaker.ts';
