/** Greenroom's events in the words of VAPI's messages. */

import type { VoiceMessage } from '../state.ts';
import type { Event, TypedEvent } from '../wire.ts';

/** Every message has a type; an application's own event is passed on under its own, with `data`. */
export interface VapiMessage {
  type: string;
  [field: string]: unknown;
}

/** What an event says to a VAPI application; `said`: the conversation as it is after it. */
export function messagesOf(told: Event, said: readonly VoiceMessage[]): VapiMessage[] {
  const event = told as unknown as TypedEvent;
  switch (event.type) {
    case 'voice.transcript':
      return transcript(event.data, said);
    case 'voice.speech.start':
      return [{ type: 'speech-update', role: 'user', status: 'started' }];
    case 'voice.speech.end':
      return [{ type: 'speech-update', role: 'user', status: 'stopped' }];
    case 'voice.bot.speaking':
      return [
        { type: 'speech-update', role: 'assistant', status: event.data.speaking ? 'started' : 'stopped' },
        ...(event.data.interrupted ? [{ type: 'user-interrupted' }] : []),
      ];
    default:
      return others(event);
  }
}

type Said = Extract<TypedEvent, { type: 'voice.transcript' }>['data'];

function transcript({ role, text, final }: Said, said: readonly VoiceMessage[]): VapiMessage[] {
  const one = { type: 'transcript', role, transcriptType: final ? 'final' : 'partial', transcript: text };
  return final ? [one, { type: 'conversation-update', conversation: conversation(said) }] : [one];
}

function conversation(said: readonly VoiceMessage[]): { role: string; content: string }[] {
  return said.filter(({ final }) => final).map(({ role, text }) => ({ role, content: text }));
}

/** The application's own events; what is Greenroom's alone has no name at VAPI. */
function others(event: { type: string; data: unknown }): VapiMessage[] {
  return event.type.startsWith('voice.') ? [] : [{ type: event.type, data: event.data }];
}
