// Which data plane a gateway runs on: the configured one, or with `auto` the engine where it works and the portable one
// elsewhere. A plane comes with the sockets of IKE, for ESP shares the port with it.

import type { Config } from './config/types.ts';
import type { Crypto } from './crypto/provider.ts';
import { SystemError } from './errors.ts';
import type { Log } from './ike/runtime.ts';
import type { DataPlane } from './ipsec/data-plane.ts';
import { openEngine } from './ipsec/engine/index.ts';
import { MemoryDataPlane } from './ipsec/memory.ts';
import { openPortable, type PortableDataPlane } from './ipsec/portable/index.ts';
import { openDgramTransport } from './net/dgram.ts';
import type { Transport } from './net/transport.ts';

/** A data plane with its sockets. `portable` is the data plane again where packets pass through the program. */
export interface OpenPlane {
  readonly dataPlane: DataPlane;
  readonly transport: Transport;
  readonly portable?: PortableDataPlane;
}

/** What the planes are made with. */
export interface PlaneParts {
  readonly crypto: Crypto;
  readonly random: (lengthBytes: number) => Uint8Array;
  readonly nowMs: () => number;
  readonly log: Log;
}

/** What the host may lack for the engine while the portable plane still works; anything else is an error. */
const WITHOUT_ENGINE = new Set(['ERR_IKE_NO_ADDON', 'ERR_IKE_NO_TUN', 'ERR_IKE_PRIVILEGE']);

/** Opens sockets and devices. Rejects with a {@link SystemError} that says what is missing, and leaves nothing open then. */
export async function openDataPlane(config: Config, parts: PlaneParts): Promise<OpenPlane> {
  switch (config.dataPlane) {
    case 'engine':
      return openEngine(config, parts.log, parts.nowMs);
    case 'portable':
      return openPortablePlane(config, parts);
    case 'memory': {
      const dataPlane = new MemoryDataPlane(parts.random);
      return { dataPlane, transport: await openDgramTransport(config.listen, parts.log) };
    }
    case 'auto':
      try {
        return await openEngine(config, parts.log, parts.nowMs);
      } catch (error) {
        if (!(error instanceof SystemError) || !WITHOUT_ENGINE.has(error.code)) throw error;
        parts.log.warn('engine-not-used', { reason: error.message, instead: 'portable' });
        return openPortablePlane(config, parts);
      }
    default:
      return config.dataPlane satisfies never;
  }
}

async function openPortablePlane(config: Config, parts: PlaneParts): Promise<OpenPlane> {
  const { dataPlane, transport } = await openPortable(config, parts);
  return { dataPlane, transport, portable: dataPlane };
}
