// The rules of one child that span several rows: from the rows' values to a ChildConfig, or a ShuntConfig for what is never
// negotiated. The first rule that is broken becomes a ConfigError by way of `refuse`.

import type { KernelOptions } from '../ipsec/kernel/kernel-api.ts';
import { hostSelector, intersectSelectors, type TrafficSelector } from '../ipsec/selector.ts';
import { DEFAULT_ESP_PROPOSALS, parseProposal } from './proposal.ts';
import { refuse } from './refuse.ts';
import type { ConfigRows } from './schema.ts';
import type { ChildConfig, ProposalConfig, ShuntConfig, VolumeLimits } from './types.ts';

export type ChildRows = ConfigRows['connections'][string]['children'][string];

/** What the connection around it says. */
export interface Around {
  readonly localAddress: string | undefined;
  readonly remoteAddress: string | undefined;
  readonly encap: boolean;
  readonly version: 1 | 2 | 'any';
}

const HOUR_MS = 3_600_000;
const DEFAULT_REPLAY_WINDOW = 1024;
/** The rows that a child without SAs has a use for. */
const SHUNT_ROWS: readonly string[] = [
  'localTs',
  'remoteTs',
  'mode',
  'start',
  'ifIdIn',
  'ifIdOut',
  'markIn',
  'markOut',
];

/** Whether it is a policy alone, with nothing to negotiate (RFC 4301 §4.4.1: BYPASS and DISCARD). */
export function isShunt(rows: Pick<ChildRows, 'mode'>): boolean {
  return rows.mode === 'pass' || rows.mode === 'drop';
}

/** A child with `mode: 'pass'` or `'drop'`. */
export function toShunt(path: string, name: string, rows: ChildRows, around: Around): ShuntConfig {
  const mode = rows.mode === 'pass' ? 'pass' : 'drop';
  const surplus = Object.entries(rows).find(
    ([key, value]) => value !== undefined && !SHUNT_ROWS.includes(key),
  );
  if (surplus !== undefined)
    refuse(`${path}.${surplus[0]}`, `is not accepted with mode "${mode}", which makes no SA`);
  const installed = (rows.start ?? 'trap') !== 'none';
  if (installed && around.remoteAddress === undefined) {
    // Without a peer there is no address that an empty list could stand for.
    if (rows.remoteTs.length === 0)
      refuse(`${path}.remoteTs`, 'is empty; expected selectors, for remote.address is "%any"');
    if (rows.localTs.length === 0 && around.localAddress === undefined)
      refuse(
        `${path}.localTs`,
        'is empty; expected selectors, for local.address and remote.address are "%any"',
      );
  }
  const { localTs, remoteTs } = rows;
  return { name, localTs, remoteTs, mode, installed, kernel: kernelOptions(path, rows) };
}

/** A child that is negotiated. */
export function toChild(path: string, name: string, rows: ChildRows, around: Around): ChildConfig {
  const mode = rows.mode === 'transport' ? 'transport' : 'tunnel';
  const start = rows.start ?? 'none';
  const dpdAction = rows.dpdAction ?? ({ none: 'clear', start: 'restart', trap: 'trap' } as const)[start];
  const closeAction = rows.closeAction ?? start;
  if (around.remoteAddress === undefined) {
    // Without an address there is nobody to call.
    if (start !== 'none')
      refuse(
        `${path}.start`,
        `"${start}" is not accepted; it needs an address in remote.address, not "%any"`,
      );
    if (dpdAction !== 'clear')
      refuse(`${path}.dpdAction`, `"${dpdAction}" is not accepted; it needs an address in remote.address`);
    if (closeAction !== 'none')
      refuse(
        `${path}.closeAction`,
        `"${closeAction}" is not accepted; it needs an address in remote.address`,
      );
  }
  const rekeyTimeMs = rows.rekeyTime ?? HOUR_MS;
  const rekeyJitterMs = rows.rekeyJitter ?? Math.round(rekeyTimeMs / 10);
  checkJitter(path, rekeyTimeMs, rekeyJitterMs);
  const lifeTimeMs = rows.lifeTime ?? Math.round(rekeyTimeMs * 1.1);
  if (lifeTimeMs !== 0 && lifeTimeMs <= rekeyTimeMs)
    refuse(
      `${path}.lifeTime`,
      `${lifeTimeMs / 1000} s is not accepted; expected more than rekeyTime (${rekeyTimeMs / 1000} s), or 0`,
    );
  const tfcPaddingBytes = rows.tfcPadding ?? 0;
  const protects = protection(path, rows, around);
  const { protocol } = protects;
  if (tfcPaddingBytes > 0 && (protocol === 'ah' || mode === 'transport'))
    refuse(`${path}.tfcPadding`, `is not accepted with ${protocol === 'ah' ? 'AH' : 'transport mode'}`);
  if (mode === 'transport') {
    for (const row of ['copyDscp', 'copyEcn'] as const)
      if (rows[row] !== undefined)
        refuse(`${path}.${row}`, 'is not accepted with transport mode, which has no second header');
    checkHost(`${path}.localTs`, rows.localTs, 'local.address', around.localAddress);
    checkHost(`${path}.remoteTs`, rows.remoteTs, 'remote.address', around.remoteAddress);
  }
  return {
    name,
    localTs: rows.localTs,
    remoteTs: rows.remoteTs,
    ...protects,
    mode,
    start,
    rekeyTimeMs,
    rekeyJitterMs,
    lifeTimeMs,
    dpdAction,
    closeAction,
    replayWindow: rows.replayWindow ?? DEFAULT_REPLAY_WINDOW,
    bytes: volume(path, rows, 'Bytes'),
    packets: volume(path, rows, 'Packets'),
    tfcPaddingBytes,
    header: { copyDscp: rows.copyDscp ?? 'out', ecn: rows.copyEcn ?? true },
    kernel: kernelOptions(path, rows),
  };
}

