// A microphone that the test feeds while the call runs; installed before the page's own code.
(() => {
  const devices = navigator.mediaDevices;
  if (!devices) return; // not a secure context (about:blank): there is no microphone there anyway
  const openDevice = devices.getUserMedia.bind(devices);
  const epochMs = () => performance.timeOrigin + performance.now();
  const HUSH = 0.0003; // room tone, about -76 dBFS peak: far below any detector, but never nothing
  let context, mouth;

  function start() {
    context = new AudioContext({ sampleRate: 48000 });
    mouth = new GainNode(context);
    const tone = new AudioBufferSourceNode(context, { buffer: hiss(1, HUSH), loop: true });
    tone.connect(mouth);
    tone.start();
    // After a reload nobody has touched the page yet; a real microphone needs no touch, this one does.
    void context.resume();
    for (const touch of ["click", "keydown"]) addEventListener(touch, () => void context.resume());
  }

  function hiss(seconds, amplitude) {
    const buffer = new AudioBuffer({ length: 48000 * seconds, sampleRate: 48000 });
    const samples = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i++) samples[i] = (Math.random() * 2 - 1) * amplitude;
    return buffer;
  }

  async function play(buffer) {
    if (!context) throw new Error("the page has not opened the microphone");
    await context.resume();
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(mouth);
    const over = new Promise((resolve) => source.addEventListener("ended", resolve));
    const beganMs = epochMs();
    source.start();
    await over;
    source.disconnect();
    return { beganMs, endedMs: epochMs() };
  }

  devices.getUserMedia = async (constraints) => {
    // The browser's own device is opened too, and stays open: permission, start-up time, and what
    // a page that records may do stay what they are.
    const device = await openDevice(constraints);
    if (!constraints?.audio) return device;
    if (!context) start();
    const ear = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    mouth.connect(ear);
    return ear.stream;
  };

  window.__mic = {
    async say(wavBase64) {
      if (!context) throw new Error("the page has not opened the microphone");
      const bytes = Uint8Array.from(atob(wavBase64), (c) => c.charCodeAt(0));
      return play(await context.decodeAudioData(bytes.buffer));
    },
    noise: (seconds, amplitude) => play(hiss(seconds, amplitude)),
  };
})();
