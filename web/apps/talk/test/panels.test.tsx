// @vitest-environment happy-dom
/** Beside the stage: what the assistant fills, what the user types, chooses, and is asked. */

import { createVoiceClient, type VoiceClientOptions } from '@greenroom/client';
import { VoiceSessionProvider } from '@greenroom/client/react';
import { FakeBeside, FakeServer } from '@greenroom/client/testing';
import { act, cleanup, fireEvent, render, screen, within } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { App } from '../src/App.tsx';
import { chosenInAddress, writeIntoAddress } from '../src/choice.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  history.replaceState(null, '', '/');
  vi.useRealTimers();
});

function show(prepare: (server: FakeServer) => void = () => undefined, chosen: string | null = null) {
  const server = new FakeServer();
  prepare(server);
  const options: VoiceClientOptions = { baseUrl: 'http://greenroom.test', ports: server.ports };
  const client = createVoiceClient(options);
  const onChoose = vi.fn((name: string | null) => {
    if (name === null) delete options.assistant;
    else options.assistant = name;
  });
  onChoose(chosen);
  render(
    <StrictMode>
      <VoiceSessionProvider client={client}>
        <App chosen={chosen} onChoose={onChoose} />
      </VoiceSessionProvider>
    </StrictMode>,
  );
  return { server, client, onChoose };
}
const pass = (ms = 0) => act(() => vi.advanceTimersByTimeAsync(ms));
const press = (name: RegExp) => act(() => screen.getByRole('button', { name }).click());
const started = (server: FakeServer) => server.requests.find(({ command }) => command === 'POST /api/voice/session')?.body;

async function talking(prepare?: (server: FakeServer) => void) {
  const shown = show(prepare);
  await pass();
  press(/^talk$/i);
  await pass();
  return shown;
}

describe('panels', () => {
  test('there are none, and nothing to open them by, until the assistant fills one', async () => {
    const { server } = await talking();
    expect(screen.queryByRole('navigation', { name: 'Panels' })).toBeNull();
    expect(screen.queryByTestId('panel-notes')).toBeNull();
    expect(server.count('GET /api/voice/notes')).toBe(0);
  });

  test('a note is seen and told, and can be deleted', async () => {
    const note = FakeBeside.note('n1', 'Buy tea', 'The green one');
    const { server } = await talking(({ beside }) => void (beside.notes = [note]));
    act(() => void server.emit('ui.note', { action: 'created', note }));
    expect(within(screen.getByTestId('notes')).getByText('Buy tea')).toBeDefined();
    expect(screen.getByText('Note saved: Buy tea.')).toBeDefined();
    press(/delete the note: buy tea/i);
    await pass();
    expect(screen.getByText('No notes yet.')).toBeDefined();
    expect(server.beside.notes).toEqual([]);
  });

  test('are closed, and opened again by their switches', async () => {
    const { server } = await talking();
    act(() => void server.emit('ui.html', { id: 'h', title: 'A list', html: '<p>x' }));
    expect(screen.getByTestId('frame').getAttribute('sandbox')).toBe('');
    press(/close: a list/i);
    expect(screen.queryByTestId('frame')).toBeNull();
    const page = screen.getByRole('button', { name: 'Page' });
    expect(page.getAttribute('aria-pressed')).toBe('false');
    act(() => page.click());
    expect(screen.getByTestId('frame')).toBeDefined();
    press(/^script$/i);
    expect(screen.queryByTestId('transcript')).toBeNull();
  });

  test('a card shows its front, and its back only when it is turned', async () => {
    const { server } = await talking();
    act(() => void server.emit('ui.card', { id: 'c', front: 'Capital of Norway?' }));
    expect(screen.getByTestId('tool-card').dataset.state).toBe('question');
    expect(screen.getByText('A card: Capital of Norway?')).toBeDefined();
    act(() => void server.emit('ui.card', { id: 'c', front: 'Capital of Norway?', back: 'Oslo' }));
    expect(screen.getByTestId('tool-card').dataset.state).toBe('right');
    expect(screen.getByText('Oslo')).toBeDefined();
  });
});

