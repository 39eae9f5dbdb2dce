// The types of the wire. Generated from wire.schema.json by `make wire`. Do not edit.

/**
 * The names of our own ephemeral events. Applications add ``app.*`` and ``ui.*``.
 */
export type EphemeralType = 'voice.audio.level' | 'voice.emergency';
/**
 * The names of our own events. Applications add ``app.*`` and ``ui.*``.
 */
export type EventType =
  | 'voice.session.start'
  | 'voice.session.queued'
  | 'voice.session.status'
  | 'voice.session.mute'
  | 'voice.session.pause'
  | 'voice.session.warning'
  | 'voice.session.end'
  | 'voice.speech.start'
  | 'voice.speech.end'
  | 'voice.participant.joined'
  | 'voice.participant.left'
  | 'voice.bot.starting'
  | 'voice.bot.speaking'
  | 'voice.bot.unknown'
  | 'voice.transcript'
  | 'voice.tool.call'
  | 'voice.tool.result'
  | 'voice.cost'
  | 'voice.cost.warning'
  | 'voice.error';
/**
 * What the page can show beside the conversation.
 */
export type Panel = 'notes' | 'html' | 'cards' | 'messages';
/**
 * How page and bot meet.
 */
export type RoomKind = 'local' | 'daily';
/**
 * What people are shown; derived in `greenroom.wire.status`, never stored.
 */
export type SessionStatus =
  'inactive' | 'queued' | 'connecting' | 'active' | 'paused' | 'disconnecting' | 'unavailable';
/**
 * How many people a session is for. A user may have one of each kind at once.
 */
export type SessionKind = 'voice' | 'group';
/**
 * Who carries a tool out.
 */
export type Where = 'bot' | 'server' | 'page';
/**
 * What came of a call.
 */
export type ToolOutcome = 'ok' | 'failed' | 'timeout' | 'refused' | 'cancelled';
/**
 * An EphemeralEvent whose type tells the shape of its data.
 */
export type TypedEphemeralEvent = VoiceAudioLevelEvent | VoiceEmergencyEvent;
/**
 * An Event whose type tells the shape of its data.
 */
export type TypedEvent =
  | VoiceSessionStartEvent
  | VoiceSessionQueuedEvent
  | VoiceSessionStatusEvent
  | VoiceSessionMuteEvent
  | VoiceSessionPauseEvent
  | VoiceSessionWarningEvent
  | VoiceSessionEndEvent
  | VoiceSpeechStartEvent
  | VoiceSpeechEndEvent
  | VoiceParticipantJoinedEvent
  | VoiceParticipantLeftEvent
  | VoiceBotStartingEvent
  | VoiceBotSpeakingEvent
  | VoiceBotUnknownEvent
  | VoiceTranscriptEvent
  | VoiceToolCallEvent
  | VoiceToolResultEvent
  | VoiceCostEvent
  | VoiceCostWarningEvent
  | VoiceErrorEvent
  | AppQuestionEvent
  | AppAnswerEvent
  | UiNoteEvent
  | UiHtmlEvent
  | UiCardEvent
  | UiPanelEvent;

/**
 * ``POST /api/voice/session/{id}/adjust``: what is to be otherwise, shaped as the record is.
 *
 * ``voice`` is merged into what holds; ``null`` takes a field out. Other fields cannot be changed
 * while somebody talks, and are refused.
 */
export interface AdjustBody {
  persona?: string | null;
  personality?: string | null;
  voice?: {
    [k: string]: unknown;
  } | null;
}
/**
 * The SDP answer to the offer of this id.
 */
export interface AnswerBody {
  offerId: string;
  sdp: string;
  pcId: string;
}
/**
 * ``app.answer`` of the built-in assistant: the card turns.
 */
export interface AnswerData {
  question: string;
  value: number;
  correct: boolean;
  expected: number;
  right: number;
  asked: number;
}
/**
 * ``app.answer`` of the built-in assistant: the card turns.
 */
export interface AppAnswerEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'app.answer';
  data: AnswerData;
}
/**
 * ``app.question`` of the built-in assistant: a new card. ``number`` counts from 1.
 */
