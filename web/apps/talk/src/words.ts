/** What the page says: of its status, of an end, of a card. */

import type { NoteData, VoiceEnd, VoiceState } from '@greenroom/client';
import type { Card } from './game.ts';
import type { Assistant } from './useAssistant.ts';

/** One short line for the moment that the session is in. */
export function statusLine(state: VoiceState, card: Card | null, who: string): string {
  if (isAsked(state)) return 'Please allow the microphone';
  switch (state.sessionStatus) {
    case 'inactive':
      if (state.error) return 'Nobody is listening';
      return state.end ? 'The room is quiet again' : 'Ready when you are';
    case 'unavailable':
      return state.intent === 'none' ? 'Nobody is here right now' : 'Out of reach, still trying';
    case 'queued':
      return queueLine(state.queuePosition);
    case 'connecting':
      return state.startsWithinS === null ? 'Lights up in a moment' : 'Waking the assistant, up to a minute';
    case 'disconnecting':
      return 'Closing the conversation';
    case 'paused':
      return 'Paused: nobody hears you';
    case 'active':
      return activeLine(state, card, who);
  }
}

/** The browser asks for the microphone: whoever is there, nobody hears the visitor before that is answered. */
export function isAsked({ microphone, sessionStatus }: VoiceState): boolean {
  return microphone === 'asking' && (sessionStatus === 'connecting' || sessionStatus === 'active');
}

/** Somebody speaks, and there is a line on which that is heard. */
export function isHeard({ isSpeaking, media }: VoiceState): boolean {
  return isSpeaking && media === 'connected';
}

function queueLine(position: number | null): string {
  if (position === null) return 'All places are taken, one moment';
  return position === 1 ? 'All places are taken, you are next' : `All places are taken, you are number ${position}`;
}

function activeLine(state: VoiceState, card: Card | null, who: string): string {
  if (state.microphone === 'lost') return 'The microphone is gone';
  if (state.media === 'lost') return 'The sound broke off, reconnecting';
  if (state.connection !== 'online') return 'The server is out of reach, trying again';
  if (state.media === 'connecting') return 'Connecting the sound';
  if (state.isSpeaking) return `${who} is speaking`;
  if (state.muted) return 'Your microphone is off';
  if (state.isUserSpeaking) return 'Hearing you';
  if (!card) return 'Listening';
  return card.state === 'question' ? 'Your turn: say the answer' : 'Another card is coming';
}

/** What stands above the reason of an end, and what to do after it. */
interface Farewell {
  heading: string;
  whatToDo: string;
}

const AGAIN = 'Press Talk for another round.';
const LATER = 'Press Talk to try again.';
const FAREWELLS: Record<string, Farewell> = {
  goodbye: { heading: 'Goodbye!', whatToDo: AGAIN },
  user: { heading: 'That was it', whatToDo: AGAIN },
  idle: { heading: 'It went quiet', whatToDo: AGAIN },
  max_duration: { heading: 'Time is up', whatToDo: AGAIN },
  paused_too_long: { heading: 'A long pause', whatToDo: AGAIN },
  budget: { heading: 'The budget is spent', whatToDo: 'Come back tomorrow, or ask whoever runs this server.' },
  queue_timeout: { heading: 'A full house', whatToDo: LATER },
  left: { heading: 'You were away', whatToDo: AGAIN },
  no_show: {
    heading: 'No sound came through',
    whatToDo: 'A firewall or VPN may be in the way. Press Talk to try again.',
  },
  kicked: { heading: 'Shown the door', whatToDo: 'Ask whoever runs this server.' },
  emergency: { heading: 'Everything was stopped', whatToDo: 'Come back later.' },
  server_drain: { heading: 'The server restarts', whatToDo: 'Wait a moment, then press Talk.' },
  busy: { heading: 'A full house', whatToDo: LATER },
  launch_failed: { heading: 'No assistant today', whatToDo: LATER },
  bot_never_joined: { heading: 'Nobody came', whatToDo: LATER },
  bot_left: { heading: 'The assistant left', whatToDo: AGAIN },
  bot_crashed: { heading: 'The assistant broke down', whatToDo: LATER },
  lost: { heading: 'Lost on the way', whatToDo: LATER },
};
const UNKNOWN_END: Farewell = { heading: 'The conversation is over', whatToDo: AGAIN };

