// @vitest-environment happy-dom
/** Tools that the page carries out: once, bounded, answered; and never what happened before it came. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createVoiceClient, type OnConsent, type VoiceClientOptions } from '../src/index.ts';
import { FakeServer } from '../src/testing/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The module for tools is loaded, a call is settled, and what comes of it has arrived. */
const pass = async (ms = 100) => {
  await vi.dynamicImportSettled();
  await vi.advanceTimersByTimeAsync(ms);
};

async function talking(options: VoiceClientOptions = {}, server = new FakeServer()) {
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports, ...options });
  await client.start();
  await pass();
  return { server, client };
}
const answers = (server: FakeServer) => server.requests.filter(({ command }) => command.includes('/tools/')).map(({ body }) => body);

test('a tool of the page’s is called with its arguments, and what it returns goes back', async () => {
  const { server, client } = await talking();
  const seen: unknown[] = [];
  client.tool('basket', async (args, { toolCallId, tool, signal }) => {
    seen.push(args, toolCallId, tool, signal.aborted);
    return { items: 2 };
  });
  const id = server.callTool('basket', { add: 'tea' }, 'shop');
  await pass();
  expect(seen).toEqual([{ add: 'tea' }, id, 'shop', false]);
  expect(server.toolAnswer(id)).toEqual({ result: { items: 2 } });
});

test('the page of a guest in a group call sees a call, and carries nothing out', async () => {
  const guests = new FakeServer();
  guests.isGuest = true;
  const handler = vi.fn();
  const { server, client } = await talking({ tools: { basket: handler } }, guests);
  const seen = vi.fn();
  client.on('voice.tool.call', seen);
  server.callTool('basket');
  await pass();
  expect(seen).toHaveBeenCalledOnce();
  expect(handler).not.toHaveBeenCalled();
  expect(answers(server)).toEqual([]);
});

test('tools may stand in the options; one that was added later goes before, until it is taken away', async () => {
  const { server, client } = await talking({ tools: { where: () => 'options' } });
  const take = client.tool('where', () => 'later');
  server.callTool('where');
  await pass();
  take();
  server.callTool('where');
  await pass();
  expect(answers(server)).toEqual([{ result: 'later' }, { result: 'options' }]);
});

test('one that the page does not have is answered at once, also where the name is an object’s own', async () => {
  const { server } = await talking({ tools: {} });
  const [unknown, inherited] = [server.callTool('nothing'), server.callTool('toString')];
  await pass();
  expect(server.toolAnswer(unknown)).toEqual({ error: 'This page has no tool called nothing.' });
  expect(server.toolAnswer(inherited)).toEqual({ error: 'This page has no tool called toString.' });
});

test('what the bot or the server carry out is none of the page’s business', async () => {
  const handler = vi.fn();
  const { server } = await talking({ tools: { create_note: handler } });
  server.emit('voice.tool.call', { toolCallId: 'a', tool: 'notes', name: 'create_note', where: 'server', arguments: {} });
  await pass();
  expect(handler).not.toHaveBeenCalled();
  expect(answers(server)).toEqual([]);
});

test.each([
  ['throws at once', () => { throw new Error('The basket is full.'); }, { error: 'The basket is full.' }],
  ['rejects', () => Promise.reject(new Error('Sold out.')), { error: 'Sold out.' }],
  ['throws no error', () => { throw 'tea'; }, { error: 'tea' }],
  ['says very much', () => { throw new Error('x'.repeat(9_000)); }, { error: 'x'.repeat(500) }],
  ['throws nothing', () => { throw new Error(''); }, { error: 'The page’s tool failed.' }],
  ['returns nothing', () => undefined, { result: null }],
  ['returns a function', () => () => 1, { error: 'The page’s tool gave what cannot be written as JSON.' }],
  ['returns too much', () => 'ä'.repeat(20_000), { error: 'The page’s tool gave more than 32 KiB.' }],
])('a handler that %s', async (_name, handler, expected) => {
  const { server } = await talking({ tools: { it: handler } });
  const id = server.callTool('it');
  await pass();
  expect(server.toolAnswer(id)).toEqual(expected);
});

