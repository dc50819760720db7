// How single values are written: one notation a kind (duration, address, key, proposal, ...), each a function from what
// stands in the configuration to a typed value. The rows of schema.ts are made of these; nothing here knows option names.

import { parseIdentity, parseIdentityPattern } from '../auth/identity.ts';
import { fromHex } from '../bytes.ts';
import type { Result } from '../errors.ts';
import { parseSelector, type TrafficSelector } from '../ipsec/selector.ts';
import { formatAddress, parseAddress } from '../net/address.ts';
import { type ProposalUse, parseProposal } from './proposal.ts';
import type { Identity, ProposalConfig } from './types.ts';

/** Reads one kind of value. `expected` completes "expected ..." in messages and names the kind in the documentation. */
export interface Notation<Out, In> {
  readonly expected: string;
  /** The value never appears in a message. */
  readonly secret?: true;
  /** Returns the value, or a {@link Refusal}. */
  readonly read: (input: unknown) => Out | Refusal;
  /** What people may write; exists for the compiler alone. */
  readonly written?: In;
}

/** The value is no good; `reason` is a sentence, the value in it, where "expected ..." says too little. */
export class Refusal {
  readonly reason: string | undefined;

  constructor(reason?: string) {
    this.reason = reason;
  }
}

const refused = new Refusal();

export const flag: Notation<boolean, boolean> = {
  expected: 'true or false',
  read: (input) => (typeof input === 'boolean' ? input : refused),
};

/** One of a few words. */
export function oneOf<const W extends string | number>(...words: readonly W[]): Notation<W, W> {
  return {
    expected: words.map((word) => JSON.stringify(word)).join(' or '),
    read: (input) => words.find((word) => word === input) ?? refused,
  };
}

/** A whole number between two bounds, both inclusive. */
export function integer(least: number, most: number): Notation<number, number> {
  return {
    expected: `a whole number from ${least} to ${most}`,
    read: (input) =>
      typeof input === 'number' && Number.isInteger(input) && input >= least && input <= most
        ? input
        : refused,
  };
}

/** A packet's mark, alone or with a mask; all 32 bits count without one. */
export const mark: Notation<{ readonly value: number; readonly mask: number }, number | string> = {
  expected: 'a number of 32 bits, or "VALUE/MASK" like "0x10/0xff"',
  read(input) {
    const [, value, mask = '0xffffffff'] =
      /^(0x[0-9a-f]{1,8}|\d{1,10})(?:\/(0x[0-9a-f]{1,8}|\d{1,10}))?$/i.exec(String(input)) ?? [];
    const numbers = { value: Number(value), mask: Number(mask) };
    const fits = [numbers.value, numbers.mask].every((number) => number <= 0xffffffff);
    return fits && (typeof input === 'number' || typeof input === 'string') ? numbers : refused;
  },
};

/** A number between two bounds, both inclusive. */
export function decimal(least: number, most: number): Notation<number, number> {
  return {
    expected: `a number from ${least} to ${most}`,
    read: (input) => (typeof input === 'number' && input >= least && input <= most ? input : refused),
  };
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/** A number of bytes up to `mostTiB`, plain or with a unit of 1,024 and its powers as in swanctl.conf. */
export function size(mostTiB: number): Notation<number, number | string> {
  return {
    expected: `a size up to ${mostTiB}T, as bytes or like "500M", "4G"`,
    read(input) {
      const match = /^(\d{1,16})\s*([KMGT]?)$/i.exec(typeof input === 'string' ? input.trim() : '');
      const written = match === null ? Number.NaN : Number(match[1]) * UNIT_BYTES[match[2].toUpperCase()];
      const bytes = typeof input === 'number' ? input : written;
      return Number.isInteger(bytes) && bytes >= 0 && bytes <= mostTiB * UNIT_BYTES['T'] ? bytes : refused;
    },
  };
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  '': 1000,
};

/** A time between two bounds in milliseconds, both inclusive; the value is in milliseconds. */
export function duration(leastMs: number, mostMs: number): Notation<number, number | string> {
  return {
    expected: `a time from ${writeMs(leastMs)} to ${writeMs(mostMs)}, as seconds or like "90s", "30m", "4h"`,
    read(input) {
      const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d|)$/.exec(
        typeof input === 'string' ? input.trim() : '',
      );
      const seconds = typeof input === 'number' ? input * 1000 : undefined;
      const ms = Math.round(seconds ?? (match === null ? Number.NaN : Number(match[1]) * UNIT_MS[match[2]]));
      return ms >= leastMs && ms <= mostMs ? ms : refused;
    },
  };
}

