// @vitest-environment happy-dom
/** The button, the canvas, the avatar and the provider: under StrictMode, in every order. */

import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode, useState, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createVoiceClient } from '../src/index.ts';
import {
  AssistantButton,
  AssistantCanvas,
  useAvatar,
  useAvatarState,
  useDevices,
  useGroupCall,
  useUnifiedVoiceState,
  useVoiceEvent,
  useVoiceSession,
  VoiceSessionProvider,
  type VoiceSessionProviderProps,
} from '../src/react/index.ts';
import { FakeServer } from '../src/testing/index.ts';

const START = 'POST /api/voice/session';
const END = 'DELETE /api/voice/session/{id}';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  sessionStorage.clear();
  vi.useRealTimers();
});

const settle = () => act(() => vi.advanceTimersByTimeAsync(0));

function setUp(children: ReactNode, props: VoiceSessionProviderProps = {}) {
  const server = new FakeServer();
  const fixed = { baseUrl: 'http://greenroom.test', ports: server.ports };
  const page = (more: VoiceSessionProviderProps = {}) => (
    <StrictMode>
      <VoiceSessionProvider {...props} {...more} options={{ ...fixed, ...props.options, ...more.options }}>
        {children}
      </VoiceSessionProvider>
    </StrictMode>
  );
  const { rerender, unmount, container } = render(page());
  return { server, container, unmount, show: (more: VoiceSessionProviderProps) => rerender(page(more)) };
}

const click = (name: string | RegExp) => act(() => screen.getByRole('button', { name }).click());

describe('AssistantButton', () => {
  test('starts, can be taken back while starting, and ends; it says so and tells its state', async () => {
    const { server } = setUp(<AssistantButton className="mine" />);
    const button = screen.getByRole('button', { name: 'Talk' });
    expect(button.dataset).toMatchObject({ status: 'inactive', avatar: 'idle', muted: 'false' });
    expect(button.className).toBe('mine');
    server.botJoins = false;
    click('Talk');
    await settle();
    expect(button.textContent).toBe('Cancel');
    expect(button.getAttribute('aria-busy')).toBe('true');
    act(() => server.say('active'));
    expect(button.dataset).toMatchObject({ status: 'active', avatar: 'listening' });
    click('End the conversation');
    await settle();
    expect(button.textContent).toBe('Talk');
    expect(server.count(END)).toBe(1);
  });

  test.each([14, 15, 16])('clicked madly (%d times) leaves no session that nobody has', async (clicks) => {
    const { server } = setUp(<AssistantButton />);
    const button = screen.getByRole('button');
    for (let i = 0; i < clicks; i++) {
      act(() => button.click());
      if (i % 4 === 3) await settle();
    }
    await settle();
    const live = server.microphone.tracks.filter(({ readyState }) => readyState === 'live').length;
    expect(server.count(START) - server.count(END)).toBe(live);
    expect(button.dataset.status).toBe(live ? 'active' : 'inactive');
    expect(server.session?.endedAt === undefined).toBe(live === 1);
  });

  test('has its words as name when it shows a picture, in the page’s own language, and can be held back', async () => {
    const { server } = setUp(
      <AssistantButton labels={{ inactive: 'Sprechen' }} onClick={(event) => event.preventDefault()}>
        <svg />
      </AssistantButton>,
    );
    click('Sprechen');
    await settle();
    expect(server.requests).toEqual([]);
  });
});

describe('AssistantCanvas', () => {
  test('shows what the assistant does, what was said, and what went wrong', async () => {
    const { server, container } = setUp(
      <>
        <AssistantButton />
        <AssistantCanvas data-testid="canvas">{(avatar) => <i>{avatar}</i>}</AssistantCanvas>
      </>,
    );
    const canvas = screen.getByRole('region', { name: 'Assistant' });
    const now = () => [canvas.dataset.avatar, canvas.querySelector('i')?.textContent];
    click('Talk');
    await settle();
    expect(now()).toEqual(['listening', 'listening']);
    act(() => void server.emit('voice.transcript', { role: 'user', text: 'Six times nine?', final: true, turn: 1 }));
    expect(now()).toEqual(['thinking', 'thinking']);
    expect(container.querySelector('[data-part=caption]')?.textContent).toBe('Six times nine?');
    act(() => void server.emit('voice.bot.speaking', { speaking: true, interrupted: false }));
    expect(now()).toEqual(['speaking', 'speaking']);
    act(() => void server.emit('voice.bot.speaking', { speaking: false, interrupted: false }));
    expect(now()).toEqual(['listening', 'listening']);
    server.microphone.next = 'microphone_missing';
    act(() => server.microphone.unplug());
    await settle();
    expect(screen.getByRole('alert').textContent).toMatch(/unplugged.*Plug it in again/);
  });

  test('moves with the voice of whoever has the word, without rendering', async () => {
    let renders = 0;
    const { server } = setUp(
      <>
        <AssistantButton />
        <AssistantCanvas captions={false}>
          {() => {
            renders += 1;
            return null;
          }}
        </AssistantCanvas>
      </>,
    );
    const level = () => screen.getByRole('region').style.getPropertyValue('--level');
    expect(level()).toBe('0.000');
    click('Talk');
    await settle();
    const before = renders;
    server.microphone.hear(0.5);
    expect(level()).toBe('0.500');
    expect(renders - before).toBeLessThanOrEqual(2); // Once, doubled by StrictMode: the visitor began to speak.
    act(() => void server.emit('voice.bot.speaking', { speaking: true, interrupted: false }));
    const speaking = renders;
    for (const loud of [0.25, 0.25, 0.25]) server.voice?.speak(loud);
    server.microphone.hear(1);
    expect(level()).toBe('0.250');
    expect(renders - speaking).toBeLessThanOrEqual(2);
    click('End the conversation');
    await settle();
    expect(level()).toBe('0.000');
  });

  test('offers to let the assistant be heard where the browser keeps it silent', async () => {
    const { server } = setUp(
      <>
        <AssistantButton />
        <AssistantCanvas />
      </>,
    );
    server.blocksSound = true;
    click('Talk');
    await settle();
    click('Let me hear the assistant');
    await settle();
    expect(screen.queryByRole('button', { name: 'Let me hear the assistant' })).toBeNull();
  });
});

