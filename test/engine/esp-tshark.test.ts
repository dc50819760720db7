// Wireshark as a witness of what the engine sends without UDP: ESP in both modes, decrypted and its ICV checked with the SA's keys;
// AH, whose length, SPI and next header it must see as we do (it does not check AH's ICV); and AH around ESP.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { concat } from '../../lib/bytes.ts';
import type { KeyLogEntry } from '../../lib/ike/events.ts';
import type { EspParameters } from '../../lib/ipsec/data-plane.ts';
import { type Dissection, dissect, skipWithoutTshark, valuesOf } from '../lib/tshark.ts';
import { AH_SUITES, ahOf } from './ah-model.ts';
import { SUITES, saOf } from './esp-model.ts';
import { codecOf, ENDS, endsOf, type Family, ipPacket, passed, upperSum } from './header-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing() || skipWithoutTshark();
const LINKTYPE_RAW = 101;
const FAMILIES = [4, 6] as const;
const DATA_BYTES = 33;

/** A datagram between ports that nothing is expected on. */
function datagram(family: Family): Uint8Array {
  const [source, destination] = ENDS[family];
  const segment = new Uint8Array(8 + DATA_BYTES);
  new DataView(segment.buffer).setUint16(0, 40_000);
  new DataView(segment.buffer).setUint16(2, 40_001);
  segment[5] = segment.length;
  new DataView(segment.buffer).setUint16(6, upperSum(17, source, destination, segment));
  return ipPacket({ source, destination, protocol: 17 }, segment);
}

async function dissectPackets(
  packets: readonly Uint8Array[],
  keys: readonly KeyLogEntry[],
): Promise<Dissection[]> {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16);
  header.writeUInt32LE(LINKTYPE_RAW, 20);
  const records = packets.map((packet) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(packet.length, 8);
    record.writeUInt32LE(packet.length, 12);
    return concat(record, packet);
  });
  const folder = await mkdtemp(join(tmpdir(), 'ike-native-modes-'));
  try {
    const path = join(folder, 'capture.pcap');
    await writeFile(path, concat(header, ...records));
    return await dissect(path, keys);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function keyOf(sa: EspParameters, suite: string): KeyLogEntry {
  return {
    kind: 'esp',
    mode: sa.mode,
    source: sa.local.address,
    destination: sa.remote.address,
    spi: sa.spi.toString(16).padStart(8, '0'),
    encryption: suite.split('-')[0],
    integrity: sa.integrity?.name,
    encryptionKey: sa.encryptionKey,
    integrityKey: sa.integrityKey ?? new Uint8Array(),
  };
}

/** What is inside is the datagram, and nothing was complained of. */
function assertSeen(seen: Dissection, what: string): void {
  assert.deepEqual(valuesOf(seen, 'udp.srcport'), ['40000'], what);
  assert.deepEqual(valuesOf(seen, 'udp.length'), [String(8 + DATA_BYTES)], what);
  assert.deepEqual(seen.warnings, [], what);
}

for (const mode of ['transport', 'tunnel'] as const)
  test(`RFC 4303 §3.1: Wireshark decrypts ESP in ${mode} mode without UDP, every suite, both families`, {
    skip,
  }, async () => {
    const made = FAMILIES.flatMap((family) =>
      SUITES.map((suite, i) => {
        const sa = saOf(suite, {
          ...endsOf(family),
          mode,
          udpEncapsulation: false,
          spi: 0x1000 * family + i,
        });
        const packet = passed(codecOf(sa, 'out').seal([datagram(family)])[0]);
        return { packet, key: keyOf(sa, suite), what: `${suite} in IPv${family}` };
      }),
    );
    const seen = await dissectPackets(
      made.map(({ packet }) => packet),
      made.map(({ key }) => key),
    );
    assert.equal(seen.length, made.length);
    made.forEach(({ what }, i) => {
      assertSeen(seen[i], what);
      assert.ok(
        valuesOf(seen[i], 'esp.icv_good').every((good) => good === '1' || good === 'True'),
        what,
      );
      assert.equal(valuesOf(seen[i], 'esp.icv_good').length, 1, `${what}: its ICV was checked`);
    });
  });

for (const mode of ['transport', 'tunnel'] as const)
  test(`RFC 4302 §2: Wireshark reads AH in ${mode} mode as we mean it, every algorithm, both families`, {
    skip,
  }, async () => {
    const made = FAMILIES.flatMap((family) =>
      AH_SUITES.map((name) => {
        const sa = ahOf(name, family, { mode });
        const packet = passed(codecOf(sa, 'out').seal([datagram(family)])[0]);
        return { packet, family, sa, what: `${name} in IPv${family}` };
      }),
    );
    const seen = await dissectPackets(
      made.map(({ packet }) => packet),
      [],
    );
    made.forEach(({ family, sa, what }, i) => {
      assertSeen(seen[i], what);
      assert.deepEqual(valuesOf(seen[i], 'ah.spi').map(Number), [sa.spi], what);
      assert.deepEqual(valuesOf(seen[i], 'ah.sequence').map(Number), [1], what);
      const next = mode === 'transport' ? 17 : family === 4 ? 4 : 41;
      assert.deepEqual(valuesOf(seen[i], 'ah.next_header').map(Number), [next], what);
    });
  });

test('RFC 2401 §4.3: Wireshark finds ESP behind AH and decrypts it', { skip }, async () => {
  for (const family of FAMILIES) {
    const ah = ahOf('sha256', family, { mode: 'transport' });
    const esp = saOf('aes256gcm16', { ...endsOf(family), udpEncapsulation: false, outerSaId: ah.id });
    const inside = passed(codecOf(esp, 'out').seal([datagram(family)])[0]);
    const [seen] = await dissectPackets(
      [passed(codecOf(ah, 'out').seal([inside])[0])],
      [keyOf(esp, 'aes256gcm16')],
    );
    assertSeen(seen, `IPv${family}`);
  }
});
