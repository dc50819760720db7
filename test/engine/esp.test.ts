// The engine's ESP against a model made of node:crypto: what it sends the model reads, what the model makes it reads, and what is
// changed on the way it refuses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalBytes, toHex } from '../../lib/bytes.ts';
import {
  CBC,
  codec,
  GCM,
  ipv4,
  ipv6,
  modelOpen,
  modelSeal,
  SPI,
  SUITES,
  saOf,
  selector,
} from './esp-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const MAX_BODY_BYTES = 2100;

/** The bytes of a packet that was not dropped. */
function passed(result: Uint8Array | string): Uint8Array {
  assert.ok(result instanceof Uint8Array, `dropped: ${result}`);
  return result;
}

/** Both ways between codec and model for each length of body; IPv4 and IPv6 in turn. */
function compareLengths(suite: string, esn: boolean, lengths: readonly number[]): void {
  const sa = saOf(suite, { esn, replayWindow: 0 });
  const inner = lengths.map((length) => (length % 2 === 0 ? ipv4(length) : ipv6(length)));
  const sealed = codec(sa, 'out').seal(inner);
  inner.forEach((packet, i) => {
    const opened = modelOpen(sa, passed(sealed[i]));
    assert.equal(opened.spi, SPI);
    assert.equal(opened.sequenceLow, i + 1);
    assert.equal(opened.nextHeader, packet[0] >> 4 === 4 ? 4 : 41);
    assert.ok(equalBytes(opened.payload, packet), `${suite}: body of ${lengths[i]} bytes, sealed`);
    assert.deepEqual(
      [...opened.padding],
      Array.from(opened.padding, (_, k) => k + 1),
    );
  });
  const made = inner.map((packet, i) => modelSeal(sa, BigInt(i + 1), packet));
  codec(sa, 'in')
    .open(made)
    .forEach((result, i) => {
      assert.ok(equalBytes(passed(result), inner[i]), `${suite}: body of ${lengths[i]} bytes, opened`);
    });
}

const everyLength = Array.from({ length: MAX_BODY_BYTES + 1 }, (_, i) => i);

for (const suite of ['aes128gcm16', 'aes256gcm16', 'aes128-sha256'])
  for (const esn of [false, true])
    test(
      `RFC 4303 §2.4: ${suite}${esn ? ' with ESN' : ''} agrees with node:crypto for every length from 0 to ${MAX_BODY_BYTES}`,
      {
        skip,
      },
      () => compareLengths(suite, esn, everyLength),
    );

test('every suite agrees with node:crypto, with and without ESN', { skip }, () => {
  const lengths = [0, 1, 2, 3, 10, 11, 12, 13, 14, 15, 16, 17, 44, 1399, 1400, 9000, 65000];
  for (const suite of SUITES) for (const esn of [false, true]) compareLengths(suite, esn, lengths);
});

test('RFC 4106 §3.1: no IV is used twice under a key', { skip }, () => {
  const sa = saOf('aes256gcm16');
  const sealed = codec(sa, 'out').seal(Array.from({ length: 4096 }, () => ipv4(0)));
  const ivs = new Set(sealed.map((packet) => toHex(passed(packet).subarray(8, 16))));
  assert.equal(ivs.size, 4096);
});

test('RFC 3602 §2.1: IVs of CBC are not to be foreseen', { skip }, () => {
  const sa = saOf('aes128-sha256');
  const sealed = codec(sa, 'out').seal(Array.from({ length: 1000 }, () => ipv4(0)));
  const ivs = sealed.map((packet) => passed(packet).subarray(8, 24));
  assert.equal(new Set(ivs.map(toHex)).size, 1000);
  // Each of the 128 bits is about evenly spread: fewer than 400 or more than 600 of 1000 has a chance below 2^-30.
  for (let bit = 0; bit < 128; bit++) {
    const ones = ivs.filter((iv) => (iv[bit >> 3] >> (bit & 7)) & 1).length;
    assert.ok(ones > 400 && ones < 600, `bit ${bit} is set in ${ones} of 1000 IVs`);
  }
});

for (const suite of ['aes128gcm16', 'aes256-sha384'])
  test(`RFC 4303 §3.4.4: ${suite}: a packet with any bit changed is refused, and does no harm`, {
    skip,
  }, () => {
    const sa = saOf(suite, { esn: true, replayWindow: 128 });
    const receiver = codec(sa, 'in');
    const good = modelSeal(sa, 100n, ipv4(33));
    const forged = Array.from({ length: good.length * 8 }, (_, bit) => {
      const copy = good.slice();
      copy[bit >> 3] ^= 1 << (bit & 7);
      return copy;
    });
    const results = receiver.open(forged);
    assert.deepEqual(
      results.map((result, bit) => [bit, result]).filter(([, result]) => typeof result !== 'string'),
      [],
    );
    assert.equal(receiver.counters().sequence, 0, 'a forged number moved the window');
    assert.ok(equalBytes(passed(receiver.open([good])[0]), modelOpen(sa, good).payload));
  });

