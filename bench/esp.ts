// `npm run bench:esp [-- --json FILE]`: nanoseconds a packet through the engine's ESP (number, padding, cipher, ICV; window, ICV,
// selectors on the way in), in batches as the worker does it, on one thread, without sockets. Four questions:
// - each AES-GCM kernel against OpenSSL's EVP in the same loop, with a context that is kept with the SA;
// - the fastest kernel against OpenSSL as a simple daemon calls it, a context and a key schedule for each packet and no ESP around;
// - ESP against the bare kernel over as many bytes: what header, padding, number, window and selectors cost (ratio 0.77 is 1.3 times);
// - ESP with every other suite, against OpenSSL's EVP alone over as many bytes with contexts that are kept, where it has the suite.
// All run inside C++ on copies of one packet, so that no call from JavaScript is in the figures. IMIX: of twelve packets seven have 64
// bytes, four 576 and one 1,420.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { algorithm } from '../lib/crypto/algorithms.ts';
import type { EspParameters } from '../lib/ipsec/data-plane.ts';
import { nativeSa } from '../lib/ipsec/engine/index.ts';
import { loadAddon, type NativeEspCodec } from '../lib/ipsec/engine/native.ts';
import { parseSelector } from '../lib/ipsec/selector.ts';
import { micro, type Row, readOptions, report, row, versus } from './lib/harness.ts';

type Way = 'seal' | 'open';

const WAYS = ['seal', 'open'] as const;
const IMIX = [64, 576, 64, 64, 576, 64, 1_420, 64, 576, 64, 64, 576] as const;
const SIZES = [[64], [256], [512], [1_420], IMIX] as const;
/** Ten batches of the engine a call, and a whole number of IMIX rounds. */
const PACKETS_PER_CALL = 1_920;
const ESP_TRAILER_BYTES = 2;
const KEPT = 'the same with EVP, context kept';
const NOTHING = new Uint8Array(0);

/** The other suites, as in proposals, and what OpenSSL calls them. */
interface OtherSuite {
  readonly name: string;
  readonly evp?: { readonly cipher: string; readonly digest?: string };
}
const SUITES: readonly OtherSuite[] = [
  { name: 'aes256gcm16', evp: { cipher: 'AES-256-GCM' } },
  { name: 'chacha20poly1305', evp: { cipher: 'ChaCha20-Poly1305' } },
  { name: 'aes128-sha256', evp: { cipher: 'AES-128-CBC', digest: 'SHA256' } },
  { name: 'aes256-sha512', evp: { cipher: 'AES-256-CBC', digest: 'SHA512' } },
  { name: 'aes128-sha1', evp: { cipher: 'AES-128-CBC', digest: 'SHA1' } },
  { name: 'aes128ctr-sha256', evp: { cipher: 'AES-128-CTR', digest: 'SHA256' } },
  { name: '3des-sha1', evp: { cipher: 'DES-EDE3-CBC', digest: 'SHA1' } },
  { name: 'aes128ccm16' },
  { name: 'aes128gmac' },
  { name: 'aes128-aesxcbc' },
  { name: 'aes128-aescmac' },
  { name: 'null-sha256' },
];
const SUITE_SIZES = [64, 1_420] as const;

const argv = process.argv.slice(2);
readOptions(argv);

const { EspCodec, GcmCipher, baselineEvp, gcmKernels } = loadAddon();
const kernels = gcmKernels();
const fastest = kernels[0];
const rows: Row[] = [];
for (const kernel of kernels)
  for (const sizes of SIZES)
    for (const way of WAYS) rows.push(kernel === 'evp' ? simple(sizes, way) : kept(kernel, sizes, way));
if (fastest !== 'evp')
  for (const sizes of SIZES) if (sizes.length === 1) for (const way of WAYS) rows.push(bare(sizes[0], way));
for (const suite of SUITES)
  for (const size of SUITE_SIZES) for (const way of WAYS) rows.push(otherSuite(suite, size, way));
report(rows, argv);
process.stdout.write(`\n${rates(rows.filter((row) => row.peer === KEPT))}\n`);
const wanted = ['aes', 'pclmulqdq', 'avx2', 'avx512f', 'vaes', 'vpclmulqdq', 'pmull'];
const flags =
  /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' ') ?? [];
process.stdout.write(
  `\nkernels ${kernels.join(', ')}; processor: ${wanted.filter((flag) => flags.includes(flag)).join(' ')}\n`,
);

/** A kernel against EVP with a context that is kept, both inside ESP. */
function kept(kernel: string, sizes: readonly number[], way: Way): Row {
  return contest(`${way} ${nameOf(sizes)} by ${kernel}`, sizes, way, kernel, KEPT, (sa) =>
    loop(sa, sizes, way, 'evp'),
  );
}

/** The fastest kernel inside ESP against plain EVP, context and key schedule made for each packet. */
function simple(sizes: readonly number[], way: Way): Row {
  return contest(
    `${way} ${nameOf(sizes)} by ${fastest}`,
    sizes,
    way,
    fastest,
    'EVP, a context a packet',
    (sa) => {
      const key = sa.encryptionKey.subarray(0, sa.encryption.keyBits / 8);
      const shares = [...new Set(sizes)].map((size) => ({
        text: new Uint8Array(textBytes(size)),
        rounds: (PACKETS_PER_CALL * sizes.filter((other) => other === size).length) / sizes.length,
      }));
      return () => {
        for (const { text, rounds } of shares)
          baselineEvp('AES-128-GCM', key, undefined, NOTHING, text, rounds, way === 'seal', false);
      };
    },
  );
}

