/** A voice session and a group call on one page, and what a test reads of the two. */

import { AssistantButton, useGroupCall, useUnifiedVoiceState, useVoiceSession, VoiceSessionProvider } from '@greenroom/client/react';
import { StrictMode, useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import { createGroupCall } from './groupCall.ts';

const asked = new URLSearchParams(location.search);

function Page() {
  const { sessionStatus, muted, pauseCauses, messages, mute, pause, resume } = useVoiceSession();
  const { activeSession } = useUnifiedVoiceState();
  const { callStarted, callEnded } = useGroupCall();
  useEffect(() => {
    const groupCall = createGroupCall(asked.get('daily') ?? '', {
      started(how, roomUrl) {
        if (how === 'methods') callStarted(roomUrl);
        else window.dispatchEvent(new CustomEvent('dailyCall.session.start', { detail: { roomUrl } }));
      },
      ended(how) {
        if (how === 'methods') callEnded();
        else window.dispatchEvent(new CustomEvent('dailyCall.session.end'));
      },
    });
    Object.assign(window, { groupCall, voice: { mute, pause, resume } });
  }, [callStarted, callEnded, mute, pause, resume]);
  return (
    <>
      <p data-testid="call" data-status={sessionStatus} data-muted={muted} data-causes={pauseCauses.join()} data-active={activeSession} />
      <ul data-testid="said">
        {messages.map(({ id, role, text }) => (
          <li key={id} data-role={role}>
            {text}
          </li>
        ))}
      </ul>
    </>
  );
}

createRoot(document.getElementById('page')!).render(
  <StrictMode>
    <VoiceSessionProvider options={{ baseUrl: asked.get('base') ?? '' }}>
      <AssistantButton />
      <Page />
    </VoiceSessionProvider>
  </StrictMode>,
);
