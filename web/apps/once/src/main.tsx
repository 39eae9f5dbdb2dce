/** A component under StrictMode that renders without need while it processes events, and tells what it did. */

import { AssistantButton, useVoiceEvent, useVoiceSession, VoiceSessionProvider } from '@greenroom/client/react';
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

const RENDER_EVERY_MS = 10;

/** What the test reads. */
const told = { processed: [] as number[], renders: 0, effects: 0 };
Object.assign(window, { told });

function Consumer() {
  const { connection, sessionStatus } = useVoiceSession();
  const [shaken, setShaken] = useState(0);
  useEffect(() => {
    told.effects += 1;
    const timer = setInterval(() => setShaken((count) => count + 1), RENDER_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  told.renders += 1;
  // A new function at each render, with state in its closure, as people write it.
  useVoiceEvent('app.step', ({ data }) => {
    told.processed.push((data as { step: number }).step);
    setShaken(shaken + 1);
  });
  return <p data-testid="call" data-status={sessionStatus} data-connection={connection} data-shaken={shaken} />;
}

const baseUrl = new URLSearchParams(location.search).get('base') ?? '';
createRoot(document.getElementById('page')!).render(
  <StrictMode>
    <VoiceSessionProvider options={{ baseUrl }}>
      <AssistantButton />
      <Consumer />
    </VoiceSessionProvider>
  </StrictMode>,
);
