/** Where the page begins: one client, looked for a session to return to, and shown. */

import { createVoiceClient } from '@greenroom/client';
import { VoiceSessionProvider } from '@greenroom/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';
import './style.css';

const client = createVoiceClient({ wait: true });
const root = document.getElementById('root');
if (!root) throw new Error('The page has no place to be shown in.');

createRoot(root).render(
  <StrictMode>
    <VoiceSessionProvider client={client}>
      <App />
    </VoiceSessionProvider>
  </StrictMode>,
);
void client.restore();
