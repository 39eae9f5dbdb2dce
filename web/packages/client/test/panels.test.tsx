// @vitest-environment happy-dom
/** Panels: what events and the user's notes make of them, and the hooks that show them. */

import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode, type ReactNode } from 'react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createVoiceClient, type Event } from '../src/index.ts';
import { NO_PANELS, panelsOf, SANDBOX_POLICY, withEvent } from '../src/panels/index.ts';
import { arrive, VoiceSessionProvider } from '../src/react/index.ts';
import { ToolFrame, useAssistants, useNotes, useOpenPage, useToolPanels } from '../src/react/panels.ts';
import { FakeBeside, FakeServer } from '../src/testing/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

const event = (type: string, data: object) => ({ v: 1, id: '', session: 's', seq: 1, time: '', type, data }) as unknown as Event;
const note = (id: string, title: string, minute: number) => ({ ...FakeBeside.note(id, title), updatedAt: `2026-01-01T12:0${minute}:00.000Z` });
const noteEvent = (action: string, of: object) => event('ui.note', { action, note: of });
const after = (...events: Event[]) => events.reduce(withEvent, NO_PANELS);

describe('what events make of them', () => {
  test('each panel opens when there is something in it, and not before', () => {
    expect(NO_PANELS.open).toEqual({ notes: false, html: false, cards: false, messages: true });
    expect(after(event('ui.html', { id: 'h', title: '', html: 'x' }))).toMatchObject({ open: { html: true }, html: { html: 'x' } });
    expect(after(event('ui.card', { id: 'c', front: 'f' }))).toMatchObject({ open: { cards: true }, card: { front: 'f' } });
    expect(after(noteEvent('created', note('a', 'Tea', 1)))).toMatchObject({ open: { notes: true }, noteId: 'a' });
  });

  test('the assistant opens and closes them', () => {
    expect(after(event('ui.panel', { panel: 'notes', open: true })).open.notes).toBe(true);
    expect(after(event('ui.panel', { panel: 'messages', open: false })).open.messages).toBe(false);
  });

  test('notes: the latest changed first, each once, and of two versions the later one', () => {
    const { notes } = after(
      noteEvent('created', note('a', 'Tea', 1)),
      noteEvent('created', note('b', 'Milk', 2)),
      noteEvent('changed', note('a', 'Green tea', 3)),
      noteEvent('created', note('a', 'Tea', 1)), // told again after a reload
    );
    expect(notes?.map(({ title }) => title)).toEqual(['Green tea', 'Milk']);
  });

  test('one that was deleted is gone, and opens nothing', () => {
    const state = after(noteEvent('created', note('a', 'Tea', 1)), event('ui.panel', { panel: 'notes', open: false }), noteEvent('deleted', note('a', 'Tea', 1)));
    expect(state).toMatchObject({ notes: [], noteId: null, open: { notes: false } });
  });

  test('a new session begins without what the last one showed; the notes are the user’s', () => {
    const state = after(noteEvent('created', note('a', 'Tea', 1)), event('ui.html', { id: 'h', title: '', html: 'x' }), event('voice.session.start', {}));
    expect(state).toEqual({ ...NO_PANELS, notes: [note('a', 'Tea', 1)] });
  });

  test('other events change nothing', () => {
    expect(withEvent(NO_PANELS, event('app.answer', {}))).toBe(NO_PANELS);
  });
});

function setUp(children: ReactNode, server = new FakeServer()) {
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  panelsOf(client);
  render(
    <StrictMode>
      <VoiceSessionProvider client={client}>{children}</VoiceSessionProvider>
    </StrictMode>,
  );
  return { server, client };
}
const pass = (ms = 0) => act(() => vi.advanceTimersByTimeAsync(ms));
const tools = async () => {
  await vi.dynamicImportSettled();
  await pass(100);
};

function Notes() {
  const { notes, problem, deleteNote } = useNotes();
  return (
    <>
      <p>{problem ?? (notes === null ? 'unknown' : notes.map(({ title }) => title).join(', '))}</p>
      <button onClick={() => void deleteNote('a')}>Delete</button>
    </>
  );
}
const shown = () => screen.getByRole('paragraph').textContent;

describe('the user’s notes', () => {
  test('are read, follow what the assistant does, and can be deleted', async () => {
    const server = new FakeServer();
    server.beside.notes = [note('a', 'Tea', 1)];
    const { client } = setUp(<Notes />, server);
    await pass();
    expect(shown()).toBe('Tea');
    await act(() => client.start());
    server.beside.notes = [note('b', 'Milk', 2), note('c', 'By another session', 2), note('a', 'Tea', 1)];
    act(() => void server.emit('ui.note', { action: 'created', note: note('b', 'Milk', 2) }));
    expect(shown()).toBe('Milk, Tea');
    await pass(300);
    expect(shown()).toBe('Milk, By another session, Tea');
    act(() => screen.getByRole('button').click());
    await pass();
    expect(shown()).toBe('Milk, By another session');
    expect(server.beside.notes.map(({ id }) => id)).toEqual(['b', 'c']);
  });

  test('that cannot be read, or not be deleted, are told of in words', async () => {
    const server = new FakeServer();
    server.refuse('GET /api/voice/notes', 503, 'unavailable', 'The notes are not there right now.', true);
    setUp(<Notes />, server);
    await pass();
    expect(shown()).toBe('The notes are not there right now.');
    server.refuse('DELETE /api/voice/notes/a', 403, 'forbidden', 'Not yours.');
    act(() => screen.getByRole('button').click());
    await pass();
    expect(shown()).toBe('Not yours.');
  });

  test('one that somebody else has deleted is gone here too', async () => {
    const server = new FakeServer();
    server.beside.notes = [note('a', 'Tea', 1)];
    setUp(<Notes />, server);
    await pass();
    server.beside.notes = [];
    server.refuse('DELETE /api/voice/notes/a', 404, 'not_found', 'There is no such note.');
    act(() => screen.getByRole('button').click());
    await pass();
    expect(shown()).toBe('');
  });

  test('one who is asked for may have any id', async () => {
    const { server, client } = setUp(null);
    await panelsOf(client).deleteNote('a/../b');
    expect(server.requests.at(-1)?.command).toBe('DELETE /api/voice/notes/a%2F..%2Fb');
  });
});

