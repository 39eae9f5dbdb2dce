/** The user's token on every request: asked for when needed, and again before it expires or when it is refused. */

import { ApiError } from './api.ts';

/** Gives a token that is good now. Asked again when the last one runs out or is refused. */
export type TokenProvider = () => Promise<string> | string;

/** A request takes its time, and clocks differ by a few seconds. */
const RENEW_BEFORE_MS = 30_000;

/**
 * A `fetch` that says who is asking. A 401 is answered by asking once more, with a new token.
 *
 * Rejects with an `ApiError` (`token_failed`) when the provider does.
 */
export function withToken(fetch: typeof globalThis.fetch, provider: TokenProvider): typeof globalThis.fetch {
  let asked: Promise<string> | null = null;

  async function ask(): Promise<string> {
    try {
      return await provider();
    } catch (cause) {
      throw new ApiError(0, 'token_failed', true, '', cause);
    }
  }
  /** The same for all who ask at the same moment. A failure is not kept. */
  function renewed(): Promise<string> {
    const asking = ask();
    asked = asking;
    asking.catch(() => {
      if (asked === asking) asked = null;
    });
    return asking;
  }
  async function current(): Promise<string> {
    const known = asked;
    if (!known) return renewed();
    const token = await known;
    const isOld = Date.now() > expiryMs(token) - RENEW_BEFORE_MS;
    return isOld && asked === known ? renewed() : (asked ?? known);
  }

  return async (input, init = {}) => {
    const send = (token: string) => {
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${token}`);
      return fetch(input, { ...init, headers });
    };
    const wait = <T>(promise: Promise<T>) => until(init.signal, promise);
    const first = current();
    const used = await wait(first);
    const response = await send(used);
    if (response.status !== 401) return response;
    // Whoever was refused first has renewed it for the others.
    const latest = asked ? await wait(asked) : null;
    return send(await wait(latest !== null && latest !== used ? current() : renewed()));
  };
}

/** When a JWT expires (epoch ms); a token that does not say so never does. The server checks it, we do not. */
export function expiryMs(token: string): number {
  try {
    const claims = token.split('.')[1] ?? '';
    const { exp } = JSON.parse(atob(claims.replace(/-/g, '+').replace(/_/g, '/'))) as { exp?: unknown };
    return typeof exp === 'number' ? exp * 1000 : Infinity;
  } catch {
    return Infinity;
  }
}

/** The promise's result; rejects as soon as the signal gives up. */
function until<T>(signal: AbortSignal | null | undefined, promise: Promise<T>): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(new DOMException('aborted', 'AbortError'));
    if (signal.aborted) return giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}
