// Pipecat's own client as its makers mean it to be used; the page only shows what it says of itself.
import { PipecatClient, RTVIEvent } from '@pipecat-ai/client-js';
import { SmallWebRTCTransport, WavMediaManager } from '@pipecat-ai/small-webrtc-transport';

const address = new URLSearchParams(location.search);
const startUrl = address.get('start') ?? '/start';

function part<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const call = part('call');
const voice = part<HTMLAudioElement>('voice');

function note(text: string): void {
  const item = document.createElement('li');
  item.textContent = text;
  part('messages').append(item);
}

// The default media manager loads a script from another host.
const transport = new SmallWebRTCTransport({ mediaManager: new WavMediaManager() });
const client = new PipecatClient({
  transport,
  enableMic: true,
  enableCam: false,
});

client.on(RTVIEvent.TransportStateChanged, (state) => {
  call.dataset['state'] = state;
});
client.on(RTVIEvent.BotStarted, (answer) => {
  call.dataset['session'] = (answer as { sessionId: string }).sessionId;
});
client.on(RTVIEvent.BotReady, (bot) => {
  call.dataset['bot'] = bot.version;
});
client.on(RTVIEvent.UserTranscript, ({ text, final }) => {
  if (final) note(`user: ${text}`);
});
client.on(RTVIEvent.BotOutput, ({ text }) => {
  note(`bot: ${text}`);
});
client.on(RTVIEvent.Error, (message) => {
  note(`error: ${(message.data as { message: string }).message}`);
});
client.on(RTVIEvent.TrackStarted, (track, participant) => {
  if (track.kind === 'audio' && !participant?.local) voice.srcObject = new MediaStream([track]);
});

part('start').addEventListener('click', () => {
  const wanted = address.get('transport') ?? 'webrtc';
  const requestData = {
    transport: wanted,
    // Pipecat's runner answers this with a public STUN server; a measurement does without it.
    enableDefaultIceServers: address.get('ice') !== 'none',
    body: { from: 'stock' },
  };
  // Pipecat Cloud's doors ask for a public key, at the start and at each offer.
  const key = address.get('key');
  const headers = new Headers(key ? { Authorization: `Bearer ${key}` } : {});
  const endpoint = new URL(startUrl, location.href);
  client.startBotAndConnect({ endpoint, headers, requestData }).catch((error: unknown) => {
    call.dataset['error'] = String(error);
  });
});
part('disconnect').addEventListener('click', () => void client.disconnect());
// What a bot asks for by itself when its video changes.
part('renegotiate').addEventListener('click', () => {
  transport.handleMessage(JSON.stringify({ type: 'signalling', message: { type: 'renegotiate' } }));
});
// What it does by itself a few seconds after its network was lost.
part('reconnect').addEventListener('click', () => {
  const lost = transport as unknown as { attemptReconnection(recreatePeerConnection: boolean): Promise<void> };
  void lost.attemptReconnection(true);
});
part('end').addEventListener('click', () => client.disconnectBot());
