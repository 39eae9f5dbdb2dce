/** A string of lights: the louder the microphone, the more of its bulbs are lit. */

import { useAudioLevel, useVoiceSession } from '@greenroom/client/react';
import type { CSSProperties } from 'react';

const BULBS = 15;
/** A loud voice lights every bulb. */
const FULL_LEVEL = 0.6;
/** How far the string hangs through, and where it is nailed, in hundredths of its box. */
const SAG = 52;
const NAIL = 4;
const LABELS = { silent: 'You are silent', noise: 'Some noise', speaking: 'You are speaking' } as const;

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
      <StringOfLights />
      <p className="meter-label">{label}</p>
    </div>
  );
}

/** Only this renders with every change of the level. It lights up from the middle. */
function StringOfLights() {
  const level = useAudioLevel();
  const reach = Math.min(1, level / FULL_LEVEL) * (BULBS / 2);
  return (
    <div className="string" aria-hidden="true">
      <svg className="wire" viewBox="0 0 100 100" preserveAspectRatio="none">
        <path d={`M0 ${NAIL} Q50 ${NAIL + 2 * SAG} 100 ${NAIL}`} vectorEffect="non-scaling-stroke" />
      </svg>
      {PLACES.map(({ x, y, fromMiddle }) => (
        <span
          key={x}
          className="bulb"
          data-lit={reach > fromMiddle}
          style={{ '--x': `${x}%`, '--y': `${y}%` } as CSSProperties}
        />
      ))}
    </div>
  );
}

/** Where the bulbs hang: evenly along the string, which is a parabola. */
const PLACES = Array.from({ length: BULBS }, (_, index) => {
  const t = (index + 0.5) / BULBS;
  const hangs = 4 * SAG * t * (1 - t);
  return { x: 100 * t, y: NAIL + hangs, fromMiddle: Math.abs(index - (BULBS - 1) / 2) };
});
