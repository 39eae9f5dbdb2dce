// VAPI's own SDK as its makers mean it to be used; the page only shows what it says of itself.
import Vapi from '@vapi-ai/web';

const address = new URLSearchParams(location.search);
const vapi = new Vapi(address.get('key') ?? '', address.get('server') ?? location.origin);

function part<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

const call = part('call');

function note(event: string, data?: unknown): void {
  const item = document.createElement('li');
  item.textContent = JSON.stringify({ event, data });
  part('messages').append(item);
}

for (const event of ['call-start', 'call-end', 'speech-start', 'speech-end'] as const)
  vapi.on(event, () => {
    note(event);
    if (event === 'call-start') call.dataset['started'] = 'yes';
    if (event === 'call-end') call.dataset['ended'] = 'yes';
  });
vapi.on('message', (message) => note('message', message));
vapi.on('error', (error) => note('error', error));
vapi.on('call-start-progress', ({ stage, status }) => {
  call.dataset['stage'] = `${stage} ${status}`;
});

part('start').addEventListener('click', () => {
  const overrides = JSON.parse(address.get('overrides') ?? '{}') as object;
  void vapi.start(address.get('assistant') ?? '', overrides).then((started) => {
    call.dataset['id'] = started?.id ?? 'none';
  });
});
part('tell').addEventListener('click', () =>
  vapi.send({ type: 'add-message', message: { role: 'user', content: 'orange' } }),
);
part('hush').addEventListener('click', () => vapi.send({ type: 'control', control: 'mute-assistant' }));
part('mute').addEventListener('click', () => {
  vapi.setMuted(true);
  call.dataset['muted'] = String(vapi.isMuted());
});
part('part').addEventListener('click', () => vapi.say('So long.', true));
part('end').addEventListener('click', () => vapi.end());
part('stop').addEventListener('click', () => void vapi.stop());
