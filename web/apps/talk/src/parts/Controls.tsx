/** The one button, and beside it the switch of the microphone. */

import type { VoiceSession } from '@greenroom/client/react';
import { MicrophoneIcon, MicrophoneOffIcon } from './icons.tsx';

const LABELS: Record<VoiceSession['sessionStatus'], string> = {
  inactive: 'Talk',
  unavailable: 'Talk',
  queued: 'Stop',
  connecting: 'Stop',
  active: 'Stop',
  paused: 'Stop',
  disconnecting: 'Ending…',
};

export function Controls({ session, onToggle }: { session: VoiceSession; onToggle: () => void }) {
  const isLive = session.intent !== 'none';
  const isEnding = session.sessionStatus === 'disconnecting';
  const label = isLive && !isEnding ? 'Stop' : LABELS[session.sessionStatus];
  return (
    <div className="controls">
      <button
        type="button"
        className="talk"
        data-live={isLive}
        // Not `disabled`: that would take the focus away from whoever pressed it.
        aria-disabled={isEnding}
        onClick={() => {
          if (!isEnding) onToggle();
        }}
      >
        <span className="talk-mark" aria-hidden="true" />
        {label}
      </button>
      {isLive && !isEnding ? (
        <button
          type="button"
          className="mute"
          aria-pressed={session.muted}
          aria-label="Mute the microphone"
          title={session.muted ? 'Switch the microphone on' : 'Mute the microphone'}
          onClick={() => void session.mute(!session.muted)}
        >
          {session.muted ? <MicrophoneOffIcon /> : <MicrophoneIcon />}
          <span aria-hidden="true">{session.muted ? 'Muted' : 'Mute'}</span>
        </button>
      ) : null}
    </div>
  );
}
