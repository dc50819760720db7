// The portable plane without sockets: policies, traps, SAs of a policy, events and counters. What it transmits is caught, and
// a second plane opens it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EspParameters } from '../../lib/ipsec/data-plane.ts';
import { HOLD_TIME_MS } from '../../lib/ipsec/portable/held-packets.ts';
import { OutboundSa } from '../../lib/ipsec/portable/outbound-sa.ts';
import { espByHand, mirror, patterned, saParameters, selectors, withTrailer } from './by-hand.ts';
import { address, ipv4, ports, sized } from './packets.ts';
import { Lab, read } from './portable-lab.ts';

const PEER = { address: '127.0.0.1', port: 4500 };

const SA = saParameters('aes256gcm16');
const SIZED = read(sized(30));
const trap = { id: 7, kind: 'trap', priority: 1000 } as const;

/** The addresses of 10.2.0.0/16 by their last number. */
function packetTo(host: number): Uint8Array {
  return ipv4({ destination: `10.2.0.${host}`, payload: ports(1, host) });
}

for (const suite of ['aes256gcm16', 'aes128-sha256'])
  test(`RFC 4303 §3: ${suite}: a packet goes through two planes`, () => {
    const here = new Lab();
    const there = new Lab();
    const sa = saParameters(suite);
    here.policy();
    here.add(sa);
    there.add(mirror(sa));
    assert.equal(here.plane.sendPacket(sized(100)), 'sent');
    assert.deepEqual([here.transmitted[0].local, here.transmitted[0].remote], [sa.local, sa.remote]);
    there.plane.receive(sa.local, here.transmitted[0].esp);
    assert.deepEqual(there.packets, [{ packet: sized(100), saId: 2 }]);
    const counted = {
      packets: 1,
      bytes: 100,
      sequence: 1,
      lastUsedMs: 1000,
      replayDrops: 0,
      integrityDrops: 0,
      selectorDrops: 0,
    };
    assert.deepEqual(here.plane.querySa(1), counted);
    assert.deepEqual(there.plane.querySa(2), counted);
    assert.deepEqual(here.plane.stats(), {
      packetsIn: 0,
      packetsOut: 1,
      bytesIn: 0,
      bytesOut: 100,
      drops: {},
    });
    assert.deepEqual(there.plane.stats(), {
      packetsIn: 1,
      packetsOut: 0,
      bytesIn: 100,
      bytesOut: 0,
      drops: {},
    });
    assert.deepEqual(there.events, []);
  });

test('RFC 4301 §5.1: a packet without a policy is dropped and counted', () => {
  const lab = new Lab();
  assert.equal(lab.plane.sendPacket(sized(100)), 'dropped');
  lab.policy({ localTs: selectors('10.9.0.0/16') });
  assert.equal(lab.plane.sendPacket(sized(100)), 'dropped');
  assert.deepEqual(lab.drops(), { 'no-policy': 2 });
});

test('RFC 4301 §5.1: a protect policy without an SA drops', () => {
  const lab = new Lab();
  lab.policy();
  assert.equal(lab.plane.sendPacket(sized(100)), 'dropped');
  assert.deepEqual(lab.drops(), { 'no-sa': 1 });
  assert.deepEqual(lab.events, []);
});

test('what is no packet is dropped', () => {
  const lab = new Lab();
  lab.policy();
  lab.add(SA);
  assert.equal(lab.plane.sendPacket(new Uint8Array(0)), 'dropped');
  assert.equal(lab.plane.sendPacket(sized(100).subarray(0, 90)), 'dropped');
  assert.deepEqual(lab.drops(), { malformed: 2 });
});

test('bytes behind the inner packet are not sent', () => {
  const lab = new Lab();
  lab.policy();
  lab.add(SA);
  const padded = new Uint8Array(200);
  padded.set(sized(100));
  assert.equal(lab.plane.sendPacket(padded), 'sent');
  assert.equal(lab.plane.sendPacket(sized(100)), 'sent');
  assert.equal(lab.transmitted[0].esp.length, lab.transmitted[1].esp.length);
});

