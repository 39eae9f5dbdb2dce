// @vitest-environment happy-dom
/** The page on a server whose rooms are Daily's: the same page, which finds daily-js (here its double) by itself. */

import { createVoiceClient } from '@greenroom/client';
import { VoiceSessionProvider } from '@greenroom/client/react';
import { FakeDaily, FakeDailyRooms, FakeServer } from '@greenroom/client/testing';
import { act, cleanup, render, screen } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { App } from '../src/App.tsx';

const URL_OF_ROOM = 'https://stand-in.daily.co/voice-session-1';

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('MediaStream', class {});
});
afterEach(() => {
  cleanup();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const data = (testId: string) => ({ ...screen.getByTestId(testId).dataset });

/** Lets happen what needs no time, the loading of code included. */
const pass = () =>
  act(async () => {
    await vi.dynamicImportSettled();
    await vi.advanceTimersByTimeAsync(0);
  });

async function talking() {
  const server = new FakeServer();
  server.roomKind = 'daily';
  const rooms = new FakeDailyRooms();
  const daily = new FakeDaily(rooms);
  vi.stubGlobal('Daily', daily); // As a page has it that loads daily-js by a script tag.
  const bot = rooms.invite(URL_OF_ROOM, 'bot');
  const { openMedia: _, ...ports } = server.ports;
  const client = createVoiceClient({ wait: true, baseUrl: 'http://greenroom.test', ports });
  render(
    <StrictMode>
      <VoiceSessionProvider client={client}>
        <App />
      </VoiceSessionProvider>
    </StrictMode>,
  );
  await pass();
  expect(daily.calls).toEqual([]); // Nobody has pressed Talk yet.
  act(() => screen.getByRole('button', { name: /talk/i }).click());
  await pass();
  await pass();
  return { server, rooms, daily, bot, client };
}

test('Talk joins the room, and End leaves it', async () => {
  const { server, rooms, daily } = await talking();
  expect(data('status')).toMatchObject({ status: 'active' });
  expect(rooms.inside(URL_OF_ROOM)).toHaveLength(2);
  expect(server.requests.some(({ body }) => 'offer' in body)).toBe(false);
  act(() => screen.getByRole('button', { name: /stop|end/i }).click());
  await pass();
  expect(rooms.inside(URL_OF_ROOM).map(({ userName }) => userName)).toEqual(['bot']);
  expect(daily.living).toEqual([]);
});

test('what is asked is shown once, whatever the bot also says in the room', async () => {
  const { server, bot } = await talking();
  act(() => {
    bot.say({ type: 'app.question', data: { question: '2 × 2', number: 9 } });
    server.emit('app.question', { question: '8 × 7', number: 1 });
  });
  await pass();
  expect(data('card')).toMatchObject({ question: '8 × 7', number: '1' });
});

test('a room that is gone is shown, and come into again', async () => {
  const { daily } = await talking();
  await act(async () => daily.call?.fail('exp-room'));
  await act(() => vi.advanceTimersByTimeAsync(1_000));
  expect(daily.calls).toHaveLength(2);
  expect(data('status')).toMatchObject({ status: 'active' });
});
