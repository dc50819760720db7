// Which data plane a gateway runs on: the configured one, or with `auto` the engine where it works and the portable one
// elsewhere. A plane comes with the sockets of IKE, for ESP shares the port with it.

import type { ChildConfig, Config } from './config/types.ts';
import { algorithm } from './crypto/algorithms.ts';
import type { Crypto } from './crypto/provider.ts';
import { ConfigError, SystemError } from './errors.ts';
import type { Log } from './ike/runtime.ts';
import type { CapturePlane } from './ipsec/capture.ts';
import type { DataPlane } from './ipsec/data-plane.ts';
import { openEngine } from './ipsec/engine/index.ts';
import { MemoryDataPlane } from './ipsec/memory.ts';
import { openPortable, type PortableDataPlane } from './ipsec/portable/index.ts';
import { openDgramTransport } from './net/dgram.ts';
import type { Transport } from './net/transport.ts';

/**
 * A data plane with its sockets. `portable` is the data plane again where packets pass through the program, `captures` where it writes
 * captures.
 */
export interface OpenPlane {
  readonly dataPlane: DataPlane;
  readonly transport: Transport;
  readonly portable?: PortableDataPlane;
  readonly captures?: CapturePlane;
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

/**
 * Opens sockets and devices. Rejects with a {@link SystemError} that says what is missing, or a {@link ConfigError} that names a
 * proposal, protocol or mode which the data plane cannot carry, and leaves nothing open then.
 */
export async function openDataPlane(config: Config, parts: PlaneParts): Promise<OpenPlane> {
  const plane = await open(config, parts);
  const problem = strayInterface(config, plane.dataPlane) ?? uncarriedProposal(config, plane.dataPlane);
  if (problem === undefined) return plane;
  await Promise.all([plane.dataPlane.close(), plane.transport.close()]);
  throw problem;
}

/**
 * The first child that the plane cannot carry: no SA may be negotiated that cannot be installed. Transport mode may end as tunnel
 * mode (RFC 7296 §1.3.1), so it needs both.
 */
export function uncarriedProposal(
  config: Config,
  dataPlane: Pick<DataPlane, 'name' | 'supports'> &
    Partial<Pick<DataPlane, 'udpEncapsulationOnly' | 'refusal' | 'lacks'>>,
): ConfigError | undefined {
  for (const connection of Object.values(config.connections))
    for (const child of Object.values(connection.children)) {
      const path = `connections.${connection.name}.children.${child.name}`;
      const { protocol } = child;
      if ((protocol === 'ah' || child.around.length > 0) && dataPlane.udpEncapsulationOnly === true)
        return new ConfigError(
          `${path}.ahProposals`,
          `the ${dataPlane.name} data plane sends everything inside UDP, where AH cannot go`,
        );
      if (dataPlane.name === 'portable' && ['in', 'yes'].includes(child.header.copyDscp))
        return new ConfigError(
          `${path}.copyDscp`,
          `"${child.header.copyDscp}" is not accepted; the portable data plane sees no DSCP of outer headers`,
        );
      const lacks = lackingOption(child, dataPlane);
      if (lacks !== undefined) return new ConfigError(path, `${path}: ${lacks}`);
      const lacksAh = child.around
        .flatMap(({ integ }) => integ)
        .find((integrity) => !dataPlane.supports({ protocol: 'ah', mode: 'transport', integrity }));
      if (lacksAh !== undefined)
        return new ConfigError(
          `${path}.ahProposals`,
          `the ${dataPlane.name} data plane has no AH with ${lacksAh.name} that could go around ESP`,
        );
      const modes = child.mode === 'transport' ? (['transport', 'tunnel'] as const) : ([child.mode] as const);
      for (const mode of modes)
        for (const { text, encr, integ } of child.proposals)
          for (const encryption of encr.length > 0 ? encr : [undefined])
            for (const integrity of integ.length > 0 ? integ : [undefined]) {
              const suite = { protocol, mode, encryption, integrity };
              if (dataPlane.supports(suite)) continue;
              const refusal = dataPlane.refusal?.(suite);
              if (refusal !== undefined)
                return new ConfigError(`${path}.${protocol}Proposals`, `"${text}": ${refusal}`);
              const name = [encryption, integrity].flatMap((row) => row?.name ?? []).join('-');
              const lacks = `"${text}": the ${dataPlane.name} data plane has no`;
              // Is it the algorithms, or would others be as bad?
              const what = lacksMode(dataPlane, protocol, mode) ?? name;
              const remedy =
                what === name && protocol === 'esp' ? `; dataPlane 'portable' has every algorithm` : '';
              return new ConfigError(`${path}.${protocol}Proposals`, `${lacks} ${what}${remedy}`);
            }
    }
  return undefined;
}

function strayInterface({ kernel }: Config, { name }: Pick<DataPlane, 'name'>): ConfigError | undefined {
  if (kernel.interfaces.length === 0 || name === 'xfrm') return undefined;
  const path = 'kernel.interfaces';
  return new ConfigError(
    path,
    `${path}: the ${name} data plane has no xfrm interfaces; dataPlane 'xfrm' has`,
  );
}

/** An option of the child that the plane has nothing for. */
function lackingOption(
  { kernel, replayWindow, tfcPaddingBytes, header }: ChildConfig,
  dataPlane: Pick<DataPlane, 'name'> & Partial<Pick<DataPlane, 'lacks'>>,
): string | undefined {
  if (dataPlane.lacks !== undefined)
    return dataPlane.lacks({
      ...kernel,
      replayWindow,
      ...(tfcPaddingBytes > 0 ? { tfcBytes: tfcPaddingBytes } : {}),
      copyDscp: header.copyDscp,
      copyEcn: header.ecn,
    });
  if (kernel === undefined) return undefined;
  return `${Object.keys(kernel)[0]}: the ${dataPlane.name} data plane has nothing of the kind; dataPlane 'xfrm' has`;
}

/** The protocol or the mode by name where the plane does not have it with any algorithm. */
function lacksMode(
  dataPlane: Pick<DataPlane, 'supports'>,
  protocol: 'esp' | 'ah',
  mode: 'tunnel' | 'transport',
): string | undefined {
  const usual =
    protocol === 'esp'
      ? { encryption: algorithm('encr', 'aes128gcm16') }
      : { integrity: algorithm('integ', 'sha256') };
  if (dataPlane.supports({ protocol, mode, ...usual })) return undefined;
  return `${protocol.toUpperCase()} in ${mode} mode`;
}

async function open(config: Config, parts: PlaneParts): Promise<OpenPlane> {
  switch (config.dataPlane) {
    case 'engine':
      return openEnginePlane(config, parts);
    case 'portable':
      return openPortablePlane(config, parts);
    case 'memory': {
      const dataPlane = new MemoryDataPlane(parts.random);
      return { dataPlane, transport: await openDgramTransport(config.listen, parts.log) };
    }
    case 'auto':
      try {
        return await openEnginePlane(config, parts);
      } catch (error) {
        if (!(error instanceof SystemError) || !WITHOUT_ENGINE.has(error.code)) throw error;
        parts.log.warn('engine-not-used', { reason: error.message, instead: 'portable' });
        return openPortablePlane(config, parts);
      }
    default:
      return config.dataPlane satisfies never;
  }
}

async function openEnginePlane(config: Config, parts: PlaneParts): Promise<OpenPlane> {
  const { dataPlane, transport } = await openEngine(config, parts.log, parts.nowMs);
  return { dataPlane, transport, captures: dataPlane };
}

async function openPortablePlane(config: Config, parts: PlaneParts): Promise<OpenPlane> {
  const { dataPlane, transport } = await openPortable(config, parts);
  return { dataPlane, transport, portable: dataPlane };
}