test('by policy id a packet goes by that policy alone, and must match it', () => {
  const lab = new Lab();
  lab.policy({ id: 100, priority: 1 });
  lab.policy({ id: 200, priority: 2, remoteTs: selectors('10.2.0.0/24') });
  lab.add(saParameters('aes256gcm16', { id: 1, policyId: 100, spi: 1000 }));
  lab.add(saParameters('aes256gcm16', { id: 2, policyId: 200, spi: 2000 }));
  assert.equal(lab.plane.sendPacket(packetTo(9)), 'sent');
  assert.equal(lab.plane.sendPacket(packetTo(9), 200), 'sent');
  assert.deepEqual(
    lab.transmitted.map(({ esp }) => new DataView(esp.buffer).getUint32(0)),
    [1000, 2000],
  );
  assert.equal(lab.plane.sendPacket(ipv4({ destination: '10.2.5.1' }), 200), 'dropped');
  assert.equal(lab.plane.sendPacket(packetTo(9), 300), 'dropped');
  assert.deepEqual(lab.drops(), { selector: 1, 'no-policy': 1 });
});

test('the newest outbound SA of a policy carries its traffic; when it goes, the one before it', () => {
  const lab = new Lab();
  lab.policy();
  const spi = (): number => {
    assert.equal(lab.plane.sendPacket(sized(50)), 'sent');
    return new DataView(lab.transmitted[lab.transmitted.length - 1].esp.buffer).getUint32(0);
  };
  for (const id of [1, 2, 3]) lab.add(saParameters('aes256gcm16', { id, spi: id * 1000 }));
  assert.equal(spi(), 3000);
  lab.plane.deleteSa(2);
  assert.equal(spi(), 3000);
  lab.plane.deleteSa(3);
  assert.equal(spi(), 1000);
  lab.plane.deleteSa(1);
  lab.plane.deleteSa(1);
  assert.equal(lab.plane.sendPacket(sized(50)), 'dropped');
});

test('RFC 4301 §4.4.1: a trap holds packets and asks once', () => {
  const lab = new Lab(2);
  lab.policy(trap);
  assert.equal(lab.plane.sendPacket(packetTo(1)), 'held');
  assert.equal(lab.plane.sendPacket(packetTo(2)), 'held');
  assert.equal(lab.plane.sendPacket(packetTo(3)), 'dropped', 'the trap is full');
  assert.deepEqual(lab.drops(), { 'held-overflow': 1 });
  assert.deepEqual(lab.events, [
    {
      type: 'acquire',
      policyId: 7,
      packet: {
        protocol: 17,
        source: address('10.1.0.1'),
        destination: address('10.2.0.1'),
        sourcePort: 1,
        destinationPort: 1,
      },
    },
  ]);
});

test("a trap's packets go by the SA of another policy that they match, in their order", () => {
  const here = new Lab();
  const there = new Lab();
  here.policy(trap);
  for (const host of [1, 2, 3]) {
    const packet = packetTo(host);
    here.plane.sendPacket(packet);
    // The caller may use its array again.
    packet.fill(0);
  }
  here.policy({ id: 100, priority: 10 });
  here.add(SA);
  there.add(mirror(SA));
  for (const { esp } of here.transmitted) there.plane.receive(PEER, esp);
  assert.deepEqual(
    there.packets.map(({ packet }) => packet),
    [1, 2, 3].map(packetTo),
  );
  assert.equal(here.plane.sendPacket(packetTo(4)), 'sent');
  assert.equal(here.plane.stats().packetsOut, 4);
});

test('packets that the new SA is not for stay held, and the next one asks for theirs', () => {
  const lab = new Lab();
  lab.policy(trap);
  lab.plane.sendPacket(packetTo(1));
  lab.plane.sendPacket(packetTo(2));
  const narrow = { remoteTs: selectors('10.2.0.1/32') };
  lab.policy({ id: 100, priority: 10, ...narrow });
  lab.add(saParameters('aes256gcm16', narrow));
  assert.equal(lab.transmitted.length, 1);
  assert.equal(lab.plane.sendPacket(packetTo(2)), 'held');
  assert.deepEqual(
    lab.events.map(({ type }) => type),
    ['acquire', 'acquire'],
  );
  const wide = { id: 5, spi: 5000, policyId: 500, remoteTs: selectors('10.2.0.0/16') };
  lab.add(saParameters('aes256gcm16', wide));
  assert.equal(lab.transmitted.length, 3);
});