/** The rows that were written, undefined when none was. */
function kernelOptions(path: string, rows: ChildRows): KernelOptions | undefined {
  const { ifIdIn, ifIdOut, markIn, markOut, markInSa, setMarkIn, setMarkOut, hwOffload } = rows;
  if (markInSa === true && markIn === undefined) refuse(`${path}.markInSa`, 'is not accepted without markIn');
  const all = { ifIdIn, ifIdOut, markIn, markOut, markInSa, setMarkIn, setMarkOut, hwOffload };
  const written = Object.entries(all).filter(([, value]) => value !== undefined);
  return written.length === 0 ? undefined : (Object.fromEntries(written) as KernelOptions);
}

/** Refuses a jitter that could take more than there is. */
export function checkJitter(path: string, rekeyTimeMs: number, rekeyJitterMs: number): void {
  if (rekeyJitterMs > rekeyTimeMs)
    refuse(
      `${path}.rekeyJitter`,
      `${rekeyJitterMs / 1000} s is not accepted; expected at most rekeyTime (${rekeyTimeMs / 1000} s)`,
    );
}

function protection(
  path: string,
  rows: ChildRows,
  around: Around,
): Pick<ChildConfig, 'protocol' | 'proposals' | 'around'> {
  const { ahProposals: ah, espProposals: esp } = rows;
  if (ah === undefined) return { protocol: 'esp', proposals: esp ?? defaultProposals(), around: [] };
  if (esp !== undefined && around.version !== 1)
    refuse(
      `${path}.ahProposals`,
      'is not accepted beside espProposals; IKEv2 negotiates one of the two for a Child SA, not a bundle',
    );
  if (around.encap)
    refuse(`${path}.ahProposals`, 'is not accepted with encap; AH does not go inside UDP (RFC 3948 §1)');
  if (esp === undefined) return { protocol: 'ah', proposals: ah, around: [] };
  if (ah.some(({ ke }) => ke.length > 0))
    refuse(`${path}.ahProposals`, 'has a key exchange beside espProposals, in which it belongs');
  return { protocol: 'esp', proposals: esp, around: ah };
}

function defaultProposals(): readonly ProposalConfig[] {
  return DEFAULT_ESP_PROPOSALS.flatMap((text) => {
    const parsed = parseProposal(text, 'esp');
    return parsed.ok ? [parsed.value] : [];
  });
}

function volume(path: string, rows: ChildRows, what: 'Bytes' | 'Packets'): VolumeLimits {
  const rekey = rows[`rekey${what}`] ?? 0;
  const jitter = rows[`rand${what}`] ?? Math.floor(rekey / 10);
  // Rounded up: an end must come after the rekeying that is to prevent it.
  const life = rows[`life${what}`] ?? rekey + Math.ceil(rekey / 10);
  if (jitter > rekey)
    refuse(`${path}.rand${what}`, `${jitter} is not accepted; expected at most rekey${what} (${rekey})`);
  if (life !== 0 && life <= rekey)
    refuse(
      `${path}.life${what}`,
      `${life} is not accepted; expected more than rekey${what} (${rekey}), or 0`,
    );
  return { rekey, jitter, life };
}

/** In transport mode only the outer addresses themselves can be selected (RFC 7296 §2.23.1). */
function checkHost(
  path: string,
  selectors: readonly TrafficSelector[],
  option: string,
  address: string | undefined,
): void {
  if (selectors.length === 0 || address === undefined) return;
  const host = hostSelector(address);
  if (selectors.every((selector) => intersectSelectors(selector, host) === undefined))
    refuse(path, `does not hold ${option} ("${address}"), between which and the peer transport mode works`);
}