/** An IP address in canonical text; with `any`, the word `%any` gives undefined. */
export function address(any: 'any'): Notation<string | undefined, string>;
export function address(): Notation<string, string>;
export function address(any?: 'any'): Notation<string | undefined, string> {
  return {
    expected: any === undefined ? 'an IPv4 or IPv6 address' : 'an IPv4 or IPv6 address, or "%any"',
    read(input) {
      if (typeof input !== 'string') return refused;
      if (any !== undefined && input === '%any') return undefined;
      const bytes = parseAddress(input);
      if (bytes !== undefined) return formatAddress(bytes);
      return /^[A-Za-z][A-Za-z0-9.-]*$/.test(input)
        ? new Refusal(`"${input}" is a host name, which is not looked up; write its address`)
        : refused;
    },
  };
}

/** Whom we are. */
export const identity: Notation<Identity | undefined, string> = identityNotation(
  'an IP address, a host name, an email address, a distinguished name, "keyid:..." or "%any"',
  parseIdentity,
);

/** Whom the peer must be; `*` may stand for parts of a name. */
export const identityPattern: Notation<Identity | undefined, string> = identityNotation(
  'an IP address, a host name, an email address, a distinguished name (each of the names with "*" in it), "keyid:..." or "%any"',
  parseIdentityPattern,
);

function identityNotation(
  expected: string,
  parse: (text: string) => Result<Identity>,
): Notation<Identity | undefined, string> {
  return {
    expected,
    read(input) {
      if (typeof input !== 'string') return refused;
      if (input === '%any') return undefined;
      const parsed = parse(input);
      return parsed.ok ? parsed.value : new Refusal(parsed.error.message);
    },
  };
}

const PROPOSAL_EXAMPLE: Readonly<Record<ProposalUse, string>> = {
  ike: 'aes256gcm16-prfsha256-curve25519',
  esp: 'aes256gcm16-curve25519',
  ah: 'sha256-curve25519',
};

/** The longest pre-shared key, in bytes. */
const MAX_PSK_BYTES = 1024;

export const preSharedKey: Notation<Uint8Array, string | Uint8Array> = {
  expected: `1 to ${MAX_PSK_BYTES} bytes as text, "0x" and hexadecimal digits, "0s" and base64, or a Uint8Array`,
  secret: true,
  read(input) {
    const bytes = keyBytes(input);
    return bytes !== undefined && bytes.length >= 1 && bytes.length <= MAX_PSK_BYTES ? bytes : refused;
  },
};

/** A key of an SA. */
export const saKey: Notation<Uint8Array, string | Uint8Array> = {
  expected: '"0x" and hexadecimal digits, "0s" and base64, or a Uint8Array',
  secret: true,
  read: (input) =>
    typeof input !== 'string' || /^0[xs]/.test(input) ? (keyBytes(input) ?? refused) : refused,
};

/** Text that is read later. */
export const text: Notation<string, string> = {
  expected: 'text',
  read: (input) => (typeof input === 'string' ? input : refused),
};

export const selector: Notation<TrafficSelector, string> = {
  expected: 'an address or network such as "10.1.0.0/16", with "[tcp/443]" behind it for a protocol and port',
  read(input) {
    if (typeof input !== 'string') return refused;
    const parsed = parseSelector(input);
    return parsed.ok ? parsed.value : new Refusal(parsed.error.message);
  },
};

