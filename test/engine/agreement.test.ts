// The engine and the portable plane are two implementations of one thing: for every suite and mode that both have they make the same
// bytes, open what the other made, and refuse the same packets for the same reasons.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat, equalBytes, toHex } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import type { EspParameters } from '../../lib/ipsec/data-plane.ts';
import { engineCarries } from '../../lib/ipsec/engine/index.ts';
import type { NativeEspCodec } from '../../lib/ipsec/engine/native.ts';
import { SaUse } from '../../lib/ipsec/sa-use.ts';
import { espByHand } from '../ipsec/by-hand.ts';
import { ipv4, ipv6, ports } from '../ipsec/packets.ts';
import {
  addressesOf,
  generator,
  otherEnd,
  PortableSender,
  type Random,
  Receivers,
  randomBytes,
  randomPacket,
  type SharedSuite,
  sharedSa,
  sharedSuites,
} from './agreement-model.ts';
import { codec, selector } from './esp-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const EPOCH = 2n ** 32n;
const SEED = Number(process.env['IKE_NATIVE_SEED'] ?? 20251125);
const gcm = algorithm('encr', 'aes128gcm16');
const transportSkip =
  skip ||
  (engineCarries({ protocol: 'esp', mode: 'transport', encryption: gcm })
    ? false
    : 'needs an engine with transport mode: engineCarries() refuses it');
const MODES = [
  ['tunnel', skip],
  ['transport', transportSkip],
] as const;

/** Lengths of packets: every class of padding, usual ones, and now and then large ones. */
function lengths(random: Random): readonly number[] {
  const usual = Array.from({ length: 12 }, () => 20 + random(1481));
  return [20, 21, 22, 23, 28, 36, ...usual, 1500, 1501 + random(7500)];
}

/** Packets for an SA: in a tunnel of both families, in transport mode of that of its ends. */
function packetsFor(random: Random, mode: EspParameters['mode'], family: 4 | 6): readonly Uint8Array[] {
  return lengths(random).map((length, i) =>
    randomPacket(random, mode === 'tunnel' ? ([4, 6] as const)[i % 2] : family, length),
  );
}

/** Rebuilt packets agree in all that transport mode carries: the rest of the header is the maker's choice. */
function carriedPart(packet: Uint8Array, mode: EspParameters['mode']): Uint8Array {
  if (mode === 'tunnel') return packet;
  if (packet[0] >> 4 === 6) return concat(packet.subarray(4, 7), packet.subarray(8));
  return concat(packet.subarray(2, 4), packet.subarray(9, 10), packet.subarray(12));
}

function assertOpened(
  result: Uint8Array | string,
  packet: Uint8Array,
  mode: EspParameters['mode'],
  what: string,
): void {
  assert.ok(result instanceof Uint8Array, `${what}: dropped: ${result}`);
  assert.equal(toHex(carriedPart(result, mode)), toHex(carriedPart(packet, mode)), what);
}

function agree(suite: SharedSuite, esn: boolean, family: 4 | 6, random: Random): void {
  const { mode, encryption } = suite;
  const sa = sharedSa(suite, random, { esn }, family);
  const last = esn ? EPOCH - 10n : BigInt(random(2 ** 31));
  const packets = packetsFor(random, mode, family);
  const byEngine = codec(sa, 'out', last).seal(packets);
  const portable = new PortableSender(sa, Number(last), random);
  const receivers = new Receivers(sa, last, addressesOf(family));
  const crossed = new Receivers(sa, last, addressesOf(family));
  const free = new PortableSender(sa, Number(last), random);
  packets.forEach((packet, i) => {
    const what = `${suite.name}, ESN ${esn}, packet ${i} of ${packet.length} bytes, seed ${SEED}`;
    const engine = byEngine[i];
    assert.ok(engine instanceof Uint8Array, `${what}: ${engine}`);
    // With the engine's IV forced where IVs are drawn; where they are counted both have the same of themselves.
    const iv = encryption.saltBytes > 0 ? undefined : engine.slice(8, 8 + encryption.ivBytes);
    assert.equal(toHex(portable.seal(packet, iv)), toHex(engine), what);
    assertOpened(receivers.portable(engine), packet, mode, `${what}: engine to portable`);
    const own = free.seal(packet);
    assertOpened(crossed.engine(own), packet, mode, `${what}: portable to engine`);
  });
}

