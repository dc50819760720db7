// What goes over the wire between the hosts, as tcpdump in a namespace sees it: kept as frames that tests look into, and held
// against the one rule of a VPN, that no inner packet is seen in the clear.

import { readFileSync } from 'node:fs';
import { formatAddress } from '../../../lib/net/address.ts';
import type { CapturedDatagram } from '../../lib/pcap.ts';
import { type Host, inside } from './network.ts';
import { Daemon, pause } from './shell.ts';

/** An IP packet on the wire. */
export interface Frame {
  readonly atMs: number;
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  /** Zero where the protocol has none. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Behind the UDP header, or behind the IP header with other protocols. */
  readonly payload: Uint8Array;
}

const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERNET_HEADER_BYTES = 14;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const IPV4_HEADER_BYTES = 20;
const IPV6_HEADER_BYTES = 40;
const UDP = 17;
const ESP = 50;
/** The networks behind the hosts, and a pattern that pings carry: neither may be seen outside ESP. */
const INNER = /^(10\.[12]\.|fd00:[12]:)/;
const MARK_HEX = '6c6561766573206e6f20747261636521';

/** What `ping -p` repeats in its packets. */
export const PING_PATTERN = MARK_HEX;

export class Capture {
  readonly #daemon: Daemon;
  readonly #path: string;

  private constructor(daemon: Daemon, path: string) {
    this.#daemon = daemon;
    this.#path = path;
  }

  /** Captures at the outer device of a host; at most `snapBytes` of each packet. */
  static async start(host: Host, path: string, snapBytes = 65535): Promise<Capture> {
    const args = [
      '-i',
      'wan',
      '-n',
      '-U',
      '--immediate-mode',
      '-Z',
      'root',
      '-s',
      String(snapBytes),
      '-w',
      path,
    ];
    const daemon = new Daemon(`tcpdump on ${host.name}`, inside(host, 'tcpdump', ...args));
    await daemon.printed(/listening on/);
    return new Capture(daemon, path);
  }

  /** Ends the capture and gives its frames. */
  async stop(): Promise<Frame[]> {
    // What is on its way through the kernel's buffer still belongs to it.
    await pause(150);
    await this.#daemon.stop();
    return this.frames();
  }

  /** The frames so far. */
  frames(): Frame[] {
    return readFrames(readFileSync(this.#path));
  }

  /** Ends the capture without a look at it. */
  async end(): Promise<void> {
    await this.#daemon.stop();
  }
}

/** One line for each frame that shows an inner packet in the clear. */
export function plaintext(frames: readonly Frame[]): string[] {
  const mark = Buffer.from(MARK_HEX, 'hex');
  return frames
    .filter(
      ({ source, destination, payload }) =>
        INNER.test(source) || INNER.test(destination) || Buffer.from(payload).includes(mark),
    )
    .map(
      ({ source, destination, protocol }) => `${source} > ${destination} protocol ${protocol} in the clear`,
    );
}

/** Whether a frame is ESP, in UDP or by itself. */
export function isEsp(frame: Frame): boolean {
  if (frame.protocol === ESP) return true;
  const natt = frame.protocol === UDP && (frame.sourcePort === 4500 || frame.destinationPort === 4500);
  return natt && frame.payload.length > 8 && spiOf(frame.payload) !== 0;
}

/** Whether a frame is a NAT keepalive (RFC 3948 §2.3). */
export function isKeepalive(frame: Frame): boolean {
  return frame.protocol === UDP && frame.payload.length === 1 && frame.payload[0] === 0xff;
}

/** The IKE and ESP datagrams among the frames, as the capture files of the tests have them. */
export function datagrams(frames: readonly Frame[]): CapturedDatagram[] {
  return frames
    .filter((frame) => frame.protocol === UDP)
    .map((frame) => {
      const marked =
        (frame.sourcePort === 4500 || frame.destinationPort === 4500) &&
        frame.payload.length > 4 &&
        spiOf(frame.payload) === 0;
      return {
        atMs: frame.atMs,
        source: { address: frame.source, port: frame.sourcePort },
        destination: { address: frame.destination, port: frame.destinationPort },
        data: marked ? frame.payload.subarray(4) : frame.payload,
        natt: marked,
      };
    });
}

function spiOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

function readFrames(file: Uint8Array): Frame[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const frames: Frame[] = [];
  let at = PCAP_HEADER_BYTES;
  // The last record may still be on its way into the file.
  while (at + RECORD_HEADER_BYTES <= file.length) {
    const atMs = view.getUint32(at, true) * 1000 + view.getUint32(at + 4, true) / 1000;
    const length = view.getUint32(at + 8, true);
    const start = at + RECORD_HEADER_BYTES;
    at = start + length;
    if (at > file.length) break;
    const frame = readFrame(file.subarray(start, at), atMs);
    if (frame !== undefined) frames.push(frame);
  }
  return frames;
}

function readFrame(bytes: Uint8Array, atMs: number): Frame | undefined {
  if (bytes.length < ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES) return undefined;
  const ethertype = (bytes[12] << 8) | bytes[13];
  const ip = bytes.subarray(ETHERNET_HEADER_BYTES);
  const view = new DataView(ip.buffer, ip.byteOffset, ip.byteLength);
  // Ethernet pads short frames: the IP header knows the length.
  if (ethertype === IPV4) {
    const headerBytes = (ip[0] & 0x0f) * 4;
    const payload = ip.subarray(headerBytes, Math.max(headerBytes, view.getUint16(2)));
    return makeFrame(atMs, ip.subarray(12, 16), ip.subarray(16, 20), ip[9], payload);
  }
  if (ethertype !== IPV6 || ip.length < IPV6_HEADER_BYTES) return undefined;
  const payload = ip.subarray(IPV6_HEADER_BYTES, IPV6_HEADER_BYTES + view.getUint16(4));
  return makeFrame(atMs, ip.subarray(8, 24), ip.subarray(24, 40), ip[6], payload);
}

function makeFrame(
  atMs: number,
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  payload: Uint8Array,
): Frame {
  const hasPorts = protocol === UDP && payload.length >= 8;
  const port = (at: number): number => (hasPorts ? (payload[at] << 8) | payload[at + 1] : 0);
  return {
    atMs,
    source: formatAddress(source),
    destination: formatAddress(destination),
    protocol,
    sourcePort: port(0),
    destinationPort: port(2),
    payload: payload.subarray(hasPorts ? 8 : 0),
  };
}
