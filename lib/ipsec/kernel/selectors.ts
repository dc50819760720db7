// Traffic selectors as a kernel writes them: ranges of addresses become prefixes, ranges of ports become values with masks, and a set
// of selectors on either side becomes one selector for each pair. Nothing is rounded up.

import { fail, ok, type Result } from '../../errors.ts';
import { isOpaque, type TrafficSelector } from '../selector.ts';
import type { KernelSelector } from './kernel-api.ts';

/** Of one policy in one direction; each is a policy in the kernel. */
export const MAX_KERNEL_SELECTORS = 512;

/** Protocols whose messages have a type: ICMP, ICMPv6 (with a code) and Mobility Header. The sender's side says which (RFC 4301 §4.4.1.3). */
const WITH_CODE = new Set([1, 58]);
const MOBILITY = 135;

interface Block {
  readonly value: number;
  readonly mask: number;
}

interface Prefix {
  readonly address: Uint8Array;
  readonly bits: number;
}

const ANY: Block = { value: 0, mask: 0 };

/** The selectors of packets from one side to the other. */
export function kernelSelectors(
  from: readonly TrafficSelector[],
  to: readonly TrafficSelector[],
): Result<readonly KernelSelector[]> {
  const found = new Map<string, KernelSelector>();
  for (const source of from)
    for (const destination of to) {
      if (source.start.length !== destination.start.length) continue;
      const protocol = source.protocol || destination.protocol;
      if (destination.protocol !== 0 && destination.protocol !== protocol) continue;
      if (isOpaque(source) || isOpaque(destination))
        return fail('bad-policy', 'the kernel has no selectors for packets whose ports cannot be seen');
      for (const ports of portPairs(protocol, source, destination))
        for (const a of prefixes(source))
          for (const b of prefixes(destination)) {
            if (found.size >= MAX_KERNEL_SELECTORS)
              return fail(
                'bad-policy',
                `these selectors are more than ${MAX_KERNEL_SELECTORS} policies of the kernel: ranges that are no prefixes cost the most`,
              );
            const selector: KernelSelector = {
              source: a.address,
              sourceBits: a.bits,
              destination: b.address,
              destinationBits: b.bits,
              protocol,
              sourcePort: ports.source.value,
              sourcePortMask: ports.source.mask,
              destinationPort: ports.destination.value,
              destinationPortMask: ports.destination.mask,
            };
            found.set(selectorKey(selector), selector);
          }
    }
  if (found.size === 0) return fail('bad-policy', 'no packet can match these selectors');
  return ok([...found.values()]);
}

/** The same text for the same packets. */
export function selectorKey(selector: KernelSelector): string {
  const { source, sourceBits, destination, destinationBits, protocol } = selector;
  const { sourcePort, sourcePortMask, destinationPort, destinationPortMask } = selector;
  const ports = [protocol, sourcePort, sourcePortMask, destinationPort, destinationPortMask];
  return `${source.join('.')}/${sourceBits}>${destination.join('.')}/${destinationBits}:${ports.join(':')}`;
}

/** The prefixes that a range of addresses is made of, at most two for each bit. */
export function prefixes({ start, end }: Pick<TrafficSelector, 'start' | 'end'>): readonly Prefix[] {
  const width = start.length * 8;
  return blocks(toNumber(start), toNumber(end), width).map(({ value, bits }) => ({
    address: toBytes(value, start.length),
    bits,
  }));
}

function portPairs(
  protocol: number,
  source: TrafficSelector,
  destination: TrafficSelector,
): readonly { readonly source: Block; readonly destination: Block }[] {
  if (WITH_CODE.has(protocol))
    return portBlocks(source).map(({ value, mask }) => ({
      source: typeBlock(value >> 8, mask >> 8),
      destination: typeBlock(value & 0xff, mask & 0xff),
    }));
  if (protocol === MOBILITY)
    return portBlocks(source).map(({ value, mask }) => ({
      source: typeBlock(value >> 8, mask >> 8),
      destination: ANY,
    }));
  return portBlocks(source).flatMap((a) =>
    portBlocks(destination).map((b) => ({ source: a, destination: b })),
  );
}

/** A byte in a field of 16 bits. */
function typeBlock(value: number, mask: number): Block {
  return mask === 0 ? ANY : { value, mask: 0xff00 | mask };
}

function portBlocks({ startPort, endPort }: TrafficSelector): readonly Block[] {
  return blocks(BigInt(startPort), BigInt(endPort), 16).map(({ value, bits }) => ({
    value: Number(value),
    mask: (0xffff << (16 - bits)) & 0xffff,
  }));
}

/** Cuts a range into the fewest blocks that differ in their low bits alone. */
function blocks(start: bigint, end: bigint, width: number): readonly { value: bigint; bits: number }[] {
  const found: { value: bigint; bits: number }[] = [];
  for (let at = start; at <= end; ) {
    let free = 0;
    while (free < width && ((at >> BigInt(free)) & 1n) === 0n && at + (1n << BigInt(free + 1)) - 1n <= end)
      free++;
    found.push({ value: at, bits: width - free });
    at += 1n << BigInt(free);
  }
  return found;
}

function toNumber(bytes: Uint8Array): bigint {
  return bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
}

function toBytes(number: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((number >> BigInt(8 * (length - 1 - i))) & 0xffn));
}
