'use server';
/** Signing in and out, as forms ask for it. */

import { redirect } from 'next/navigation';
import { begin, end } from '../lib/session';
import { userWith } from '../lib/users';

/** Signs in, or says why not. */
export async function signIn(_last: string, form: FormData): Promise<string> {
  const user = await userWith(String(form.get('id')), String(form.get('password')));
  if (!user) return 'That is not the name and the password of anybody here.';
  await begin(user);
  redirect('/');
}

export async function signOut(): Promise<void> {
  await end();
  redirect('/');
}