for (const suite of ['aes128gcm16', 'aes128-sha1'])
  test(`RFC 4303 §3.4.4: ${suite}: a packet cut short or too long is refused`, { skip }, () => {
    const sa = saOf(suite);
    const good = modelSeal(sa, 1n, ipv4(20));
    const cut = Array.from({ length: good.length }, (_, length) => good.slice(0, length));
    const long = [1, 4, 16].map((extra) => Uint8Array.from([...good, ...new Uint8Array(extra)]));
    for (const result of codec(sa, 'in').open([...cut, ...long]))
      assert.ok(result === 'malformed' || result === 'integrity', String(result));
  });

test('RFC 4303 §2.4: padding other than 1, 2, 3, ... is refused', { skip }, () => {
  const sa = saOf('aes128gcm16', { replayWindow: 0 });
  const packet = ipv4(20);
  const paddings = [
    [0, 1],
    [1, 2, 4, 0, 0, 5],
    [2, 1, 2],
    [1, 2, 3, 4, 5, 255],
    // More padding than there is text.
    [255],
  ];
  const receiver = codec(sa, 'in');
  for (const padding of paddings) {
    const fill = (4 - ((packet.length + padding.length + 1) % 4)) % 4;
    const padded = Uint8Array.from([...packet, ...new Uint8Array(fill)]);
    const made = modelSeal(sa, 1n, padded, { padding: Uint8Array.from(padding) });
    assert.deepEqual(receiver.open([made]), ['padding'], `padding ${padding}`);
  }
  assert.ok(
    equalBytes(passed(receiver.open([modelSeal(sa, 1n, packet, { padding: padOf(254) })])[0]), packet),
  );
});

/** The longest padding that keeps the alignment of a 20-byte body. */
function padOf(length: number): Uint8Array {
  return Uint8Array.from([...Array.from({ length }, (_, i) => i + 1), length]);
}

test('RFC 4303 §2.6: a dummy packet (59) is dropped without a word', { skip }, () => {
  const sa = saOf('aes128gcm16');
  const receiver = codec(sa, 'in');
  assert.deepEqual(receiver.open([modelSeal(sa, 1n, ipv4(20), { nextHeader: 59 })]), ['dummy']);
  assert.equal(receiver.counters().integrityDrops, 0);
  assert.equal(receiver.counters().sequence, 1, 'it counts for the window');
});

test('RFC 4303 §2.6: a next header that is no IP, or the other IP, is refused', { skip }, () => {
  const sa = saOf('aes256-sha256', { replayWindow: 0 });
  const receiver = codec(sa, 'in');
  for (const nextHeader of [0, 1, 6, 17, 50, 58, 255])
    assert.deepEqual(receiver.open([modelSeal(sa, 1n, ipv4(20), { nextHeader })]), ['next-header']);
  assert.deepEqual(receiver.open([modelSeal(sa, 1n, ipv4(20), { nextHeader: 41 })]), ['next-header']);
  assert.deepEqual(receiver.open([modelSeal(sa, 1n, ipv6(20), { nextHeader: 4 })]), ['next-header']);
});

test('RFC 4303 §2.7: padding against traffic analysis is cut off by the length of the inner packet', {
  skip,
}, () => {
  const sa = saOf('aes128gcm16', { replayWindow: 0 });
  for (const packet of [ipv4(20), ipv6(21)]) {
    const padded = Uint8Array.from([...packet, ...new Uint8Array(500)]);
    assert.ok(equalBytes(passed(codec(sa, 'in').open([modelSeal(sa, 1n, padded)])[0]), packet));
  }
});

test('what is inside must be a whole IP packet', { skip }, () => {
  const sa = saOf('aes128gcm16', { replayWindow: 0 });
  const short = ipv4(20);
  short[3] += 1;
  const badHeader = ipv4(20);
  badHeader[0] = 0x44;
  const shortV6 = ipv6(20);
  shortV6[5] += 1;
  const cutTcp = ipv4(3, { protocol: 6 });
  const all = [short, badHeader, shortV6, cutTcp, new Uint8Array()];
  const results = codec(sa, 'in').open(all.map((packet) => modelSeal(sa, 1n, packet)));
  assert.deepEqual(results, ['malformed', 'malformed', 'malformed', 'malformed', 'malformed']);
  assert.deepEqual(codec(sa, 'out').seal([new Uint8Array(), Uint8Array.of(0x15)]), [
    'malformed',
    'malformed',
  ]);
});

