/** What a fake server answers, as values. */

import type { ConfigAnswer, Event, ToolResultData } from '../wire.ts';

export type Reply = [status: number, body?: object];

export const CONFIG: ConfigAnswer = {
  assistant: 'cards',
  title: 'Multiplication cards',
  iceServers: [],
  anonymous: true,
  joinS: 30,
  roomKind: 'local',
  enabled: true,
  autoStart: false,
  records: false,
};

export function answerTo(offer: Record<string, unknown>): object {
  return { offerId: offer.id, sdp: `answer to ${String(offer.sdp)}`, pcId: 'pc-1' };
}

export function gone(status: number, code: string, message = 'That conversation is over.'): Reply {
  return [status, { code, message, detail: message, retryable: false }];
}

/** What a page's tool has come to, as the bot reports it; null if nobody called that. */
export function resultOf(command: string, body: Record<string, unknown>, events: readonly Event[]): ToolResultData | null {
  const [, toolCallId = ''] = /^POST .+\/tools\/(.+)$/.exec(command) ?? [];
  const call = events.find(({ type, data }) => type === 'voice.tool.call' && data.toolCallId === toolCallId);
  if (!call) return null;
  const { tool, name } = call.data as { tool: string; name: string };
  return { toolCallId, tool, name, outcome: body.error ? 'failed' : 'ok', durationMs: 0 };
}