test('a trap without an answer asks again after a while, and what it held is too old', () => {
  const lab = new Lab();
  lab.policy(trap);
  lab.plane.sendPacket(packetTo(1));
  lab.nowMs += HOLD_TIME_MS - 1;
  lab.plane.sendPacket(packetTo(2));
  assert.equal(lab.events.length, 1);
  lab.nowMs += 1;
  lab.plane.sendPacket(packetTo(3));
  assert.equal(lab.events.length, 2);
  assert.deepEqual(lab.drops(), { 'held-expired': 1 });
  lab.add(SA);
  assert.equal(lab.transmitted.length, 2);
});

test('a trap that holds nothing still asks, and asks again when the SA was there and went', () => {
  const lab = new Lab(0);
  lab.policy(trap);
  assert.equal(lab.plane.sendPacket(packetTo(1)), 'dropped');
  assert.equal(lab.plane.sendPacket(packetTo(1)), 'dropped');
  assert.equal(lab.events.length, 1);
  lab.policy({ id: 100, priority: 10 });
  lab.add(SA);
  assert.equal(lab.plane.sendPacket(packetTo(1)), 'sent');
  lab.plane.deleteSa(1);
  lab.plane.deletePolicy(100);
  assert.equal(lab.plane.sendPacket(packetTo(1)), 'dropped');
  assert.equal(lab.events.length, 2);
});

test('a trap with an SA of its own sends by it; a deleted trap forgets its packets', () => {
  const lab = new Lab();
  lab.policy(trap);
  lab.plane.sendPacket(packetTo(1));
  lab.plane.deletePolicy(7);
  lab.add(saParameters('aes256gcm16', { policyId: 7 }));
  assert.equal(lab.transmitted.length, 0);
  lab.policy(trap);
  assert.equal(lab.plane.sendPacket(packetTo(1)), 'sent');
});

test('RFC 4303 §3.4.2: a packet of an unknown SPI is dropped and counted', () => {
  const lab = new Lab();
  lab.add(mirror(SA));
  const esp = espByHand({ ...SA, spi: 0x55555555 }, 1n, patterned(8, 1), withTrailer(SA, sized(30), 4));
  lab.plane.receive(PEER, esp);
  lab.plane.receive(PEER, esp.subarray(0, 7));
  assert.deepEqual(lab.drops(), { 'unknown-spi': 1, malformed: 1 });
  let reserved = 0;
  lab.plane.allocateSpi((spi) => (reserved = spi.ok ? spi.value : 0));
  lab.plane.receive(
    PEER,
    espByHand({ ...SA, spi: reserved }, 1n, patterned(8, 1), withTrailer(SA, sized(30), 4)),
  );
  assert.deepEqual(lab.drops(), { 'unknown-spi': 2, malformed: 1 }, 'a reserved SPI has no SA');
});

test('RFC 4303 §3.4: drops are counted by cause, in sum and for the SA', () => {
  const lab = new Lab();
  lab.add(mirror(SA));
  const make = (sequence: bigint, inner = sized(30)): Uint8Array =>
    espByHand(SA, sequence, patterned(8, Number(sequence)), withTrailer(SA, inner, 4));
  const bent = make(2n);
  bent[20] ^= 1;
  for (const esp of [make(1n), make(1n), bent, bent, make(3n, ipv4({ source: '10.9.0.1' }))])
    lab.plane.receive(PEER, esp);
  assert.deepEqual(lab.drops(), { replay: 1, integrity: 2, selector: 1 });
  const counters = lab.plane.querySa(2);
  assert.deepEqual(
    [
      counters?.packets,
      counters?.replayDrops,
      counters?.integrityDrops,
      counters?.selectorDrops,
      counters?.sequence,
    ],
    [1, 1, 2, 1, 3],
  );
});

test('RFC 3948 §4, RFC 7296 §2.23: only an authenticated packet that is the newest tells of a new address, and once', () => {
  const lab = new Lab();
  lab.add(mirror(SA));
  const moved = { address: '127.0.0.9', port: 1024 };
  const make = (sequence: bigint): Uint8Array =>
    espByHand(SA, sequence, patterned(8, Number(sequence)), withTrailer(SA, sized(30), 4));
  lab.plane.receive(PEER, make(10n));
  const bent = make(11n);
  bent[20] ^= 1;
  lab.plane.receive(moved, bent);
  lab.plane.receive(moved, make(9n));
  lab.plane.receive(moved, make(10n));
  assert.deepEqual(lab.events, []);
  lab.plane.receive(moved, make(12n));
  lab.plane.receive(moved, make(13n));
  assert.deepEqual(lab.events, [{ type: 'mapping', saId: 2, remote: moved }]);
  lab.plane.updateSa(2, { local: SA.remote, remote: moved });
  lab.plane.receive(moved, make(14n));
  assert.equal(lab.events.length, 1);
  lab.plane.receive(PEER, make(15n));
  assert.deepEqual(lab.events[1], { type: 'mapping', saId: 2, remote: PEER });
});

