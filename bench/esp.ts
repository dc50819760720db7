// `npm run bench:esp [-- --json FILE]`: nanoseconds a packet through the engine's ESP (number, padding, cipher, ICV; window, ICV,
// selectors on the way in), in batches as the worker does it, on one thread, without sockets. Three questions:
// - each AES-GCM kernel against OpenSSL's EVP in the same loop, with a context that is kept with the SA;
// - the fastest kernel against OpenSSL as a simple daemon calls it, a context and a key schedule for each packet and no ESP around;
// - ESP against the bare kernel over as many bytes: what header, padding, number, window and selectors cost (ratio 0.77 is 1.3 times).
// All run inside C++ on copies of one packet, so that no call from JavaScript is in the figures. IMIX: of twelve packets seven have 64
// bytes, four 576 and one 1,420.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { algorithm } from '../lib/crypto/algorithms.ts';
import type { EspParameters } from '../lib/ipsec/data-plane.ts';
import { nativeSa } from '../lib/ipsec/engine/index.ts';
import { loadAddon, type NativeEspCodec } from '../lib/ipsec/engine/native.ts';
import { parseSelector } from '../lib/ipsec/selector.ts';
import { type Row, readOptions, report, versus } from './lib/harness.ts';

type Way = 'seal' | 'open';

const WAYS = ['seal', 'open'] as const;
const IMIX = [64, 576, 64, 64, 576, 64, 1_420, 64, 576, 64, 64, 576] as const;
const SIZES = [[64], [256], [512], [1_420], IMIX] as const;
/** Ten batches of the engine a call, and a whole number of IMIX rounds. */
const PACKETS_PER_CALL = 1_920;
const ESP_TRAILER_BYTES = 2;

const argv = process.argv.slice(2);
readOptions(argv);

const { EspCodec, GcmCipher, baselineGcm, gcmKernels } = loadAddon();
const kernels = gcmKernels();
const fastest = kernels[0];
const rows: Row[] = [];
for (const kernel of kernels)
  for (const sizes of SIZES)
    for (const way of WAYS) rows.push(kernel === 'evp' ? simple(sizes, way) : kept(kernel, sizes, way));
if (fastest !== 'evp')
  for (const sizes of SIZES) if (sizes.length === 1) for (const way of WAYS) rows.push(bare(sizes[0], way));
report(rows, argv);
const wanted = ['aes', 'pclmulqdq', 'avx2', 'avx512f', 'vaes', 'vpclmulqdq', 'pmull'];
const flags =
  /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' ') ?? [];
process.stdout.write(
  `\nkernels ${kernels.join(', ')}; processor: ${wanted.filter((flag) => flags.includes(flag)).join(' ')}\n`,
);

/** A kernel against EVP with a context that is kept, both inside ESP. */
function kept(kernel: string, sizes: readonly number[], way: Way): Row {
  return contest(
    `${way} ${nameOf(sizes)} by ${kernel}`,
    sizes,
    way,
    kernel,
    'the same with EVP, context kept',
    (sa) => loop(sa, sizes, way, 'evp'),
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
        for (const { text, rounds } of shares) baselineGcm(key, text, rounds, way === 'seal');
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

function contest(
  name: string,
  sizes: readonly number[],
  way: Way,
  kernel: string,
  peer: string,
  theirs: (sa: EspParameters) => () => void,
): Row {
  const sa = saOf('aes128gcm16');
  const row = versus({
    bench: 'esp',
    case: name,
    ...(sizes.length === 1 ? { bytes: sizes[0] } : {}),
    ours: loop(sa, sizes, way, kernel),
    peer,
    theirs: theirs(sa),
  });
  return {
    ...row,
    ours: row.ours / PACKETS_PER_CALL,
    theirs: row.theirs === null ? null : row.theirs / PACKETS_PER_CALL,
  };
}

/** Many packets through one SA. */
function loop(sa: EspParameters, sizes: readonly number[], way: Way, kernel: string): () => void {
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
  const encryption = algorithm('encr', suite);
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
