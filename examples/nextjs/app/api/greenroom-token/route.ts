/** `POST /api/greenroom-token`: says to Greenroom who is signed in here. The secret stays on this server. */

import { SignJWT } from 'jose';
import { currentUser, secret } from '../../../lib/session';

/** Short: the client asks again before it runs out. */
const LIFETIME_S = 600;

export async function POST(): Promise<Response> {
  const user = await currentUser();
  if (!user) return Response.json({ message: 'Sign in first.' }, { status: 401 });
  const token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(user.id)
    .setAudience('greenroom')
    .setExpirationTime(`${LIFETIME_S} seconds`)
    .sign(secret('GREENROOM_SECRET'));
  return Response.json({ token }, { headers: { 'cache-control': 'no-store' } });
}
