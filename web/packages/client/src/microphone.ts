/** The visitor's microphone: asking for it, and saying in words why it cannot be had. */

import { VoiceError, problem } from './words.ts';

export type MicrophoneState = 'unknown' | 'asking' | 'granted' | 'refused' | 'missing' | 'lost';

/** What the browser does to what the microphone hears. All of it is on unless switched off. */
export interface AudioProcessing {
  echoCancellation: boolean;
  noiseSuppression: boolean;
  autoGainControl: boolean;
}

/** How the microphone is wished for. One that is not there is replaced by the system's default. */
export interface MicrophoneWish extends Partial<AudioProcessing> {
  deviceId?: string;
}

/** Asks for the microphone. Rejects with a `VoiceError` whose code begins with `microphone_`. */
export type OpenMicrophone = (wish?: MicrophoneWish) => Promise<MediaStream>;

export const openMicrophone: OpenMicrophone = async ({ deviceId, ...processing } = {}) => {
  // Outside of https and localhost browsers do not even have the object.
  const devices = (navigator as Partial<Navigator>).mediaDevices;
  if (!devices) throw new VoiceError(problem('insecure_page'));
  try {
    return await devices.getUserMedia({
      audio: {
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
        ...processing,
        ...(deviceId ? { deviceId: { ideal: deviceId } } : {}),
      },
    });
  } catch (error) {
    throw new VoiceError(problem(codeOf(error)), { cause: error });
  }
};

/** The names are those of the Media Capture specification, getUserMedia(), step 10 and on. */
function codeOf(error: unknown): string {
  switch ((error as { name?: string } | null)?.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'microphone_refused';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'microphone_missing';
    default:
      return 'microphone_busy';
  }
}

/** What the page shows of the microphone when it could not be opened. */
export function stateOfRefusal(code: string): MicrophoneState {
  return code === 'microphone_refused' || code === 'insecure_page' ? 'refused' : 'missing';
}

/** Whether the microphone would open without a question to the visitor. */
export type MicrophoneAllowed = () => Promise<boolean>;

export const microphoneAllowed: MicrophoneAllowed = async () => {
  try {
    const name = 'microphone' as PermissionName;
    return (await navigator.permissions.query({ name })).state === 'granted';
  } catch {
    return false; // Not every browser can be asked.
  }
};
