// The engine's splitter and joiner of segments, against the plain model of segment-model.ts: every class of length, headers that lie,
// and random bytes. The property that holds for any input: what was joined and is split again is what came, byte for byte.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { concat } from '../../lib/bytes.ts';
import { loadAddon } from '../../lib/ipsec/engine/native.ts';
import { Random } from '../fuzz/mutate.ts';
import { engineAddonMissing } from './lab.ts';
import {
  ACK,
  CWR,
  checksumsGood,
  FIN,
  GSO_ECN,
  GSO_NONE,
  GSO_TCP4,
  GSO_UDP,
  type PacketOptions,
  PSH,
  packetOf,
  partial,
  sealed,
  segmentsOf,
  upperOffset,
  type VnetHeader,
  vnetBytes,
  vnetOf,
} from './segment-model.ts';

const VNET_BYTES = 10;
const SEED = 20260101;

const split = (header: VnetHeader, packet: Uint8Array): Uint8Array[] | undefined =>
  loadAddon().splitPacket(vnetBytes(header), packet);
const join = (packets: readonly Uint8Array[]): Uint8Array[] => loadAddon().joinPackets(packets);

/** What comes out of the device again for what was written to it. */
function unjoined(written: readonly Uint8Array[]): Uint8Array[] {
  return written.flatMap((bytes) => {
    const parts = loadAddon().splitPacket(bytes.subarray(0, VNET_BYTES), bytes.subarray(VNET_BYTES));
    assert.ok(parts !== undefined, 'the splitter refuses what the joiner made');
    return parts;
  });
}

const bytes = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

/** `count` segments of a TCP flow, of `size` bytes each, the last of `last`. */
function flow(count: number, size: number, last: number, options: Partial<PacketOptions> = {}): Uint8Array[] {
  return Array.from({ length: count }, (_, i) =>
    packetOf({
      ...options,
      payload: bytes(i === count - 1 ? last : size),
      sequence: ((options.sequence ?? 5) + i * size) >>> 0,
      id: ((options.id ?? 100) + i) & 0xffff,
      flags: i === count - 1 ? (options.flags ?? ACK) : ACK,
    }),
  );
}

