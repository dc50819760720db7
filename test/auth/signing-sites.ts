// What tests of authentication share: a CA, certificates of two sites for every kind of key, and our readers on them.

import assert from 'node:assert/strict';
import { type Certificate, decodeCertificate } from '../../lib/auth/certificate.ts';
import { readPrivateKey, type SigningKey } from '../../lib/auth/keys.ts';
import type { TrustPolicy } from '../../lib/auth/peer.ts';
import type { Issued } from '../lib/pki.ts';

export function decode({ der }: Pick<Issued, 'der'>): Certificate {
  const decoded = decodeCertificate(der);
  assert.ok(decoded.ok, decoded.ok ? '' : decoded.error.message);
  return decoded.value;
}

export function keyOf({ key }: Issued): SigningKey {
  const read = readPrivateKey(key);
  assert.ok(read.ok, read.ok ? '' : read.error.message);
  return read.value;
}

export function trust(change: Partial<TrustPolicy>): TrustPolicy {
  return { anchors: [], pinned: [], keys: [], allowSha1: false, ...change };
}
