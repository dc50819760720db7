// Wireshark's dissectors as a witness: runs tshark over a capture with the keys of a key log, and gives back what it saw in
// each frame and what it complained of. The program is Debian's package `tshark`.

import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { toHex } from '../../lib/bytes.ts';
import type { KeyLogEntry } from '../../lib/ike/events.ts';
import { type CapturedDatagram, writePcap } from './pcap.ts';

const run = promisify(execFile);
const TIME_LIMIT_MS = 60_000;
const OUTPUT_LIMIT_BYTES = 256 * 1024 * 1024;
/** Expert severities from "warning" on. */
const WARNING = 0x600000;

/** One line of a dissection. */
export interface Field {
  /** Wireshark's name for it, for example `isakmp.notify.msgtype`. */
  readonly name: string;
  /** The value alone. */
  readonly value: string;
  /** The line as Wireshark shows it. */
  readonly text: string;
}

/** One frame as tshark understood it. */
export interface Dissection {
  /** Counts from 1. */
  readonly frame: number;
  readonly fields: readonly Field[];
  /** Malformed packets, wrong check values, expert remarks of warning or error. */
  readonly warnings: readonly string[];
}

/** `skip` of a test: false when tshark is here, otherwise the reason with what to install. */
export function skipWithoutTshark(): string | false {
  if (spawnSync('tshark', ['--version'], { stdio: 'ignore' }).status === 0) return false;
  const reason = 'SKIPPED, NOT PROVED: tshark is not installed. Run `apt-get install tshark` and test again.';
  process.stderr.write(`${reason}\n`);
  return reason;
}

