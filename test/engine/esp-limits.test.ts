// Limits of bytes and packets: counted on both sides, told of once each, and never a packet past the hard one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SaLimits } from '../../lib/ipsec/data-plane.ts';
import { ahOf, modelAh } from './ah-model.ts';
import { ipv4, modelSeal, saOf } from './esp-model.ts';
import { codecOf, ENDS } from './header-model.ts';
import { engineAddonMissing } from './lab.ts';

const skip = engineAddonMissing();
const BYTES = 100;
const packets = (count: number): Uint8Array[] => Array.from({ length: count }, () => ipv4(BYTES - 20));

function fates(results: readonly (Uint8Array | string)[]): string[] {
  return results.map((result) => (typeof result === 'string' ? result : 'passed'));
}

/** One packet after the other: what became of each, and what was told after it. */
function story(direction: 'in' | 'out', protocol: 'esp' | 'ah', limits: SaLimits, count: number): string[] {
  const [ours, theirs] = ENDS[4];
  const ends = { source: theirs, destination: ours };
  const esp = saOf('aes128gcm16', { limits });
  const ah = ahOf('sha256', 4, { limits });
  const codec = codecOf(protocol === 'ah' ? ah : esp, direction);
  return packets(count).map((packet, i) => {
    const sequence = BigInt(i + 1);
    const coming =
      protocol === 'ah' ? modelAh(ah, 4, sequence, 4, ends, packet) : modelSeal(esp, sequence, packet);
    const [fate] = fates(direction === 'out' ? codec.seal([packet]) : codec.open([coming]));
    const told = codec.takeExpiry();
    assert.equal(codec.takeExpiry(), 'none', 'told once');
    return told === 'none' ? fate : `${fate}, ${told}`;
  });
}

for (const direction of ['out', 'in'] as const)
  for (const protocol of ['esp', 'ah'] as const) {
    test(`RFC 4301 §4.4.2.1: ${protocol} ${direction}: limits of packets and of inner bytes end an SA, soft before hard`, {
      skip,
    }, () => {
      const expected = ['passed', 'passed, soft', 'passed', 'passed, hard', 'expired', 'expired'];
      assert.deepEqual(story(direction, protocol, { softPackets: 2, hardPackets: 4 }, 6), expected);
      assert.deepEqual(story(direction, protocol, { softBytes: 200, hardBytes: 400 }, 6), expected);
      // What comes first counts.
      assert.deepEqual(
        story(direction, protocol, { softBytes: 150, hardPackets: 4, hardBytes: 9999 }, 6),
        expected,
      );
      assert.deepEqual(story(direction, protocol, { hardPackets: 1 }, 2), ['passed, hard', 'expired']);
      assert.deepEqual(story(direction, protocol, {}, 3), ['passed', 'passed', 'passed']);
    });

    test(`RFC 4301 §4.4.2.1: ${protocol} ${direction}: a batch stops in its middle, to the packet`, {
      skip,
    }, () => {
      const [ours, theirs] = ENDS[4];
      const ends = { source: theirs, destination: ours };
      for (const limits of [{ hardPackets: 70 }, { hardBytes: 70 * BYTES }, { hardBytes: 69 * BYTES + 1 }]) {
        const esp = saOf('aes128gcm16', { limits, replayWindow: 256 });
        const ah = ahOf('sha256', 4, { limits, replayWindow: 256 });
        const codec = codecOf(protocol === 'ah' ? ah : esp, direction);
        const all = packets(150);
        const coming = all.map((packet, i) =>
          protocol === 'ah'
            ? modelAh(ah, 4, BigInt(i + 1), 4, ends, packet)
            : modelSeal(esp, BigInt(i + 1), packet),
        );
        const results = fates(direction === 'out' ? codec.seal(all) : codec.open(coming));
        assert.deepEqual(results, [...Array(70).fill('passed'), ...Array(80).fill('expired')]);
        assert.equal(codec.counters().packets, 70);
        assert.equal(codec.counters().bytes, 70 * BYTES);
      }
    });
  }

test('RFC 4303 §2.7: padding of traffic flow does not count for a limit', { skip }, () => {
  const codec = codecOf(saOf('aes128gcm16', { tfcBytes: 1400, limits: { hardBytes: 3 * BYTES } }), 'out');
  assert.deepEqual(fates(codec.seal(packets(4))), ['passed', 'passed', 'passed', 'expired']);
});
