// Proposals in swanctl's notation: algorithm names joined by `-`, several of one kind are alternatives, best first.
// `aes256gcm16-prfsha256-x25519` for IKE, `aes128gcm16-aes256gcm16-x25519-esn-noesn` for ESP, `sha256-x25519` for AH.
// Text -> ProposalConfig and back.

import {
  ALGORITHMS,
  type Algorithm,
  type AlgorithmKind,
  algorithm,
  findAlgorithm,
  hasTransform,
} from '../crypto/algorithms.ts';
import { fail, ok, type Result } from '../errors.ts';
import { closest } from './suggest.ts';
import type { ProposalConfig } from './types.ts';

/** Without a choice of its own a connection offers these: AEAD first, then CBC with HMAC (RFC 8247 §2). */
export const DEFAULT_IKE_PROPOSALS: readonly string[] = [
  'aes256gcm16-aes128gcm16-prfsha256-prfsha384-curve25519-ecp256-modp2048',
  'aes256-aes128-sha256-sha384-prfsha256-prfsha384-curve25519-ecp256-modp2048',
];

/** Without a choice of its own a child offers these (RFC 8221 §5): no key exchange of its own, 32-bit sequence numbers. */
export const DEFAULT_ESP_PROPOSALS: readonly string[] = [
  'aes256gcm16-aes128gcm16',
  'aes256-aes128-sha256-sha384',
];

/** The transforms of a proposal, or of the choice made from one, by kind. */
export type ProposalTransforms = Partial<Pick<ProposalConfig, AlgorithmKind>>;

/** What a proposal is for. */
export type ProposalUse = 'ike' | 'esp' | 'ah';

/**
 * Reads one proposal. `ike` needs a key exchange, and a PRF that may follow from the integrity algorithm; `esp` may
 * have a key exchange (PFS) and `esn`, `noesn` or both, and so may `ah`, which has no cipher. AEAD and other ciphers cannot share a proposal (RFC 7296 §3.3).
 */
export function parseProposal(text: string, use: ProposalUse): Result<ProposalConfig> {
  const rows: Algorithm[] = [];
  for (const name of text.trim().split('-')) {
    const row = findAlgorithm(name);
    if (row === undefined) return fail('bad-proposal', unknownAlgorithm(name, text));
    if (rows.includes(row)) return fail('bad-proposal', `"${text}" names ${row.name} twice`);
    const twin = rows.find((other) => other.kind === row.kind && isTwin(other, row));
    if (twin !== undefined)
      return fail(
        'bad-proposal',
        `"${text}": a peer cannot tell ${twin.name} from ${row.name}; name one of them`,
      );
    if (use === 'ike' && 'only' in row && row.only === 'esp')
      return fail('bad-proposal', `"${text}" has ${row.name}, which is for ESP`);
    rows.push(row);
  }
  const chosen = {
    encr: pick(rows, 'encr'),
    prf: pick(rows, 'prf'),
    integ: pick(rows, 'integ'),
    ke: pick(rows, 'ke'),
    esn: pick(rows, 'esn'),
  };
  if (use === 'ah') {
    const problem = ahProblem(text, chosen);
    return problem === undefined ? complete(completeEsp(text, chosen)) : fail('bad-proposal', problem);
  }
  const aeads = chosen.encr.filter((row) => row.icvBytes > 0).length;
  if (chosen.encr.length === 0) return fail('bad-proposal', `"${text}" has no cipher, such as aes256gcm16`);
  if (aeads > 0 && aeads < chosen.encr.length)
    return fail('bad-proposal', `"${text}" mixes AEAD with other ciphers; make two proposals of it`);
  if (aeads > 0 && chosen.integ.length > 0 && (use === 'esp' || chosen.prf.length > 0))
    return fail(
      'bad-proposal',
      `"${text}" has ${chosen.integ[0].name}, but ${chosen.encr[0].name} protects integrity itself`,
    );
  if (aeads === 0 && chosen.integ.length === 0)
    return fail(
      'bad-proposal',
      `"${text}" has no integrity algorithm, such as sha256, for ${chosen.encr[0].name}`,
    );
  return complete(use === 'ike' ? completeIke(text, chosen, aeads > 0) : completeEsp(text, chosen));
}

function complete(rest: Result<Complete>): Result<ProposalConfig> {
  return rest.ok ? ok({ text: formatProposal(rest.value), ...rest.value }) : rest;
}

/** AH protects integrity alone (RFC 4302). */
function ahProblem(text: string, { encr, integ }: Complete): string | undefined {
  if (encr.length > 0) return `"${text}" has ${encr[0].name}, but AH does not encrypt`;
  return integ.length > 0 ? undefined : `"${text}" has no integrity algorithm, such as sha256`;
}

/** Writes transforms in the same notation, canonical names, kind by kind; `noesn` alone goes without saying. */
export function formatProposal(transforms: ProposalTransforms): string {
  const { encr = [], integ = [], prf = [], ke = [], esn = [] } = transforms;
  const sequence = esn.length === 1 && esn[0].id === 0 ? [] : esn;
  return [...encr, ...integ, ...prf, ...ke, ...sequence].map((row) => row.name).join('-');
}

/** Different algorithms behind the same transform. */
function isTwin(a: Algorithm, b: Algorithm): boolean {
  return hasTransform(b, a.id, a.kind === 'encr' && a.keyLengthAttribute ? a.keyBits : undefined);
}

type Complete = Omit<ProposalConfig, 'text'>;

function completeIke(text: string, chosen: Complete, aead: boolean): Result<Complete> {
  if (chosen.esn.length > 0)
    return fail('bad-proposal', `"${text}" has ${chosen.esn[0].name}, which is for ESP`);
  if (chosen.ke.length === 0)
    return fail('bad-proposal', `"${text}" has no key exchange, such as curve25519`);
  // As swanctl has it: integrity algorithms stand for the PRFs of the same hash where no PRF is named.
  const prf =
    chosen.prf.length > 0 ? chosen.prf : chosen.integ.map((row) => algorithm('prf', `prf${row.name}`));
  if (prf.length === 0) return fail('bad-proposal', `"${text}" has no PRF, such as prfsha256`);
  return ok({ ...chosen, prf, integ: aead ? [] : chosen.integ });
}

function completeEsp(text: string, chosen: Complete): Result<Complete> {
  if (chosen.prf.length > 0)
    return fail('bad-proposal', `"${text}" has ${chosen.prf[0].name}, which is for IKE`);
  return ok({ ...chosen, esn: chosen.esn.length > 0 ? chosen.esn : [algorithm('esn', 'noesn')] });
}

function pick<K extends AlgorithmKind>(
  rows: readonly Algorithm[],
  kind: K,
): Extract<Algorithm, { kind: K }>[] {
  return rows.filter((row): row is Extract<Algorithm, { kind: K }> => row.kind === kind);
}

function unknownAlgorithm(name: string, text: string): string {
  const names = ALGORITHMS.map((row) => row.name);
  const near = closest(name, names);
  const hint = near === undefined ? `known are ${names.join(', ')}` : `did you mean ${near}?`;
  return `"${text}" has an unknown algorithm "${name}": ${hint}`;
}