export interface AppQuestionEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'app.question';
  data: QuestionData;
}
/**
 * ``app.question`` of the built-in assistant: a new card. ``number`` counts from 1.
 */
export interface QuestionData {
  question: string;
  number: number;
}
/**
 * An assistant that a page may offer. ``enabled``: whether it may be started now.
 */
export interface AssistantChoice {
  name: string;
  title: string;
  enabled: boolean;
}
/**
 * ``GET /api/voice/assistants``: who may be talked with, the usual one first; 200 at most.
 */
export interface AssistantsAnswer {
  assistants: AssistantChoice[];
}
/**
 * How loud somebody is at this moment, 0 … 1, as the bot measures it.
 */
export interface AudioLevelData {
  role: 'user' | 'assistant';
  level: number;
}
/**
 * The assistant began or stopped speaking.
 */
export interface BotSpeakingData {
  speaking: boolean;
  interrupted: boolean;
}
/**
 * The assistant's machine may have to be made first; it is waited for so long at most.
 */
export interface BotStartingData {
  withinS: number;
}
/**
 * A newer bot told of something that this server does not know: passed on as it is.
 *
 * ``kind``: what the bot calls it; ``data``: absent if it was larger than 16 KiB.
 */
export interface BotUnknownData {
  kind: string;
  data?: {
    [k: string]: unknown;
  } | null;
}
/**
 * One trickled ICE candidate, in the browser's words.
 */
export interface Candidate {
  candidate: string;
  sdpMid?: string | null;
  sdpMlineIndex?: number | null;
}
/**
 * Trickled candidates for an earlier offer.
 */
export interface CandidatesBody {
  offerId: string;
  /**
   * @maxItems 32
   */
  candidates: Candidate[];
}
/**
 * ``ui.card``: a flash card; ``back`` only once it is turned.
 */
export interface CardData {
  id: string;
  front: string;
  back?: string | null;
}
/**
 * ``GET /api/voice/config``: what a page needs before the click.
 *
 * ``joinS``: how long the assistant may take to come, at most. ``enabled``: whether it may be
 * started; ``autoStart``: whether the page is to do so without a click. ``records``: what is said
 * may be recorded, so a start needs the user's ``recordingConsent``.
 */
export interface ConfigAnswer {
  assistant: string;
  title: string;
  iceServers: IceServer[];
  anonymous: boolean;
  joinS: number;
  /**
   * How page and bot meet.
   */
  roomKind: 'local' | 'daily';
  enabled: boolean;
  autoStart: boolean;
  records: boolean;
}
/**
 * A STUN or TURN server, in the browser's own shape.
 */
export interface IceServer {
  urls: string[];
  username?: string | null;
  credential?: string | null;
}
/**
 * ``POST /api/voice/session/{id}/context``: to be known from now on, and not to be said.
 */
export interface ContextBody {
  text: string;
}
/**
 * ``GET /api/voice/cost``: what the user's sessions have cost, newest day first.
 *
 * ``budgetUsd``: what the user may spend in a day; absent: no limit.
 */
export interface CostAnswer {
  cost: CostData;
  days: DayCost[];
  budgetUsd?: number | null;
}
/**
 * What the session has cost so far, in US dollars.
 *
 * ``components``: of what; used and free is 0. ``unpriced``: what was used (``component.unit``)
 * and has no price in the list.
 */
export interface CostData {
  usd: number;
  components: {
    [k: string]: number;
  };
  unpriced: string[];
}
/**
 * What was spent on one day (UTC, ``2026-11-21``).
 */
export interface DayCost {
  day: string;
  cost: CostData;
}
/**
 * A budget is nearly spent, or spent: then the session ends. Amounts are US dollars.
 *
 * ``budget``: ``session``, ``user_day``, ``tenant_day`` or ``installation_day`` (days are UTC).
 */
export interface CostWarningData {
  budget: string;
  spentUsd: number;
  limitUsd: number;
}
/**
 * Write a note for the user and keep it.
 */
export interface CreateNote {
  /**
   * A few words that say what it is
   */
  title: string;
  /**
   * What to keep
   */
  text?: string;
}
/**
 * Delete one of the user's notes.
 */
export interface DeleteNote {
  /**
   * The note's id
   */
  id: string;
}
/**
 * Change the title or the text of one of the user's notes.
 */
