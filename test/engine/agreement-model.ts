// Two implementations of ESP side by side, the engine's in C++ and the portable one in TypeScript and WASM: the suites and modes that
// both have, the same SA in both, and random packets from a seed that a failure names.

import { concat } from '../../lib/bytes.ts';
import { ALGORITHMS } from '../../lib/crypto/algorithms.ts';
import { createCrypto } from '../../lib/crypto/symmetric.ts';
import type { EspParameters, SaSuite } from '../../lib/ipsec/data-plane.ts';
import { engineCarries } from '../../lib/ipsec/engine/index.ts';
import type { NativeEspCodec } from '../../lib/ipsec/engine/native.ts';
import { type EspOpened, EspReceiver, EspSender, espCarries, payloadOf } from '../../lib/ipsec/esp.ts';
import { readPacket } from '../../lib/ipsec/packet.ts';
import type { OuterAddresses } from '../../lib/ipsec/transport-mode.ts';
import { extension, ipv4, ipv6 } from '../ipsec/packets.ts';
import { tcp, udp } from '../ipsec/upper.ts';
import { codec, selector } from './esp-model.ts';

const crypto = createCrypto();
export const SPI = 0xc0ffee01;
/** Outer addresses, and in transport mode those of the packets. */
export const ENDS = {
  4: { local: '192.0.2.1', remote: '198.51.100.2' },
  6: { local: '2001:db8::1', remote: '2001:db8:2::2' },
} as const;

/** A small seeded generator (mulberry32). */
export type Random = (below: number) => number;
export function generator(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

export function randomBytes(random: Random, lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, () => random(256));
}

export interface SharedSuite extends SaSuite {
  readonly name: string;
  readonly protocol: 'esp';
  readonly encryption: EspParameters['encryption'];
}

/** Every suite of the algorithm table that both carry in that mode. */
export function sharedSuites(mode: EspParameters['mode']): readonly SharedSuite[] {
  const ciphers = ALGORITHMS.filter((row) => row.kind === 'encr');
  const macs = ALGORITHMS.filter((row) => row.kind === 'integ');
  return ciphers
    .flatMap((encryption) =>
      encryption.icvBytes > 0
        ? [{ name: encryption.name, encryption }]
        : macs.map((integrity) => ({ name: `${encryption.name}-${integrity.name}`, encryption, integrity })),
    )
    .map((suite) => ({ ...suite, protocol: 'esp', mode }) as const)
    .filter((suite) => espCarries(suite) && engineCarries(suite));
}

/** An outbound SA with random keys that takes everything. */
export function sharedSa(
  suite: SharedSuite,
  random: Random,
  changes: Partial<EspParameters> = {},
  family: 4 | 6 = 4,
): EspParameters {
  const { encryption, integrity, mode } = suite;
  const { local, remote } = ENDS[family];
  return {
    id: 1,
    direction: 'out',
    protocol: 'esp',
    mode,
    spi: SPI,
    policyId: 1,
    local: { address: local, port: 4500 },
    remote: { address: remote, port: 4500 },
    udpEncapsulation: true,
    encryption,
    encryptionKey: randomBytes(random, encryption.keyBits / 8 + encryption.saltBytes),
    ...(integrity === undefined ? {} : { integrity, integrityKey: randomBytes(random, integrity.keyBytes) }),
    esn: false,
    replayWindow: 128,
    localTs: [selector('0.0.0.0/0'), selector('::/0')],
    remoteTs: [selector('0.0.0.0/0'), selector('::/0')],
    ...changes,
  };
}

/** The inbound SA at the other end. */
export function otherEnd(sa: EspParameters): EspParameters {
  const { local, remote, localTs, remoteTs } = sa;
  return { ...sa, direction: 'in', local: remote, remote: local, localTs: remoteTs, remoteTs: localTs };
}

/** The portable sender; `iv` forces the IVs that are drawn. */
export class PortableSender {
  readonly #sa: EspParameters;
  readonly #sender: EspSender;
  #iv: Uint8Array | undefined;

  constructor(sa: EspParameters, last: number, random: Random) {
    this.#sa = sa;
    this.#sender = new EspSender(crypto, sa, (length) => this.#iv ?? randomBytes(random, length), last);
  }

  seal(packet: Uint8Array, iv?: Uint8Array): Uint8Array {
    const inner = readPacket(packet);
    if (inner === undefined) throw new TypeError('no packet');
    const carried = payloadOf(this.#sa.mode, packet, inner);
    if (typeof carried === 'string') throw new TypeError(carried);
    this.#iv = iv;
    const sealed = this.#sender.seal(carried.payload, carried.nextHeader);
    if (sealed === undefined) throw new TypeError('the numbers are spent');
    return sealed;
  }
}

/** Both receivers of an SA: `open` gives a packet or the name of a drop for each. */
export class Receivers {
  readonly #portable: EspReceiver;
  readonly #engine: NativeEspCodec;
  readonly #outer: OuterAddresses | undefined;

  constructor(out: EspParameters, last = 0n, outer?: OuterAddresses) {
    const sa = otherEnd(out);
    this.#portable = new EspReceiver(crypto, sa, Number(last));
    this.#engine = codec(sa, 'in', last);
    this.#outer = outer;
  }

  portable(esp: Uint8Array): Uint8Array | string {
    return outcomeOf(this.#portable.open(esp, this.#outer));
  }

  engine(esp: Uint8Array): Uint8Array | string {
    return this.#engine.open([esp])[0];
  }

  /** What both make of it. */
  both(esp: Uint8Array): { readonly portable: Uint8Array | string; readonly engine: Uint8Array | string } {
    return { portable: this.portable(esp), engine: this.engine(esp) };
  }
}

function outcomeOf(opened: EspOpened): Uint8Array | string {
  if (opened.kind === 'packet') return opened.packet;
  return opened.kind === 'dummy' ? 'dummy' : opened.cause;
}

/** An IP packet of about that length between the ends: IPv4 or IPv6, TCP or UDP with right checksums, or another protocol. */
export function randomPacket(random: Random, family: 4 | 6, lengthBytes: number): Uint8Array {
  const { local, remote } = ENDS[family];
  const header = family === 4 ? 20 : 40;
  const data = (headers: number): Uint8Array => randomBytes(random, Math.max(0, lengthBytes - headers));
  const addresses = addressesOf(family);
  const kind = random(4);
  const [protocol, payload] =
    kind === 0
      ? [6, tcp(random(65536), random(65536), data(header + 20), addresses)]
      : kind === 1
        ? [17, udp(random(65536), random(65536), data(header + 8), addresses)]
        : [253, data(header)];
  if (family === 4) return withChecksum(ipv4({ source: local, destination: remote, protocol, payload }));
  return kind === 3
    ? ipv6(60, concat(extension(protocol, random(3)), payload), local, remote)
    : ipv6(protocol, payload, local, remote);
}

export function addressesOf(family: 4 | 6): OuterAddresses {
  const { local, remote } = ENDS[family];
  return { source: selector(local).start, destination: selector(remote).start };
}

/** With the checksum of its IPv4 header. */
function withChecksum(packet: Uint8Array): Uint8Array {
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += packet[i] * 256 + packet[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  packet.set([(~sum >> 8) & 0xff, ~sum & 0xff], 10);
  return packet;
}
