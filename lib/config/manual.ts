// What `gateway.addSa()` takes: one direction of an SA whose keys were agreed on elsewhere. From what a program writes to the
// parameters of the data plane; the first mistake becomes a ConfigError whose path begins with `sa`.

import { z } from 'zod';
import { wipe } from '../bytes.ts';
import { narrow, resolveSelectors } from '../ike/narrowing.ts';
import type { SaParameters } from '../ipsec/data-plane.ts';
import { hostSelector, type TrafficSelector } from '../ipsec/selector.ts';
import { parseAddress } from '../net/address.ts';
import { address, flag, integer, list, oneOf, saKey, selector, size, text } from './notation.ts';
import { validator } from './option.ts';
import { explain } from './parse.ts';
import { parseProposal } from './proposal.ts';
import { refuse } from './refuse.ts';
import { MOST_PACKETS, MOST_TIB } from './schema-child.ts';
import type { ProposalConfig } from './types.ts';

const manualSchema = z.strictObject({
  direction: validator(oneOf('in', 'out')),
  protocol: validator(oneOf('esp', 'ah')).prefault('esp'),
  mode: validator(oneOf('tunnel', 'transport')).prefault('tunnel'),
  /** Ours for `in`, the peer's for `out`. */
  spi: validator(integer(256, 0xffffffff)),
  /** Outer addresses. */
  local: validator(address()),
  remote: validator(address()),
  /** One algorithm a kind, as in a child's `espProposals` or `ahProposals`: `aes128gcm16`, `aes256-sha256-esn`, `sha512`. */
  proposal: validator(text),
  /** Key, then salt where the cipher has one. */
  encryptionKey: validator(saKey).optional(),
  integrityKey: validator(saKey).optional(),
  /** Inner packets; the outer addresses by default. */
  localTs: validator(list(selector, 64, 0)).prefault([]),
  remoteTs: validator(list(selector, 64, 0)).prefault([]),
  /** ESP in UDP, from our NAT-T port. */
  encap: validator(flag).prefault(false),
  /** With `encap`: the peer's UDP port, 4500 by default. */
  remotePort: validator(integer(1, 65535)).optional(),
  /** Inbound: packets that may come out of order; 0 turns replay protection off. 1024 by default. */
  replayWindow: validator(integer(0, 65536)).optional(),
  /** It carries nothing any more after so much; 0 or absent: no end. */
  lifeBytes: validator(size(MOST_TIB)).prefault(0),
  lifePackets: validator(integer(0, MOST_PACKETS)).prefault(0),
  /** Outer header and padding of tunnel mode, as for a child. */
  copyDscp: validator(oneOf('out', 'in', 'yes', 'no')).optional(),
  copyEcn: validator(flag).optional(),
  tfcPadding: validator(integer(0, 65535)).optional(),
  /** Outbound: whether a policy leads the packets of the selectors to it. `false` for the outer SA of a bundle. */
  policy: validator(flag).optional(),
  /** The id of the AH SA in transport mode, of the same direction, that goes around this ESP SA (RFC 2401 §4.3). */
  outer: validator(integer(1, Number.MAX_SAFE_INTEGER)).optional(),
});

/** One direction of an SA with given keys. */
export type ManualSaInput = z.input<typeof manualSchema>;
type Rows = z.output<typeof manualSchema>;

/** What a data plane is to install, without the ids that the gateway gives. */
export interface ManualSa {
  readonly sa: Pick<SaParameters, 'direction' | 'protocol' | 'mode' | 'spi' | 'localTs' | 'remoteTs'>;
  readonly local: string;
  readonly remote: string;
  /** In the notation of proposals. */
  readonly proposal: string;
  readonly wantsPolicy: boolean;
  readonly outer: number | undefined;
  readonly parameters: (
    ids: { readonly id: number; readonly policyId: number },
    nattPort: number,
  ) => SaParameters;
  /** Overwrites the keys that were read. */
  readonly wipe: () => void;
}

const DEFAULT_REPLAY_WINDOW = 1024;
const NATT_PORT = 4500;

