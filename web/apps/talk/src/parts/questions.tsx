/** What the user is asked: whether they agree to be recorded, and whether an address may be opened. */

import type { ConsentQuestion } from '@greenroom/client/react/panels';
import { Question } from './Question.tsx';

export function RecordingConsent({ onAgree, onRefuse }: { onAgree: () => void; onRefuse: () => void }) {
  return (
    <Question id="recording" heading="This conversation is recorded" yes="Agree and talk" onYes={onAgree} onNo={onRefuse} takesFocus>
      <p>What you and the assistant say may be recorded and kept.</p>
      <p className="what-to-do">It begins only if you agree.</p>
    </Question>
  );
}

export function OpenPage({ question }: { question: ConsentQuestion }) {
  const { url, answer } = question;
  return (
    // Another address is another question, so that a click meant for one never answers the next.
    <Question key={url.href} id="open-page" heading={`Open ${url.host}?`} yes="Open in a new tab" onYes={() => answer(true)} onNo={() => answer(false)}>
      <p>The assistant wants to show you this address:</p>
      <p className="address">{url.href}</p>
    </Question>
  );
}
