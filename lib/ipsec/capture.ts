// Captures of what passes through a data plane, for Wireshark: what a plane that can write them offers.

/** `inner`: packets as they are in the tunnel's networks. `outer`: what goes between the gateways. */
export type CaptureSide = 'inner' | 'outer';

export interface CaptureCounts {
  /** In the file. */
  readonly packets: number;
  /** Seen, but the file was full or could not be written. */
  readonly missed: number;
}

/** Where a capture goes and how much of it. */
export interface CaptureSpec {
  /** A file that is not there yet. */
  readonly path: string;
  readonly side: CaptureSide;
  readonly maxBytes: number;
  readonly snapBytes: number;
}

/** A data plane that writes captures. Each side has one at a time. */
export interface CapturePlane {
  /** Throws a SystemError: ERR_IKE_EXISTS, ERR_IKE_CAPTURE, ERR_IKE_CLOSED. */
  startCapture(spec: CaptureSpec): void;
  /** Zeros where none runs. */
  stopCapture(side: CaptureSide): CaptureCounts;
}
