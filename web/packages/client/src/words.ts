/** What can go wrong, in words: what happened and what to do next. */

/** A problem as people are told of it. `code` is stable: one of ours, or the server's own. */
export interface VoiceProblem {
  code: string;
  message: string;
  whatToDo: string;
}

/** What a failure that was understood is thrown as. */
export class VoiceError extends Error {
  override name = 'VoiceError';
  readonly problem: VoiceProblem;

  constructor(problem: VoiceProblem, options?: ErrorOptions) {
    super(problem.message, options);
    this.problem = problem;
  }
}

const TRY_AGAIN = 'Press Talk to try again.';
const LATER = 'Wait a moment, then press Talk.';
const TOMORROW = 'Come back tomorrow.';

/** Our own problems; for the server's codes only what to do, its message says the rest. */
const PROBLEMS: Record<string, [message: string, whatToDo: string]> = {
  microphone_refused: [
    'The browser does not let this page use the microphone.',
    'Allow the microphone for this page (the icon beside the address), then press Talk.',
  ],
  microphone_missing: [
    'No microphone was found.',
    'Plug one in or switch it on, then press Talk.',
  ],
  microphone_busy: [
    'The microphone is there, but it cannot be opened.',
    'Close the other program that uses it, then press Talk.',
  ],
  microphone_lost: [
    'The microphone was unplugged or switched off.',
    'Plug it in again: the conversation goes on by itself.',
  ],
  speaker_missing: ['That speaker cannot be used.', 'Choose another one.'],
  speaker_fixed: [
    'This browser does not let a page choose the speaker.',
    'Choose it in the settings of the system.',
  ],
  connection_lost: [
    'The connection was lost and did not come back.',
    'Check the connection, then press Talk.',
  ],
  token_failed: ['It could not be found out who you are.', 'Sign in again, then press Talk.'],
  insecure_page: [
    'Browsers open the microphone only on secure pages.',
    'Open this page by https, or on this machine by localhost.',
  ],
  unreachable: [
    'The server cannot be reached.',
    'Check the connection, and that the server is running. Then press Talk.',
  ],
  too_slow: ['The server did not answer in time.', TRY_AGAIN],
  media_failed: [
    'The sound could not be connected.',
    'A firewall or VPN may be in the way. Press Talk to try again.',
  ],
  message_too_large: ['That message is larger than 4 kB.', 'Send a shorter one, or an address of it.'],
  moved: [
    'You are talking in another tab or window.',
    'Go on there, or press Talk to go on here.',
  ],
  launch_failed: ['The assistant could not start.', TRY_AGAIN],
  bot_silent: ['The assistant did not answer.', TRY_AGAIN],
  limit_live: ['All places are taken right now.', LATER],
  limit_tenant_live: ['All places of your organisation are taken right now.', LATER],
  limit_assistant_live: ['This assistant is talking with as many people as it can.', LATER],
  limit_queue: ['All places are taken, and so is the waiting room.', LATER],
  machine_full: ['One more conversation would disturb those that are going on.', LATER],
  agents_full: ['All assistants are talking with somebody.', LATER],
  limit_user_live: ['You have a conversation elsewhere already.', 'End that one, then press Talk.'],
  limit_user_cooldown: ['Your last conversation has only just ended.', LATER],
  limit_user_day: ['You have had your conversations for today.', TOMORROW],
  limit_tenant_day: ['Your organisation has had its conversations for today.', TOMORROW],
  limit_day: ['There have been enough conversations here for one day.', TOMORROW],
  budget_spent: ['The budget for today is spent.', TOMORROW],
  consent_needed: ['This conversation is recorded.', 'Agree to that, and it begins.'],
  halted: [
    'All conversations were stopped by the people in charge.',
    'Wait until they let them begin again, then press Talk.',
  ],
  assistant_not_ready: ['This assistant is not ready.', 'Ask whoever runs this server.'],
  assistant_disabled: ['This assistant is switched off.', 'Ask whoever runs this server.'],
  rate_limited: ['That was asked for too often.', LATER],
  rooms_unavailable: ['The room cannot be opened right now.', LATER],
  draining: ['The server is restarting.', 'Wait a moment, then press Talk.'],
  unavailable: ['Something that the conversation needs is not there right now.', TRY_AGAIN],
  unauthorized: ['The server does not know who you are.', 'Sign in again, then reload this page.'],
  forbidden: ['The server does not let you talk here.', 'Open this page by its usual address.'],
  no_session: ['There is no conversation in which this could be said.', 'Press Talk first.'],
  cannot_read: ['This assistant cannot read: say it.', ''],
  not_found: ['That conversation is not there any more.', 'Press Talk to begin a new one.'],
  // The server's message says which part, and what to do about it: the conversation goes on.
  service_fallback: ['A part of the assistant failed, and another took over.', ''],
  pipeline_error: ['A part of the assistant failed.', ''],
  model_failed: ['The language model does not answer.', TRY_AGAIN],
  session_ended: ['That conversation is over.', 'Press Talk to begin a new one.'],
};
const UNKNOWN: [string, string] = ['Something went wrong.', TRY_AGAIN];

/** The problem of this code. A `message` from the server is believed over ours. */
export function problem(code: string, message?: string): VoiceProblem {
  const [ours, whatToDo] = PROBLEMS[code] ?? UNKNOWN;
  return { code, message: message || ours, whatToDo };
}

/** What was thrown, as people are told of it. */
export function problemOf(error: unknown): VoiceProblem {
  return error instanceof VoiceError ? error.problem : problem('internal');
}
