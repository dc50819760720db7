// What is tried against the kernel: SAs for both sides, the inner networks, and whom to ping. A case that the engine's own table of
// suites does not have is left out by inside.ts.

import { algorithm } from '../../lib/crypto/algorithms.ts';
import type { SaParameters } from '../../lib/ipsec/data-plane.ts';
import { saOf, selector } from '../engine/esp-model.ts';

export interface Case {
  readonly name: string;
  /** Out and in of our engine, then of the kernel. With a bundle the ESP SAs stand first. */
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
}

let nextId = 1;

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
  const side = (self: 0 | 1): SaParameters[] => {
    const ts = [[selector(near)], [selector(far)]];
    const path = {
      local: { address: outer[self], port: 4500 },
      remote: { address: outer[1 - self], port: 4500 },
      localTs: ts[self],
      remoteTs: ts[1 - self],
    };
    return [
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

export const cases: readonly Case[] = inUdp;
