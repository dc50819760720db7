// The notations of users and passwords, which XAuth of IKEv1 asks for. Messages show none of them.

import { type Notation, Refusal } from './notation.ts';
import type { XauthCheck } from './types.ts';

/** RFC 2408 §3.3 would take 65,535; no peer does. */
const MAX_BYTES = 255;
const MAX_USERS = 10_000;

export const username: Notation<string, string> = {
  expected: `a text of 1 to ${MAX_BYTES} bytes`,
  read: (input) => (isText(input) ? input : new Refusal()),
};

export const password: Notation<string, string> = {
  expected: `a text of 1 to ${MAX_BYTES} bytes`,
  secret: true,
  read: (input) => (isText(input) ? input : new Refusal()),
};

export const users: Notation<Readonly<Record<string, string>>, Readonly<Record<string, string>>> = {
  expected: 'an object of names and passwords',
  secret: true,
  read(input) {
    if (typeof input !== 'object' || input === null || Array.isArray(input)) return new Refusal();
    const all: [string, unknown][] = Object.entries(input);
    if (all.length > MAX_USERS) return new Refusal(`more than ${MAX_USERS} users`);
    const read = all.filter((pair): pair is [string, string] => pair.every(isText));
    return read.length === all.length
      ? Object.fromEntries(read)
      : new Refusal(`names and passwords are texts of 1 to ${MAX_BYTES} bytes`);
  },
};

export const check: Notation<XauthCheck, XauthCheck> = {
  expected: 'a function (username, password) => Promise<boolean>',
  secret: true,
  read: (input) => (typeof input === 'function' ? (input as XauthCheck) : new Refusal()),
};

function isText(input: unknown): input is string {
  if (typeof input !== 'string') return false;
  const { length } = new TextEncoder().encode(input);
  return length >= 1 && length <= MAX_BYTES;
}
