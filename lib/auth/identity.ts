// Identities: who a peer says it is (RFC 7296 §3.5). Text from the configuration becomes a type number and octets here,
// octets from the wire become text that is safe to print, and the two are compared. Certificates and EAP build on this.
//
// Text notation: `192.0.2.1` and `2001:db8::1` (ID_IPV4_ADDR, ID_IPV6_ADDR), `hq.example.com` (ID_FQDN),
// `alice@example.com` (ID_RFC822_ADDR), `keyid:anything` or `keyid:0x00ff` (ID_KEY_ID), `C=CH, O=Example, CN=hq` (ID_DER_ASN1_DN,
// see distinguished-name.ts); `fqdn:`, `email:` and `dn:` in front force those types; `#TYPE:HEX` is any other one, and any octets
// that do not fit their type's notation. A pattern, for what is expected of a peer, may be `*.example.com`, `*@example.com` or a
// distinguished name with `*` as the value of attributes.

import { equalBytes, fromHex, toHex } from '../bytes.ts';
import type { Identity } from '../config/types.ts';
import { fail, ok, type Result } from '../errors.ts';
import { formatAddress, parseAddress } from '../net/address.ts';
import {
  comparableName,
  decodeName,
  formatName,
  hasWildcard,
  looksLikeName,
  matchName,
  parseName as parseDistinguishedName,
  sameName,
} from './distinguished-name.ts';

/** Identification types (RFC 7296 §3.5; ID_NULL is RFC 7619 §2). */
export const IdType = {
  IPV4_ADDR: 1,
  FQDN: 2,
  RFC822_ADDR: 3,
  IPV6_ADDR: 5,
  DER_ASN1_DN: 9,
  DER_ASN1_GN: 10,
  KEY_ID: 11,
  NULL: 13,
} as const;

/** The longest identity that is read from a configuration, in octets; certificates' names fit many times over. */
const MAX_IDENTITY_BYTES = 1024;

const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]*)(?:\.[A-Za-z0-9_-]+)*\.?$/;
const MAIL_ADDRESS = /^[^\s@\x00-\x20\x7f]+@[^\s@\x00-\x20\x7f]+$/;
const STAR = 0x2a;
const AT = 0x40;
/** A mistyped address would pass for a host name. */
const NUMERIC = /^[\d.]+$/;
/** What may stand in a text without being escaped: printable ASCII. */
const PRINTABLE = /^[\x20-\x7e]+$/;

/** Reads a pattern of the notation above, or an identity. */
export function parseIdentityPattern(text: string): Result<Identity> {
  const [, prefix = '', host] = /^(fqdn:)?\*\.(.+)$/.exec(text) ?? [];
  const base = parseIdentity(host === undefined ? text : prefix + host);
  if (!base.ok) return base;
  const { idType, data } = base.value;
  if (host !== undefined) {
    if (idType !== IdType.FQDN) return fail('bad-identity', `"${text}" has "*." in front of no host name`);
    return ok({ idType, data: new TextEncoder().encode(`*.${host}`), text, wildcard: true });
  }
  const name = idType === IdType.DER_ASN1_DN ? decodeName(data) : undefined;
  const wild =
    idType === IdType.RFC822_ADDR
      ? data[0] === STAR && data[1] === AT
      : name && hasWildcard(comparableName(name));
  return ok(wild ? { ...base.value, wildcard: true } : base.value);
}

/** Reads the notation above. Fails with `bad-identity` and a sentence that says how to write what was probably meant. */
export function parseIdentity(text: string): Result<Identity> {
  if (text === '') return fail('bad-identity', 'an identity cannot be empty');
  const generic = /^#(\d{1,3}):((?:[0-9a-fA-F]{2})*)$/.exec(text);
  if (generic !== null && Number(generic[1]) >= 1 && Number(generic[1]) <= 255)
    return bounded(identityFrom(Number(generic[1]), fromHex(generic[2])));
  const address = parseAddress(text);
  if (address !== undefined) return ok(identityFromAddress(address));
  if (text.startsWith('keyid:')) return parseKeyId(text.slice('keyid:'.length));
  if (text.startsWith('fqdn:')) return parseName(text.slice('fqdn:'.length), IdType.FQDN);
  if (text.startsWith('email:')) return parseName(text.slice('email:'.length), IdType.RFC822_ADDR);
  if (text.startsWith('dn:') || looksLikeName(text)) return parseDn(text.replace(/^dn:/, ''));
  if (text.includes('@')) return parseName(text, IdType.RFC822_ADDR);
  if (NUMERIC.test(text))
    return fail(
      'bad-identity',
      `"${text}" looks like an IPv4 address but is none; write fqdn:${text} if it is a name`,
    );
  return parseName(text, IdType.FQDN);
}

/** An identity from its octets on the wire; its text is safe to print and {@link parseIdentity} reads it back. */
export function identityFrom(idType: number, data: Uint8Array): Identity {
  return { idType, data, text: formatIdentity(idType, data) };
}

/** The identity of an IP address, in text or as 4 or 16 octets. Throws a TypeError when it is none. */
export function identityFromAddress(address: string | Uint8Array): Identity {
  const data = typeof address === 'string' ? parseAddress(address) : address;
  if (data === undefined) throw new TypeError(`not an IP address: ${String(address)}`);
  return identityFrom(data.length === 4 ? IdType.IPV4_ADDR : IdType.IPV6_ADDR, data);
}

