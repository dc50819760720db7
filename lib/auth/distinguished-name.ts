// Distinguished names (RFC 5280 §4.1.2.4) as text, as DER and for comparison. Text stands in the order of the encoding, as
// swanctl writes it: `C=CH, O=Example, CN=hq`; `+` joins values of one RDN, `\` escapes as in RFC 4514 §2.4, `#` begins DER in hex.
//
// Two names are the same when their attributes are, in order, without regard to string type, ASCII case and repeated spaces
// (RFC 5280 §7.1). In a pattern the value `*` stands for any.

import { AsnConvert } from '@peculiar/asn1-schema';
import { AttributeTypeAndValue, AttributeValue, Name, RelativeDistinguishedName } from '@peculiar/asn1-x509';
import { toHex } from '../bytes.ts';
import { fail, ok, type Result } from '../errors.ts';

/** A name for comparison: for each RDN its `type=value` pairs, folded and sorted. */
export type ComparableName = readonly string[];

/** The attributes that have a short name in text: RFC 4519, RFC 4514 §3 and what openssl and swanctl write. */
const ATTRIBUTES: readonly (readonly [oid: string, ...names: string[]])[] = [
  ['2.5.4.3', 'CN'],
  ['2.5.4.4', 'SN', 'surname'],
  ['2.5.4.5', 'serialNumber'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST', 'S'],
  ['2.5.4.9', 'street'],
  ['2.5.4.10', 'O'],
  ['2.5.4.11', 'OU'],
  ['2.5.4.12', 'title', 'T'],
  ['2.5.4.13', 'description', 'D'],
  ['2.5.4.17', 'postalCode'],
  ['2.5.4.42', 'GN', 'givenName', 'G'],
  ['2.5.4.43', 'initials', 'I'],
  ['2.5.4.46', 'dnQualifier'],
  ['1.2.840.113549.1.9.1', 'E', 'emailAddress', 'email'],
  ['1.2.840.113549.1.9.2', 'unstructuredName', 'UN'],
  ['1.2.840.113549.1.9.8', 'unstructuredAddress', 'UA'],
  ['0.9.2342.19200300.100.1.1', 'UID'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
];
const NAME_OF = new Map(ATTRIBUTES.map(([oid, name]) => [oid, name]));
const OID_OF = new Map(
  ATTRIBUTES.flatMap(([oid, ...names]) => names.map((name) => [name.toLowerCase(), oid])),
);
const EMAIL_ADDRESS = '1.2.840.113549.1.9.1';
const DOMAIN_COMPONENT = '0.9.2342.19200300.100.1.25';
const COUNTRY = '2.5.4.6';

const PRINTABLE_STRING = /^[A-Za-z0-9 '()+,\-./:=?]*$/;
const OID = /^[0-2](?:\.\d{1,15}){1,15}$/;
const MAX_RDNS = 64;
/** Of names in DER: identities come before anybody is authenticated. */
const MAX_NAME_BYTES = 2048;

/** Reading costs milliseconds, and one identity is held against many connections. Nobody changes the bytes of an identity. */
const readBefore = new WeakMap<Uint8Array, Name | 'none'>();
/** A value is escaped wherever it is not plain printable ASCII. */
const PLAIN = /[\x20-\x7e]/;

/** What matches every value of an attribute in a pattern. */
const ANY = '*';

/** Whether a text is written like a distinguished name. */
export function looksLikeName(text: string): boolean {
  return /^\s*[A-Za-z0-9.]+\s*=/.test(text);
}

/** Text to DER. */
export function parseName(text: string): Result<Uint8Array> {
  const bad = (why: string) => fail('bad-identity', `"${text}" is no distinguished name: ${why}`);
  const rdns: RelativeDistinguishedName[] = [];
  let pairs: AttributeTypeAndValue[] = [];
  let at = 0;
  for (;;) {
    const key = /\s*([A-Za-z0-9.]+)\s*=\s*/y;
    key.lastIndex = at;
    const match = key.exec(text);
    if (match === null) return bad(`expected something like "CN=hq" at "${text.slice(at, at + 20)}"`);
    const oid = OID_OF.get(match[1].toLowerCase()) ?? (OID.test(match[1]) ? match[1] : undefined);
    if (oid === undefined) return bad(`the attribute ${match[1]} is not known; write its object identifier`);
    const read = readValue(text, key.lastIndex);
    if (read === undefined) return bad(`the value of ${match[1]} is not well escaped`);
    const value = makeValue(oid, read.value);
    if (value === undefined) return bad(`the value of ${match[1]} cannot be encoded`);
    pairs.push(new AttributeTypeAndValue({ type: oid, value }));
    at = read.end;
    const separator = text[at++];
    if (separator === '+') continue;
    rdns.push(new RelativeDistinguishedName(pairs));
    pairs = [];
    if (rdns.length > MAX_RDNS) return bad(`it has more than ${MAX_RDNS} parts`);
    if (separator === undefined) return ok(new Uint8Array(AsnConvert.serialize(new Name(rdns))));
  }
}

/** DER to a Name; undefined for anything else. */
export function decodeName(der: Uint8Array): Name | undefined {
  const before = readBefore.get(der);
  if (before !== undefined) return before === 'none' ? undefined : before;
  const name = readDer(der);
  readBefore.set(der, name ?? 'none');
  return name;
}

function readDer(der: Uint8Array): Name | undefined {
  if (der.length > MAX_NAME_BYTES) return undefined;
  try {
    const name = AsnConvert.parse(der, Name);
    // Bytes behind the name, or another way to write it, would make two names of one.
    return Buffer.from(AsnConvert.serialize(name)).equals(der) && name.length <= MAX_RDNS ? name : undefined;
  } catch {
    return undefined;
  }
}

export function encodeName(name: Name): Uint8Array {
  return new Uint8Array(AsnConvert.serialize(name));
}

/** Text without control characters, which {@link parseName} reads back to an equal name. */
export function formatName(name: Name): string {
  return name
    .map((rdn) =>
      rdn.map(({ type, value }) => `${NAME_OF.get(type) ?? type}=${formatValue(value)}`).join('+'),
    )
    .join(', ');
}

export function comparableName(name: Name): ComparableName {
  return name.map((rdn) =>
    rdn
      .map(({ type, value }) => `${type}=${comparableValue(value)}`)
      .sort()
      .join('\0'),
  );
}

export function sameName(a: ComparableName, b: ComparableName): boolean {
  return a.length === b.length && a.every((rdn, i) => rdn === b[i]);
}

/** Whether `name` begins with all of `base`: it lies in that subtree (RFC 5280 §4.2.1.10). */
export function isWithin(name: ComparableName, base: ComparableName): boolean {
  return name.length >= base.length && base.every((rdn, i) => rdn === name[i]);
}

/** Whether a name fits a pattern, in which the value `*` stands for any value of its attribute. */
export function matchName(pattern: ComparableName, name: ComparableName): boolean {
  return (
    pattern.length === name.length &&
    pattern.every((rdn, i) => {
      const wanted = rdn.split('\0');
      const found = name[i].split('\0');
      return (
        wanted.length === found.length &&
        wanted.every((pair, j) => {
          const [type] = pair.split('=', 1);
          return pair === found[j] || (pair === `${type}=${ANY}` && found[j].startsWith(`${type}=`));
        })
      );
    })
  );
}

/** Whether a pattern has a `*`. */
export function hasWildcard(name: ComparableName): boolean {
  return name.some((rdn) => rdn.split('\0').some((pair) => pair.endsWith(`=${ANY}`)));
}

/** The mail addresses in a name (RFC 5280 §4.2.1.10 constrains them too). */
export function mailAddressesIn(name: Name): string[] {
  return name.flatMap((rdn) =>
    rdn.filter(({ type }) => type === EMAIL_ADDRESS).map(({ value }) => value.toString()),
  );
}

/** A value up to the next `,` or `+` that is not escaped. */
function readValue(text: string, start: number): { value: string | Uint8Array; end: number } | undefined {
  const quoted = text[start] === '"';
  const bytes: number[] = [];
  let at = quoted ? start + 1 : start;
  // Spaces at the end count only where they are escaped.
  let kept = 0;
  for (; at < text.length; at++) {
    const character = text[at];
    if (quoted ? character === '"' : character === ',' || character === '+') break;
    if (character === '\\') {
      const hex = /[0-9a-fA-F]{2}/y;
      hex.lastIndex = at + 1;
      const match = hex.exec(text);
      if (match !== null) bytes.push(Number.parseInt(match[0], 16));
      else if (at + 1 < text.length) bytes.push(...new TextEncoder().encode(text[at + 1]));
      else return undefined;
      at += match === null ? 1 : 2;
      kept = bytes.length;
      continue;
    }
    const code = text.codePointAt(at) ?? 0;
    bytes.push(...new TextEncoder().encode(String.fromCodePoint(code)));
    if (code > 0xffff) at++;
    if (quoted || character !== ' ') kept = bytes.length;
  }
  if (quoted) {
    if (text[at] !== '"') return undefined;
    at++;
    while (text[at] === ' ') at++;
    if (at < text.length && text[at] !== ',' && text[at] !== '+') return undefined;
  }
  const raw = text.slice(start, at).trim();
  if (!quoted && /^#(?:[0-9a-fA-F]{2})+$/.test(raw))
    return { value: new Uint8Array(Buffer.from(raw.slice(1), 'hex')), end: at };
  try {
    return {
      value: new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes.slice(0, kept))),
      end: at,
    };
  } catch {
    return undefined;
  }
}

function makeValue(oid: string, value: string | Uint8Array): AttributeValue | undefined {
  if (typeof value !== 'string') {
    try {
      return AsnConvert.parse(value, AttributeValue);
    } catch {
      return undefined;
    }
  }
  if (oid === EMAIL_ADDRESS || oid === DOMAIN_COMPONENT)
    return /^[\x00-\x7f]*$/.test(value) ? new AttributeValue({ ia5String: value }) : undefined;
  if (oid === COUNTRY && value !== ANY && !/^[A-Za-z]{2}$/.test(value)) return undefined;
  return PRINTABLE_STRING.test(value)
    ? new AttributeValue({ printableString: value })
    : new AttributeValue({ utf8String: value });
}

function formatValue(value: AttributeValue): string {
  if (value.anyValue !== undefined) return `#${toHex(new Uint8Array(value.anyValue))}`;
  const text = value.toString();
  let out = '';
  for (const character of text)
    if (PLAIN.test(character)) out += /[,+"\\<>;]/.test(character) ? `\\${character}` : character;
    else for (const octet of new TextEncoder().encode(character)) out += `\\${toHex(Uint8Array.of(octet))}`;
  return out.replace(/^[# ]/, '\\$&').replace(/(?<=[^\\]) $/, '\\ ');
}

function comparableValue(value: AttributeValue): string {
  if (value.anyValue !== undefined) return `#${toHex(new Uint8Array(value.anyValue))}`;
  const text = value.toString().trim().replace(/\s+/g, ' ');
  const folded = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  // What holds the names apart inside must not come from a value.
  return folded.replace(/[\0\\]/g, (character) => (character === '\0' ? '\\0' : '\\\\'));
}