describe('segments', { skip: engineAddonMissing() }, () => {
  const kinds: readonly (Partial<PacketOptions> & { readonly name: string })[] = [
    { name: 'TCP in IPv4' },
    { name: 'TCP in IPv6', v6: true },
    { name: 'TCP with timestamps in IPv4', options: bytes(12) },
    { name: 'TCP with all options in IPv4 with options', options: bytes(40), ipOptions: new Uint8Array(8) },
    { name: 'UDP in IPv4', udp: true },
    { name: 'UDP in IPv6', udp: true, v6: true },
  ];
  for (const { name, ...kind } of kinds)
    test(`RFC 9293 §3.1: ${name} is cut as the model cuts it, every class of length, checksums good`, () => {
      for (const size of [1, 2, 535, 536, 1348, 8000])
        for (const length of [
          0,
          1,
          size - 1,
          size,
          size + 1,
          2 * size - 1,
          2 * size,
          2 * size + 1,
          40 * size,
        ]) {
          if (length > 65_000) continue;
          const options = { sequence: 0xfffffff0, id: 0xfffe, flags: ACK | PSH | FIN | CWR };
          const packet = packetOf({ ...kind, ...options, payload: bytes(length) });
          const parts = split(vnetOf(packet, size), partial(packet));
          assert.deepEqual(parts, segmentsOf(packet, size), `${length} bytes into ${size}`);
          assert.ok(parts?.every(checksumsGood), `bad checksum: ${length} bytes into ${size}`);
        }
    });

  test('the ECN bit of the header changes nothing in what is cut', () => {
    const packet = packetOf({ payload: bytes(4000), flags: ACK | CWR });
    const header = vnetOf(packet, 1000);
    const withBit = { ...header, gsoType: header.gsoType | GSO_ECN };
    assert.deepEqual(split(withBit, partial(packet)), segmentsOf(packet, 1000));
  });

  test('a checksum left to us is made, and for UDP it is never zero', () => {
    const random = new Random(SEED);
    for (const udp of [false, true])
      for (let round = 0; round < 300; round++) {
        const packet = packetOf({ udp, v6: round % 2 === 1, payload: random.bytes(round) });
        const header = { ...vnetOf(packet, 0), gsoType: GSO_NONE };
        assert.deepEqual(split(header, partial(packet)), [packet]);
      }
    // A payload that brings the sum to zero.
    const packet = packetOf({ udp: true, payload: new Uint8Array(2) });
    packet.set(packet.subarray(26, 28), 28);
    const zero = sealed(packet);
    assert.deepEqual([...zero.subarray(26, 28)], [0xff, 0xff], 'the model');
    assert.deepEqual(split({ ...vnetOf(zero, 0), gsoType: GSO_NONE }, partial(zero)), [zero]);
  });

  test('a header that lies is refused', () => {
    const tcp = packetOf({ payload: bytes(3000) });
    const tcp6 = packetOf({ v6: true, payload: bytes(3000) });
    const lie = (changes: Partial<VnetHeader>, packet = tcp): void => {
      const header = { ...vnetOf(packet, 1000), ...changes };
      assert.equal(split(header, partial(packet)), undefined, JSON.stringify(changes));
    };
    assert.equal(split(vnetOf(tcp, 1000), partial(tcp))?.length, 3);
    lie({ segmentBytes: 0 });
    for (const checksumStart of [0, 19, 21, 24, 3021, 3040, 65535]) lie({ checksumStart });
    for (const checksumStart of [0, 20, 39, 3041, 3060, 65535]) lie({ checksumStart }, tcp6);
    for (const checksumOffset of [0, 6, 15, 17, 65535]) lie({ checksumOffset });
    for (const gsoType of [2, 3, GSO_UDP, 4, 6, 0x7f, 0xff]) lie({ gsoType });
    lie({ gsoType: GSO_TCP4 }, tcp6);
    lie({ flags: 0 });
    // Without segmentation only the checksum's place counts.
    lie({ gsoType: GSO_NONE, checksumStart: 3039, checksumOffset: 0 });
    lie({ gsoType: GSO_NONE, checksumStart: 65535, checksumOffset: 65535 });
    // The length of the headers is seen in the packet; what is said of it does not matter.
    for (const headerBytes of [0, 20, 3040, 65535])
      assert.equal(split({ ...vnetOf(tcp, 1000), headerBytes }, partial(tcp))?.length, 3);
  });

  test('a packet that is none, a fragment, or of another length than it says is refused', () => {
    const good = partial(packetOf({ payload: bytes(3000) }));
    const header = vnetOf(good, 1000);
    const changed = (offset: number, value: number, packet = good): Uint8Array => {
      const copy = packet.slice();
      copy[offset] = value;
      return copy;
    };
    for (let length = 0; length < 60; length++)
      assert.equal(split(header, good.subarray(0, length)), undefined, `${length} bytes`);
    const bad = [
      changed(0, 0x55),
      changed(0, 0x44),
      changed(0, 0x4f),
      changed(3, 0),
      changed(6, 0x20),
      changed(7, 1),
      changed(32, 0x40),
    ];
    for (const packet of bad) assert.equal(split(header, packet), undefined);
    const six = partial(packetOf({ v6: true, payload: bytes(300) }));
    assert.equal(split(vnetOf(six, 100), changed(5, 0, six)), undefined);
    // Headers so long that a copy for each byte would keep the thread busy.
    const long = packetOf({ v6: true, payload: bytes(3000) });
    assert.equal(split({ ...vnetOf(long, 1), checksumStart: 1000 }, long), undefined);
  });

  test('consecutive segments become one packet that the kernel can take: lengths, sum, PSH', () => {
    for (const v6 of [false, true])
      for (const [count, last] of [
        [2, 1000],
        [2, 1],
        [45, 999],
        [64, 1000],
      ]) {
        const packets = flow(count, 1000, last, { v6, flags: ACK | PSH, sequence: 0xffffff00, id: 0xfff0 });
        const written = join(packets);
        assert.equal(written.length, 1, `${count} packets became ${written.length}`);
        const whole = written[0].subarray(VNET_BYTES);
        const payload = concat(...packets.map((packet) => packet.subarray(upperOffset(packet) + 20)));
        const expected = packetOf({
          v6,
          payload,
          sequence: 0xffffff00,
          id: 0xfff0,
          flags: ACK | PSH,
        });
        assert.deepEqual(whole, partial(expected));
        assert.deepEqual(written[0].subarray(0, VNET_BYTES), vnetBytes(vnetOf(expected, 1000)));
        assert.deepEqual(unjoined(written), packets);
      }
  });

  test('a group ends at 64 packets and at 65,535 bytes', () => {
    assert.deepEqual(
      join(flow(130, 100, 100)).map((written) => written.length - VNET_BYTES - 40),
      [6400, 6400, 200],
    );
    const large = flow(20, 8000, 8000);
    assert.deepEqual(
      join(large).map((written) => written.length - VNET_BYTES - 40),
      [64_000, 64_000, 32_000],
    );
    assert.deepEqual(unjoined(join(large)), large);
  });

  test('what does not belong together stays apart, untouched', () => {
    const [first, second] = flow(2, 500, 500);
    const base = { payload: bytes(500), sequence: 505, id: 101 };
    const other = (changes: Partial<PacketOptions>): Uint8Array => packetOf({ ...base, ...changes });
    assert.equal(join([first, second]).length, 1);
    assert.deepEqual(other({}), second);
    const apart: Readonly<Record<string, Uint8Array>> = {
      'a gap': other({ sequence: 506 }),
      'a repetition': other({ sequence: 5 }),
      'another acknowledgement': other({ ack: 78 }),
      'another window': other({ window: 513 }),
      'another port': other({ sourcePort: 40001 }),
      'another TTL': other({ ttl: 63 }),
      'a congestion mark': other({ tos: 3 }),
      'an id that does not follow': other({ id: 102 }),
      'may be fragmented': other({ dontFragment: false }),
      FIN: other({ flags: ACK | FIN }),
      RST: other({ flags: ACK | 4 }),
      SYN: other({ flags: ACK | 2 }),
      URG: other({ flags: ACK | 0x20 }),
      CWR: other({ flags: ACK | CWR }),
      options: other({ options: bytes(12) }),
      longer: other({ payload: bytes(501) }),
      empty: other({ payload: new Uint8Array() }),
      UDP: other({ udp: true }),
      IPv6: other({ v6: true }),
      'IP options': other({ ipOptions: new Uint8Array(4) }),
    };
    for (const [why, packet] of Object.entries(apart)) {
      const written = join([first, packet]);
      assert.equal(written.length, 2, why);
      for (const [i, whole] of [first, packet].entries())
        assert.deepEqual(written[i], concat(new Uint8Array(VNET_BYTES), whole), why);
    }
    // After a short one, and after one with PSH, nothing follows.
    const short = flow(2, 400, 400);
    const after = packetOf({ payload: bytes(100), sequence: 5 + 800, id: 102 });
    const last = packetOf({ payload: bytes(100), sequence: 5 + 900, id: 103 });
    assert.equal(join([...short, after, last]).length, 2);
    const pushed = flow(2, 400, 400, { flags: ACK | PSH });
    assert.equal(join([...pushed, after]).length, 2);
  });

  test('a bad checksum is never made good: its packet goes as it came, and nothing is joined to it', () => {
    for (const at of [0, 1, 2, 3])
      for (const offset of [16, 19, 30, 200]) {
        const packets = flow(4, 500, 500);
        const bad = packets[at];
        bad[upperOffset(bad) + offset] ^= 0x10;
        const written = join(packets);
        assert.deepEqual(unjoined(written), packets);
        assert.ok(
          written.some((whole) => Buffer.compare(whole.subarray(VNET_BYTES), bad) === 0 && whole[0] === 0),
          `packet ${at}, byte ${offset}`,
        );
      }
    // So is a bad checksum of the IPv4 header.
    const packets = flow(2, 500, 500);
    packets[1][10] ^= 1;
    assert.equal(join(packets).length, 2);
  });

  test('random flows, mixed and damaged: what is joined and split again is what came, byte for byte', () => {
    const random = new Random(SEED);
    let joined = 0;
    for (let round = 0; round < 400; round++) {
      const packets: Uint8Array[] = [];
      while (packets.length < 60) {
        const options = {
          v6: random.below(3) === 0,
          flags: random.below(2) === 0 ? ACK : ACK | PSH,
          sequence: random.next(),
          id: random.below(65536),
          sourcePort: 40000 + random.below(2),
          options: random.below(2) === 0 ? bytes(12) : new Uint8Array(),
        };
        const size = 1 + random.below(700);
        packets.push(...flow(1 + random.below(20), size, 1 + random.below(size), options));
      }
      for (let turns = random.below(6); turns > 0; turns--) {
        const packet = packets[random.below(packets.length)];
        packet[random.below(Math.min(packet.length, 70))] ^= 1 << random.below(8);
      }
      const written = join(packets);
      joined += packets.length - written.length;
      assert.deepEqual(unjoined(written), packets, `round ${round}`);
    }
    assert.ok(joined > 10_000, `only ${joined} packets were joined`);
  });

  test('random headers before random packets: refused, or cut into packets that add up', () => {
    const random = new Random(SEED + 1);
    let cut = 0;
    for (let round = 0; round < 20_000; round++) {
      const packet = partial(
        packetOf({
          v6: random.below(2) === 0,
          udp: random.below(3) === 0,
          payload: random.bytes(random.below(300)),
        }),
      );
      const header = vnetBytes(vnetOf(packet, 1 + random.below(200)));
      for (let turns = random.below(4); turns > 0; turns--) {
        const target = random.below(3) === 0 ? header : packet;
        target[random.below(Math.min(target.length, 80))] = random.next() & 0xff;
      }
      const shown = random.below(4) === 0 ? packet.subarray(0, random.below(packet.length)) : packet;
      const parts = loadAddon().splitPacket(header, shown);
      if (parts === undefined) continue;
      cut++;
      assert.ok(parts.every((part) => part.length > 0 && part.length <= shown.length));
    }
    assert.ok(cut > 2_000 && cut < 19_000, `${cut} of 20,000 were cut`);
  });
});