for (const [mode, modeSkip] of MODES)
  describe(`engine and portable plane in ${mode} mode`, { skip: modeSkip }, () => {
    test('they share every AEAD of the table, and every cipher of the engine with every integrity algorithm of it', () => {
      const names = sharedSuites(mode).map(({ name }) => name);
      for (const name of ['aes256gcm16', 'aes128gcm8', 'aes192ccm12', 'aes256gmac', 'chacha20poly1305'])
        assert.ok(names.includes(name), name);
      for (const name of ['aes128-sha256', 'aes256ctr-aesxcbc', 'null-sha1', '3des-aescmac'])
        assert.ok(names.includes(name), name);
      assert.ok(names.length >= 70, `${names.length} suites`);
    });

    for (const suite of sharedSuites(mode))
      test(`RFC 4303 §3.3 §3.4: ${mode}: ${suite.name}: both seal the same bytes, and each opens what the other sealed`, () => {
        const random = generator(SEED + suite.name.length * 7919 + suite.encryption.id);
        for (const esn of [false, true])
          for (const family of mode === 'tunnel' ? ([4] as const) : ([4, 6] as const))
            agree(suite, esn, family, random);
      });
  });

/** Suites that stand for a construction each. */
const KINDS = [
  'aes128gcm16',
  'chacha20poly1305',
  'aes128gmac',
  'aes256-sha256',
  '3des-sha1',
  'aes128ctr-aescmac',
  'null-sha512',
];
const kinds = sharedSuites('tunnel').filter(({ name }) => KINDS.includes(name));

for (const suite of kinds)
  describe(`what engine and portable plane refuse: ${suite.name}`, { skip }, () => {
    const random = generator(SEED + suite.encryption.id);

    test('RFC 4303 §3.4: a packet cut short anywhere, or longer, is refused by both for the same reason', () => {
      const sa = sharedSa(suite, random);
      const good = new PortableSender(sa, 6, random).seal(randomPacket(random, 4, 61));
      const receivers = new Receivers(sa);
      const cases = Array.from({ length: good.length - 8 }, (_, cut): Uint8Array => good.slice(0, 8 + cut));
      for (const extra of [1, 4, 8, 16]) cases.push(concat(good, randomBytes(random, extra)));
      for (const esp of cases) {
        const { portable, engine } = receivers.both(esp);
        assert.equal(portable, engine, `${esp.length} of ${good.length} bytes`);
        assert.ok(portable === 'malformed' || portable === 'integrity', String(portable));
      }
      assert.ok(receivers.both(good).portable instanceof Uint8Array);
    });

    for (const esn of [false, true])
      test(`RFC 4303 §3.4.4: any bit changed${esn ? ' with ESN' : ''} is refused by both for the same reason`, () => {
        const sa = sharedSa(suite, random, { esn });
        const good = new PortableSender(sa, 6, random).seal(randomPacket(random, 6, 81));
        const receivers = new Receivers(sa);
        for (let bit = 0; bit < good.length * 8; bit += 1 + random(3)) {
          const bent = good.slice();
          bent[bit >> 3] ^= 1 << (bit & 7);
          const { portable, engine } = receivers.both(bent);
          assert.equal(portable, engine, `bit ${bit}`);
          assert.ok(portable === 'integrity' || portable === 'replay', String(portable));
        }
      });

    test('RFC 4303 §2.4 §2.6 §2.7: authentic packets with something wrong inside have the same fate in both', () => {
      const sa = sharedSa(suite, random, {
        localTs: [selector('10.1.0.0/16'), selector('fd00:1::/32')],
        remoteTs: [selector('10.2.0.0/16'), selector('fd00:2::/32')],
      });
      const four = ipv4({ payload: ports(5, 6) });
      const six = ipv6(17, ports(5, 6));
      const align = Math.max(4, suite.encryption.blockBytes);
      /** With right padding, or with that padding where it fits the cipher's blocks. */
      const text = (payload: Uint8Array, nextHeader: number): Uint8Array => {
        const padBytes = (align - ((payload.length + 2) % align)) % align;
        const padding = Array.from({ length: padBytes }, (_, i) => i + 1);
        return concat(payload, Uint8Array.from([...padding, padBytes, nextHeader]));
      };
      const wrongPadding = text(concat(four, new Uint8Array(align === 4 ? 1 : 3)), 4);
      wrongPadding[wrongPadding.length - 3] ^= 1;
      const endless = text(four, 4);
      endless[endless.length - 2] = 255;
      const cases: readonly (readonly [string, Uint8Array, string])[] = [
        ['IPv4', text(four, 4), 'packet'],
        ['IPv6', text(six, 41), 'packet'],
        ['TFC padding', text(concat(four, new Uint8Array(300)), 4), 'packet'],
        ['dummy', text(randomBytes(random, 50), 59), 'dummy'],
        ['empty dummy', text(new Uint8Array(), 59), 'dummy'],
        ['wrong padding', wrongPadding, 'padding'],
        ['more padding than text', endless, 'padding'],
        ['IPv4 as IPv6', text(four, 41), 'next-header'],
        ['IPv6 as IPv4', text(six, 4), 'next-header'],
        ['TCP', text(four, 6), 'next-header'],
        ['ESP', text(four, 50), 'next-header'],
        ['hop-by-hop', text(six, 0), 'next-header'],
        ['nothing', text(new Uint8Array(), 4), 'malformed'],
        ['a packet cut short', text(four.slice(0, -1), 4), 'malformed'],
        ['half an IPv6 header', text(six.slice(0, 39), 41), 'malformed'],
        ['a header of four words', text(ipv4({ headerWords: 4 }), 4), 'malformed'],
        ['a header beyond the packet', text(ipv4({ headerWords: 15 }), 4), 'malformed'],
        ['ports cut short', text(ipv4({ payload: Uint8Array.of(1, 2, 3) }), 4), 'malformed'],
        ['another source', text(ipv4({ source: '10.3.0.1' }), 4), 'selector'],
        ['another destination', text(ipv4({ destination: '10.3.0.1' }), 4), 'selector'],
      ];
      const receivers = new Receivers(sa);
      cases.forEach(([what, plaintext, expected], i) => {
        const esp = espByHand(sa, BigInt(i + 1), randomBytes(random, suite.encryption.ivBytes), plaintext);
        const { portable, engine } = receivers.both(esp);
        for (const result of [portable, engine])
          assert.equal(typeof result === 'string' ? result : 'packet', expected, what);
        if (portable instanceof Uint8Array && engine instanceof Uint8Array)
          assert.ok(equalBytes(portable, engine), what);
        // A second time it is a replay, whatever was in it.
        assert.deepEqual(receivers.both(esp), { portable: 'replay', engine: 'replay' }, what);
      });
    });
  });