/** Writes octets in the notation above. Never fails, and never lets control characters through. */
export function formatIdentity(idType: number, data: Uint8Array): string {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
  if (idType === IdType.IPV4_ADDR && data.length === 4) return formatAddress(data);
  if (idType === IdType.IPV6_ADDR && data.length === 16) return formatAddress(data);
  if (idType === IdType.FQDN && HOST_NAME.test(text)) return NUMERIC.test(text) ? `fqdn:${text}` : text;
  if (idType === IdType.RFC822_ADDR && MAIL_ADDRESS.test(text) && PRINTABLE.test(text))
    return /^(?:keyid|fqdn|email):/.test(text) ? `email:${text}` : text;
  if (idType === IdType.DER_ASN1_DN) {
    const name = decodeName(data);
    const dn = name && formatName(name);
    if (dn !== undefined && dn !== '') return looksLikeName(dn) ? dn : `dn:${dn}`;
  }
  if (idType === IdType.KEY_ID && data.length > 0)
    return PRINTABLE.test(text) && !text.startsWith('0x') ? `keyid:${text}` : `keyid:0x${toHex(data)}`;
  return `#${idType}:${toHex(data)}`;
}

/**
 * Whether the identity that a peer proved is the one expected; `undefined` expects none in particular. Types must be the
 * same; names are compared without regard to ASCII case (RFC 4945 §3.1.2, §3.1.3), distinguished names by their attributes, all
 * else octet by octet.
 */
export function matchIdentity(
  expected: Identity | undefined,
  actual: Pick<Identity, 'idType' | 'data'>,
): boolean {
  if (expected === undefined) return true;
  if (expected.idType !== actual.idType) return false;
  if (expected.idType === IdType.DER_ASN1_DN) {
    const [pattern, name] = [decodeName(expected.data), decodeName(actual.data)];
    if (pattern === undefined || name === undefined) return equalBytes(expected.data, actual.data);
    const match = expected.wildcard === true ? matchName : sameName;
    return match(comparableName(pattern), comparableName(name));
  }
  if (expected.wildcard === true) return matchWildcard(expected, actual);
  return identityKey(expected) === identityKey(actual);
}

/** `*` stands for one or more labels of a host name, or for a mailbox. */
function matchWildcard(expected: Identity, { idType, data }: Pick<Identity, 'idType' | 'data'>): boolean {
  const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
  if (idType === IdType.FQDN ? !HOST_NAME.test(text) : !MAIL_ADDRESS.test(text)) return false;
  const rest = data.subarray(data.length - (expected.data.length - 1));
  return (
    data.length >= expected.data.length &&
    expected.data.subarray(1).every((octet, i) => lowerCase(octet) === lowerCase(rest[i]))
  );
}

/** A text that is the same for two identities exactly when {@link matchIdentity} takes one for the other. */
export function identityKey({ idType, data }: Pick<Identity, 'idType' | 'data'>): string {
  const name = idType === IdType.DER_ASN1_DN ? decodeName(data) : undefined;
  if (name !== undefined) return `${idType}:${JSON.stringify(comparableName(name))}`;
  const fold = idType === IdType.FQDN || idType === IdType.RFC822_ADDR;
  return `${idType}:${toHex(fold ? data.map(lowerCase) : data)}`;
}

function parseDn(text: string): Result<Identity> {
  const der = parseDistinguishedName(text);
  return der.ok ? bounded(identityFrom(IdType.DER_ASN1_DN, der.value)) : der;
}

function parseKeyId(value: string): Result<Identity> {
  if (value === '') return fail('bad-identity', 'keyid: has nothing behind it');
  if (!value.startsWith('0x')) return bounded(identityFrom(IdType.KEY_ID, new TextEncoder().encode(value)));
  const digits = value.slice(2);
  if (digits === '' || !/^(?:[0-9a-fA-F]{2})+$/.test(digits))
    return fail(
      'bad-identity',
      `"keyid:${value}" has something else than pairs of hexadecimal digits behind 0x`,
    );
  return bounded(identityFrom(IdType.KEY_ID, fromHex(digits)));
}

function parseName(text: string, idType: typeof IdType.FQDN | typeof IdType.RFC822_ADDR): Result<Identity> {
  const valid =
    idType === IdType.FQDN ? HOST_NAME.test(text) : MAIL_ADDRESS.test(text) && PRINTABLE.test(text);
  if (!valid)
    return fail(
      'bad-identity',
      `"${text}" is not ${idType === IdType.FQDN ? 'a host name' : 'an email address'}; write keyid:${text} to send it as opaque octets`,
    );
  return bounded(identityFrom(idType, new TextEncoder().encode(text)));
}

function bounded(identity: Identity): Result<Identity> {
  return identity.data.length <= MAX_IDENTITY_BYTES
    ? ok(identity)
    : fail(
        'bad-identity',
        `an identity has at most ${MAX_IDENTITY_BYTES} octets, this one has ${identity.data.length}`,
      );
}

function lowerCase(octet: number): number {
  return octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet;
}
