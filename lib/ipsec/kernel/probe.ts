// Whether this kernel has what a configuration will ask for: an SA with each suite is added between addresses that nobody has, and
// removed again. Asking is the only way to know, for kernels load modules when they need them.

import type { ErrorInfo } from '../../errors.ts';
import type { SaSuite } from '../data-plane.ts';
import { saError } from './failure.ts';
import type { KernelApi, KernelSa } from './kernel-api.ts';

/** Documentation addresses (RFC 5737, RFC 3849). */
const NOWHERE = {
  4: [Uint8Array.of(192, 0, 2, 1), Uint8Array.of(192, 0, 2, 2)],
  6: [documentation(1), documentation(2)],
} as const;
/** Above those that the kernel gives out. */
const PROBE_SPI = 0xd0000000;
const SECOND = 1;

/** Undefined: the kernel took it. */
export async function probeSuite(
  api: KernelApi,
  suite: SaSuite,
  options: { readonly reqid: number; readonly v6: boolean; random(lengthBytes: number): Uint8Array },
): Promise<ErrorInfo | undefined> {
  const { encryption, integrity, protocol, mode } = suite;
  const [source, destination] = NOWHERE[options.v6 ? 6 : 4];
  const sa: KernelSa = {
    protocol,
    mode,
    direction: 'out',
    spi: PROBE_SPI,
    source,
    destination,
    reqid: options.reqid,
    ...(encryption === undefined
      ? {}
      : { encryption, encryptionKey: options.random(encryption.keyBits / 8 + encryption.saltBytes) }),
    ...(integrity === undefined ? {} : { integrity, integrityKey: options.random(integrity.keyBytes) }),
    esn: false,
    replayWindow: 0,
    limits: {
      softBytes: 0,
      hardBytes: 0,
      softPackets: 0,
      hardPackets: 0,
      softSeconds: 0,
      // Should we be killed before it is removed.
      hardSeconds: SECOND,
    },
    copyDscp: 'out',
    ecn: true,
    tfcBytes: 0,
    hwOffload: 'no',
  };
  const added = await api.addSa(sa, false);
  if (added.ok) await api.deleteSa(sa);
  return added.ok ? undefined : saError(added.error, suite, options);
}

function documentation(host: number): Uint8Array {
  return Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host);
}
