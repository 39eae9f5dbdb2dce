// Ears: what a person in front of this page hears, as 16 kHz PCM with times; installed before the page's own code.
(() => {
  const HEARD_HZ = 16000;
  const CHUNK = HEARD_HZ / 10;
  const GAP_MS = 60;
  const epochMs = () => performance.timeOrigin + performance.now();

  // Who plays? A track nobody plays is not heard, whatever arrives over the wire.
  const players = new Set();
  const srcObject = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    ...srcObject,
    set(stream) {
      players.add(this);
      srcObject.set.call(this, stream);
    },
  });
  const isPlayed = (track) =>
    [...players].some(
      (player) =>
        !player.paused && !player.muted && player.volume > 0 &&
        player.srcObject?.getAudioTracks().some((played) => played.id === track.id),
    );

  // A windowed-sinc low-pass at 7 kHz for 48 kHz → 16 kHz.
  const TAPS = Float32Array.from({ length: 31 }, (_, i) => {
    const n = i - 15;
    const cut = (2 * 7000) / 48000;
    const sinc = n === 0 ? cut : Math.sin(Math.PI * cut * n) / (Math.PI * n);
    return sinc * (0.54 + 0.46 * Math.cos((Math.PI * n) / 15));
  });

  function decimator() {
    let tail = new Float32Array(TAPS.length - 1);
    let phase = 0;
    return (samples) => {
      const all = new Float32Array(tail.length + samples.length);
      all.set(tail);
      all.set(samples, tail.length);
      const out = [];
      let i = phase;
      for (; i + TAPS.length <= all.length; i += 3) {
        let sum = 0;
        for (let k = 0; k < TAPS.length; k++) sum += all[i + k] * TAPS[k];
        out.push(Math.max(-1, Math.min(1, sum)) * 32767);
      }
      phase = i - (all.length - tail.length);
      tail = all.slice(-tail.length);
      return out;
    };
  }

  function send(atMs, samples) {
    const bytes = new Uint8Array(Int16Array.from(samples).buffer);
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    window.__heard(atMs, btoa(text));
  }

  async function listen(track) {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    let pending = [];
    let pendingAtMs = 0;
    let expectedMs = 0;
    let offsetMs = Infinity; // smallest lag of our clock behind the media's: delivery jitter removed
    let smaller = decimator();
    const flush = () => {
      if (pending.length) send(pendingAtMs, pending);
      pending = [];
    };
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) break;
      if (frame.sampleRate !== 48000) throw new Error(`remote audio at ${frame.sampleRate} Hz`);
      const samples = new Float32Array(frame.numberOfFrames);
      frame.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
      const durationMs = (frame.numberOfFrames / 48000) * 1000;
      const mediaMs = frame.timestamp / 1000;
      offsetMs = Math.min(offsetMs, epochMs() - durationMs - mediaMs);
      const atMs = mediaMs + offsetMs;
      frame.close();
      if (Math.abs(atMs - expectedMs) > GAP_MS) {
        flush();
        smaller = decimator();
      }
      if (!pending.length) pendingAtMs = atMs;
      expectedMs = atMs + durationMs;
      if (!isPlayed(track)) samples.fill(0);
      for (const sample of smaller(samples)) pending.push(sample);
      if (pending.length >= CHUNK) flush();
    }
    flush();
  }

  window.__rtcConfigurations = [];
  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(configuration, ...rest) {
      super(configuration, ...rest);
      window.__rtcConfigurations.push(configuration ?? {});
      this.addEventListener("track", ({ track }) => {
        if (track.kind === "audio") void listen(track);
      });
    }
  };

  window.__clickedAtMs = [];
  addEventListener("click", () => window.__clickedAtMs.push(epochMs()), { capture: true });
})();
