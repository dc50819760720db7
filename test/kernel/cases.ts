// What is tried against the kernel: SAs for both sides, the inner networks, and whom to ping.

import { algorithm } from '../../lib/crypto/algorithms.ts';
import type { SaParameters } from '../../lib/ipsec/data-plane.ts';
import { saOf, selector } from '../engine/esp-model.ts';

export interface Case {
  readonly name: string;
  /** Out and in of our engine, then of the kernel. In a bundle the ESP SAs stand before the AH SAs around them. */
  readonly pair: readonly [readonly SaParameters[], readonly SaParameters[]];
  /** Our inner network and the kernel's, as prefixes. */
  readonly near: string;
  readonly far: string;
  /** Our address and the kernel's, for pings. */
  readonly ping: readonly [string, string];
}

interface Shape {
  readonly suite: string;
  readonly v6Outer?: boolean;
  readonly v6Inner?: boolean;
  readonly mode?: 'tunnel' | 'transport';
  readonly udp?: boolean;
  readonly esn?: boolean;
  readonly window?: number;
  /** The suite of an AH SA in transport mode around each SA. */
  readonly bundle?: string;
}

let nextId = 1;
/** From the inner SA of a bundle to the outer one. */
const OUTER = 0x10000;

/** Both sides of a Child SA with fresh keys. */
function caseOf(name: string, shape: Shape): Case {
  const mode = shape.mode ?? 'tunnel';
  const outer = shape.v6Outer ? ['2001:db8::1', '2001:db8::2'] : ['192.0.2.1', '192.0.2.2'];
  const inner = shape.v6Inner ? ['fd01::/64', 'fd02::/64'] : ['10.1.0.0/24', '10.2.0.0/24'];
  const hosts = outer.map((address) => `${address}/${shape.v6Outer ? 128 : 32}`);
  const [near, far] = mode === 'tunnel' ? inner : hosts;
  const ping =
    mode === 'transport'
      ? ([outer[0], outer[1]] as const)
      : shape.v6Inner
        ? (['fd01::1', 'fd02::1'] as const)
        : (['10.1.0.1', '10.2.0.1'] as const);
  const id = nextId++;
  const common = {
    policyId: id,
    mode,
    udpEncapsulation: shape.udp ?? true,
    esn: shape.esn ?? false,
    replayWindow: shape.window ?? 64,
  };
  const keys = [makeSa(shape.suite), makeSa(shape.suite)];
  const around = shape.bundle === undefined ? [] : [makeSa(shape.bundle), makeSa(shape.bundle)];
  const hostTs = hosts.map((host) => [selector(host)]);
  const side = (self: 0 | 1): SaParameters[] => {
    const ts = [[selector(near)], [selector(far)]];
    const path = {
      local: { address: outer[self], port: 4500 },
      remote: { address: outer[1 - self], port: 4500 },
      localTs: ts[self],
      remoteTs: ts[1 - self],
    };
    const inner: SaParameters[] = [
      { ...keys[self], ...common, ...path, id: id * 2, direction: 'out', spi: 0x1000 + id * 2 + self },
      {
        ...keys[1 - self],
        ...common,
        ...path,
        id: id * 2 + 1,
        direction: 'in',
        spi: 0x1000 + id * 2 + 1 - self,
      },
    ];
    if (around.length === 0) return inner;
    // Around what the inner SA made: from host to host.
    const outside = {
      ...common,
      ...path,
      mode: 'transport',
      localTs: hostTs[self],
      remoteTs: hostTs[1 - self],
    } as const;
    const aroundThem = inner.map(
      (sa, i): SaParameters => ({
        ...around[i === 0 ? self : 1 - self],
        ...outside,
        id: sa.id + OUTER,
        direction: sa.direction,
        spi: sa.spi + OUTER,
      }),
    );
    return [...inner.map((sa) => ({ ...sa, outerSaId: sa.id + OUTER })), ...aroundThem];
  };
  return { name, pair: [side(0), side(1)], near, far, ping };
}

/** `ah-sha256`, else a suite of ESP. */
function makeSa(suite: string): SaParameters {
  if (!suite.startsWith('ah-')) return saOf(suite);
  const integrity = algorithm('integ', suite.slice(3));
  const { encryption: _, encryptionKey: __, ...rest } = saOf('aes128gcm16');
  const integrityKey = crypto.getRandomValues(new Uint8Array(integrity.keyBytes));
  return { ...rest, protocol: 'ah', integrity, integrityKey };
}

const SUITES = [
  'aes128gcm16',
  'aes256gcm16',
  'aes256gcm8',
  'aes128ccm16',
  'aes128gmac',
  'chacha20poly1305',
  'aes256-sha256',
  'aes128-sha1',
  'aes128ctr-sha512',
  'aes128-aesxcbc',
  'aes128-aescmac',
  '3des-sha1',
  'null-sha256',
] as const;

/** In UDP, as behind a NAT. */
const inUdp: readonly Case[] = [
  ...SUITES.map((suite) => caseOf(`RFC 3948 §3.4: ${suite} in UDP, tunnel mode`, { suite })),
  caseOf('RFC 3948 §3.4: IPv6 in IPv4 in UDP', { suite: 'aes128gcm16', v6Inner: true }),
  caseOf('RFC 3948 §3.4: IPv4 in IPv6 in UDP', { suite: 'aes128gcm16', v6Outer: true }),
  ...(['aes128gcm16', 'aes256-sha256'] as const).map((suite) =>
    caseOf(`RFC 4303 §2.2.1: extended sequence numbers with ${suite} and a window of 4,096`, {
      suite,
      esn: true,
      window: 4096,
    }),
  ),
];

const FAMILIES = [
  { family: 'IPv4', v6Outer: false, v6Inner: false },
  { family: 'IPv6', v6Outer: true, v6Inner: true },
] as const;

/** As IP protocols 50 and 51. */
const bare: readonly Case[] = FAMILIES.flatMap(({ family, ...shape }) => [
  ...(['tunnel', 'transport'] as const).flatMap((mode) => [
    ...(['aes128gcm16', 'aes256-sha256', 'chacha20poly1305'] as const).map((suite) =>
      caseOf(`RFC 4303 §3.1: ${suite} in ${family}, ${mode} mode`, { ...shape, suite, mode, udp: false }),
    ),
    ...(['sha1', 'sha256', 'sha384', 'sha512', 'aesxcbc', 'aescmac'] as const).map((mac) =>
      caseOf(`RFC 4302 §3.1: AH with ${mac} in ${family}, ${mode} mode`, {
        ...shape,
        suite: `ah-${mac}`,
        mode,
        udp: false,
      }),
    ),
  ]),
  caseOf(`RFC 4302 §2.5: AH with extended sequence numbers in ${family}`, {
    ...shape,
    suite: 'ah-sha256',
    udp: false,
    esn: true,
    window: 4096,
  }),
  caseOf(`AH around ESP in ${family}: a bundle`, {
    ...shape,
    suite: 'aes256-sha256',
    bundle: 'ah-sha256',
    udp: false,
  }),
]);

/** In UDP, but for one host only. */
const transportInUdp: readonly Case[] = [
  caseOf('RFC 3948 §3.1: aes128gcm16 in UDP, transport mode', { suite: 'aes128gcm16', mode: 'transport' }),
];

export const cases: readonly Case[] = [...inUdp, ...transportInUdp, ...bare];
