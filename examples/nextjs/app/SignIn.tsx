'use client';
/** The form in front of everything. */

import { useActionState } from 'react';
import { signIn } from './actions';

export function SignIn() {
  const [refusal, action, isPending] = useActionState(signIn, '');
  return (
    <form action={action} className="panel">
      <h1>Practice room</h1>
      <label>
        Name
        <input name="id" autoComplete="username" required />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button disabled={isPending}>Sign in</button>
      <p role="alert">{refusal}</p>
      <p className="hint">
        Here are <code>ada</code> (password <code>engine</code>) and <code>grace</code> (<code>compiler</code>).
      </p>
    </form>
  );
}