export interface EditNote {
  /**
   * The note's id
   */
  id: string;
  title?: string | null;
  text?: string | null;
}
/**
 * Everything is being stopped. ``message`` is a sentence for people.
 *
 * The session's own end follows as `SessionEndData`, stored and numbered.
 */
export interface EmergencyData {
  message: string;
}
/**
 * Say goodbye and end the conversation.
 */
export interface EndCall {
  farewell?: string;
}
/**
 * ``POST /api/voice/session/{id}/room``, if there is anything to say.
 *
 * ``recordingConsent``: as in `StartBody`; each person of a group call agrees for themselves.
 * What is on record need not be said again.
 */
export interface EnterBody {
  recordingConsent?: boolean | null;
}
/**
 * What is true of this moment only: never stored, never sent again, never delivered.
 *
 * Attributes:
 *     session: The session's id; absent: it concerns every session.
 *     time: RFC 3339, UTC, milliseconds.
 *     type: One of `EphemeralType`, or an application's own ``app.*`` / ``ui.*``.
 *     data: Its shape is given by `EPHEMERAL_DATA`.
 *     ephemeral: What tells it from an `Event`.
 */
export interface EphemeralEvent {
  v: number;
  session?: string | null;
  time: string;
  type: string;
  data: {
    [k: string]: unknown;
  };
  ephemeral: true;
}
/**
 * Server → page: something of this moment, to whoever is there and keeps up.
 *
 * Of one type a page that is behind gets the newest only, and after the events that are stored.
 */
export interface EphemeralMessage {
  type: 'ephemeral';
  event: EphemeralEvent;
}
/**
 * The body of every refusal.
 */
export interface ErrorAnswer {
  code: string;
  message: string;
  detail: string;
  retryable: boolean;
  facts?: {
    [k: string]: unknown;
  } | null;
}
/**
 * Something went wrong; ``code`` is stable, ``message`` is for people.
 */
export interface ErrorData {
  code: string;
  message: string;
  retryable: boolean;
}
/**
 * ``GET /api/voice/estimate``: what a typical conversation of ``minutes`` will cost.
 *
 * ``pricesAsOf``: the day (``2026-11-21``) on which the price list was true.
 */
export interface EstimateAnswer {
  assistant: string;
  minutes: number;
  cost: CostData;
  pricesAsOf: string;
}
/**
 * One event of one session, as browsers and webhooks receive it.
 *
 * Attributes:
 *     id: Unique for ever; the key for whoever must not process it twice.
 *     session: The session's id.
 *     seq: 1, 2, 3 … within the session, without a gap.
 *     time: RFC 3339, UTC, milliseconds.
 *     type: One of `EventType`, or an application's own ``app.*`` / ``ui.*``.
 *     data: Its shape is given by `EVENT_DATA`.
 */
export interface Event {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: string;
  data: {
    [k: string]: unknown;
  };
}
/**
 * Server → page: one event, stored, numbered.
 */
export interface EventMessage {
  type: 'event';
  event: Event;
}
/**
 * What makes a start one of a group call: several people, and cameras unless said otherwise.
 *
 * Attributes:
 *     max_participants: How many may be in it at once, the assistant included; as many as the
 *         server allows unless said.
 *     video: Whether there are cameras.
 *     invited: The users who may come in, beside who starts it; absent: whoever of the same
 *         tenant knows the session's id.
 */
export interface GroupBody {
  maxParticipants?: number | null;
  video: boolean;
  invited?: string[] | null;
}
/**
 * Server → page every `HEARTBEAT_S` seconds: the connection is alive.
 */
export interface Heartbeat {
  type: 'heartbeat';
}
/**
 * ``ui.html``: to be shown in a frame without scripts, cookies and network.
 */
export interface HtmlData {
  id: string;
  title: string;
  html: string;
}
/**
 * What a start asks for beside its assistant's limits, in seconds, up to the ceilings set.
 *
 * A name that is none is refused: whoever wrote it would plan with a limit that does not hold.
 */
