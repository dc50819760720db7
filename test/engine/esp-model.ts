// ESP built and read with node:crypto alone, from the text of the RFCs: what the engine's codec is compared with. Slow and plain.

import { type CipherGCMTypes, createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { concat, equalBytes, uint32, uint64 } from '../../lib/bytes.ts';
import { algorithm } from '../../lib/crypto/algorithms.ts';
import type { EspParameters } from '../../lib/ipsec/data-plane.ts';
import { nativeSa } from '../../lib/ipsec/engine/index.ts';
import { loadAddon, type NativeEspCodec } from '../../lib/ipsec/engine/native.ts';
import { parseSelector, type TrafficSelector } from '../../lib/ipsec/selector.ts';

export const GCM = ['aes128gcm16', 'aes192gcm16', 'aes256gcm16'] as const;
export const CBC = ['aes128', 'aes192', 'aes256'] as const;
export const HMACS = ['sha1', 'sha256', 'sha384', 'sha512'] as const;
/** Every suite of the engine, as in proposals. */
export const SUITES: readonly string[] = [...GCM, ...CBC.flatMap((c) => HMACS.map((h) => `${c}-${h}`))];

export const SPI = 0xc0ffee01;

export function selector(text: string): TrafficSelector {
  const parsed = parseSelector(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

/** The parameters of an SA with random keys. `suite`: `aes128gcm16`, `aes256-sha384`. */
export function saOf(suite: string, changes: Partial<EspParameters> = {}): EspParameters {
  const [cipher, hmac] = suite.split('-');
  const encryption = algorithm('encr', cipher);
  const integrity = hmac === undefined ? undefined : algorithm('integ', hmac);
  return {
    id: 1,
    direction: 'out',
    protocol: 'esp',
    mode: 'tunnel',
    spi: SPI,
    policyId: 1,
    local: { address: '192.0.2.1', port: 4500 },
    remote: { address: '192.0.2.2', port: 4500 },
    udpEncapsulation: true,
    encryption,
    encryptionKey: randomBytes(encryption.keyBits / 8 + encryption.saltBytes),
    ...(integrity === undefined ? {} : { integrity, integrityKey: randomBytes(integrity.keyBytes) }),
    esn: false,
    replayWindow: 64,
    localTs: [selector('0.0.0.0/0'), selector('::/0')],
    remoteTs: [selector('0.0.0.0/0'), selector('::/0')],
    ...changes,
  };
}

/** The engine's codec for one direction of an SA; `last`: the last sequence number used. */
export function codec(sa: EspParameters, direction: 'in' | 'out', last = 0n): NativeEspCodec {
  const { EspCodec } = loadAddon();
  return new EspCodec(nativeSa({ ...sa, direction }), Number(last >> 32n), Number(last & 0xffffffffn));
}

export interface SealOptions {
  readonly nextHeader?: number;
  /** Everything after the payload up to the next header: pad bytes and their count. */
  readonly padding?: Uint8Array;
}

/** The ESP packet that carries `payload` as number `sequence`. */
export function modelSeal(
  sa: EspParameters,
  sequence: bigint,
  payload: Uint8Array,
  options: SealOptions = {},
): Uint8Array {
  const align = Math.max(4, sa.encryption.blockBytes);
  const padLength = (align - ((payload.length + 2) % align)) % align;
  const padding =
    options.padding ?? Uint8Array.from([...Array.from({ length: padLength }, (_, i) => i + 1), padLength]);
  const nextHeader = options.nextHeader ?? ((payload[0] ?? 0x40) >> 4 === 6 ? 41 : 4);
  const text = concat(payload, padding, Uint8Array.of(nextHeader));
  const header = concat(uint32(sa.spi), uint32(Number(sequence & 0xffffffffn)));
  const high = uint32(Number(sequence >> 32n));
  if (sa.integrity === undefined) {
    const iv = randomBytes(8);
    const cipher = createCipheriv(gcmName(sa), gcmKey(sa), concat(gcmSalt(sa), iv));
    cipher.setAAD(sa.esn ? concat(uint32(sa.spi), uint64(sequence)) : header);
    return concat(header, iv, cipher.update(text), cipher.final(), cipher.getAuthTag());
  }
  const iv = randomBytes(16);
  const cipher = createCipheriv(`aes-${sa.encryption.keyBits}-cbc`, sa.encryptionKey, iv).setAutoPadding(
    false,
  );
  const sealed = concat(header, iv, cipher.update(text), cipher.final());
  return concat(sealed, hmacOf(sa, sa.esn ? concat(sealed, high) : sealed));
}

export interface Opened {
  readonly spi: number;
  readonly sequenceLow: number;
  readonly iv: Uint8Array;
  readonly payload: Uint8Array;
  readonly padding: Uint8Array;
  readonly nextHeader: number;
}

/** Reads an ESP packet whose high half of the sequence number is known. Throws when its ICV is wrong. */
export function modelOpen(sa: EspParameters, packet: Uint8Array, sequenceHigh = 0): Opened {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const ivBytes = sa.encryption.ivBytes;
  const icvBytes = sa.integrity?.icvBytes ?? 16;
  const iv = packet.subarray(8, 8 + ivBytes);
  const sealed = packet.subarray(8 + ivBytes, packet.length - icvBytes);
  const icv = packet.subarray(packet.length - icvBytes);
  let text: Uint8Array;
  if (sa.integrity === undefined) {
    const decipher = createDecipheriv(gcmName(sa), gcmKey(sa), concat(gcmSalt(sa), iv));
    const header = packet.subarray(0, 8);
    decipher.setAAD(
      sa.esn ? concat(header.subarray(0, 4), uint32(sequenceHigh), header.subarray(4)) : header,
    );
    decipher.setAuthTag(icv);
    text = concat(decipher.update(sealed), decipher.final());
  } else {
    const covered = packet.subarray(0, packet.length - icvBytes);
    if (!equalBytes(icv, hmacOf(sa, sa.esn ? concat(covered, uint32(sequenceHigh)) : covered)))
      throw new Error('ICV');
    const decipher = createDecipheriv(`aes-${sa.encryption.keyBits}-cbc`, sa.encryptionKey, iv);
    decipher.setAutoPadding(false);
    text = concat(decipher.update(sealed), decipher.final());
  }
  const padLength = text[text.length - 2];
  return {
    spi: view.getUint32(0),
    sequenceLow: view.getUint32(4),
    iv,
    payload: text.subarray(0, text.length - 2 - padLength),
    padding: text.subarray(text.length - 2 - padLength, text.length - 2),
    nextHeader: text[text.length - 1],
  };
}

/** An IPv4 packet of UDP (or `protocol`) with that many bytes after its header. */
export function ipv4(
  bodyBytes: number,
  changes: { protocol?: number; source?: number[]; destination?: number[] } = {},
): Uint8Array {
  const packet = randomBytes(20 + bodyBytes);
  packet.fill(0, 0, 20);
  packet[0] = 0x45;
  packet.writeUInt16BE(packet.length, 2);
  packet[8] = 64;
  packet[9] = changes.protocol ?? 253;
  packet.set(changes.source ?? [10, 1, 0, 1], 12);
  packet.set(changes.destination ?? [10, 2, 0, 1], 16);
  return new Uint8Array(packet);
}

/** An IPv6 packet of an experimental protocol with that many bytes after its header. */
export function ipv6(bodyBytes: number): Uint8Array {
  const packet = randomBytes(40 + bodyBytes);
  packet.fill(0, 0, 40);
  packet[0] = 0x60;
  packet.writeUInt16BE(bodyBytes, 4);
  packet[6] = 253;
  packet[8] = packet[24] = 0xfd;
  packet[23] = 1;
  packet[39] = 2;
  return new Uint8Array(packet);
}

function gcmName(sa: EspParameters): CipherGCMTypes {
  return `aes-${sa.encryption.keyBits}-gcm` as CipherGCMTypes;
}

function gcmKey(sa: EspParameters): Uint8Array {
  return sa.encryptionKey.subarray(0, sa.encryption.keyBits / 8);
}

function gcmSalt(sa: EspParameters): Uint8Array {
  return sa.encryptionKey.subarray(sa.encryption.keyBits / 8);
}

function hmacOf(sa: EspParameters, data: Uint8Array): Uint8Array {
  const { integrity, integrityKey } = sa;
  if (integrity === undefined || integrityKey === undefined)
    throw new TypeError('an SA without integrity algorithm');
  return createHmac(integrity.name, integrityKey).update(data).digest().subarray(0, integrity.icvBytes);
}
