/** Every state that the page can be in, and how it comes about. */

import type { NoteBody, VoiceClient } from '@greenroom/client';
import { FakeBeside, type FakeServer } from '@greenroom/client/testing';

interface Scene {
  server: FakeServer;
  client: VoiceClient;
}
type BringAbout = (scene: Scene) => void | Promise<void>;

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
const QUESTIONS: [question: string, said: string, value: number, expected: number][] = [
  ['6 × 9', 'Fifty-four.', 54, 54],
  ['4 × 12', 'Forty-eight.', 48, 48],
  ['8 × 7', 'Fifty-four.', 54, 56],
];

function say({ server }: Scene, role: 'user' | 'assistant', text: string, final = true): void {
  const turn = server.events.length;
  server.emit('voice.transcript', { role, text, final, turn });
}

function hear({ server }: Scene, level: number): void {
  for (let i = 0; i < 5; i++) server.microphone.hear(level);
}

async function talk(scene: Scene): Promise<void> {
  await scene.client.start();
  await settle();
}

/** So many questions asked and answered, the last one only asked. */
async function played(scene: Scene, answered: number): Promise<void> {
  await talk(scene);
  say(scene, 'assistant', 'Hello! I ask, you answer. Let us begin.');
  let right = 0;
  for (const [index, [question, said, value, expected]] of QUESTIONS.entries()) {
    if (index > answered) break;
    scene.server.emit('app.question', { question, number: index + 1 });
    say(scene, 'assistant', `What is ${question.replace('×', 'times')}?`);
    if (index === answered) break;
    say(scene, 'user', said);
    const correct = value === expected;
    if (correct) right += 1;
    scene.server.emit('app.answer', { question, value, correct, expected, right, asked: index + 1 });
    say(scene, 'assistant', correct ? 'Right!' : `Not quite: it is ${expected}.`);
  }
  await settle();
}

function refusing(answer: 'microphone_refused' | 'microphone_missing' | 'microphone_busy' | 'insecure_page') {
  return async (scene: Scene) => {
    scene.server.microphone.next = answer;
    await talk(scene);
  };
}

function endedBy(reason: string, message: string): BringAbout {
  return async (scene) => {
    await played(scene, 3);
    scene.server.end(reason, message);
  };
}

const NOTES = [FakeBeside.note('n1', 'Buy tea', 'Two packets, the green one.'), FakeBeside.note('n2', 'Call the dentist')];
const WEEK =
  '<h1 style="font:600 1.4rem Georgia">Your week</h1><table style="border-collapse:collapse;width:100%">' +
  '<tr><th align="left">Day<th align="left">Cards<tr><td>Monday<td>12<tr><td>Tuesday<td>9<tr><td>Wednesday<td>15</table>';

/** The assistant keeps notes for the visitor. */
function keep({ server }: Scene, notes: NoteBody[]): void {
  server.beside.notes = notes;
  for (const note of notes.toReversed()) server.emit('ui.note', { action: 'created', note });
}

/** What a server has to know before the page appears. */
export const BEFORE: Record<string, (server: FakeServer) => void> = {
  'several-assistants': ({ beside }) => void beside.assistants.push({ name: 'coach', title: 'The coach', enabled: true }, { name: 'night', title: 'Night watch', enabled: false }),
  recorded: (server) => void (server.records = true),
};