test('an SA that moves sends from and to its new addresses and counts on', () => {
  const lab = new Lab();
  lab.policy();
  lab.add(SA);
  lab.plane.sendPacket(sized(30));
  const path = { local: { address: '127.0.0.5', port: 1 }, remote: { address: '127.0.0.6', port: 2 } };
  lab.plane.updateSa(1, path);
  lab.plane.updateSa(99, path);
  lab.plane.sendPacket(sized(30));
  const { local, remote, esp } = lab.transmitted[1];
  assert.deepEqual({ local, remote }, path);
  assert.equal(new DataView(esp.buffer).getUint32(4), 2);
});

test('RFC 4303 §3.3.3: the end of the sequence numbers is told once in time and once when it is there', () => {
  const lab = new Lab();
  const soft = Math.ceil((2 ** 32 - 1) * (15 / 16));
  const early = new OutboundSa(lab.parts, SA, soft - 2);
  const told = [1, 2, 3].map(() => early.send(sized(30), SIZED).expire);
  assert.deepEqual(told, [undefined, 'soft', undefined]);
  const late = new OutboundSa(lab.parts, SA, 2 ** 32 - 3);
  assert.deepEqual(
    [1, 2, 3].map(() => late.send(sized(30), SIZED)),
    [{ expire: 'soft' }, { expire: 'hard' }, { drop: 'sequence-exhausted' }],
  );
});

test('a packet that no UDP datagram can carry is dropped before it takes a number', () => {
  const lab = new Lab();
  lab.policy();
  lab.add(SA);
  assert.equal(lab.plane.sendPacket(sized(65500)), 'dropped');
  assert.deepEqual(lab.drops(), { 'too-big': 1 });
  assert.equal(lab.plane.querySa(1)?.sequence, 0);
});

test('RFC 4868 §2.1.1: an integrity key has the length of its hash, and nothing else is taken', () => {
  const lab = new Lab();
  const sa = saParameters('aes128-sha256');
  for (const lengthBytes of [0, 16, 31, 33, 64])
    lab.plane.addSa({ ...sa, integrityKey: new Uint8Array(lengthBytes) }, (error) =>
      assert.equal(error?.code, 'bad-sa'),
    );
  lab.add(sa);
});

test('SAs and policies that cannot be are refused with a reason', () => {
  const lab = new Lab();
  const refusal = (overrides: Partial<EspParameters>, base = SA): string => {
    let code = 'none';
    lab.plane.addSa({ ...base, ...overrides }, (error) => (code = error?.code ?? 'accepted'));
    return code;
  };
  assert.equal(refusal({ udpEncapsulation: false }), 'bad-sa');
  assert.equal(refusal({ spi: 255 }), 'bad-sa');
  assert.equal(refusal({ encryptionKey: new Uint8Array(32) }), 'bad-sa');
  assert.equal(refusal({ replayWindow: 65537 }), 'bad-sa');
  assert.equal(
    refusal({ encryption: saParameters('aes128-sha256').encryption, encryptionKey: new Uint8Array(16) }),
    'bad-sa',
  );
  assert.equal(refusal({}), 'accepted');
  assert.equal(refusal({}), 'duplicate');
  assert.equal(refusal({}, mirror(SA)), 'accepted');
  assert.equal(refusal({ id: 9 }, mirror(SA)), 'duplicate');
  lab.policy();
  lab.plane.addPolicy({ id: 100, kind: 'trap', priority: 1, localTs: [], remoteTs: [] }, (error) =>
    assert.equal(error?.code, 'duplicate'),
  );
});

test('closing takes everything away', async () => {
  const lab = new Lab();
  lab.policy();
  lab.add(SA);
  lab.add(mirror(SA));
  await lab.plane.close();
  assert.equal(lab.plane.querySa(1), undefined);
  assert.equal(lab.plane.querySa(2), undefined);
  assert.equal(lab.plane.sendPacket(sized(30)), 'dropped');
  assert.deepEqual(lab.drops(), { 'no-policy': 1 });
});
