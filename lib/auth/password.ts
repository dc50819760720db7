// Names and passwords of users.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { XauthServer } from '../config/types.ts';

/** Whether a user comes in by the table; undefined where the program is to be asked. A name that is not there takes as long. */
export function checkPassword(
  { users, check }: XauthServer,
  username: string,
  password: Uint8Array,
): boolean | undefined {
  const known = Object.hasOwn(users, username);
  // Of one length, whatever the passwords' are.
  const digest = (text: string | Uint8Array): Buffer => createHash('sha256').update(text).digest();
  const same = timingSafeEqual(digest(known ? users[username] : ''), digest(password));
  if (!known && check !== undefined) return undefined;
  return known && same;
}