/** A proposal for IKE, ESP or AH. */
export function proposal(use: ProposalUse): Notation<ProposalConfig, string> {
  return {
    expected: `a proposal such as "${PROPOSAL_EXAMPLE[use]}"`,
    read(input) {
      if (typeof input !== 'string') return refused;
      const parsed = parseProposal(input, use);
      return parsed.ok ? parsed.value : new Refusal(parsed.error.message);
    },
  };
}

/** What connections, children and pools are called: in logs, commands and file names. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
/** The name of something in the configuration. */
export const name: Notation<string, string> = {
  expected: 'a name of up to 64 letters, digits, ".", "_" or "-"',
  read: (input) => (typeof input === 'string' && NAME.test(input) ? input : refused),
};

/** The name of a network device (Linux: 15 bytes, no `/` or white space). */
export const deviceName: Notation<string, string> = {
  expected: 'a device name of 1 to 15 letters, digits, ".", "_" or "-"',
  read: (input) =>
    typeof input === 'string' && /^[A-Za-z0-9._-]{1,15}$/.test(input) && input !== '.' && input !== '..'
      ? input
      : refused,
};

/** An xfrm interface: its name, its interface id, and the device below it where it has one. */
export interface XfrmInterface {
  readonly name: string;
  readonly ifId: number;
  readonly device: string | undefined;
}

export const xfrmInterface: Notation<XfrmInterface, string> = {
  expected: '"NAME=ID" or "NAME=ID@DEVICE" like "ipsec0=42@eth0", with an id from 1 to 4294967295',
  read(input) {
    const [, name, id, device] =
      /^([^=@]*)=(0x[0-9a-f]{1,8}|\d{1,10})(?:@(.*))?$/i.exec(typeof input === 'string' ? input : '') ?? [];
    const ifId = Number(id);
    const devices = [name, ...(device === undefined ? [] : [device])].map((each) => deviceName.read(each));
    const fits = ifId >= 1 && ifId <= 0xffffffff && !devices.some((each) => each instanceof Refusal);
    return fits ? { name, ifId, device } : refused;
  },
};

/** A list of values of one kind, not empty unless `least` says so. */
export function list<Out, In>(of: Notation<Out, In>, most: number, least = 1): Notation<Out[], In[]> {
  const expected = `a list of ${least} to ${most} entries, each ${of.expected}`;
  return {
    expected,
    read(input) {
      if (!Array.isArray(input)) return refused;
      if (input.length < least || input.length > most)
        return new Refusal(`it has ${input.length} entries; expected ${expected}`);
      const out: Out[] = [];
      for (const [i, entry] of input.entries()) {
        const value = of.read(entry);
        if (value instanceof Refusal)
          return new Refusal(
            `entry ${i + 1}: ${value.reason ?? `${showValue(entry)} is not ${of.expected}`}`,
          );
        out.push(value);
      }
      return out;
    },
  };
}

/** A value for a message: short, one line, and only its kind where it is no plain value. */
export function showValue(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  return showKind(value);
}

/** The kind of a value, for places where the value itself could be a secret. */
export function showKind(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Milliseconds in the notation that {@link duration} reads, in the largest unit that divides them. */
export function writeMs(ms: number): string {
  if (ms === 0) return '0';
  const unit = (['d', 'h', 'm', 's'] as const).find((name) => ms % UNIT_MS[name] === 0) ?? 'ms';
  return `${ms / UNIT_MS[unit]}${unit}`;
}

function keyBytes(input: unknown): Uint8Array | undefined {
  if (input instanceof Uint8Array) return Uint8Array.from(input);
  if (typeof input !== 'string') return undefined;
  if (input.startsWith('0x'))
    return /^(?:[0-9a-fA-F]{2})+$/.test(input.slice(2)) ? fromHex(input.slice(2)) : undefined;
  if (!input.startsWith('0s')) return new TextEncoder().encode(input);
  const text = input.slice(2);
  // Buffer skips what is not base64; a key with a slip in it must not become another key.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) return undefined;
  return Uint8Array.from(Buffer.from(text, 'base64'));
}
