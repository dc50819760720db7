// Reading test/vectors, and what the crypto tests share. Compiled, this file lies in dist/test/crypto.

import { randomBytes, randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const FOLDER = new URL('../../../test/vectors/', import.meta.url);

export function readVectors<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as T;
}

/** A case of Wycheproof together with its group's sizes; all texts are hexadecimal. */
export type WycheproofCase<T> = T & {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
  readonly group: { readonly ivSize?: number; readonly keySize?: number; readonly tagSize?: number };
};

export function readWycheproof<T>(name: string): WycheproofCase<T>[] {
  const file = gunzipSync(readFileSync(new URL(`wycheproof/${name}_test.json.gz`, FOLDER)));
  const { testGroups } = JSON.parse(file.toString('utf8')) as {
    testGroups: { tests: WycheproofCase<T>[] }[];
  };
  return testGroups.flatMap(({ tests, ...group }) => tests.map((test) => ({ ...test, group })));
}

export function hex(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/** Random bytes, of a length up to `most`; short ones and those around blocks are as likely as the rest. */
export function someBytes(most: number): Uint8Array {
  const near = [0, 1, 15, 16, 17, 31, 32, 33, 48, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129];
  const length = randomInt(2) === 0 ? randomInt(most + 1) : near[randomInt(near.length)];
  return new Uint8Array(randomBytes(Math.min(length, most)));
}

export function exactBytes(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length));
}

/** How many random cases are compared with node:crypto for each algorithm. */
export const RANDOM_CASES = 1_000;
