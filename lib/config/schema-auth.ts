// The rows of `local.auth` and `remote.auth`: how a connection's sides prove who they are.

import { z } from 'zod';
import { SCHEMES } from '../auth/schemes.ts';
import { certificates, passphrase, privateKey, publicKeys } from './credentials.ts';
import { flag, list, oneOf, preSharedKey } from './notation.ts';
import { derived, row, validator } from './option.ts';
import { check, password, username, users } from './xauth.ts';

const psk = derived(
  preSharedKey,
  "the other side's",
  'Pre-shared key. Text is taken as UTF-8. The other side has the same unless it has one of its own, or a certificate.',
);

export const localAuth = row(
  z
    .strictObject({
      psk,
      certificate: derived(
        certificates,
        'none',
        'Our certificate, and behind it the intermediate ones that lead to a CA which the peer trusts. All of them are sent.',
      ),
      privateKey: derived(
        privateKey,
        'none',
        'The private key of the certificate, or a function that signs with it (KMS, HSM). Without a certificate the peer must know its public half.',
      ),
      passphrase: derived(passphrase, 'none', 'Opens an encrypted private key.'),
      signatures: derived(
        list(oneOf(...SCHEMES.map(({ name }) => name)), 16),
        'PSS before PKCS#1 v1.5, the hash that fits the curve first',
        'Signature schemes that we use, best first; the first whose hash the peer takes (RFC 7427).',
      ),
      allowSha1: derived(
        flag,
        'false',
        'Whether an RSA key may sign with SHA-1 for a peer that does not know RFC 7427. Each such signature raises a `warning` event.',
      ),
      xauth: row(
        z
          .strictObject({
            username: row(validator(username), { doc: 'The name.', expected: username.expected }),
            password: row(validator(password), { doc: 'The password.', expected: password.expected }),
          })
          .optional(),
        {
          doc: 'Our user, whom XAuth (IKEv1) asks for after phase 1. With nothing beside it we prove nothing in phase 1, and the peer has a certificate (hybrid authentication).',
        },
      ),
    })
    .optional(),
  { doc: 'How we prove our identity: a pre-shared key, or a certificate with its private key.' },
);

export const remoteAuth = row(
  z
    .strictObject({
      psk,
      ca: derived(
        certificates,
        'none',
        'Certificates of the CAs that are trusted. The certificate of the peer must lead to one of them.',
      ),
      certificate: derived(
        certificates,
        'any that a CA vouches for',
        "The peer's own certificate, or several of which it must have one. Without `ca` it is trusted by itself.",
      ),
      publicKey: derived(
        publicKeys,
        'none',
        "The peer's public key, or several, in place of certificates; needs `remote.id`.",
      ),
      allowSha1: derived(
        flag,
        'false',
        'Whether signatures with SHA-1 are accepted: in certificates, and of RSA in the old authentication method. Each use raises a `warning` event.',
      ),
      xauth: row(
        z
          .strictObject({
            users: derived(users, 'none', 'Passwords by name.'),
            check: derived(check, 'nobody else', 'Is asked about users who are not in `users`.'),
          })
          .optional(),
        {
          doc: 'The users of whom the peer must be one, by XAuth (IKEv1) after phase 1. With nothing beside it the peer proves nothing in phase 1, and we have a certificate (hybrid authentication).',
        },
      ),
    })
    .optional(),
  {
    doc: 'How the peer must prove its identity: a pre-shared key, or a certificate. Both sides may do it in different ways.',
  },
);
