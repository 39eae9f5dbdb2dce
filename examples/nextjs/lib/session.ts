/** Who is signed in: a signed cookie that only this server can make and only this server reads. */

import { jwtVerify, SignJWT } from 'jose';
import { cookies, headers } from 'next/headers';
import { userOf, type User } from './users';

const COOKIE = 'session';
const LIFETIME_S = 8 * 3600;

/** A secret of the environment, as jose takes it. Throws when it is not set. */
export function secret(name: string): Uint8Array {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set.`);
  return new TextEncoder().encode(value);
}

/** Signs this user in. To be called by a server action or a route handler. */
export async function begin(user: User): Promise<void> {
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user.id)
    .setExpirationTime(`${LIFETIME_S} seconds`)
    .sign(secret('SESSION_SECRET'));
  const isSecure = (await headers()).get('x-forwarded-proto') === 'https';
  (await cookies()).set(COOKIE, token, { httpOnly: true, sameSite: 'lax', secure: isSecure, maxAge: LIFETIME_S });
}

export async function end(): Promise<void> {
  (await cookies()).delete(COOKIE);
}

/** The user who is asking; null: nobody is signed in. */
export async function currentUser(): Promise<User | null> {
  const token = (await cookies()).get(COOKIE)?.value;
  if (!token) return null;
  try {
    const { payload } = await jwtVerify(token, secret('SESSION_SECRET'), { algorithms: ['HS256'] });
    return userOf(payload.sub ?? '');
  } catch {
    return null; // Too old, or not ours.
  }
}
