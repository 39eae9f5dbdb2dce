// @vitest-environment happy-dom
/** The hooks: one session under StrictMode, renders only for what is read, events once. */

import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode, type ReactNode } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createVoiceClient } from '../src/index.ts';
import { SESSION_STATUS, useAudioLevel, useVoiceEvent, useVoiceSession, VoiceSessionProvider } from '../src/react/index.ts';
import { FakeServer } from '../src/testing/index.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

function setUp(children: ReactNode) {
  const server = new FakeServer();
  const client = createVoiceClient({ baseUrl: 'http://greenroom.test', ports: server.ports });
  const page = render(
    <StrictMode>
      <VoiceSessionProvider client={client}>{children}</VoiceSessionProvider>
    </StrictMode>,
  );
  return { server, client, page };
}

const settle = () => act(() => vi.advanceTimersByTimeAsync(0));

function Talk() {
  const { sessionStatus, toggleSession, isAssistantSpeaking } = useVoiceSession();
  return (
    <button onClick={() => void toggleSession()}>
      {sessionStatus} {isAssistantSpeaking ? 'aloud' : 'quiet'}
    </button>
  );
}

test('one click is one session, under StrictMode too', async () => {
  const { server } = setUp(<Talk />);
  const button = screen.getByRole('button');
  expect(button.textContent).toBe(`${SESSION_STATUS.INACTIVE} quiet`);
  act(() => button.click());
  expect(button.textContent).toBe(`${SESSION_STATUS.CONNECTING} quiet`);
  await settle();
  expect(button.textContent).toBe(`${SESSION_STATUS.ACTIVE} quiet`);
  act(() => void server.emit('voice.bot.speaking', { speaking: true }));
  expect(button.textContent).toBe(`${SESSION_STATUS.ACTIVE} aloud`);
  expect(server.count('POST /api/voice/session')).toBe(1);
  act(() => button.click());
  await settle();
  expect(button.textContent).toBe(`${SESSION_STATUS.INACTIVE} quiet`);
});

test('an event is handed out once, to the handler of the last render', async () => {
  const seen: string[] = [];
  function Listener({ name }: { name: string }) {
    useVoiceEvent('app.question', ({ data }) => void seen.push(`${name} ${data.question}`));
    return null;
  }
  const { server, client, page } = setUp(<Listener name="first" />);
  await act(() => client.start());
  await settle();
  act(() => void server.emit('app.question', { question: '6 × 9', number: 1 }));
  page.rerender(
    <StrictMode>
      <VoiceSessionProvider client={client}>
        <Listener name="second" />
      </VoiceSessionProvider>
    </StrictMode>,
  );
  act(() => void server.emit('app.question', { question: '4 × 12', number: 2 }));
  page.unmount();
  server.emit('app.question', { question: '8 × 7', number: 3 });
  expect(seen).toEqual(['first 6 × 9', 'second 4 × 12']);
});

test('the level renders only those who read it', async () => {
  let calm = 0;
  function Calm() {
    useVoiceSession();
    calm += 1;
    return null;
  }
  function Level() {
    return <output>{useVoiceSession().audioLevel.toFixed(2)}</output>;
  }
  function Meter() {
    return <meter value={useAudioLevel()} />;
  }
  const { server, client, page } = setUp(
    <>
      <Calm />
      <Level />
      <Meter />
    </>,
  );
  await act(() => client.start());
  await settle();
  act(() => server.microphone.hear(0.4));
  const before = calm;
  act(() => server.microphone.hear(0.5));
  act(() => server.microphone.hear(0.6));
  expect(page.container.querySelector('output')?.textContent).toBe('0.50');
  expect(page.container.querySelector('meter')?.getAttribute('value')).toBe('0.5');
  expect(calm).toBe(before);
});

test('a provider with a client of its own lets go of the call when it goes, without ending it', async () => {
  const server = new FakeServer();
  const page = render(
    <StrictMode>
      <VoiceSessionProvider options={{ baseUrl: 'http://greenroom.test', ports: server.ports }}>
        <Talk />
      </VoiceSessionProvider>
    </StrictMode>,
  );
  act(() => screen.getByRole('button').click());
  await settle();
  expect(server.voice?.isClosed).toBe(false);
  page.unmount();
  expect(server.voice).toMatchObject({ hasLeft: true, isClosed: true });
  expect(server.session?.endedAt).toBeUndefined();
});

/** What the migration plan's hook and context give; whoever follows the plan writes against these. */
interface Planned {
  sessionStatus: string;
  isSpeaking: boolean;
  isAssistantSpeaking: boolean;
  isUserSpeaking: boolean;
  audioLevel: number;
  transcript: { text: string } | null;
  messages: readonly { role: string; text: string }[];
  start: () => Promise<void>;
  stop: () => Promise<void>;
  startSession: () => Promise<void>;
  stopSession: () => Promise<void>;
  toggleSession: () => void;
  sendMessage: (content: string) => void;
}

test('the hook has the shape of the migration plan, and its statuses their names', () => {
  let session: Planned | null = null;
  function Page() {
    session = useVoiceSession();
    return null;
  }
  setUp(<Page />);
  expect(session).toMatchObject({ sessionStatus: SESSION_STATUS.INACTIVE, isSpeaking: false, audioLevel: 0, transcript: null, messages: [] });
  expect(SESSION_STATUS).toMatchObject({ CONNECTING: 'connecting', ACTIVE: 'active', PAUSED: 'paused', UNAVAILABLE: 'unavailable' });
});

test('a hook outside of a provider says what is missing', () => {
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
  expect(() => render(<Talk />)).toThrow('VoiceSessionProvider');
  vi.mocked(console.error).mockClear();
});
