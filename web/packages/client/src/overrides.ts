/** What a start may change of an assistant's record: shaped as that, and only what it allows. */

/** One of Pipecat's services, by name, and the settings that it is made with. */
export interface ServiceOverride {
  service?: string;
  settings?: Record<string, unknown>;
}

/**
 * The fields of a record that pages change most. Objects are merged with the record's, everything else
 * replaces it, `null` takes it out. What the record does not allow is refused, with the field's path.
 */
export interface Overrides {
  title?: string | null;
  persona?: string | null;
  personality?: string | null;
  firstMessage?: string | null;
  endMessage?: string | null;
  endPhrases?: string[] | null;
  /** A language tag, such as `de` or `en-GB`. */
  language?: string | null;
  voice?: { name?: string | null; parameters?: Record<string, unknown> } | null;
  stt?: ServiceOverride | null;
  llm?: ServiceOverride | null;
  tts?: ServiceOverride | null;
  metadata?: Record<string, unknown> | null;
  /** Whatever else a record has: docs/assistants.md lists it. */
  [field: string]: unknown;
}
