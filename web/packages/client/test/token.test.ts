/** The user's token: on every request, renewed before it expires and when it is refused. */

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createVoiceClient } from '../src/index.ts';
import { FakeServer } from '../src/testing/index.ts';
import { expiryMs } from '../src/token.ts';

beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_000 }));
afterEach(() => void vi.useRealTimers());

const settle = () => vi.advanceTimersByTimeAsync(0);

/** A token of this name that lives for so many seconds from now. */
function jwt(name: string, livesS: number): string {
  const claims = btoa(JSON.stringify({ sub: 'ü', jti: name, exp: Date.now() / 1000 + livesS }).replace('ü', 'u'));
  return `head.${claims.replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')}.signature`;
}

function setUp(...given: (string | Error)[]) {
  const server = new FakeServer();
  const token = vi.fn(() => {
    const next = given.shift();
    if (next === undefined || next instanceof Error) throw next ?? new Error('no more tokens');
    return next;
  });
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', token, ports: server.ports });
  const used = () => server.requests.map((request) => request.token);
  return { server, client, token, used };
}

test('one token serves every request, also those that go out together', async () => {
  const { server, client, token, used } = setUp('first');
  server.tokens = ['first'];
  await Promise.all([client.loadConfig(), client.start()]);
  await client.mute(true);
  expect(token).toHaveBeenCalledOnce();
  expect(new Set(used())).toEqual(new Set(['first']));
  expect(used().length).toBeGreaterThan(2);
});

test('a refused one is renewed once for all that were refused, and the requests succeed', async () => {
  const { server, client, token } = setUp('old', 'new');
  server.tokens = ['new'];
  await Promise.all([client.loadConfig(), client.start()]);
  await settle();
  expect(client.getState()).toMatchObject({ sessionStatus: 'active', error: null });
  expect(token).toHaveBeenCalledTimes(2);
});

test('FAILURES 14: a session that outlives its token goes on: events come, and stop is obeyed', async () => {
  const { server, client } = setUp('first', 'second');
  server.tokens = ['first'];
  await client.start();
  await settle();
  server.tokens = ['second'];
  const seen: string[] = [];
  client.on('app.note', ({ id }) => void seen.push(id));
  server.dropSockets();
  await vi.advanceTimersByTimeAsync(1_000);
  server.emit('app.note', {});
  expect(seen).toHaveLength(1);
  expect(client.getState().connection).toBe('online');
  await client.stop();
  expect(server.session?.endedAt).toBeDefined();
});

test('one that runs out is renewed before it is used', async () => {
  const [short, long] = [jwt('short', 100), jwt('long', 3_600)];
  const { server, client, token, used } = setUp(short, long);
  server.tokens = [short, long];
  await client.loadConfig();
  await vi.advanceTimersByTimeAsync(60_000);
  await client.start();
  expect(token).toHaveBeenCalledOnce();
  await vi.advanceTimersByTimeAsync(20_000); // 20 s before its end it counts as gone.
  await client.mute(true);
  expect(token).toHaveBeenCalledTimes(2);
  expect(used().at(-1)).toBe(long);
});

test('a second refusal is final and said in words', async () => {
  const { server, client, token } = setUp('a', 'b');
  server.tokens = [];
  await client.start();
  expect(token).toHaveBeenCalledTimes(2);
  expect(client.getState()).toMatchObject({ sessionStatus: 'inactive', error: { code: 'unauthorized' } });
});

test('a provider that fails is said in words, and asked again by the next start', async () => {
  const { server, client } = setUp(new Error('the sign-in is down'), 'good');
  server.tokens = ['good'];
  await client.start();
  expect(server.requests).toEqual([]);
  expect(client.getState().error).toMatchObject({ code: 'token_failed', whatToDo: expect.stringMatching(/\.$/) as string });
  await client.start();
  await settle();
  expect(client.getState()).toMatchObject({ sessionStatus: 'active', error: null });
});

test('a provider that never answers is given up like a server that does not', async () => {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', token: () => new Promise(() => undefined), ports: server.ports });
  const started = client.start();
  await vi.advanceTimersByTimeAsync(35_000);
  await started;
  expect(client.getState()).toMatchObject({ error: { code: 'too_slow' } });
});

test.each([
  ['a token that is no JWT', 'opaque'],
  ['claims that are no JSON', 'a.b.c'],
  ['a JWT without an end', `a.${btoa('{}')}.c`],
])('%s never expires by itself', (_, token) => {
  expect(expiryMs(token)).toBe(Infinity);
});