export interface LimitsBody {
  joinS?: number | null;
  maxDurationS?: number | null;
  idleS?: number | null;
  pauseS?: number | null;
  persistenceS?: number | null;
  queueS?: number | null;
}
/**
 * ``POST /api/voice/session/{id}/message``: typed instead of spoken.
 */
export interface MessageBody {
  text: string;
}
/**
 * ``POST /api/voice/mute``. Of two, the one with the later ``timestamp`` holds.
 */
export interface MuteBody {
  sessionId: string;
  isMuted: boolean;
  timestamp: number;
}
/**
 * A note of a user's. Times: RFC 3339, UTC.
 */
export interface NoteBody {
  id: string;
  title: string;
  text: string;
  createdAt: string;
  updatedAt: string;
}
/**
 * ``ui.note``: one of the user's notes was created, changed, deleted, or is to be shown.
 */
export interface NoteData {
  action: 'created' | 'changed' | 'deleted' | 'shown';
  note: NoteBody;
}
/**
 * ``GET /api/voice/notes``: the user's notes, the latest changed first.
 */
export interface NotesAnswer {
  notes: NoteBody[];
}
/**
 * An SDP offer. ``id`` is made by the page; the same id is the same offer.
 */
export interface OfferBody {
  id: string;
  participant: string;
  sdp: string;
}
/**
 * Open a web address in the user's browser. They are asked first.
 */
export interface OpenPage {
  /**
   * An https address
   */
  url: string;
}
/**
 * Open or close one of the page's panels.
 */
export interface OpenPanel {
  panel: Panel;
  open?: boolean;
}
/**
 * ``ui.panel``: a panel of the page opens or closes.
 */
export interface PanelData {
  panel: Panel;
  open: boolean;
}
/**
 * Somebody who was let into a group call; ``participant``: what its room calls them.
 */
export interface ParticipantBody {
  participant: string;
  userId: string;
  present: boolean;
}
/**
 * Somebody is in a group call. ``first``: for the first time; else they are back.
 *
 * ``participant``: what the room calls them, as their token says; ``present``: so many people are
 * there now, the assistant not counted.
 */
export interface ParticipantJoinedData {
  participant: string;
  userId: string;
  first: boolean;
  present: number;
}
/**
 * Somebody is in a group call no more; ``present``: so many people still are.
 */
export interface ParticipantLeftData {
  participant: string;
  userId: string;
  present: number;
}
/**
 * ``POST /api/voice/pause``. A session is paused while it has any cause.
 */
export interface PauseBody {
  sessionId: string;
  cause: 'user' | 'group_call';
  paused: boolean;
}
/**
 * ``GET /api/voice/provider``: which side the user's next conversation is on, and why.
 *
 * ``reason``: ``no_record``, ``disabled``, ``killed``, ``halted``, ``tester``, ``tenant``,
 * ``percentage``, ``flag`` or ``flag_failed``; a newer server may know others.
 */
export interface ProviderAnswer {
  assistant: string;
  provider: 'greenroom' | 'vapi';
  reason: string;
}
/**
 * Read one of the user's notes.
 */
export interface ReadNote {
  /**
   * The note's id
   */
  id: string;
}
/**
 * Server → page: why the last message was refused; the socket closes after it.
 */
export interface Refused {
  type: 'refused';
  code: string;
  message: string;
}
/**
 * Where the page connects to: ``local`` by an offer, ``daily`` by joining ``url``.
 *
 * ``token`` lets this user in, until it expires; only a start and
 * ``POST /api/voice/session/{id}/room`` answer with one.
 */
export interface RoomBody {
  /**
   * How page and bot meet.
   */
  kind: 'local' | 'daily';
  name: string;
  url?: string | null;
  token?: string | null;
  iceServers: IceServer[];
}
/**
 * ``POST /api/voice/session/{id}/say``. ``interrupt``: at once, over what it is saying.
 */
export interface SayBody {
  text: string;
  interrupt?: boolean | null;
}
/**
 * Find the user's notes: those that contain the words, or the newest if there are none.
 */
export interface SearchNotes {
  /**
   * Words to look for
   */
  query?: string;
}
/**
 * A session as its user sees it. Times: RFC 3339, UTC.
 *
 * ``participants``: of a group call, who was let in. ``assistantVersion``: of the assistant's
 * record; the session keeps it to its end.
 */
