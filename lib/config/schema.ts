// The table of options: one row each, from which the validator, the types and docs/configuration.md are made.
// A row is a notation (what may be written), a default and one sentence. parse.ts turns the rows' values into a Config.

import { z } from 'zod';
import { SCHEMES } from '../auth/schemes.ts';
import { certificates, passphrase, privateKey, publicKeys } from './credentials.ts';
import {
  address,
  decimal,
  deviceName,
  duration,
  flag,
  identity,
  identityPattern,
  integer,
  list,
  type Notation,
  oneOf,
  preSharedKey,
  proposal,
  Refusal,
  selector,
  showKind,
  showValue,
  size,
} from './notation.ts';
import { DEFAULT_ESP_PROPOSALS, DEFAULT_IKE_PROPOSALS } from './proposal.ts';

/** What the documentation says of a row. */
export interface OptionMeta {
  readonly doc: string;
  readonly expected?: string;
  /** The default as it would be written, or the rule that makes it in plain words. */
  readonly byDefault?: string;
}

/** Sentences and notations of all rows and sections, by schema. */
export const options: z.core.$ZodRegistry<OptionMeta> = z.registry<OptionMeta>();

const day = 86_400_000;
/** The largest volumes that may be configured. */
export const MOST_TIB = 1024;
export const MOST_PACKETS = 1_000_000_000_000;

/** The schema of one notation. */
export function validator<Out, In>(notation: Notation<Out, In>): z.ZodType<Out, In> {
  const schema = z.unknown().transform((input, context) => {
    const value = notation.read(input);
    if (!(value instanceof Refusal)) return value;
    const shown = notation.secret ? `${showKind(input)} (not shown)` : showValue(input);
    const what = input === undefined ? 'is missing' : `${shown} is not accepted`;
    const message = value.reason ?? `${what}; expected ${notation.expected}`;
    context.issues.push({ code: 'custom', input: undefined, message });
    return z.NEVER;
  });
  // zod cannot know what a notation takes in; the compiler holds users to it, `read` holds everybody.
  return schema as unknown as z.ZodType<Out, In>;
}

function row<S extends z.ZodType>(schema: S, meta: OptionMeta): S {
  options.add(schema, meta);
  return schema;
}

/** A row with a default in the notation people use. */
function option<Out, In>(notation: Notation<Out, In>, byDefault: In, doc: string) {
  const schema = validator(notation).prefault(byDefault as Exclude<In, undefined>);
  return row(schema, { doc, expected: notation.expected, byDefault: JSON.stringify(byDefault) });
}

/** A row that may be absent; `byDefault` says in words what holds then. */
function derived<Out, In>(notation: Notation<Out, In>, byDefault: string, doc: string) {
  return row(validator(notation).optional(), { doc, expected: notation.expected, byDefault });
}

/** A group of rows that may be absent as a whole. */
function section<T extends z.core.$ZodLooseShape>(doc: string, shape: T) {
  return row(z.strictObject(shape).prefault({} as never), { doc });
}

const psk = derived(
  preSharedKey,
  "the other side's",
  'Pre-shared key. Text is taken as UTF-8. The other side has the same unless it has one of its own, or a certificate.',
);

const localAuth = row(
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
    })
    .optional(),
  { doc: 'How we prove our identity: a pre-shared key, or a certificate with its private key.' },
);

const remoteAuth = row(
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
    })
    .optional(),
  {
    doc: 'How the peer must prove its identity: a pre-shared key, or a certificate. Both sides may do it in different ways.',
  },
);