test('an avatar is idle while muted or paused, and has the level of whoever has the word', async () => {
  const seen: string[] = [];
  function Avatar() {
    const { state, level } = useAvatar();
    const word = `${state} ${level.toFixed(1)}`;
    if (seen.at(-1) !== word) seen.push(word);
    expect(useAvatarState()).toBe(state);
    const { mute, pause, resume } = useVoiceSession();
    return (
      <>
        <button onClick={() => void mute(true)}>mute</button>
        <button onClick={() => void mute(false)}>unmute</button>
        <button onClick={() => void pause()}>pause</button>
        <button onClick={() => void resume()}>resume</button>
      </>
    );
  }
  const { server } = setUp(
    <>
      <AssistantButton />
      <Avatar />
    </>,
  );
  click('Talk');
  await settle();
  act(() => server.microphone.hear(0.3));
  act(() => void server.emit('voice.bot.speaking', { speaking: true, interrupted: false }));
  act(() => server.voice?.speak(0.6));
  act(() => void server.emit('voice.bot.speaking', { speaking: false, interrupted: false }));
  for (const what of ['mute', 'unmute', 'pause', 'resume']) {
    click(what);
    await settle();
  }
  expect(seen).toEqual([
    'idle 0.0', 'listening 0.0', 'listening 0.3', 'speaking 0.0', 'speaking 0.6',
    'listening 0.3', 'idle 0.0', 'listening 0.3', 'idle 0.0', 'listening 0.3',
  ]);
});