test('panels are one for each client, and the user opens and closes them too', async () => {
  function Panels() {
    const { open, html, set } = useToolPanels();
    return <button onClick={() => set('html', !open.html)}>{`${open.html ? 'open' : 'closed'} ${html?.title ?? 'empty'}`}</button>;
  }
  const { server, client } = setUp(<Panels />);
  await act(() => client.start());
  act(() => void server.emit('ui.html', { id: 'h', title: 'A list', html: '<p>x' }));
  expect(screen.getByRole('button').textContent).toBe('open A list');
  act(() => screen.getByRole('button').click());
  expect(screen.getByRole('button').textContent).toBe('closed A list');
  expect(panelsOf(client).getState().open.html).toBe(false);
});

describe('opening an address', () => {
  function OpenPage() {
    const question = useOpenPage();
    if (!question) return null;
    return (
      <>
        <p>{question.url.host}</p>
        <button onClick={() => question.answer(true)}>Yes</button>
        <button onClick={() => question.answer(false)}>No</button>
      </>
    );
  }
  const ask = (server: FakeServer, url: string) => server.callTool('open_page', { url }, 'browser');

  test('is asked, one address after the other, and done only where the user agrees', async () => {
    const open = vi.spyOn(window, 'open').mockReset().mockReturnValue(null);
    const { server, client } = setUp(<OpenPage />);
    await act(() => client.start());
    const [first, second] = [ask(server, 'https://one.example/'), ask(server, 'https://two.example/')];
    await tools();
    expect(shown()).toBe('one.example');
    act(() => screen.getByText('No').click());
    await tools();
    expect(shown()).toBe('two.example');
    act(() => screen.getByText('Yes').click());
    await tools();
    expect(server.toolAnswer(first)).toEqual({ error: 'The user did not want the page to be opened.' });
    expect(server.toolAnswer(second)).toEqual({ result: { opened: 'https://two.example/' } });
    expect(open.mock.calls.map(([url]) => url)).toEqual(['https://two.example/']);
    expect(screen.queryByRole('paragraph')).toBeNull();
  });

  test('a question that nobody waits for any more is not asked any more', async () => {
    const { server, client } = setUp(<OpenPage />);
    await act(() => client.start());
    const toolCallId = ask(server, 'https://one.example/');
    await tools();
    act(() => void server.emit('voice.tool.result', { toolCallId, tool: 'browser', name: 'open_page', outcome: 'timeout', durationMs: 30_000 }));
    await tools();
    expect(screen.queryByRole('paragraph')).toBeNull();
  });
});

test('who may be talked with is asked once for each component', async () => {
  function Names() {
    return <p>{useAssistants().map(({ title }) => title).join(', ')}</p>;
  }
  const server = new FakeServer();
  server.beside.assistants.push({ name: 'coach', title: 'The coach', enabled: true });
  setUp(<Names />, server);
  await pass();
  expect(shown()).toBe('Multiplication cards, The coach');
});

test('HTML stands in a frame without permissions, with a policy before anything else', () => {
  render(<ToolFrame shown={{ id: 'h', title: 'A list', html: '<p onclick="x()">Text <a href="https://example.org">link</a></p><script>x()</script>' }} className="mine" />);
  const frame = screen.getByTitle('A list') as HTMLIFrameElement;
  expect(frame.getAttribute('sandbox')).toBe('');
  expect(frame.className).toBe('mine');
  const text = frame.getAttribute('srcdoc') ?? '';
  expect(text.indexOf(SANDBOX_POLICY)).toBeLessThan(text.indexOf('<p>'));
  expect(text).toContain('<p>Text <a>link</a></p>');
  expect(text).not.toContain('x()');
});

describe('arriving', () => {
  async function arriving(prepare: (server: FakeServer) => void) {
    const server = new FakeServer();
    prepare(server);
    const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
    await arrive(client);
    return { server, client };
  }

  test('starts without a click where the assistant is configured so', async () => {
    const { client } = await arriving((server) => (server.autoStart = true));
    expect(client.getState().sessionStatus).toBe('active');
  });

  test.each([
    ['it is not configured so', () => undefined],
    ['it is recorded', (server: FakeServer) => void Object.assign(server, { autoStart: true, records: true })],
    ['a session of before can be returned to', (server: FakeServer) => { server.autoStart = true; server.begin(); }],
    ['nobody answers', (server: FakeServer) => (server.isDown = true)],
  ])('waits for a click where %s', async (_name, prepare) => {
    const { server } = await arriving(prepare as (server: FakeServer) => void);
    expect(server.count('POST /api/voice/session')).toBe(0);
  });
});