describe('each call once', () => {
  test('events that come again, and a page that lets go and returns, begin nothing anew', async () => {
    const handler = vi.fn(() => 'done');
    const { server, client } = await talking({ tools: { it: handler } });
    server.callTool('it');
    await pass();
    server.replay();
    client.close();
    await client.restore();
    await client.rejoin();
    await pass(2_000);
    expect(client.getState().sessionStatus).not.toBe('inactive');
    expect(handler).toHaveBeenCalledTimes(1);
    expect(answers(server)).toHaveLength(1);
  });

  test('after a reload nothing is run: what has its result is left alone, what waits is told', async () => {
    const { server, client } = await talking({ tools: { it: () => 'done' } });
    const done = server.callTool('it');
    await pass();
    const open = vi.fn(() => new Promise(() => undefined));
    client.tool('slow', open);
    const waits = server.callTool('slow');
    await pass();
    expect(open).toHaveBeenCalledTimes(1);

    client.close();
    const again = vi.fn();
    const reloaded = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports, tools: { it: again, slow: again } });
    server.microphone.allowed = true;
    await reloaded.restore();
    await reloaded.rejoin();
    await pass();
    expect(reloaded.getState().sessionId).toBe(server.session?.sessionId);
    expect(again).not.toHaveBeenCalled();
    expect(server.toolAnswer(waits)).toEqual({ error: 'The page was loaded anew before this was done.' });
    expect(answers(server)).toHaveLength(2);
    expect(server.toolAnswer(done)).toEqual({ result: 'done' });

    const next = server.callTool('it');
    await pass();
    expect(again).toHaveBeenCalledTimes(1);
    expect(server.toolAnswer(next)).toEqual({ result: null });
  });

  test('a call that came to its end during a break of the connection is not begun after it', async () => {
    const handler = vi.fn();
    const { server } = await talking({ tools: { it: handler } });
    server.dropSockets();
    const toolCallId = server.callTool('it');
    server.emit('voice.tool.result', { toolCallId, tool: 'it', name: 'it', outcome: 'timeout', durationMs: 15_000 });
    const late = server.callTool('it');
    await pass(2_000);
    expect(handler).toHaveBeenCalledTimes(1);
    expect(server.toolAnswer(toolCallId)).toBeUndefined();
    expect(server.toolAnswer(late)).toEqual({ result: null });
  });
});

describe('nobody waits any more', () => {
  test.each([
    ['its time is up', (server: FakeServer, toolCallId: string) => void server.emit('voice.tool.result', { toolCallId, tool: 'it', name: 'it', outcome: 'timeout', durationMs: 1 })],
    ['the session ends', (server: FakeServer) => server.end('user', 'Over.')],
  ])('%s: the handler is told, and its result is not sent', async (_name, happens) => {
    let finish = (_: unknown) => undefined as void;
    let signal: AbortSignal | undefined;
    const { server } = await talking({
      tools: { it: (_args, { signal: given }) => ((signal = given), new Promise<unknown>((resolve) => (finish = resolve))) },
    });
    const id = server.callTool('it');
    await pass();
    happens(server, id);
    await pass();
    expect(signal?.aborted).toBe(true);
    finish('too late');
    await pass();
    expect(answers(server)).toEqual([]);
  });

  test('a handler that never ends is given up after the longest time that a tool may take', async () => {
    let signal: AbortSignal | undefined;
    const { server } = await talking({ tools: { it: (_args, { signal: given }) => ((signal = given), new Promise(() => undefined)) } });
    server.callTool('it');
    await pass(60_200);
    expect(signal?.aborted).toBe(true);
    expect(answers(server)).toEqual([]);
  });
});

test('an answer that does not get through is sent again, and not for ever', async () => {
  const { server } = await talking({ tools: { it: () => 'done' } });
  const id = `call-${server.events.length + 1}`;
  const command = `POST /api/voice/session/{id}/tools/${id}`;
  server.refuse(command, 503, 'unavailable', 'Not now.', true);
  server.callTool('it');
  await pass();
  server.accept(command);
  await pass(1_000);
  expect(server.count(command)).toBe(2);

  server.isDown = true;
  server.callTool('it');
  await pass(60_000);
  expect(answers(server).length).toBeLessThanOrEqual(6);
});

