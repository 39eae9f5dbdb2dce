/** How loud the microphone is, and what that means: silent, noise or speaking. */

export type VoiceActivity = 'silent' | 'noise' | 'speaking';

/** Below it a room is quiet; between the two there is sound, but nobody speaks up. */
export const NOISE_FLOOR = 0.05;
export const SPEECH_THRESHOLD = 0.15;
/** Single samples jump; the mean of five does not flicker. */
export const SMOOTHED_SAMPLES = 5;
export const SAMPLE_EVERY_MS = 50;

/**
 * Puts speech in its place on the scale of 0 to 1: an RMS of 0.01 (−40 dBFS, a quiet room)
 * becomes the noise floor, 0.03 (−30 dBFS, speech with automatic gain) the speech threshold.
 */
const RMS_TO_LEVEL = 5;

/** The level of one block of samples. `pcm`: float, −1 … 1. Returns 0 … 1. */
export function levelOf(pcm: Float32Array): number {
  let sum = 0;
  for (const sample of pcm) sum += sample * sample;
  return Math.min(1, RMS_TO_LEVEL * Math.sqrt(sum / Math.max(1, pcm.length)));
}

/** What a smoothed level means. */
export function activityOf(level: number): VoiceActivity {
  if (level < NOISE_FLOOR) return 'silent';
  return level < SPEECH_THRESHOLD ? 'noise' : 'speaking';
}

/** Returns a function that takes levels one by one and gives the mean of the last five. */
export function createSmoother(): (level: number) => number {
  const recent: number[] = [];
  return (level) => {
    recent.push(level);
    if (recent.length > SMOOTHED_SAMPLES) recent.shift();
    return recent.reduce((sum, each) => sum + each, 0) / recent.length;
  };
}

/** Watches a microphone and calls `onLevel` (raw, 0 … 1) about 20 times a second. Returns how to stop. */
export type WatchLevel = (microphone: MediaStream, onLevel: (level: number) => void) => () => void;

/** The browser's own: an AnalyserNode that is connected to nothing audible. */
export const watchLevel: WatchLevel = (microphone, onLevel) => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 2048; // 43 ms at 48 kHz: about the time between two looks
  const source = context.createMediaStreamSource(microphone);
  source.connect(analyser);
  const pcm = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(pcm);
    onLevel(levelOf(pcm));
  }, SAMPLE_EVERY_MS);
  void context.resume().catch(() => undefined); // A page that may not make a sound measures later.
  return () => {
    clearInterval(timer);
    source.disconnect();
    void context.close().catch(() => undefined);
  };
};