describe('typing instead of speaking', () => {
  const type = async (text: string) => {
    fireEvent.change(screen.getByRole('textbox'), { target: { value: text } });
    press(/say it/i);
    await pass();
  };

  test('sends words in the same session, and nothing that is empty', async () => {
    const { server } = await talking();
    await type('  ');
    await type(' What is 6 times 9? ');
    expect(server.requests.filter(({ command }) => command.endsWith('/message')).map(({ body }) => body.text)).toEqual(['What is 6 times 9?']);
    expect((screen.getByRole('textbox') as HTMLInputElement).value).toBe('');
  });

  test('keeps what did not get there, and says so', async () => {
    const { server } = await talking();
    server.refuse('POST /api/voice/session/{id}/message', 409, 'not_active', 'Nobody is there yet.');
    await type('Hello');
    expect((screen.getByRole('textbox') as HTMLInputElement).value).toBe('Hello');
    expect(screen.getByText('Nobody is there yet.').getAttribute('role')).toBe('alert');
  });

  test('is possible while there is a conversation, and only then', async () => {
    const { client } = await talking();
    expect(screen.getByRole('textbox')).toBeDefined();
    await act(() => client.stop());
    expect(screen.queryByRole('textbox')).toBeNull();
  });
});

describe('choosing an assistant', () => {
  const several = ({ beside }: FakeServer) => {
    beside.assistants.push({ name: 'coach', title: 'The coach', enabled: true }, { name: 'night', title: 'Night watch', enabled: false });
  };

  test('one is no choice', async () => {
    show();
    await pass();
    expect(screen.queryByTestId('chooser')).toBeNull();
  });

  test('whoever is chosen is who one talks with; who is not here cannot be', async () => {
    const { server, onChoose } = show(several);
    await pass();
    const chooser = screen.getByLabelText('Talk with') as HTMLSelectElement;
    expect(chooser.value).toBe('cards');
    expect([...chooser.options].map(({ disabled }) => disabled)).toEqual([false, false, true]);
    fireEvent.change(chooser, { target: { value: 'coach' } });
    await pass();
    expect(onChoose).toHaveBeenLastCalledWith('coach');
    expect(screen.getByText('The coach', { selector: '.deck-title' })).toBeDefined();
    press(/^talk$/i);
    await pass();
    expect(started(server)?.assistant).toBe('coach');
    expect(screen.queryByTestId('chooser')).toBeNull();
  });

  test('an address that names nobody is an address that names no one', async () => {
    const { onChoose } = show(several, 'gone');
    await pass();
    expect(onChoose).toHaveBeenLastCalledWith(null);
    expect((screen.getByTestId('chooser') as HTMLSelectElement).value).toBe('cards');
  });

  test('the address remembers it', () => {
    history.replaceState(null, '', '/?debug=1');
    writeIntoAddress('coach & co');
    expect(location.search).toBe('?debug=1&assistant=coach+%26+co');
    expect(chosenInAddress()).toBe('coach & co');
    writeIntoAddress(null);
    expect(location.search).toBe('?debug=1');
    expect(chosenInAddress()).toBeNull();
  });
});

describe('where it is recorded', () => {
  const records = (server: FakeServer) => void (server.records = true);

  test('the page asks first; only a yes begins, and says so to the server', async () => {
    const { server } = await talking(records);
    expect(screen.getByRole('group', { name: 'This conversation is recorded' })).toBeDefined();
    expect(document.activeElement?.textContent).toBe('Not now');
    expect(started(server)).toBeUndefined();
    press(/not now/i);
    await pass();
    expect(started(server)).toBeUndefined();
    press(/^talk$/i);
    press(/agree and talk/i);
    await pass();
    expect(started(server)?.recordingConsent).toBe(true);
    expect(screen.getByTestId('status').dataset.status).toBe('active');
  });

  test('a page that did not know it yet is told by the server, and asks then', async () => {
    const { server } = show(records);
    server.refuse('GET /api/voice/config', 503, 'unavailable', 'Not now.');
    await pass();
    press(/^talk$/i);
    await pass();
    expect(started(server)).not.toHaveProperty('recordingConsent');
    expect(screen.getByTestId('notice').dataset.code).toBe('consent_needed');
    server.requests.length = 0;
    press(/agree and talk/i);
    await pass();
    expect(started(server)?.recordingConsent).toBe(true);
  });
});

describe('opening an address', () => {
  test('is asked beside the conversation, without taking the keyboard, and goes by the user’s word', async () => {
    const open = vi.spyOn(window, 'open').mockReset().mockReturnValue(null);
    const { server } = await talking();
    const field = screen.getByRole('textbox');
    field.focus();
    const id = server.callTool('open_page', { url: 'https://example.org/list' }, 'browser');
    await vi.dynamicImportSettled();
    await pass(100);
    expect(screen.getByRole('alert', { name: 'Open example.org?' })).toBeDefined();
    expect(document.activeElement).toBe(field);
    press(/open in a new tab/i);
    await pass(100);
    expect(open).toHaveBeenCalledTimes(1);
    expect(server.toolAnswer(id)).toEqual({ result: { opened: 'https://example.org/list' } });
    expect(screen.queryByTestId('open-page')).toBeNull();
  });
});
