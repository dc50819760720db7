// Opens the portable data plane and its sockets: one transport carries IKE and, in UDP, the plane's ESP.

import type { Crypto } from '../../crypto/provider.ts';
import type { Log } from '../../ike/runtime.ts';
import { type DgramListen, openDgramTransport } from '../../net/dgram.ts';
import type { Transport } from '../../net/transport.ts';
import { PortableDataPlane } from './plane.ts';

export { PortableDataPlane, type SendOutcome } from './plane.ts';

/** The part of `Config` that the portable plane needs. */
export interface PortableConfig {
  readonly listen: DgramListen;
  readonly limits: { readonly heldPackets: number };
}

export interface PortableDependencies {
  readonly crypto: Crypto;
  /** Unpredictable bytes, for SPIs and IVs. */
  random(lengthBytes: number): Uint8Array;
  /** Milliseconds on the runtime's clock. */
  nowMs(): number;
  readonly log: Log;
}

/**
 * Binds the sockets. Rejects with a SystemError: ERR_IKE_PORT_IN_USE, ERR_IKE_PRIVILEGE (ports below 1024),
 * ERR_IKE_LISTEN (no such address, or another reason). Both results must be closed, the plane first.
 */
export async function openPortable(
  config: PortableConfig,
  { crypto, random, nowMs, log }: PortableDependencies,
): Promise<{ readonly dataPlane: PortableDataPlane; readonly transport: Transport }> {
  const transport = await openDgramTransport(config.listen, log);
  const dataPlane = new PortableDataPlane({
    crypto,
    random,
    nowMs,
    transmit: (local, remote, esp) => transport.sendEsp(local, remote, esp),
    heldPackets: config.limits.heldPackets,
  });
  transport.onEsp((remote, esp) => dataPlane.receive(remote, esp));
  return { dataPlane, transport };
}