/** Validates; throws a ConfigError that names the field. Keys are copied and never shown. */
export function parseManualSa(input: unknown): ManualSa {
  const parsed = manualSchema.safeParse(input);
  if (!parsed.success) throw explain(parsed.error.issues, input, manualSchema, ['sa']);
  const rows = parsed.data;
  checkTogether(rows);
  const [localTs, remoteTs] = [
    selectorsOf('localTs', rows, rows.local),
    selectorsOf('remoteTs', rows, rows.remote),
  ];
  const proposal = oneAlgorithmEach(rows);
  const [encr, integ] = [proposal.encr.at(0), proposal.integ.at(0)];
  const encryptionKey = keyOf(
    rows.encryptionKey,
    'encryptionKey',
    encr && { name: encr.name, bytes: encr.keyBits / 8 + encr.saltBytes },
  );
  const integrityKey = keyOf(
    rows.integrityKey,
    'integrityKey',
    integ && { name: integ.name, bytes: integ.keyBytes },
  );
  const { direction, protocol, mode, spi, lifeBytes, lifePackets, outer, tfcPadding = 0 } = rows;
  const sa = { direction, protocol, mode, spi, localTs, remoteTs };
  const endpoint = (ip: string, port: number) => ({ address: ip, port: rows.encap ? port : 0 });
  const protection =
    encr === undefined
      ? { protocol: 'ah' as const, integrity: integ, integrityKey }
      : {
          protocol: 'esp' as const,
          encryption: encr,
          encryptionKey,
          ...(integ === undefined ? {} : { integrity: integ, integrityKey }),
        };
  return {
    sa,
    local: rows.local,
    remote: rows.remote,
    proposal: proposal.text,
    wantsPolicy: direction === 'out' && rows.policy !== false,
    outer,
    wipe: () => wipe(encryptionKey, integrityKey),
    parameters: ({ id, policyId }, nattPort) =>
      // `oneAlgorithmEach` has seen to it that AH has its integrity algorithm.
      ({
        ...sa,
        ...protection,
        id,
        policyId,
        local: endpoint(rows.local, nattPort),
        remote: endpoint(rows.remote, rows.remotePort ?? NATT_PORT),
        udpEncapsulation: rows.encap,
        esn: proposal.esn[0]?.name === 'esn',
        replayWindow: direction === 'in' ? (rows.replayWindow ?? DEFAULT_REPLAY_WINDOW) : 0,
        ...(lifeBytes + lifePackets > 0
          ? { limits: { hardBytes: lifeBytes, hardPackets: lifePackets } }
          : {}),
        ...(mode === 'tunnel'
          ? { header: { copyDscp: rows.copyDscp ?? 'out', ecn: rows.copyEcn ?? true } }
          : {}),
        ...(tfcPadding > 0 ? { tfcBytes: tfcPadding } : {}),
        ...(outer === undefined ? {} : { outerSaId: outer }),
      }) as SaParameters,
  };
}

/** The rules that span several fields. */
function checkTogether(rows: Rows): void {
  const { direction, protocol, mode } = rows;
  if (parseAddress(rows.local)?.length !== parseAddress(rows.remote)?.length)
    refuse('sa.remote', `"${rows.remote}" is not of the address family of local "${rows.local}"`);
  const never: readonly (readonly [keyof Rows, boolean, string])[] = [
    ['encap', rows.encap && protocol === 'ah', 'with AH, which does not go inside UDP'],
    ['remotePort', rows.remotePort !== undefined && !rows.encap, 'without encap'],
    ['replayWindow', rows.replayWindow !== undefined && direction === 'out', 'for an outbound SA'],
    ['policy', rows.policy !== undefined && direction === 'in', 'for an inbound SA'],
    ['tfcPadding', rows.tfcPadding !== undefined && direction === 'in', 'for an inbound SA'],
    ['tfcPadding', rows.tfcPadding !== undefined && protocol === 'ah', 'with AH'],
    ['tfcPadding', rows.tfcPadding !== undefined && mode === 'transport', 'in transport mode'],
    ['copyDscp', rows.copyDscp !== undefined && mode === 'transport', 'in transport mode'],
    ['copyEcn', rows.copyEcn !== undefined && mode === 'transport', 'in transport mode'],
    ['outer', rows.outer !== undefined && protocol === 'ah', 'with AH; it is for the ESP SA of a bundle'],
  ];
  for (const [field, broken, why] of never) if (broken) refuse(`sa.${field}`, `is not accepted ${why}`);
}

function oneAlgorithmEach({ proposal, protocol }: Rows): ProposalConfig {
  const parsed = parseProposal(proposal, protocol);
  if (!parsed.ok) refuse('sa.proposal', parsed.error.message);
  const { encr, integ, ke, esn } = parsed.value;
  if (ke.length > 0) refuse('sa.proposal', `"${proposal}" has ${ke[0].name}, but no key is exchanged`);
  const several = [encr, integ, esn].find((kind) => kind.length > 1);
  if (several !== undefined)
    refuse(
      'sa.proposal',
      `"${proposal}" names ${several.map(({ name }) => name).join(' and ')}; expected one of them`,
    );
  return parsed.value;
}

function keyOf(
  key: Uint8Array | undefined,
  field: 'encryptionKey' | 'integrityKey',
  needed: { readonly name: string; readonly bytes: number } | undefined,
): Uint8Array {
  const bytes = needed?.bytes ?? 0;
  const given = key ?? new Uint8Array(0);
  if (given.length === bytes) return given;
  const what = key === undefined ? 'is missing' : `has ${given.length} bytes`;
  refuse(
    `sa.${field}`,
    bytes === 0
      ? `${what}; expected none for this proposal`
      : `${what}; expected ${bytes} bytes for ${needed?.name}`,
  );
}

/** In transport mode only the outer addresses themselves can be selected. */
function selectorsOf(field: 'localTs' | 'remoteTs', rows: Rows, own: string): readonly TrafficSelector[] {
  const resolved = resolveSelectors(rows[field], own);
  if (rows.mode === 'tunnel') return resolved;
  const cut = narrow(resolved, [hostSelector(own)]);
  if (cut.length === 0) refuse(`sa.${field}`, `does not hold "${own}", to which transport mode is bound`);
  return cut;
}
