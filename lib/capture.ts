// One capture of a gateway, from its start until it is closed, and the checks of what it is asked for.

import { IkeError, SystemError } from './errors.ts';
import type { CaptureCounts, CapturePlane, CaptureSide } from './ipsec/capture.ts';

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
const MAX_SNAP_BYTES = 65535;
/** Less has no room for the file's own header. */
const MIN_FILE_BYTES = 24;

/** What `gateway.capture()` takes. */
export interface CaptureOptions {
  /** The file, which must not be there yet; only its owner can read it. */
  readonly path: string;
  /** `inner`: the traffic in clear, as Wireshark would see it on the TUN device. `outer`: ESP as it goes between the gateways. */
  readonly side: 'inner' | 'outer';
  /** The file becomes no longer; what comes then is counted only. 64 MiB by default. */
  readonly maxBytes?: number;
  /** Of each packet at most; 65,535 by default. */
  readonly snapBytes?: number;
}

/** A capture that runs. It ends with the gateway, if not before. */
export interface Capture {
  /** Finishes the file and says how many packets are in it and how many had no room. Safe to call twice. */
  close(): Promise<CaptureCounts>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The captures of one gateway. */
export class Captures {
  readonly #plane: CapturePlane | undefined;
  readonly #planeName: string;
  readonly #running = new Map<CaptureSide, () => CaptureCounts>();

  constructor(plane: CapturePlane | undefined, planeName: string) {
    this.#plane = plane;
    this.#planeName = planeName;
  }

  /** Throws an error of the public API. */
  start(options: CaptureOptions): Capture {
    const plane = this.#plane;
    if (plane === undefined)
      throw new SystemError('ERR_IKE_NO_CAPTURE', `the ${this.#planeName} data plane writes no captures`);
    const { path, side, maxBytes = DEFAULT_MAX_BYTES, snapBytes = MAX_SNAP_BYTES } = options;
    if (typeof path !== 'string' || path === '' || path.includes('\0')) refuse('path', 'the path of a file');
    if (side !== 'inner' && side !== 'outer') refuse('side', '"inner" or "outer"');
    if (!Number.isSafeInteger(maxBytes) || maxBytes < MIN_FILE_BYTES)
      refuse('maxBytes', `an integer from ${MIN_FILE_BYTES}`);
    if (!Number.isInteger(snapBytes) || snapBytes < 1 || snapBytes > MAX_SNAP_BYTES)
      refuse('snapBytes', `an integer from 1 to ${MAX_SNAP_BYTES}`);
    plane.startCapture({ path, side, maxBytes, snapBytes });
    let counts: CaptureCounts | undefined;
    const stop = (): CaptureCounts => {
      if (counts === undefined) {
        counts = plane.stopCapture(side);
        this.#running.delete(side);
      }
      return counts;
    };
    this.#running.set(side, stop);
    return {
      close: async () => stop(),
      [Symbol.asyncDispose]: async () => {
        stop();
      },
    };
  }

  /** Finishes those that run. */
  close(): void {
    for (const stop of [...this.#running.values()]) stop();
  }
}

function refuse(name: string, expectation: string): never {
  throw new IkeError('ERR_IKE_ARGUMENT', `capture: ${name}: expected ${expectation}`);
}