test('RFC 4301 §5.2: an inner packet outside the selectors of its SA is refused and counted', {
  skip,
}, () => {
  const sa = saOf('aes128gcm16', {
    localTs: [selector('10.2.0.0/24[tcp/443]'), selector('10.2.0.0/24[icmp]')],
    remoteTs: [selector('10.1.0.5-10.1.0.9')],
  });
  const tcp = (source: number[], destination: number[], port: number, fragment = 0): Uint8Array => {
    const packet = ipv4(20, { protocol: 6, source, destination });
    packet[22] = port >> 8;
    packet[23] = port & 0xff;
    packet[7] = fragment;
    return packet;
  };
  const cases: readonly (readonly [string, Uint8Array, boolean])[] = [
    ['inside', tcp([10, 1, 0, 5], [10, 2, 0, 1], 443), true],
    ['upper end', tcp([10, 1, 0, 9], [10, 2, 0, 255], 443), true],
    ['source below', tcp([10, 1, 0, 4], [10, 2, 0, 1], 443), false],
    ['source above', tcp([10, 1, 0, 10], [10, 2, 0, 1], 443), false],
    ['destination outside', tcp([10, 1, 0, 5], [10, 2, 1, 0], 443), false],
    ['port outside', tcp([10, 1, 0, 5], [10, 2, 0, 1], 444), false],
    ['a later fragment hides its ports', tcp([10, 1, 0, 5], [10, 2, 0, 1], 443, 9), false],
    ['ICMP', ipv4(8, { protocol: 1, source: [10, 1, 0, 5], destination: [10, 2, 0, 1] }), true],
    ['UDP', ipv4(8, { protocol: 17, source: [10, 1, 0, 5], destination: [10, 2, 0, 1] }), false],
    ['IPv6', ipv6(8), false],
  ];
  const receiver = codec(sa, 'in');
  const results = receiver.open(cases.map(([, packet], i) => modelSeal(sa, BigInt(i + 1), packet)));
  cases.forEach(([name, packet, allowed], i) => {
    if (allowed) assert.ok(equalBytes(passed(results[i]), packet), name);
    else assert.equal(results[i], 'selector', name);
  });
  assert.equal(receiver.counters().selectorDrops, 7);
});

test('RFC 4301 §4.4.1.1: ICMP types in selectors, and OPAQUE for what hides its ports', { skip }, () => {
  const echoOnly = saOf('aes128gcm16', {
    replayWindow: 0,
    localTs: [selector('10.2.0.0/16[icmp/opaque]')],
    // The sender's side alone says which types it may send (RFC 4301 §4.4.1.3).
    remoteTs: [selector('10.1.0.0/16[icmp/2048-2303]')],
  });
  const icmp = (type: number): Uint8Array => {
    const packet = ipv4(8, { protocol: 1 });
    packet[20] = type;
    packet[21] = 0;
    return packet;
  };
  const results = codec(echoOnly, 'in').open([8, 0].map((type) => modelSeal(echoOnly, 1n, icmp(type))));
  assert.deepEqual(
    results.map((result) => (typeof result === 'string' ? result : 'passed')),
    ['passed', 'selector'],
  );
  const opaque = saOf('aes128gcm16', { replayWindow: 0, localTs: [selector('10.2.0.0/16[tcp/opaque]')] });
  const whole = ipv4(20, { protocol: 6 });
  const fragment = whole.slice();
  fragment[7] = 9;
  const seen = codec(opaque, 'in').open([whole, fragment].map((packet) => modelSeal(opaque, 1n, packet)));
  assert.deepEqual(
    seen.map((result) => (typeof result === 'string' ? result : 'passed')),
    ['selector', 'passed'],
  );
});

test('the suites named here are all that the engine has', { skip }, () => {
  assert.equal(SUITES.length, GCM.length + CBC.length * 4);
  const sa = saOf('aes128gcm16');
  for (const broken of [
    { ...sa, encryptionKey: new Uint8Array(21) },
    { ...sa, encryptionKey: new Uint8Array(0) },
    { ...sa, encryption: { ...sa.encryption, id: 3 } },
    { ...saOf('aes128-sha256'), integrityKey: new Uint8Array(31) },
  ])
    assert.throws(() => codec(broken, 'out'), { code: 'ERR_IKE_ALGORITHM' });
});
