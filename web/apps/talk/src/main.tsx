/** Where the page begins: one client, looked for a session to return to, and shown. */

import { createVoiceClient, type VoiceClientOptions } from '@greenroom/client';
import { arrive, VoiceSessionProvider } from '@greenroom/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';
import { chosenInAddress, writeIntoAddress } from './choice.ts';
import './style.css';

const options: VoiceClientOptions = { wait: true };
const chosen = chosenInAddress();
choose(chosen);
const client = createVoiceClient(options);
const root = document.getElementById('root');
if (!root) throw new Error('The page has no place to be shown in.');

createRoot(root).render(
  <StrictMode>
    <VoiceSessionProvider client={client}>
      <App chosen={chosen} onChoose={choose} />
    </VoiceSessionProvider>
  </StrictMode>,
);
void arrive(client);

/** The next conversation is with this assistant; null: with the server's own. The address remembers it. */
function choose(assistant: string | null): void {
  if (assistant === null) delete options.assistant;
  else options.assistant = assistant;
  writeIntoAddress(assistant);
}
