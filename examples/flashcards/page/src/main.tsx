/** Where the page begins: one voice session for everything below, of the user whom the backend knows. */

import { VoiceSessionProvider } from '@greenroom/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App.tsx';
import './style.css';

/** Asks the application's own backend. Rejects when it does not answer well. */
async function ask(path: string): Promise<string> {
  const answer = await fetch(path, { method: 'POST' });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}.`);
  return (await answer.json()) as string;
}

const baseUrl = await ask('/api/hello');
const token = () => ask('/api/token');
const root = document.getElementById('page');
if (!root) throw new Error('The page has no place to be shown in.');

createRoot(root).render(
  <StrictMode>
    <VoiceSessionProvider options={{ baseUrl, token }} restore>
      <App />
    </VoiceSessionProvider>
  </StrictMode>,
);
