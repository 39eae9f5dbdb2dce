/** A strip of dressing-room bulbs: as many are lit as the microphone is loud. */

import { useAudioLevel, useVoiceSession } from '@greenroom/client/react';

const BULBS = 15;
/** A loud voice lights every bulb. */
const FULL = 0.6;
const LABELS = { silent: 'Silent', noise: 'Some noise', speaking: 'You are speaking' } as const;

export function Meter({ isLive }: { isLive: boolean }) {
  const { voiceState, muted } = useVoiceSession();
  const label = !isLive ? '' : muted ? 'Microphone off' : LABELS[voiceState];
  return (
    <div
      className="meter"
      data-testid="meter"
      data-voice-state={voiceState}
      data-muted={muted}
      data-live={isLive}
    >
      <Bulbs />
      <p className="meter-label">{label || ' '}</p>
    </div>
  );
}

/** Only this renders with every change of the level. */
function Bulbs() {
  const level = useAudioLevel();
  const lit = Math.round(Math.min(1, level / FULL) * BULBS);
  return (
    <div className="bulbs" aria-hidden="true">
      {Array.from({ length: BULBS }, (_, index) => (
        <span key={index} data-lit={index < lit} />
      ))}
    </div>
  );
}