export interface SessionBody {
  sessionId: string;
  /**
   * How many people a session is for. A user may have one of each kind at once.
   */
  kind: 'voice' | 'group';
  assistant: string;
  assistantVersion?: number | null;
  status: SessionStatus;
  stage: string;
  room: RoomBody;
  muted: boolean;
  pauseCauses: string[];
  userPresent: boolean;
  botPresent: boolean;
  queuePosition?: number | null;
  maxParticipants?: number | null;
  participants?: ParticipantBody[] | null;
  startedAt: string;
  activeAt?: string | null;
  endedAt?: string | null;
  reason?: string | null;
  message?: string | null;
  cost: CostData;
  lastSeq: number;
}
/**
 * The session is over. ``message`` is a sentence for people.
 */
export interface SessionEndData {
  reason: string;
  message: string;
  durationS: number;
}
/**
 * The user's microphone was switched. ``timestamp``: epoch ms by the page's clock.
 */
export interface SessionMuteData {
  muted: boolean;
  timestamp: number;
}
/**
 * The causes that pause the session now; empty: it is not paused.
 */
export interface SessionPauseData {
  causes: string[];
}
/**
 * The session waits for a place: ``position`` 1 is the next. It gives up in ``ends_in_s``.
 */
export interface SessionQueuedData {
  position: number;
  endsInS: number;
}
/**
 * A session began; its bot is being launched.
 */
export interface SessionStartData {
  assistant: string;
  room: string;
}
/**
 * What people are shown changed.
 */
export interface SessionStatusData {
  status: SessionStatus;
  userPresent: boolean;
  botPresent: boolean;
}
/**
 * The session ends in so many seconds unless it ends before.
 */
export interface SessionWarningData {
  endsInS: number;
}
/**
 * Show the user a flash card; its back stays hidden until it is turned.
 */
export interface ShowCard {
  /**
   * The question
   */
  front: string;
  /**
   * The answer
   */
  back: string;
}
/**
 * Show the user a page of HTML beside the conversation. It can run no script.
 */
export interface ShowHtml {
  /**
   * Its heading
   */
  title?: string;
  /**
   * HTML with inline styles only
   */
  html: string;
}
/**
 * The user began or stopped speaking.
 */
export interface SpeechData {}
/**
 * Answer to `StartBody`: 201 for a new session, 200 with ``reused`` for a running one.
 */
export interface StartAnswer {
  reused: boolean;
  session: SessionBody;
  ticket: string;
  answer?: AnswerBody | null;
}
/**
 * ``POST /api/voice/session``. With ``offer`` the answer rides along: one round trip.
 *
 * ``wait``: where all places are taken, wait for one instead of being refused. The session is
 * then ``queued``, its answer comes without one to the offer, and the page offers again when the
 * status turns ``connecting``. ``group``: it is a group call, to which others may come; the user's
 * own session is paused while they are in it. ``overrides``: what this session changes of its
 * assistant's record, shaped as that is; the record has to allow it. ``recordingConsent``: the
 * user agrees to be recorded, which they have to where the config says ``records``.
 */
export interface StartBody {
  assistant?: string | null;
  offer?: OfferBody | null;
  wait?: boolean | null;
  limits?: LimitsBody | null;
  group?: GroupBody | null;
  overrides?: {
    [k: string]: unknown;
  } | null;
  recordingConsent?: boolean | null;
  body: {
    [k: string]: unknown;
  };
}
/**
 * Page → server, first message and whenever another session is to be followed.
 *
 * ``ticket`` is good once and for seconds; ``after``: the last number the page has seen.
 */
export interface Subscribe {
  type: 'subscribe';
  ticket: string;
  after: number;
}
/**
 * Server → page: the ticket was good; events after ``after`` follow.
 *
 * ``own``: the ticket is the session's own user's. The page of a guest in a group call sees the
 * same events, and carries out no tools.
 */
export interface Subscribed {
  type: 'subscribed';
  session: string;
  after: number;
  own: boolean;
}
/**
 * ``POST /api/voice/session/{id}/ticket``: a new one-time ticket for ``WS /ws``.
 */
