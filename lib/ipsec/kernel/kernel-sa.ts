// SAs of the negotiation in the terms of a kernel.

import { equalBytes, toHex } from '../../bytes.ts';
import { fail, ok, type Result } from '../../errors.ts';
import { parseAddress } from '../../net/address.ts';
import type { SaParameters, WantedSa } from '../data-plane.ts';
import type {
  KernelOptions,
  KernelPath,
  KernelSa,
  KernelSaState,
  KernelSelector,
  KernelTemplate,
  KernelWishes,
  SaKey,
  SpiRequest,
} from './kernel-api.ts';
import { sided } from './policies.ts';
import { kernelSelectors } from './selectors.ts';

/** An SA without its keys. */
export type KeylessSa = Omit<SaParameters, 'encryptionKey' | 'integrityKey'>;

/** The outer addresses in the direction of the packets. */
export function kernelPath(sa: KeylessSa): Result<KernelPath> {
  const [from, to] = sa.direction === 'out' ? [sa.local, sa.remote] : [sa.remote, sa.local];
  const source = parseAddress(from.address);
  const destination = parseAddress(to.address);
  if (source === undefined || destination === undefined || source.length !== destination.length)
    return fail('bad-sa', `there is no SA from ${from.address} to ${to.address}`);
  if (!sa.udpEncapsulation) return ok({ source, destination });
  const encapsulation = { type: 'udp', sourcePort: from.port, destinationPort: to.port } as const;
  return ok({ source, destination, encapsulation });
}

export function kernelSa(sa: SaParameters, reqid: number): Result<KernelSa> {
  const path = kernelPath(sa);
  if (!path.ok) return path;
  const { direction, protocol, mode, spi, esn, replayWindow, limits, header, kernel } = sa;
  const selector = onlySelector(sa);
  const setMark = direction === 'in' ? kernel?.setMarkIn : kernel?.setMarkOut;
  return ok({
    ...path.value,
    ...saOptions(kernel, direction),
    direction,
    protocol,
    mode,
    spi,
    reqid,
    ...(sa.encryption === undefined ? {} : { encryption: sa.encryption, encryptionKey: sa.encryptionKey }),
    ...(sa.integrity === undefined
      ? {}
      : { integrity: sa.integrity, integrityKey: sa.integrityKey ?? NO_KEY }),
    esn,
    replayWindow,
    ...(selector === undefined ? {} : { selector }),
    limits: {
      softBytes: limits?.softBytes ?? 0,
      hardBytes: limits?.hardBytes ?? 0,
      softPackets: limits?.softPackets ?? 0,
      hardPackets: limits?.hardPackets ?? 0,
      softSeconds: 0,
      hardSeconds: sa.lifeSeconds ?? 0,
    },
    copyDscp: header?.copyDscp ?? 'out',
    ecn: header?.ecn ?? true,
    tfcBytes: sa.tfcBytes ?? 0,
    ...(setMark === undefined ? {} : { setMark }),
    hwOffload: kernel?.hwOffload ?? 'no',
  });
}

const NO_KEY = new Uint8Array();

/** An inbound mark is for the policies, unless the SA is to have it too. */
function saOptions(options: KernelOptions | undefined, direction: 'in' | 'out'): ReturnType<typeof sided> {
  const { mark, ...rest } = sided(options, direction);
  const has = mark !== undefined && (direction === 'out' || options?.markInSa === true);
  return has ? { mark, ...rest } : rest;
}

/** What the SA's packets need in their policy. `outerReqid`: of the AH SA around it. */
export function saTemplates(
  sa: KeylessSa,
  reqid: number,
  outerReqid: number | undefined,
): readonly KernelTemplate[] {
  const path = kernelPath(sa);
  if (!path.ok) return [];
  const { source, destination } = path.value;
  const { protocol, mode } = sa;
  const own: KernelTemplate =
    mode === 'tunnel' ? { protocol, mode, source, destination, reqid } : { protocol, mode, reqid };
  return outerReqid === undefined ? [own] : [own, { protocol: 'ah', mode: 'transport', reqid: outerReqid }];
}

export function spiRequest({ protocol, mode, local, remote }: WantedSa, reqid: number): Result<SpiRequest> {
  const source = parseAddress(remote);
  const destination = parseAddress(local);
  if (source === undefined || destination === undefined)
    return fail('no-spi', `there is no SA from ${remote} to ${local}`);
  return ok({ protocol, mode, source, destination, reqid });
}

/** An SA has room for one selector, its policies for many. */
function onlySelector(sa: SaParameters): KernelSelector | undefined {
  if (sa.policyId === 0) return undefined;
  const [from, to] = sa.direction === 'out' ? [sa.localTs, sa.remoteTs] : [sa.remoteTs, sa.localTs];
  const selectors = kernelSelectors(from, to);
  return selectors.ok && selectors.value.length === 1 ? selectors.value[0] : undefined;
}

/** What a kernel may have no words for. */
export function wishesOf({ kernel, replayWindow, esn, tfcBytes, header }: SaParameters): KernelWishes {
  return {
    ...kernel,
    replayWindow,
    esn,
    ...(tfcBytes === undefined ? {} : { tfcBytes }),
    ...(header === undefined ? {} : { copyDscp: header.copyDscp, copyEcn: header.ecn }),
  };
}

/** Whether a soft limit is over. */
export function isWorn({ packets, bytes, limits }: KernelSaState): boolean {
  const { softBytes, softPackets } = limits;
  return (softBytes > 0 && bytes >= softBytes) || (softPackets > 0 && packets >= softPackets);
}

/** The key of something that has more. */
export function keyOf({ protocol, spi, source, destination, mark }: SaKey): SaKey {
  return { protocol, spi, source, destination, ...(mark === undefined ? {} : { mark }) };
}

export function samePath(a: KernelPath, b: KernelPath): boolean {
  return (
    equalBytes(a.source, b.source) &&
    equalBytes(a.destination, b.destination) &&
    a.encapsulation?.sourcePort === b.encapsulation?.sourcePort &&
    a.encapsulation?.destinationPort === b.encapsulation?.destinationPort
  );
}

/** A key as text: no two SAs of a kernel have the same. */
export function keyName({ protocol, spi, destination, mark }: SaKey): string {
  return `${protocol} ${spi} ${toHex(destination)} ${mark?.value}/${mark?.mask}`;
}
