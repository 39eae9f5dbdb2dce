'use client';
/** The conversation of whoever is signed in. Greenroom knows them by the token that this application gives. */

import { AssistantButton, AssistantCanvas, useVoiceEvent, useVoiceSession, VoiceSessionProvider } from '@greenroom/client/react';
import { useState } from 'react';
import { signOut } from './actions';

async function token(): Promise<string> {
  const answer = await fetch('/api/greenroom-token', { method: 'POST' });
  if (!answer.ok) throw new Error(`No token: ${answer.status}`);
  return ((await answer.json()) as { token: string }).token;
}

export function Talk({ name, greenroom }: { name: string; greenroom: string }) {
  return (
    <VoiceSessionProvider options={{ baseUrl: greenroom, token }} restore>
      <header>
        <span>{name}</span>
        <SignOut />
      </header>
      <div className="panel">
        <h1>Practice room</h1>
        <AssistantCanvas>
          <div className="lamp" />
        </AssistantCanvas>
        <Score />
        <AssistantButton className="talk" />
      </div>
    </VoiceSessionProvider>
  );
}

function Score() {
  const [score, setScore] = useState('Say the answers aloud.');
  useVoiceEvent('app.answer', ({ data }) => setScore(`${data.right} of ${data.asked} right`));
  return <p className="hint">{score}</p>;
}

/** Whoever signs out takes the conversation along. */
function SignOut() {
  const { stop } = useVoiceSession();
  return (
    <form
      action={async () => {
        await stop();
        await signOut();
      }}
    >
      <button className="quiet">Sign out</button>
    </form>
  );
}