export interface TicketAnswer {
  ticket: string;
  expiresInS: number;
}
/**
 * What a call that the server or the page carried out has come to: one of the two.
 *
 * ``result``: any JSON, up to `MAX_RESULT_BYTES`. ``error``: a sentence that the model may read.
 * ``refused``: it was never tried. ``by``: who says so; a bot believes only who was to do it.
 */
export interface ToolAnswer {
  toolCallId: string;
  /**
   * Who carries a tool out.
   */
  by: 'bot' | 'server' | 'page';
  result?: {
    [k: string]: unknown;
  };
  error?: string | null;
  refused: boolean;
}
/**
 * ``voice.tool.call``: the assistant uses a tool. The page carries it out if ``where`` says so.
 *
 * Attributes:
 *     tool_call_id: Which call; letters and digits.
 *     tool: The tool's name in the record.
 *     name: The function's.
 *     where: Who carries it out.
 *     arguments: As the function takes them.
 */
export interface ToolCallData {
  toolCallId: string;
  tool: string;
  name: string;
  where: Where;
  arguments: {
    [k: string]: unknown;
  };
}
/**
 * What is posted to an HTTP tool: the call, and for whom. Standard Webhooks sign it.
 */
export interface ToolRequest {
  toolCallId: string;
  name: string;
  arguments: {
    [k: string]: unknown;
  };
  sessionId: string;
  userId: string;
  tenant: string;
  assistant: string;
}
/**
 * ``POST /api/voice/session/{id}/tools/{toolCallId}``: what a page's tool has come to.
 */
export interface ToolResultBody {
  result?: {
    [k: string]: unknown;
  };
  error?: string | null;
}
/**
 * ``voice.tool.result``: what came of it. ``message``: of what did not succeed, for people.
 */
export interface ToolResultData {
  toolCallId: string;
  tool: string;
  name: string;
  outcome: ToolOutcome;
  durationMs: number;
  message?: string | null;
}
/**
 * What was said. ``turn`` groups the parts of one utterance; ``final``: no more to come.
 *
 * ``typed``: the user typed it, whole; its ``turn`` is 0 and says nothing.
 */
export interface TranscriptData {
  role: 'user' | 'assistant';
  text: string;
  final: boolean;
  turn: number;
  typed?: boolean | null;
}
/**
 * Turn the flash card that is shown, so that the user sees its back.
 */
export interface TurnCard {}
/**
 * How loud somebody is at this moment, 0 … 1, as the bot measures it.
 */
export interface VoiceAudioLevelEvent {
  v: number;
  session?: string | null;
  time: string;
  type: 'voice.audio.level';
  data: AudioLevelData;
  ephemeral: true;
}
/**
 * Everything is being stopped. ``message`` is a sentence for people.
 *
 * The session's own end follows as `SessionEndData`, stored and numbered.
 */
export interface VoiceEmergencyEvent {
  v: number;
  session?: string | null;
  time: string;
  type: 'voice.emergency';
  data: EmergencyData;
  ephemeral: true;
}
/**
 * A session began; its bot is being launched.
 */
export interface VoiceSessionStartEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.session.start';
  data: SessionStartData;
}
/**
 * The session waits for a place: ``position`` 1 is the next. It gives up in ``ends_in_s``.
 */
export interface VoiceSessionQueuedEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.session.queued';
  data: SessionQueuedData;
}
/**
 * What people are shown changed.
 */
export interface VoiceSessionStatusEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.session.status';
  data: SessionStatusData;
}
/**
 * The user's microphone was switched. ``timestamp``: epoch ms by the page's clock.
 */
export interface VoiceSessionMuteEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.session.mute';
  data: SessionMuteData;
}
/**
 * The causes that pause the session now; empty: it is not paused.
 */
export interface VoiceSessionPauseEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.session.pause';
  data: SessionPauseData;
}
/**
 * The session ends in so many seconds unless it ends before.
 */
export interface VoiceSessionWarningEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.session.warning';
  data: SessionWarningData;
}
/**
 * The session is over. ``message`` is a sentence for people.
 */
export interface VoiceSessionEndEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.session.end';
  data: SessionEndData;
}
/**
 * The user began or stopped speaking.
 */
