// Two sites with IKEv1 for each way of authentication: certificates of one CA, keys that are known beforehand, users.

import { X509Certificate } from 'node:crypto';
import { endEntity, type Issued, makePki, type TestKey } from '../lib/pki.ts';
import type { SiteOptions } from './sites.ts';

export interface Sites {
  readonly a: SiteOptions;
  readonly b: SiteOptions;
}

type Connection = NonNullable<SiteOptions['connection']>;
type LocalAuth = NonNullable<NonNullable<Connection['local']>['auth']>;
type RemoteAuth = NonNullable<NonNullable<Connection['remote']>['auth']>;

const pki = makePki();
export const { folder } = pki;
const root = pki.ca('/CN=Root');
const issued = new Map<string, Issued>();

/** Certificate and key of a site; made once. */
export function issue(name: string, key: TestKey): Issued {
  const known = issued.get(`${name} ${key}`);
  if (known !== undefined) return known;
  const extensions = endEntity(`DNS:${name}.example`);
  const made = pki.issue({ subject: `/CN=${name}`, issuer: root, key, extensions });
  issued.set(`${name} ${key}`, made);
  return made;
}

/** What a site proves itself with. */
export function own(name: string, key: TestKey): LocalAuth {
  const { certificate, key: privateKey } = issue(name, key);
  return { certificate, privateKey };
}

const trusting: RemoteAuth = { ca: root.certificate };
/** The password that `withUsers` has at both ends. */
export const PASSWORD = 'in wonderland';
const users = { xauth: { users: { alice: PASSWORD } } } as const;

function site(local: LocalAuth, remote: RemoteAuth, peer: string, more: Connection): SiteOptions {
  return { connection: { ...more, local: { auth: local }, remote: { auth: remote, id: `${peer}.example` } } };
}

/** Both sign. */
export function signing(key: TestKey, more: Connection = {}): Sites {
  return {
    a: site(own('a', key), trusting, 'b', more),
    b: site(own('b', key), trusting, 'a', more),
  };
}

/** A certificate that was valid until the day before stories begin. */
export function expired(name: string): Issued {
  const extensions = endEntity(`DNS:${name}.example`);
  const keyOf = issue(name, 'rsa2048');
  return pki.issue({ subject: `/CN=${name}`, issuer: root, keyOf, extensions, to: '20251231000000Z' });
}

/** Both encrypt for the other's key, which each knows from its certificate, or `bare`. */
export function encrypting(
  publicKeyEncryption: 'revised' | 'original',
  more: Connection = {},
  keys: 'certificate' | 'bare' = 'certificate',
  key: TestKey = 'rsa2048',
): Sites {
  const known = (name: string): RemoteAuth => {
    const { certificate } = issue(name, key);
    return keys === 'certificate' ? { certificate } : { publicKey: publicHalf(issue(name, key)) };
  };
  const all = { ...more, publicKeyEncryption };
  return { a: site(own('a', key), known('b'), 'b', all), b: site(own('b', key), known('a'), 'a', all) };
}

/** The one at `a` has a user, the one at `b` knows users; `a` proves nothing before that, or what `local` says. */
export function withUsers(
  method: 'hybrid' | 'psk' | 'rsa',
  more: Connection = {},
  password: string = PASSWORD,
): Sites {
  const user = { xauth: { username: 'alice', password } } as const;

  if (method === 'psk') {
    const psk = { psk: 'a secret of the simulation' };
    return { a: site({ ...psk, ...user }, psk, 'b', more), b: site(psk, { ...psk, ...users }, 'a', more) };
  }
  const rsa = own('b', 'rsa2048');
  if (method === 'hybrid') return { a: site(user, trusting, 'b', more), b: site(rsa, users, 'a', more) };
  return {
    a: site({ ...own('a', 'rsa2048'), ...user }, trusting, 'b', more),
    b: site(rsa, { ...trusting, ...users }, 'a', more),
  };
}

export function publicHalf({ certificate }: Issued): Uint8Array {
  return new Uint8Array(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }));
}
