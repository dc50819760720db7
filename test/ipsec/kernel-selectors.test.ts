// Traffic selectors as a kernel writes them: for every packet the kernel's selectors say what the negotiation's say.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KernelSelector } from '../../lib/ipsec/kernel/kernel-api.ts';
import { kernelSelectors, MAX_KERNEL_SELECTORS, prefixes } from '../../lib/ipsec/kernel/selectors.ts';
import { parseSelector, type TrafficSelector } from '../../lib/ipsec/selector.ts';
import { formatAddress, parseAddress } from '../../lib/net/address.ts';

const selector = (text: string): TrafficSelector => {
  const parsed = parseSelector(text);
  return parsed.ok ? parsed.value : assert.fail(text);
};
const made = (from: readonly string[], to: readonly string[]): readonly KernelSelector[] => {
  const selectors = kernelSelectors(from.map(selector), to.map(selector));
  return selectors.ok ? selectors.value : assert.fail(selectors.error.message);
};

/** As the kernel compares them. */
function takes(
  { source, sourceBits, destination, destinationBits, ...ports }: KernelSelector,
  packet: { from: string; to: string; protocol: number; sourcePort: number; destinationPort: number },
): boolean {
  const inside = (address: string, prefix: Uint8Array, bits: number): boolean =>
    (parseAddress(address) ?? assert.fail()).every((byte, i) => {
      const mask = (0xff00 >> Math.max(0, Math.min(8, bits - 8 * i))) & 0xff;
      return ((byte ^ prefix[i]) & mask) === 0;
    });
  return (
    inside(packet.from, source, sourceBits) &&
    inside(packet.to, destination, destinationBits) &&
    (ports.protocol === 0 || ports.protocol === packet.protocol) &&
    ((packet.sourcePort ^ ports.sourcePort) & ports.sourcePortMask) === 0 &&
    ((packet.destinationPort ^ ports.destinationPort) & ports.destinationPortMask) === 0
  );
}

test('a prefix is one selector, a range the fewest prefixes that it is made of', () => {
  const text = (range: string): string[] =>
    prefixes(selector(range)).map(({ address, bits }) => `${formatAddress(address)}/${bits}`);
  assert.deepEqual(text('10.1.0.0/16'), ['10.1.0.0/16']);
  assert.deepEqual(text('0.0.0.0/0'), ['0.0.0.0/0']);
  assert.deepEqual(text('::/0'), ['::/0']);
  assert.deepEqual(text('2001:db8::7/128'), ['2001:db8::7/128']);
  assert.deepEqual(text('10.0.0.1-10.0.0.6'), ['10.0.0.1/32', '10.0.0.2/31', '10.0.0.4/31', '10.0.0.6/32']);
  assert.deepEqual(text('10.0.0.0-10.0.2.255'), ['10.0.0.0/23', '10.0.2.0/24']);
  assert.equal(text('0.0.0.1-255.255.255.254').length, 62);
  assert.equal(text('::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe').length, 254);
});

test('ranges of ports and addresses take the packets that they took before, and no other', () => {
  const from = ['10.1.0.3-10.1.0.9[udp/1000-1003]', '10.1.0.32/28[udp/53]'];
  const to = ['10.2.0.0/24[udp/10-14]'];
  const all = made(from, to);
  for (let host = 0; host < 64; host++)
    for (const sourcePort of [52, 53, 54, 999, 1000, 1001, 1003, 1004])
      for (const destinationPort of [9, 10, 12, 14, 15])
        for (const protocol of [6, 17]) {
          const packet = { from: `10.1.0.${host}`, to: '10.2.0.7', protocol, sourcePort, destinationPort };
          const first = host >= 3 && host <= 9 && sourcePort >= 1000 && sourcePort <= 1003;
          const second = host >= 32 && host < 48 && sourcePort === 53;
          const wanted =
            protocol === 17 && (first || second) && destinationPort >= 10 && destinationPort <= 14;
          assert.equal(
            all.some((one) => takes(one, packet)),
            wanted,
            JSON.stringify(packet),
          );
        }
});

test('RFC 4301 §4.4.1.3: types and codes of ICMP are those of the side that sends', () => {
  // All of type 8, and of type 3 the codes 0 to 2.
  const all = made(['10.1.0.0/16[icmp/2048-2303]', '10.1.0.0/16[icmp/768-770]'], ['10.2.0.0/16[icmp/0-255]']);
  for (const type of [0, 3, 8])
    for (const code of [0, 1, 2, 3, 255]) {
      const packet = {
        from: '10.1.0.1',
        to: '10.2.0.1',
        protocol: 1,
        sourcePort: type,
        destinationPort: code,
      };
      const wanted = type === 8 || (type === 3 && code <= 2);
      assert.equal(
        all.some((one) => takes(one, packet)),
        wanted,
        `type ${type}, code ${code}`,
      );
    }
});

test('pairs of different families or protocols are none, and equal pairs are one', () => {
  assert.equal(made(['10.1.0.0/16', 'fd01::/64'], ['10.2.0.0/16', 'fd02::/64']).length, 2);
  assert.equal(made(['10.1.0.0/16', '10.1.0.0/16'], ['10.2.0.0/16']).length, 1);
  assert.equal(made(['10.1.0.0/16[tcp]', '10.1.0.0/16[udp]'], ['10.2.0.0/16[tcp]']).length, 1);
  assert.equal(kernelSelectors([selector('10.1.0.0/16')], [selector('fd02::/64')]).ok, false);
  assert.equal(kernelSelectors([selector('10.1.0.0/16[tcp]')], [selector('10.2.0.0/16[udp]')]).ok, false);
});

test('what the kernel has no words for is refused', () => {
  const opaque = kernelSelectors([selector('10.1.0.0/16[udp/opaque]')], [selector('10.2.0.0/16')]);
  assert.match(opaque.ok ? '' : opaque.error.message, /ports cannot be seen/);
  const wide = selector('0.0.0.1-255.255.255.254');
  const many = kernelSelectors([wide], [wide]);
  assert.match(many.ok ? '' : many.error.message, new RegExp(`more than ${MAX_KERNEL_SELECTORS} policies`));
});
