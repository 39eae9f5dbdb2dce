/** The gallery's page: `#name` brings the page into the state of that name, on a fake server. */

import { createVoiceClient } from '@greenroom/client';
import { VoiceSessionProvider } from '@greenroom/client/react';
import { FakeServer } from '@greenroom/client/testing';
import { createRoot } from 'react-dom/client';
import { App } from '../src/App.tsx';
import '../src/style.css';
import { BEFORE, STATES } from './states.ts';

const name = decodeURIComponent(location.hash.slice(1));
const bringAbout = STATES[name] ?? STATES.inactive;
const server = new FakeServer();
BEFORE[name]?.(server);
const client = createVoiceClient({ ports: server.ports });
const root = document.getElementById('root');

if (root && bringAbout) {
  createRoot(root).render(
    <VoiceSessionProvider client={client}>
      <App onChoose={() => undefined} />
    </VoiceSessionProvider>,
  );
  // After the first paint, so that the page has subscribed to what will happen.
  setTimeout(async () => {
    await bringAbout({ server, client });
    document.documentElement.dataset.ready = 'true';
  }, 50);
}
Object.assign(window, { gallery: Object.keys(STATES) });