const child = z.strictObject({
  localTs: option(list(selector, 64, 0), [], 'Traffic selectors of our side. Empty: our outer address.'),
  remoteTs: option(
    list(selector, 64, 0),
    [],
    "Traffic selectors of the peer's side. Empty: its outer address.",
  ),
  mode: option(
    oneOf('tunnel', 'transport', 'pass', 'drop'),
    'tunnel',
    'Encapsulation. `transport` keeps the header of the packet: selectors are cut to the two outer addresses, and where the peer answers with tunnel mode it is that. `pass` lets traffic past the tunnel in clear, `drop` drops it; neither is negotiated nor has SAs, and only `localTs`, `remoteTs` and `start` go with them.',
  ),
  espProposals: derived(
    list(proposal('esp'), 16),
    JSON.stringify(DEFAULT_ESP_PROPOSALS),
    'ESP proposals, best first. With a key exchange in them the child is rekeyed with forward secrecy (PFS).',
  ),
  ahProposals: derived(
    list(proposal('ah'), 16),
    'none',
    'AH proposals, best first, in place of `espProposals`: packets are authenticated and not encrypted. Not through a NAT.',
  ),
  start: derived(
    oneOf('none', 'start', 'trap'),
    '`trap` with `mode: "pass"` or `"drop"`, else `none`',
    '`start` brings the child up and keeps it up; `trap` brings it up when a packet asks; `none` waits for the peer or for `gateway.initiate()`. With `pass` and `drop` both `start` and `trap` install the policy.',
  ),
  rekeyTime: derived(duration(0, 30 * day), '"1h"', 'The child is rekeyed after this time; 0 never.'),
  rekeyJitter: derived(
    duration(0, 30 * day),
    'a tenth of `rekeyTime`',
    'A random part of this is taken off `rekeyTime`, so that both sides rarely rekey at once.',
  ),
  lifeTime: derived(
    duration(0, 60 * day),
    '`rekeyTime` and a tenth; 0 without rekeying',
    'The child ends after this time if it was not rekeyed; 0 never.',
  ),
  rekeyBytes: derived(
    size(MOST_TIB),
    '0',
    'The child is rekeyed when either direction has carried this much; 0 never.',
  ),
  randBytes: derived(
    size(MOST_TIB),
    'a tenth of `rekeyBytes`',
    'A random part of this is taken off `rekeyBytes`.',
  ),
  lifeBytes: derived(
    size(MOST_TIB),
    '`rekeyBytes` and a tenth; 0 without',
    'The child ends when either direction has carried this much; 0 never.',
  ),
  rekeyPackets: derived(
    integer(0, MOST_PACKETS),
    '0',
    'The child is rekeyed when either direction has carried so many packets; 0 never.',
  ),
  randPackets: derived(
    integer(0, MOST_PACKETS),
    'a tenth of `rekeyPackets`',
    'A random part of this is taken off `rekeyPackets`.',
  ),
  lifePackets: derived(
    integer(0, MOST_PACKETS),
    '`rekeyPackets` and a tenth; 0 without',
    'The child ends when either direction has carried so many packets; 0 never.',
  ),
  dpdAction: derived(
    oneOf('clear', 'trap', 'restart'),
    '`restart` with `start: "start"`, `trap` with `start: "trap"`, else `clear`',
    'What becomes of the child when the peer is dead.',
  ),
  closeAction: derived(
    oneOf('none', 'trap', 'start'),
    'as `start`',
    'What becomes of the child when the peer deletes it.',
  ),
  replayWindow: derived(
    integer(0, 65536),
    '1024',
    'Packets that may come out of order; 0 turns replay protection off.',
  ),
  tfcPadding: derived(
    integer(0, 65535),
    '0',
    'Inner packets are padded up to this many bytes, so that their lengths tell less (RFC 4303 §2.7); not to a peer that cannot read it. ESP in tunnel mode only.',
  ),
  copyDscp: derived(
    oneOf('out', 'in', 'yes', 'no'),
    '"out"',
    'Copies the DSCP from the inner to the outer header (`out`), back (`in`), both or neither. Tunnel mode only; the portable plane sees no outer header and refuses `in` and `yes`.',
  ),
  copyEcn: derived(
    flag,
    'true',
    'ECN goes from the inner to the outer header and back (RFC 6040); `false`: neither. Tunnel mode only.',
  ),
});

const connection = z.strictObject({
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
  aggressive: option(flag, false, "IKEv1's Aggressive Mode. Who listens can guess at the pre-shared key."),
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
  children: row(z.record(z.string(), child).prefault({}), { doc: 'The Child SAs, by name.' }),
});