/** Dissects datagrams through a capture file of their own, which is removed afterwards. */
export async function dissectDatagrams(
  datagrams: readonly CapturedDatagram[],
  keys: readonly KeyLogEntry[] = [],
): Promise<Dissection[]> {
  const folder = await mkdtemp(join(tmpdir(), 'ike-native-tshark-'));
  try {
    const path = join(folder, 'capture.pcap');
    writePcap(path, datagrams);
    return await dissect(path, keys);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Dissects a capture file. Rejects when tshark itself fails, for example on keys that it cannot read. */
export async function dissect(pcapPath: string, keys: readonly KeyLogEntry[] = []): Promise<Dissection[]> {
  const args = ['-n', '-r', pcapPath, '-T', 'pdml', ...keyOptions(keys)];
  const { stdout } = await run('tshark', args, { timeout: TIME_LIMIT_MS, maxBuffer: OUTPUT_LIMIT_BYTES });
  return stdout
    .split('<packet>')
    .slice(1)
    .map((xml, index) => readPacket(xml, index + 1));
}

/** The values of one field in a dissection, in order. */
export function valuesOf(dissection: Dissection, name: string): string[] {
  return dissection.fields.filter((field) => field.name === name).map((field) => field.value);
}

/** The numbers of the IKEv2 payloads in a frame, those inside SK after it; proposals and transforms are not payloads. */
export function payloadNumbers(dissection: Dissection): number[] {
  return valuesOf(dissection, 'isakmp.typepayload')
    .map(Number)
    .filter((number) => number > 3);
}

/** tshark's `-o` options for the keys: SK payloads are decrypted and their check values held against SK_a. */
export function keyOptions(keys: readonly KeyLogEntry[]): string[] {
  const checks = [
    'ip.check_checksum',
    'udp.check_checksum',
    'esp.enable_encryption_decode',
    'esp.enable_authentication_check',
  ];
  const options = checks.flatMap((name) => ['-o', `${name}:TRUE`]);
  // AH hides nothing, and tshark takes no keys for it.
  for (const entry of keys)
    if (entry.kind === 'ikev1') options.push('-o', ikev1Row(entry));
    else if (entry.kind !== 'ah') options.push('-o', entry.kind === 'ike' ? ikeRow(entry) : espRow(entry));
  return options;
}

const IKE_INTEGRITY: Readonly<Record<string, string>> = {
  sha1: 'HMAC_SHA1_96 [RFC2404]',
  sha256: 'HMAC_SHA2_256_128 [RFC4868]',
  sha384: 'HMAC_SHA2_384_192 [RFC4868]',
  sha512: 'HMAC_SHA2_512_256 [RFC4868]',
};
const ESP_INTEGRITY: Readonly<Record<string, string>> = {
  sha1: 'HMAC-SHA-1-96 [RFC2404]',
  sha256: 'HMAC-SHA-256-128 [RFC4868]',
  sha384: 'HMAC-SHA-384-192 [RFC4868]',
  sha512: 'HMAC-SHA-512-256 [RFC4868]',
};

function ikev1Row(entry: Extract<KeyLogEntry, { kind: 'ikev1' }>): string {
  return `uat:ikev1_decryption_table:${entry.initiatorSpi},${toHex(entry.encryptionKey)}`;
}

function ikeRow(entry: Extract<KeyLogEntry, { kind: 'ike' }>): string {
  const gcm = /^aes(\d+)gcm16$/.exec(entry.encryption);
  const cbc = /^aes(\d+)$/.exec(entry.encryption);
  const encryption = gcm ? `AES-GCM-${gcm[1]} with 16 octet ICV [RFC5282]` : `AES-CBC-${cbc?.[1]} [RFC3602]`;
  if (gcm === null && cbc === null) throw new RangeError(`tshark has no cipher for ${entry.encryption}`);
  const integrity = named(IKE_INTEGRITY, entry.integrity, 'NONE [RFC4306]');
  const columns = [
    entry.initiatorSpi,
    entry.responderSpi,
    toHex(entry.skEi),
    toHex(entry.skEr),
    `"${encryption}"`,
    toHex(entry.skAi),
    toHex(entry.skAr),
    `"${integrity}"`,
  ];
  return `uat:ikev2_decryption_table:${columns.join(',')}`;
}

function espRow(entry: Extract<KeyLogEntry, { kind: 'esp' }>): string {
  const isGcm = /^aes\d+gcm16$/.test(entry.encryption);
  const columns = [
    entry.source.includes(':') ? 'IPv6' : 'IPv4',
    entry.source,
    entry.destination,
    `0x${entry.spi}`,
    isGcm ? 'AES-GCM with 16 octet ICV [RFC4106]' : 'AES-CBC [RFC3602]',
    `0x${toHex(entry.encryptionKey)}`,
    named(ESP_INTEGRITY, entry.integrity, 'NULL'),
    entry.integrityKey.length === 0 ? '' : `0x${toHex(entry.integrityKey)}`,
  ];
  return `uat:esp_sa:${columns.map((column) => `"${column}"`).join(',')}`;
}

function named(table: Readonly<Record<string, string>>, name: string | undefined, none: string): string {
  if (name === undefined) return none;
  const found = table[name];
  if (found === undefined) throw new RangeError(`tshark has no integrity algorithm for ${name}`);
  return found;
}

function readPacket(xml: string, frame: number): Dissection {
  const fields: Field[] = [];
  const warnings: string[] = [];
  for (const [, tag] of xml.matchAll(/<(?:field|proto) ([^>]*)>/g)) {
    const name = attribute(tag, 'name');
    const field = { name, value: attribute(tag, 'show'), text: attribute(tag, 'showname') };
    fields.push(field);
    if (name.startsWith('_ws.malformed') || field.text.includes('[incorrect'))
      warnings.push(field.text || name);
    // An expert remark's severity stands behind its message.
    if (name === '_ws.expert.severity' && Number(field.value) >= WARNING)
      warnings.push(fields.findLast((other) => other.name === '_ws.expert.message')?.text ?? field.text);
  }
  return { frame, fields, warnings };
}

function attribute(tag: string, name: string): string {
  const raw = new RegExp(`(?:^| )${name}="([^"]*)"`).exec(tag)?.[1] ?? '';
  return raw
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&#x27;', "'")
    .replaceAll('&amp;', '&');
}