export function farewell(end: VoiceEnd): Farewell {
  return FAREWELLS[end.reason] ?? UNKNOWN_END;
}

const TROUBLES: Record<string, string> = {
  microphone_refused: 'May I hear you?',
  microphone_missing: 'No microphone',
  microphone_busy: 'The microphone is taken',
  microphone_lost: 'The microphone is gone',
  insecure_page: 'Not a secure page',
  unreachable: 'Nobody answers',
  too_slow: 'Nobody answers',
  media_failed: 'No sound came through',
  moved: 'You moved',
  launch_failed: 'No assistant today',
  bot_silent: 'Nobody came',
  assistant_not_ready: 'Something is missing',
  assistant_disabled: 'Not here now',
  rate_limited: 'One moment',
  rooms_unavailable: 'No room',
  limit_live: 'A full house',
  limit_tenant_live: 'A full house',
  limit_assistant_live: 'A full house',
  limit_queue: 'A full house',
  machine_full: 'A full house',
  agents_full: 'A full house',
  limit_user_live: 'One at a time',
  limit_user_cooldown: 'A short break',
  limit_user_day: 'Enough for today',
  limit_tenant_day: 'Enough for today',
  limit_day: 'Enough for today',
  budget_spent: 'Enough for today',
  halted: 'Everything was stopped',
  consent_needed: 'May it be recorded?',
  draining: 'The server restarts',
  service_fallback: 'A short hitch',
  pipeline_error: 'Something broke down',
  model_failed: 'No answer comes',
};

/** What stands above a problem. */
export function trouble(code: string): string {
  return TROUBLES[code] ?? 'Something went wrong';
}

/** A question as it is read out: `7 × 8` is “7 times 8”. */
export function spoken(question: string): string {
  return question.replace(/\s*[×x*]\s*/g, ' times ');
}

/** What a screen reader is told of a card: the question, then the result. */
export function announcement(card: Card | null): string {
  if (!card) return '';
  if (card.state === 'question' || !card.answer)
    return `Question ${card.number}: ${spoken(card.question)}?`;
  const result = `${spoken(card.question)} is ${card.answer.expected}`;
  return card.state === 'right' ? `Right. ${result}.` : `Not quite. ${result}.`;
}

const NOTE_NEWS: Record<NoteData['action'], string> = {
  created: 'Note saved',
  changed: 'Note changed',
  deleted: 'Note deleted',
  shown: 'Note',
};

/** What a screen reader is told of a note. */
export function noteNews({ action, note }: NoteData): string {
  return `${NOTE_NEWS[action]}: ${note.title}.`;
}

/** How many of how many, as a sentence. */
export function scoreSentence(right: number, asked: number): string {
  return `${right} of ${asked} right`;
}

/** How long a conversation may still go on; said once, so it does not count down. */
export function timeLeft(seconds: number): string {
  if (seconds < 90) return `Ends in ${Math.round(seconds)} seconds`;
  return `Ends in about ${Math.round(seconds / 60)} minutes`;
}

/** A name that fits into a line. */
const LONGEST_NAME_CHARS = 32;

/**
 * As whom the assistant is spoken of: by its title, as far as that names it (“Mary, the teacher”).
 * A name without a title is the server's, as of a file.
 */
export function speaker(assistant: Assistant | null): string {
  if (!assistant || assistant.assistant === 'cards') return 'Greenroom';
  const [name = ''] = assistant.title.split(',');
  return name === assistant.assistant || name.length > LONGEST_NAME_CHARS ? 'The assistant' : name;
}

/** What stands on the deck before the first card. Only the built-in assistant plays cards. */
export function invitation(assistant: Assistant | null): { title: string; hint: string } {
  if (!assistant) return { title: 'Let us talk', hint: 'Press the button and speak.' };
  const playsCards = assistant.assistant === 'cards';
  return {
    title: assistant.title,
    hint: playsCards
      ? 'I ask, you answer aloud. Interrupt me whenever you like.'
      : 'Press the button and speak. Interrupt me whenever you like.',
  };
}
