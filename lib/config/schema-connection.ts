// The rows of a connection.

import { z } from 'zod';
import {
  address,
  duration,
  flag,
  identity,
  identityPattern,
  integer,
  list,
  oneOf,
  name as poolName,
  proposal,
} from './notation.ts';
import { derived, option, row, section } from './option.ts';
import { DEFAULT_IKE_PROPOSALS } from './proposal.ts';
import { localAuth, remoteAuth } from './schema-auth.ts';
import { child } from './schema-child.ts';

const day = 86_400_000;

export const connection = z.strictObject({
  local: section('Our side.', {
    address: option(
      address('any'),
      '%any',
      'Our outer address; `%any`: whichever the route to the peer has.',
    ),
    id: derived(
      identity,
      "the certificate's subject, or our outer address",
      'Identity that we send. With a certificate it must be in it: its subject, or a subject alternative name.',
    ),
    auth: localAuth,
  }),
  remote: section("The peer's side.", {
    address: option(
      address('any'),
      '%any',
      "The peer's outer address; `%any` answers every address and never initiates.",
    ),
    port: option(integer(1, 65535), 500, "The peer's IKE port."),
    nattPort: option(integer(1, 65535), 4500, "The peer's port for NAT traversal."),
    id: derived(
      identityPattern,
      'any',
      'Identity that the peer must prove; `*.example.com`, `*@example.com` and `O=Example, CN=*` take every one of the kind.',
    ),
    auth: remoteAuth,
  }),
  version: option(
    oneOf<1 | 2 | 'any'>(1, 2, 'any'),
    2,
    'Version of IKE. `1` is for old peers; `"any"` answers both and calls with 2. IKEv1 makes the hash of phase 1 out of the integrity algorithm: `aes128-sha256-modp2048`.',
  ),
  aggressive: option(
    flag,
    false,
    "IKEv1's Aggressive Mode: fewer messages, identities in clear. Who listens can guess at a pre-shared key.",
  ),
  publicKeyEncryption: derived(
    oneOf('revised', 'original'),
    'signatures',
    "IKEv1's authentication by RSA encryption in place of signatures: who can read what was encrypted with his public key is who he is. Both sides have an RSA key, and each knows the other's beforehand (`remote.auth.certificate` or `publicKey`).",
  ),
  proposals: option(list(proposal('ike'), 16), [...DEFAULT_IKE_PROPOSALS], 'IKE proposals, best first.'),
  encap: derived(flag, '`true` for ESP tunnels of the engine', 'Use UDP without NAT, too.'),
  rekeyTime: option(duration(0, 30 * day), '4h', 'The IKE SA is rekeyed after this time; 0 never.'),
  rekeyJitter: derived(
    duration(0, 30 * day),
    'a tenth of `rekeyTime`',
    'A random part of this is taken off `rekeyTime`.',
  ),
  overTime: derived(
    duration(0, 30 * day),
    'a tenth of `rekeyTime`',
    'The IKE SA ends this long after `rekeyTime` if it was not rekeyed.',
  ),
  dpdDelay: option(
    duration(0, day),
    '30s',
    'The peer is asked whether it lives after this time without a protected message or packet from it; 0 never.',
  ),
  unique: option(
    oneOf('replace', 'keep', 'never'),
    'replace',
    'A new IKE SA with the same identities replaces the old one, is refused in its favour (`keep`), or stands beside it (`never`).',
  ),
  retry: option(
    duration(100, day),
    '10s',
    'Pause before a connection that must be up is tried again; doubles with each failure, up to ten times this.',
  ),
  pools: option(
    list(poolName, 16, 0),
    [],
    'Pools that the peer gets its inner address from, first those that are asked first (Mode-Config, IKEv1). Children without `remoteTs` are for that address.',
  ),
  vips: option(
    list(address(), 2, 0),
    [],
    'Inner addresses that we ask the peer for; `0.0.0.0` and `::` take whichever it gives (Mode-Config, IKEv1). Children without `localTs` are for that address, which the engine puts on its device.',
  ),
  modeConfig: option(
    oneOf('pull', 'push'),
    'pull',
    'Whether the side that wants an address asks for it, or the other one gives it unasked.',
  ),
  children: row(z.record(z.string(), child).prefault({}), { doc: 'The Child SAs, by name.' }),
});