export const STATES: Record<string, BringAbout> = {
  inactive: () => undefined,
  'asking-for-microphone': ({ server, client }) => {
    server.microphone.next = 'ask';
    server.hold('POST /api/voice/session');
    void client.start();
  },
  connecting: async ({ server, client }) => {
    server.hold('POST /api/voice/session');
    void client.start();
    await settle();
  },
  queued: async ({ server, client }) => {
    server.queuePosition = 3;
    void client.start();
    await settle();
  },
  'active-before-first-question': async (scene) => {
    await talk(scene);
    scene.server.emit('voice.bot.speaking', { speaking: true, interrupted: false });
    say(scene, 'assistant', 'Hello! I ask, you answer. Say goodbye when you have had enough.', false);
  },
  'active-silent': (scene) => played(scene, 1),
  'active-noise': async (scene) => {
    await played(scene, 2);
    hear(scene, 0.11);
  },
  'active-user-speaking': async (scene) => {
    await played(scene, 2);
    scene.server.emit('voice.speech.start', {});
    hear(scene, 0.42);
    say(scene, 'user', 'fifty', false);
  },
  'active-bot-speaking': async (scene) => {
    await played(scene, 2);
    scene.server.emit('voice.bot.speaking', { speaking: true, interrupted: false });
  },
  'answered-right': (scene) => played(scene, 2).then(() => turn(scene, 56)),
  'long-sum': async (scene) => {
    await talk(scene);
    scene.server.emit('app.question', { question: '11 × 12', number: 1 });
    scene.server.emit('voice.session.warning', { endsInS: 120 });
  },
  'long-sum-answered': async (scene) => {
    await talk(scene);
    scene.server.emit('app.question', { question: '11 × 12', number: 1 });
    scene.server.emit('app.answer', { question: '11 × 12', value: 132, correct: true, expected: 132, right: 1, asked: 1 });
  },
  'answered-wrong': (scene) => played(scene, 2).then(() => turn(scene, 54)),
  muted: async (scene) => {
    await played(scene, 1);
    await scene.client.mute(true);
  },
  'time-nearly-up': async (scene) => {
    await played(scene, 2);
    scene.server.emit('voice.session.warning', { endsInS: 120 });
  },
  paused: async (scene) => {
    await played(scene, 1);
    scene.server.say('paused');
  },
  'microphone-lost': async (scene) => {
    await played(scene, 1);
    scene.server.microphone.unplug();
    await settle();
  },
  'sound-blocked': async (scene) => {
    scene.server.blocksSound = true;
    await played(scene, 0);
  },
  'sound-lost': async (scene) => {
    await played(scene, 1);
    scene.server.hold('POST /api/voice/session/{id}/offer');
    scene.server.voice?.lose();
  },
  'server-away': async (scene) => {
    await played(scene, 1);
    scene.server.isDown = true;
    scene.server.dropSockets();
    await settle();
  },
  'server-and-sound-away': async (scene) => {
    await played(scene, 1);
    scene.server.isDown = true;
    scene.server.dropSockets();
    scene.server.voice?.lose();
    for (let i = 0; i < 60; i++) {
      scene.server.wake();
      await settle();
    }
  },
  notes: async (scene) => {
    await talk(scene);
    say(scene, 'user', 'Make a note: buy tea.');
    keep(scene, NOTES);
    say(scene, 'assistant', 'I wrote it down.');
    await settle();
  },
  html: async (scene) => {
    await talk(scene);
    say(scene, 'user', 'What did I do this week?');
    scene.server.emit('ui.html', { id: 'h1', title: 'Your week', html: WEEK });
    say(scene, 'assistant', 'Here is your week.');
  },
  'html-and-notes': async (scene) => {
    await talk(scene);
    say(scene, 'assistant', 'Here is your week, and what you noted.');
    scene.server.emit('ui.html', { id: 'h1', title: 'Your week', html: WEEK });
    keep(scene, NOTES);
    await settle();
  },
  'flash-card': async (scene) => {
    await talk(scene);
    say(scene, 'assistant', 'What is the capital of Norway?');
    scene.server.emit('ui.card', { id: 'c1', front: 'The capital of Norway?' });
  },
  'flash-card-turned': async (scene) => {
    await talk(scene);
    say(scene, 'user', 'Oslo.');
    scene.server.emit('ui.card', { id: 'c1', front: 'The capital of Norway?', back: 'Oslo' });
  },
  'flash-card-long': async (scene) => {
    await talk(scene);
    scene.server.emit('ui.card', { id: 'c1', front: 'Which of the planets has the shortest day, and how many of its days would fit into one of ours? '.repeat(3) });
  },
  'open-page': async (scene) => {
    await talk(scene);
    say(scene, 'assistant', 'Shall I show you the timetable?');
    scene.server.callTool('open_page', { url: 'https://trains.example.org/timetable?from=here&to=there' }, 'browser');
    await new Promise((resolve) => setTimeout(resolve, 300));
  },
  'several-assistants': () => undefined,
  recorded: async () => {
    document.querySelector<HTMLElement>('.talk')?.click();
    await settle();
  },
  ending: async (scene) => {
    await played(scene, 2);
    scene.server.endsAtOnce = false;
    void scene.client.stop();
    await settle();
  },
  'microphone-refused': refusing('microphone_refused'),
  'microphone-missing': refusing('microphone_missing'),
  'microphone-busy': refusing('microphone_busy'),
  'insecure-page': refusing('insecure_page'),
  'server-gone': async (scene) => {
    scene.server.isDown = true;
    await talk(scene);
  },
  'bot-could-not-start': async (scene) => {
    scene.server.refuse('POST /api/voice/session', 502, 'launch_failed', 'The assistant could not be started.');
    await talk(scene);
  },
  'moved-to-another-tab': async (scene) => {
    await played(scene, 1);
    scene.server.voice?.move();
  },
  rejoinable: async ({ server, client }) => {
    server.begin();
    await client.restore();
  },
  'ended-goodbye': endedBy('goodbye', 'You said goodbye.'),
  'ended-user': endedBy('user', 'You ended the conversation.'),
  'ended-idle': endedBy('idle', 'Nobody said anything for a while, so the conversation was closed.'),
  'ended-max-duration': endedBy('max_duration', 'The time for this conversation was up.'),
  'ended-bot-crashed': endedBy('bot_crashed', 'The assistant stopped working.'),
};

function turn({ server }: Scene, value: number): void {
  const correct = value === 56;
  server.emit('app.answer', { question: '8 × 7', value, correct, expected: 56, right: correct ? 3 : 2, asked: 3 });
}