/** The fastest kernel inside ESP against itself without. */
function bare(size: number, way: Way): Row {
  return contest(`${way} ${size} by ${fastest}`, [size], way, fastest, 'the bare kernel', (sa) => {
    const cipher = new GcmCipher(fastest, sa.encryptionKey.subarray(0, sa.encryption.keyBits / 8), 16);
    return way === 'seal'
      ? () => cipher.sealRepeatedly(textBytes(size), PACKETS_PER_CALL)
      : () => cipher.openRepeatedly(textBytes(size), PACKETS_PER_CALL);
  });
}

/** ESP with a suite against EVP alone, or by itself where there is nothing to compare with. */
function otherSuite({ name, evp }: OtherSuite, size: number, way: Way): Row {
  const sa = saOf(name);
  const ours = loop(sa, [size], way);
  const what = { bench: 'esp', case: `${way} ${size} by ${name}`, bytes: size };
  if (evp === undefined)
    return row({
      ...what,
      ours: micro(what.case, ours) / PACKETS_PER_CALL,
      peer: 'nothing',
      unit: 'ns',
      better: 'lower',
    });
  const key = sa.encryptionKey.subarray(0, sa.encryption.keyBits / 8);
  const align = Math.max(4, sa.encryption.blockBytes);
  const text = new Uint8Array(Math.ceil((size + ESP_TRAILER_BYTES) / align) * align);
  return perPacket(
    versus({
      ...what,
      ours,
      peer: `EVP alone, ${[evp.cipher, evp.digest].filter(Boolean).join(' + ')}`,
      theirs: () =>
        baselineEvp(
          evp.cipher,
          key,
          evp.digest,
          sa.integrityKey ?? NOTHING,
          text,
          PACKETS_PER_CALL,
          way === 'seal',
          true,
        ),
    }),
  );
}

/** Packets and bits a second of the kernels, which the table has in nanoseconds. */
function rates(of: readonly Row[]): string {
  return of
    .map(({ case: name, bytes, ours }) => {
      const bits = (bytes ?? IMIX.reduce((sum, size) => sum + size, 0) / IMIX.length) * 8;
      return `${name}: ${(1_000 / ours).toFixed(2)} million packets/s, ${(bits / ours).toFixed(2)} Gbit/s`;
    })
    .join('\n');
}

function perPacket(row: Row): Row {
  return {
    ...row,
    ours: row.ours / PACKETS_PER_CALL,
    theirs: row.theirs === null ? null : row.theirs / PACKETS_PER_CALL,
  };
}

function contest(
  name: string,
  sizes: readonly number[],
  way: Way,
  kernel: string,
  peer: string,
  theirs: (sa: EspParameters) => () => void,
): Row {
  const sa = saOf('aes128gcm16');
  return perPacket(
    versus({
      bench: 'esp',
      case: name,
      ...(sizes.length === 1 ? { bytes: sizes[0] } : {}),
      ours: loop(sa, sizes, way, kernel),
      peer,
      theirs: theirs(sa),
    }),
  );
}

/** Many packets through one SA. */
function loop(sa: EspParameters, sizes: readonly number[], way: Way, kernel?: string): () => void {
  const open = (direction: 'in' | 'out'): NativeEspCodec =>
    // No replay window: the same packets come again and again.
    new EspCodec(nativeSa({ ...sa, direction, replayWindow: 0 }), 0, 0, kernel);
  const sender = open('out');
  const packets = sizes.map(ipv4);
  if (way === 'seal') return () => sender.sealRepeatedly(packets, PACKETS_PER_CALL);
  const sealed = sender.seal(packets).map((result) => {
    if (typeof result === 'string') throw new Error(`a packet was dropped: ${result}`);
    return result;
  });
  const receiver = open('in');
  return () => receiver.openRepeatedly(sealed, PACKETS_PER_CALL);
}

function nameOf(sizes: readonly number[]): string {
  return sizes.length === 1 ? String(sizes[0]) : 'IMIX';
}

/** What is encrypted of a packet: itself, padding and trailer. */
function textBytes(packetBytes: number): number {
  return Math.ceil((packetBytes + ESP_TRAILER_BYTES) / 4) * 4;
}

function saOf(suite: string): EspParameters {
  const [cipher, hmac] = suite.split('-');
  const encryption = algorithm('encr', cipher);
  const integrity = hmac === undefined ? undefined : algorithm('integ', hmac);
  const any = parseSelector('0.0.0.0/0');
  if (!any.ok) throw new Error(any.error.message);
  return {
    id: 1,
    direction: 'out',
    protocol: 'esp',
    mode: 'tunnel',
    spi: 0x1000,
    policyId: 1,
    local: { address: '192.0.2.1', port: 4500 },
    remote: { address: '192.0.2.2', port: 4500 },
    udpEncapsulation: true,
    encryption,
    encryptionKey: randomBytes(encryption.keyBits / 8 + encryption.saltBytes),
    ...(integrity === undefined ? {} : { integrity, integrityKey: randomBytes(integrity.keyBytes) }),
    esn: true,
    replayWindow: 64,
    localTs: [any.value],
    remoteTs: [any.value],
  };
}

/** An IPv4 packet of that length with a protocol that has no ports. */
function ipv4(lengthBytes: number): Uint8Array {
  const packet = randomBytes(lengthBytes).fill(0, 0, 20);
  packet[0] = 0x45;
  packet.writeUInt16BE(lengthBytes, 2);
  packet[9] = 253;
  return packet;
}