/** The whole configuration as people write it. */
export const configSchema = z.strictObject({
  listen: section('The sockets of IKE.', {
    addresses: option(list(address(), 64), ['0.0.0.0', '::'], 'Local addresses to bind.'),
    port: option(integer(0, 65535), 500, 'UDP port of IKE; 0 takes a free one.'),
    nattPort: option(integer(0, 65535), 4500, 'UDP port of IKE and ESP behind NAT; 0 takes a free one.'),
  }),
  dataPlane: option(
    oneOf('auto', 'engine', 'portable', 'memory'),
    'auto',
    '`engine` (C++, TUN device, needs CAP_NET_ADMIN), `portable` (WASM, packets through the API), `memory` (tests: carries nothing); `auto` takes the engine where it works, else portable.',
  ),
  tun: section('The TUN device of the engine.', {
    name: option(deviceName, 'ike0', 'Name of the device.'),
    mtu: option(integer(1280, 65535), 1400, 'Largest inner packet in bytes.'),
  }),
  engine: section('The threads of the engine.', {
    workers: option(
      integer(0, 16),
      0,
      'Threads in each direction; 0: one on up to 7 cores, then a quarter of the cores, at most 4. More than one carry a single SA too, and keep the packets of each flow in order.',
    ),
    busyPoll: option(
      duration(0, 1000),
      '0s',
      'A thread that found nothing to do looks again for this long before it sleeps: less latency for more processor time; 0 sleeps at once.',
    ),
    clampMss: option(
      flag,
      true,
      'Whether TCP connections through tunnels, in both directions, agree on segments that fit their path, so that they need no ICMP.',
    ),
  }),
  routes: section('Routes for the remote selectors (engine).', {
    install: option(flag, true, 'Whether to make them; they go when the gateway closes.'),
    table: option(integer(1, 0x7fffffff), 4500, 'Routing table of their own.'),
    priority: option(integer(1, 32765), 4500, 'Priority of the rule that leads to the table.'),
    mark: option(
      integer(1, 0x7fffffff),
      4500,
      "Firewall mark of the gateway's own packets, which keeps them out of that table.",
    ),
  }),
  retransmit: section(
    'When a request is sent again (RFC 7296 §2.4): after `timeout`, then `base` times longer each time.',
    {
      timeout: option(duration(50, 60_000), '2s', 'First wait.'),
      base: option(decimal(1, 5), 1.8, 'Growth of the wait.'),
      tries: option(
        integer(0, 20),
        6,
        'How many times the request is sent again before the peer counts as dead.',
      ),
      jitter: option(decimal(0, 1), 0.1, 'Share of each wait that is random.'),
    },
  ),
  limits: section('Bounds that keep a flood from filling memory.', {
    cookieThreshold: option(
      integer(0, 1_000_000),
      32,
      'Half-open IKE SAs from which on a cookie is asked for (RFC 7296 §2.6); 0 always asks.',
    ),
    halfOpen: option(integer(1, 1_000_000), 2048, 'Half-open IKE SAs in all; further requests are dropped.'),
    halfOpenPerAddress: option(integer(1, 1_000_000), 64, 'Half-open IKE SAs from one address.'),
    halfOpenTimeout: option(
      duration(1000, 600_000),
      '30s',
      'A responder forgets an IKE SA that did not authenticate within this time.',
    ),
    ikeSas: option(integer(1, 1_000_000), 10_000, 'IKE SAs in all.'),
    childSasPerIkeSa: option(integer(1, 10_000), 128, 'Child SAs on one IKE SA.'),
    heldPackets: option(integer(0, 10_000), 32, 'Packets that wait for one trap policy.'),
  }),
  natKeepalive: option(
    duration(0, day),
    '20s',
    'Pause between NAT keepalives when we are behind a NAT; 0 sends none.',
  ),
  connections: row(z.record(z.string(), connection).prefault({}), { doc: 'The connections, by name.' }),
});

/** What {@link parseConfig} reads. */
export type ConfigInput = z.input<typeof configSchema>;
/** The rows' values, before rules that span several rows. */
export type ConfigRows = z.output<typeof configSchema>;