export interface VoiceSpeechStartEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.speech.start';
  data: SpeechData;
}
/**
 * The user began or stopped speaking.
 */
export interface VoiceSpeechEndEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.speech.end';
  data: SpeechData;
}
/**
 * Somebody is in a group call. ``first``: for the first time; else they are back.
 *
 * ``participant``: what the room calls them, as their token says; ``present``: so many people are
 * there now, the assistant not counted.
 */
export interface VoiceParticipantJoinedEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.participant.joined';
  data: ParticipantJoinedData;
}
/**
 * Somebody is in a group call no more; ``present``: so many people still are.
 */
export interface VoiceParticipantLeftEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.participant.left';
  data: ParticipantLeftData;
}
/**
 * The assistant's machine may have to be made first; it is waited for so long at most.
 */
export interface VoiceBotStartingEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.bot.starting';
  data: BotStartingData;
}
/**
 * The assistant began or stopped speaking.
 */
export interface VoiceBotSpeakingEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.bot.speaking';
  data: BotSpeakingData;
}
/**
 * A newer bot told of something that this server does not know: passed on as it is.
 *
 * ``kind``: what the bot calls it; ``data``: absent if it was larger than 16 KiB.
 */
export interface VoiceBotUnknownEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.bot.unknown';
  data: BotUnknownData;
}
/**
 * What was said. ``turn`` groups the parts of one utterance; ``final``: no more to come.
 *
 * ``typed``: the user typed it, whole; its ``turn`` is 0 and says nothing.
 */
export interface VoiceTranscriptEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.transcript';
  data: TranscriptData;
}
/**
 * ``voice.tool.call``: the assistant uses a tool. The page carries it out if ``where`` says so.
 *
 * Attributes:
 *     tool_call_id: Which call; letters and digits.
 *     tool: The tool's name in the record.
 *     name: The function's.
 *     where: Who carries it out.
 *     arguments: As the function takes them.
 */
export interface VoiceToolCallEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.tool.call';
  data: ToolCallData;
}
/**
 * ``voice.tool.result``: what came of it. ``message``: of what did not succeed, for people.
 */
export interface VoiceToolResultEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.tool.result';
  data: ToolResultData;
}
/**
 * What the session has cost so far, in US dollars.
 *
 * ``components``: of what; used and free is 0. ``unpriced``: what was used (``component.unit``)
 * and has no price in the list.
 */
export interface VoiceCostEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.cost';
  data: CostData;
}
/**
 * A budget is nearly spent, or spent: then the session ends. Amounts are US dollars.
 *
 * ``budget``: ``session``, ``user_day``, ``tenant_day`` or ``installation_day`` (days are UTC).
 */
export interface VoiceCostWarningEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.cost.warning';
  data: CostWarningData;
}
/**
 * Something went wrong; ``code`` is stable, ``message`` is for people.
 */
export interface VoiceErrorEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'voice.error';
  data: ErrorData;
}
/**
 * ``ui.note``: one of the user's notes was created, changed, deleted, or is to be shown.
 */
export interface UiNoteEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'ui.note';
  data: NoteData;
}
/**
 * ``ui.html``: to be shown in a frame without scripts, cookies and network.
 */
export interface UiHtmlEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'ui.html';
  data: HtmlData;
}
/**
 * ``ui.card``: a flash card; ``back`` only once it is turned.
 */
export interface UiCardEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'ui.card';
  data: CardData;
}
/**
 * ``ui.panel``: a panel of the page opens or closes.
 */
export interface UiPanelEvent {
  v: number;
  id: string;
  session: string;
  seq: number;
  time: string;
  type: 'ui.panel';
  data: PanelData;
}
/**
 * What a function is called with. A name that is none is refused.
 */
export interface _Arguments {}
export const WIRE_VERSION = 1;
export const MAX_SDP_CHARS = 65536;
export const HEARTBEAT_S = 5;
export const TICKET_LIFETIME_S = 30;
export const WS_BAD_TICKET = 4401;
export const WS_BAD_ORIGIN = 4403;
export const WS_TOO_SLOW = 4408;
export const WS_TOO_MANY = 4429;
export const MAX_RESULT_BYTES = 32768;
export const MAX_TOOL_TIMEOUT_S = 60;
