/** The one page: whoever is signed in may talk; everybody else may sign in. */

import { currentUser } from '../lib/session';
import { SignIn } from './SignIn';
import { Talk } from './Talk';

export default async function Page() {
  const user = await currentUser();
  if (!user) return <SignIn />;
  return <Talk key={user.id} name={user.name} greenroom={process.env.GREENROOM_URL ?? ''} />;
}
