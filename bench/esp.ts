// `npm run bench:esp [-- --json FILE]`: a packet through the engine's ESP (number, padding, AES-GCM, ICV; window, ICV, selectors on the
// way in), in batches as the worker does it, without sockets. Beside it plain OpenSSL as a simple daemon calls it: a context, a key
// schedule and AES-GCM over as many bytes for each packet, without any ESP around it (`baselineGcm` in addon/napi/baseline.cc).
// Both run inside C++ on copies of one packet, so that no call from JavaScript is in the figures.

import { randomBytes } from 'node:crypto';
import { algorithm } from '../lib/crypto/algorithms.ts';
import type { SaParameters } from '../lib/ipsec/data-plane.ts';
import { nativeSa } from '../lib/ipsec/engine/index.ts';
import { loadAddon } from '../lib/ipsec/engine/native.ts';
import { parseSelector } from '../lib/ipsec/selector.ts';
import { type Row, readOptions, report, versus } from './lib/harness.ts';

const SIZES = [64, 256, 1_420, 8_192] as const;
const SUITES = ['aes128gcm16', 'aes256gcm16'] as const;
/** Ten batches of the engine a call. */
const PACKETS_PER_CALL = 640;

const argv = process.argv.slice(2);
readOptions(argv);

const { EspCodec, baselineGcm } = loadAddon();
const rows: Row[] = [];
for (const suite of SUITES)
  for (const bytes of SIZES)
    for (const way of ['seal', 'open'] as const) rows.push(perPacket(contest(suite, bytes, way)));
report(rows, argv);

function contest(suite: (typeof SUITES)[number], bytes: number, way: 'seal' | 'open'): Row {
  const sa = saOf(suite);
  const sender = new EspCodec(nativeSa({ ...sa, direction: 'out' }));
  // No replay window: the same packet comes again and again.
  const receiver = new EspCodec(nativeSa({ ...sa, direction: 'in', replayWindow: 0 }));
  const packet = ipv4(bytes);
  const [sealed] = sender.seal([packet]);
  if (typeof sealed === 'string') throw new Error(`the packet was dropped: ${sealed}`);
  const key = sa.encryptionKey.subarray(0, sa.encryption.keyBits / 8);
  // Without header, IV and ICV: the text with its padding.
  const text = new Uint8Array(sealed.length - 8 - 8 - 16);
  return versus({
    bench: 'esp',
    case: `${way} ${suite}`,
    bytes,
    ours:
      way === 'seal'
        ? () => sender.sealRepeatedly(packet, PACKETS_PER_CALL)
        : () => receiver.openRepeatedly(sealed, PACKETS_PER_CALL),
    peer: 'OpenSSL EVP',
    theirs: () => baselineGcm(key, text, PACKETS_PER_CALL, way === 'seal'),
  });
}

function perPacket(row: Row): Row {
  return {
    ...row,
    ours: row.ours / PACKETS_PER_CALL,
    theirs: row.theirs === null ? null : row.theirs / PACKETS_PER_CALL,
  };
}

function saOf(suite: string): SaParameters {
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
