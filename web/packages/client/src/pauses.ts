/** Pausing for a cause: shown here at once, told to the server until it knows, one after the other. */

import { ApiError, type PauseCause } from './api.ts';
import type { Action, VoiceState } from './state.ts';
import { backoffMs, pause } from './wait.ts';
import { problemOf } from './words.ts';

export interface PausesOptions {
  getState: () => VoiceState;
  dispatch: (action: Action) => void;
  /** `POST /api/voice/pause`. */
  tell: (sessionId: string, cause: PauseCause, paused: boolean) => Promise<void>;
}

/** Carries what was asked on this page (`pausesAsked` in the state) to the server. */
export class Pauses {
  readonly #options: PausesOptions;
  #telling: Promise<void> = Promise.resolve();
  #life = new AbortController();

  constructor(options: PausesOptions) {
    this.#options = options;
  }

  /** Pauses for this cause, or lifts it. Resolves when the server knows, or cannot be told. */
  set(cause: PauseCause, paused: boolean): Promise<void> {
    this.#options.dispatch({ type: 'paused', cause, paused });
    return this.flush();
  }

  /** Tells the server what it was not told yet; to be called when a session becomes known. */
  flush(): Promise<void> {
    this.#telling = this.#telling.then(() => this.#tellAll());
    return this.#telling;
  }

  /** Forgets a session: what was not told of it stays untold. */
  reset(): void {
    this.#life.abort();
    this.#life = new AbortController();
  }

  async #tellAll(): Promise<void> {
    for (;;) {
      const { sessionId, serverStatus, pausesAsked } = this.#options.getState();
      const [first] = Object.entries(pausesAsked) as [PauseCause, boolean][];
      // Who waits for a place has nothing that could be paused yet.
      if (!sessionId || serverStatus === 'queued' || !first) return;
      await this.#tell(sessionId, ...first);
    }
  }

  /** Tells one switch until the server knows, until it is switched back, or the session is over. */
  async #tell(sessionId: string, cause: PauseCause, paused: boolean): Promise<void> {
    const { dispatch, getState, tell } = this.#options;
    const { signal } = this.#life;
    const isStillSo = () => !signal.aborted && getState().sessionId === sessionId && getState().pausesAsked[cause] === paused;
    for (let attempt = 0; isStillSo(); attempt++) {
      try {
        await tell(sessionId, cause, paused);
        if (isStillSo()) dispatch({ type: 'pauseTold', cause, refused: null });
      } catch (error) {
        const again = error instanceof ApiError && error.retryable;
        if (again) await pause(backoffMs(attempt), signal).catch(() => undefined);
        else if (isStillSo()) dispatch({ type: 'pauseTold', cause, refused: problemOf(error) });
      }
    }
  }
}

/** These causes, with what was asked for here laid over them. */
export function withAsked(causes: readonly string[], asked: VoiceState['pausesAsked']): readonly string[] {
  const kept = causes.filter((cause) => asked[cause as PauseCause] !== false);
  const added = (Object.keys(asked) as PauseCause[]).filter((cause) => asked[cause] && !kept.includes(cause));
  return added.length > 0 || kept.length < causes.length ? [...kept, ...added].sort() : causes;
}