describe('opening an address', () => {
  const opened = () => vi.spyOn(window, 'open').mockReset().mockReturnValue(null);

  test('a page that asks nobody opens nothing', async () => {
    const open = opened();
    const { server } = await talking();
    const id = server.callTool('open_page', { url: 'https://example.org/' }, 'browser');
    await pass();
    expect(server.toolAnswer(id)).toEqual({ error: 'This page has no tool called open_page.' });
    expect(open).not.toHaveBeenCalled();
  });

  test('with the user’s consent it is opened, without ties to this page', async () => {
    const open = opened();
    const onConsent = vi.fn(() => Promise.resolve(true));
    const { server } = await talking({ onConsent });
    const id = server.callTool('open_page', { url: 'https://example.org/a?b=c' }, 'browser');
    await pass();
    expect(onConsent).toHaveBeenCalledWith(new URL('https://example.org/a?b=c'), expect.any(AbortSignal));
    expect(open.mock.calls).toEqual([['https://example.org/a?b=c', '_blank', 'noopener,noreferrer']]);
    expect(server.toolAnswer(id)).toEqual({ result: { opened: 'https://example.org/a?b=c' } });
  });

  const yes: OnConsent = () => true;
  const no: OnConsent = () => false;
  test.each([
    ['a refusal', 'https://example.org/', no, 'The user did not want the page to be opened.'],
    ['http', 'http://example.org/', yes, 'Only https addresses are opened.'],
    ['script', 'javascript:alert(1)', yes, 'Only https addresses are opened.'],
    ['data', 'data:text/html,<script>1</script>', yes, 'Only https addresses are opened.'],
    ['no address', 'not an address', yes, 'Only https addresses are opened.'],
    ['nothing', undefined, yes, 'Only https addresses are opened.'],
    ['a disguise', 'https://bank.example@elsewhere.example/', yes, 'Addresses with a name or password are not opened.'],
  ])('%s opens nothing, and the assistant is told why', async (_name, url, onConsent, error) => {
    const open = opened();
    const { server } = await talking({ onConsent });
    const id = server.callTool('open_page', { url });
    await pass();
    expect(server.toolAnswer(id)).toEqual({ error });
    expect(open).not.toHaveBeenCalled();
  });

  test('consent that comes too late opens nothing', async () => {
    const open = opened();
    let agree = (_: boolean) => undefined as void;
    const { server } = await talking({ onConsent: () => new Promise<boolean>((resolve) => (agree = resolve)) });
    const toolCallId = server.callTool('open_page', { url: 'https://example.org/' });
    await pass();
    server.emit('voice.tool.result', { toolCallId, tool: 'browser', name: 'open_page', outcome: 'timeout', durationMs: 30_000 });
    await pass();
    agree(true);
    await pass();
    expect(open).not.toHaveBeenCalled();
  });
});

describe('what a start says', () => {
  const started = (server: FakeServer) => server.requests.find(({ command }) => command === 'POST /api/voice/session')?.body;

  test('overrides of the options, or of this start; consent only if it was given', async () => {
    const server = new FakeServer();
    const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports, assistant: 'coach', overrides: { language: 'de' } });
    await client.start();
    expect(started(server)).toMatchObject({ assistant: 'coach', overrides: { language: 'de' } });
    expect(started(server)).not.toHaveProperty('recordingConsent');
    await client.stop();
    server.requests.length = 0;
    await client.start({ overrides: { voice: { name: 'en+f3' } }, recordingConsent: true });
    expect(started(server)).toMatchObject({ overrides: { voice: { name: 'en+f3' } }, recordingConsent: true });
  });

  test('where it is recorded, a start without consent is refused in words', async () => {
    const server = new FakeServer();
    server.records = true;
    const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
    expect((await client.loadConfig()).records).toBe(true);
    await client.start();
    expect(client.getState().error?.code).toBe('consent_needed');
    await client.start({ recordingConsent: true });
    expect(client.getState().sessionStatus).toBe('active');
  });

  test('configuration and provider are asked for the assistant that is chosen now', async () => {
    const server = new FakeServer();
    server.beside.assistants.push({ name: 'coach', title: 'The coach', enabled: true });
    const options: VoiceClientOptions = { baseUrl: 'http://greenroom.test', ports: server.ports };
    const client = createVoiceClient(options);
    expect((await client.loadConfig()).assistant).toBe('cards');
    options.assistant = 'coach';
    expect((await client.loadConfig()).title).toBe('The coach');
    expect(await client.loadConfig()).toBe(await client.loadConfig());
    expect(await client.provider()).toEqual({ assistant: 'coach', provider: 'greenroom', reason: 'percentage' });
  });
});