test('RFC 4301 §4.4.1.1: random inner packets, most of them malformed, have the same fate in both', {
  skip,
}, () => {
  const suite = sharedSuites('tunnel').find(({ name }) => name === 'aes128gcm16');
  assert.ok(suite);
  const random = generator(SEED + 99);
  const sa = sharedSa(suite, random, {
    replayWindow: 0,
    localTs: [selector('10.0.0.0/9[tcp/0-9999]'), selector('10.0.0.0/9[udp]'), selector('::/0[253]')],
    remoteTs: [selector('0.0.0.0/0'), selector('::/0')],
  });
  const receivers = new Receivers(sa);
  const seen = new Map<string, number>();
  for (let round = 0; round < 6000; round++) {
    const inner = mangled(random);
    const nextHeader = [4, 41][inner[0] >> 4 === 6 ? 1 : 0];
    const padBytes = (4 - ((inner.length + 2) % 4)) % 4;
    const padding = Array.from({ length: padBytes }, (_, i) => i + 1);
    const plaintext = concat(inner, Uint8Array.from([...padding, padBytes, nextHeader]));
    const esp = espByHand(sa, BigInt(round + 1), randomBytes(random, 8), plaintext);
    const { portable, engine } = receivers.both(esp);
    const name = typeof portable === 'string' ? portable : 'packet';
    assert.deepEqual(portable, engine, `round ${round}, seed ${SEED}: ${toHex(inner)}`);
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  for (const name of ['packet', 'malformed', 'selector'])
    assert.ok((seen.get(name) ?? 0) > 300, `${name}: ${JSON.stringify([...seen])}`);
});

/** A packet of which a few bytes were changed in its headers. */
function mangled(random: Random): Uint8Array {
  const chain = [0, 43, 44, 60, 6, 17, 253];
  const packet =
    random(2) === 0
      ? ipv4({
          source: `10.${random(256)}.0.1`,
          protocol: [6, 17, 253][random(3)],
          payload: randomBytes(random, random(40)),
          fragmentOffset: [0, 0, 0, 100][random(4)],
        })
      : ipv6(
          chain[random(chain.length)],
          // Bytes that may be read as extension headers: a next header, a short length, and whatever.
          concat(
            ...Array.from({ length: random(11) }, () =>
              Uint8Array.from([
                chain[random(chain.length)],
                random(8) === 0 ? 1 : 0,
                ...randomBytes(random, 6),
              ]),
            ),
            randomBytes(random, random(20)),
          ),
        );
  for (let changes = random(3); changes > 0; changes--) {
    const at = [0, 2, 3, 4, 5, 6][random(6)];
    if (at > 0 || random(4) === 0) packet[at] = at === 0 ? (packet[0] & 0xf0) | random(16) : random(64);
  }
  return packet;
}

for (const window of [0, 1, 64, 1024, 4096])
  test(`RFC 4303 §3.4.3, RFC 4303 Appendix A: with a window of ${window} both take the same numbers around 2^32, in any order`, {
    skip,
  }, () => {
    const suite = sharedSuites('tunnel').find(({ name }) => name === 'aes128gcm16');
    assert.ok(suite);
    for (const esn of [false, true]) {
      const random = generator(SEED + window);
      const sa = sharedSa(suite, random, { esn, replayWindow: window });
      const first = esn ? EPOCH - 200n : 5000n;
      const receivers = new Receivers(sa, first);
      let at = first;
      for (let step = 0; step < 600; step++) {
        const kind = random(20);
        if (kind < 12) at += BigInt(random(4));
        else if (kind === 12) at += BigInt(random(2 * window + 100));
        const number = at - BigInt(kind < 16 ? random(8) : random(window + 80));
        const esp = new PortableSender(sa, Number(number - 1n), random).seal(ipv4());
        const { portable, engine } = receivers.both(esp);
        assert.deepEqual(portable, engine, `step ${step}, number ${number}, seed ${SEED}`);
      }
    }
  });

test('RFC 4303 §3.3.3: both stop after the last number', { skip }, () => {
  const suite = sharedSuites('tunnel').find(({ name }) => name === 'aes256-sha256');
  assert.ok(suite);
  const random = generator(SEED);
  const sa = sharedSa(suite, random);
  const last = EPOCH - 2n;
  const portable = new PortableSender(sa, Number(last), random);
  const results = codec(sa, 'out', last).seal([ipv4(), ipv4()]);
  assert.ok(results[0] instanceof Uint8Array);
  assert.equal(results[1], 'sequence-exhausted');
  portable.seal(ipv4());
  assert.throws(() => portable.seal(ipv4()), /spent/);
});

/** Limits and padding in the engine came together with what its codec says of expiry. */
const expirySkip =
  skip ||
  ('takeExpiry' in codec(sharedSa(sharedSuites('tunnel')[0], generator(1)), 'out')
    ? false
    : 'needs an engine with limits and padding: its codec has no takeExpiry()');

test('RFC 4301 §4.4.2.1: both send and take as many packets as the limit says, and tell of it at the same one', {
  skip: expirySkip,
}, () => {
  for (const suite of kinds) {
    const random = generator(SEED + 3);
    const limits = { softPackets: 1 + random(10), hardPackets: 11 + random(10) };
    const sa = sharedSa(suite, random, { limits });
    const engine = codec(sa, 'out') as NativeEspCodec & { takeExpiry(): string };
    const inbound = codec(otherEnd(sa), 'in') as NativeEspCodec & { takeExpiry(): string };
    const use = new SaUse(limits);
    const free = new PortableSender(sa, 0, random);
    for (let i = 0; i < 30; i++) {
      const packet = randomPacket(random, 4, 100);
      const admitted = use.admits(packet.length);
      if (admitted) use.count(packet.length, 1);
      const expiry = use.takeExpiry() ?? 'none';
      const what = `${suite.name}, packet ${i}, ${JSON.stringify(limits)}`;
      const [sealed] = engine.seal([packet]);
      assert.equal(sealed instanceof Uint8Array, admitted, what);
      if (!admitted) assert.equal(sealed, 'expired', what);
      assert.equal(engine.takeExpiry(), expiry, what);
      const [opened] = inbound.open([free.seal(packet)]);
      assert.equal(opened instanceof Uint8Array, admitted, `${what}, inbound`);
      if (!admitted) assert.equal(opened, 'expired', `${what}, inbound`);
      assert.equal(inbound.takeExpiry(), expiry, `${what}, inbound`);
    }
  }
});

test('RFC 4303 §2.7: both pad the flow of traffic alike', { skip: expirySkip }, () => {
  for (const suite of kinds) {
    const random = generator(SEED + 4);
    const sa = sharedSa(suite, random, { tfcBytes: 700 });
    const sizes = [20, 28, 699, 700, 701, 1400];
    const packets = sizes.map((size) => randomPacket(random, 4, size));
    const portable = new PortableSender(sa, 0, random);
    const receivers = new Receivers(sa);
    codec(sa, 'out')
      .seal(packets)
      .forEach((engine, i) => {
        assert.ok(engine instanceof Uint8Array, String(engine));
        const iv = suite.encryption.saltBytes > 0 ? undefined : engine.slice(8, 8 + suite.encryption.ivBytes);
        assert.equal(toHex(portable.seal(packets[i], iv)), toHex(engine), `${suite.name}, ${sizes[i]} bytes`);
        assert.deepEqual(receivers.both(engine), { portable: packets[i], engine: packets[i] });
      });
  }
});