describe('the provider', () => {
  test('gone in the middle of a start: nothing stays open, and the session is taken back', async () => {
    const { server, unmount } = setUp(<AssistantButton />);
    const release = server.hold(START);
    server.microphone.next = 'ask';
    click('Talk');
    await settle();
    unmount();
    release();
    server.microphone.answer('allow');
    await vi.advanceTimersByTimeAsync(0);
    expect(server.count(END)).toBe(1);
    expect(server.session?.endedAt).toBeDefined();
    expect(server.microphone.tracks.every(({ readyState }) => readyState === 'ended')).toBe(true);
    expect(server.media.every(({ isClosed }) => isClosed)).toBe(true);
    expect(server.sockets).toEqual([]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('gone in the middle of a start that found a running session: that one goes on', async () => {
    const { server, unmount } = setUp(<AssistantButton />);
    server.begin();
    const release = server.hold(START);
    click('Talk');
    await settle();
    unmount();
    release();
    await vi.advanceTimersByTimeAsync(0);
    expect(server.count(END)).toBe(0);
  });

  test('asks for the assistant that it is told now, with the names of the migration plan', async () => {
    const { server, show } = setUp(<AssistantButton />, { assistantName: 'pearl', persona: 'Pearl' });
    click('Talk');
    await settle();
    expect(server.requests[0]?.body).toMatchObject({ assistant: 'pearl', body: { persona: 'Pearl' } });
    click('End the conversation');
    await settle();
    show({ assistantName: 'ruby', persona: 'Ruby', clientLanguage: 'de' });
    click('Talk');
    await settle();
    const last = server.requests.filter(({ command }) => command === START).at(-1);
    expect(last?.body).toMatchObject({ assistant: 'ruby', body: { persona: 'Ruby', clientLanguage: 'de' } });
  });

  test('waits for a vanished page as long as it is told, and no longer than told when it is told no more', async () => {
    const { server, show } = setUp(<AssistantButton />, { options: { limits: { idleS: 30 } } });
    show({ sessionPersistence: 60 });
    click('Talk');
    await settle();
    expect(server.requests[0]?.body).toMatchObject({ limits: { idleS: 30, persistenceS: 60 }, body: {} });
    click('End the conversation');
    await settle();
    show({});
    click('Talk');
    await settle();
    const last = server.requests.filter(({ command }) => command === START).at(-1);
    expect(last?.body.limits).toEqual({ idleS: 30 });
  });

  test('returns to an interrupted session when it is told to, under StrictMode once', async () => {
    const server = new FakeServer();
    server.microphone.allowed = true;
    server.remembered = server.begin().sessionId;
    server.say('active');
    const page = (restore: boolean) => (
      <StrictMode>
        <VoiceSessionProvider options={{ baseUrl: 'http://greenroom.test', ports: server.ports }} restore={restore}>
          <AssistantButton />
        </VoiceSessionProvider>
      </StrictMode>
    );
    const { rerender } = render(page(false));
    await settle();
    expect(server.requests).toEqual([]);
    rerender(page(true));
    await settle();
    expect(screen.getByRole('button').dataset.status).toBe('active');
    expect(server.count('POST /api/voice/session/{id}/offer')).toBe(1);
    expect(server.count(START)).toBe(0);
  });

  test('asks for a token as it was told last', async () => {
    const { server, show } = setUp(<AssistantButton />);
    show({ options: { token: () => 'of one render' } });
    show({ options: { token: () => 'of the last' } });
    click('Talk');
    await settle();
    expect(server.requests[0]?.token).toBe('of the last');
  });

  test('pauses during the window’s group calls, under StrictMode once', async () => {
    const shown: string[] = [];
    function Both() {
      const { activeSession, voiceSession } = useUnifiedVoiceState();
      const { callEnded } = useGroupCall();
      const word = `${activeSession} ${voiceSession.status}`;
      if (shown.at(-1) !== word) shown.push(word);
      return <button onClick={callEnded}>hang up</button>;
    }
    const { server, unmount } = setUp(
      <>
        <AssistantButton />
        <Both />
      </>,
    );
    click('Talk');
    await settle();
    act(() => void window.dispatchEvent(new Event('dailyCall.session.start')));
    await settle();
    expect(server.session?.pauseCauses).toEqual(['group_call']);
    click('hang up');
    await settle();
    expect(server.session?.pauseCauses).toEqual([]);
    expect(server.count('POST /api/voice/pause')).toBe(2);
    expect(shown).toEqual(['none inactive', 'voice connecting', 'voice active', 'dailyCall paused', 'voice paused', 'voice active']);
    unmount();
    window.dispatchEvent(new Event('dailyCall.session.start'));
    await vi.advanceTimersByTimeAsync(0);
    expect(server.count('POST /api/voice/pause')).toBe(2);
  });

  test('renders on a server, where there is neither window nor microphone', () => {
    const server = new FakeServer();
    const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
    const html = renderToString(
      <VoiceSessionProvider client={client}>
        <AssistantButton />
        <AssistantCanvas />
      </VoiceSessionProvider>,
    );
    expect(html).toContain('Talk');
    expect(server.requests).toEqual([]);
  });
});

test('devices can be listed and chosen', async () => {
  function Choice() {
    const { microphones, microphone, chooseMicrophone } = useDevices();
    return (
      <select value={microphone ?? ''} onChange={({ target }) => void chooseMicrophone(target.value || null)}>
        <option value="">default</option>
        {microphones.map(({ id, label }) => (
          <option key={id} value={id}>
            {label}
          </option>
        ))}
      </select>
    );
  }
  const { server } = setUp(
    <>
      <AssistantButton />
      <Choice />
    </>,
  );
  await settle();
  act(() => server.microphone.add({ deviceId: 'headset', kind: 'audioinput', label: 'Headset' }));
  await settle();
  const select = screen.getByRole<HTMLSelectElement>('combobox');
  expect([...select.options].map(({ text }) => text)).toEqual(['default', 'Built-in microphone', 'Headset']);
  click('Talk');
  await settle();
  expect(select.value).toBe('built-in');
  act(() => {
    select.value = 'headset';
    select.dispatchEvent(new Event('change', { bubbles: true }));
  });
  await settle();
  expect(select.value).toBe('headset');
  expect(server.voice?.microphone?.getSettings().deviceId).toBe('headset');
});

test('a component that listens to another type now hears that one, and nothing twice after a return', async () => {
  const seen: string[] = [];
  let listenTo: (type: string) => void = () => undefined;
  function Listener() {
    const [type, setType] = useState('app.a');
    listenTo = setType;
    useVoiceEvent(type, ({ data }) => void seen.push(`${type} ${String((data as { n: number }).n)}`));
    return null;
  }
  const { server } = setUp(
    <>
      <AssistantButton />
      <Listener />
    </>,
  );
  click('Talk');
  await settle();
  act(() => void server.emit('app.a', { n: 1 }));
  act(() => listenTo('app.b'));
  act(() => void server.emit('app.a', { n: 2 }));
  act(() => void server.emit('app.b', { n: 3 }));
  act(() => listenTo('app.a'));
  act(() => listenTo('app.b'));
  act(() => server.voice?.move());
  click('Talk');
  await settle();
  act(() => void server.emit('app.b', { n: 4 }));
  expect(seen).toEqual(['app.a 1', 'app.b 3', 'app.b 4']);
});
