/** The application's own users. Yours are in your database; these two show what has to be known of them. */

import { scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify<string, string, number, Buffer>(scrypt);

export interface User {
  id: string;
  name: string;
}

interface Account extends User {
  salt: string;
  /** scrypt of the password, 32 bytes, in base64. */
  hash: string;
}

const ACCOUNTS: readonly Account[] = [
  { id: 'ada', name: 'Ada Lovelace', salt: '7Oe4hNfCv/0rWp+I', hash: '3CCI2GgveKqMHThzKouvpWoZ+2JeMcKEULWqgUv7934=' },
  { id: 'grace', name: 'Grace Hopper', salt: 'g8D+LBGLCgQS3PSR', hash: '4+rzMMs2WFeOcH0p4Atd/mpAtit2ejxDOVrHSWWER/g=' },
];
/** Compared with when there is no such user, so that the time it takes tells nothing. */
const NOBODY: Account = { id: '', name: '', salt: 'nobody', hash: Buffer.alloc(32).toString('base64') };

/** The user of this id; null: there is none. */
export function userOf(id: string): User | null {
  const account = ACCOUNTS.find((each) => each.id === id);
  return account ? { id: account.id, name: account.name } : null;
}

/** The user, if the password is theirs; else null. */
export async function userWith(id: string, password: string): Promise<User | null> {
  const account = ACCOUNTS.find((each) => each.id === id) ?? NOBODY;
  const hash = await derive(password, account.salt, 32);
  return timingSafeEqual(hash, Buffer.from(account.hash, 'base64')) ? userOf(account.id) : null;
}
