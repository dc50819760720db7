// What IKEv1 makes of a configuration that is written for both versions: the combinations that its two phases can offer, and the rules
// for what it has no way to say. A hash stands where IKEv2 has a PRF and an integrity algorithm; a Quick Mode has one pair of selectors.

import { describeKey } from '../auth/keys.ts';
import { rsaRoom } from '../auth/rsa-encryption.ts';
import { equalBytes } from '../bytes.ts';
import type {
  EncryptionAlgorithm,
  IntegrityAlgorithm,
  KeyExchangeAlgorithm,
  SequenceAlgorithm,
} from '../crypto/algorithms.ts';
import {
  ahId,
  authenticationId,
  espCipherId,
  groupId,
  hashOf,
  isWeak,
  phase1CipherId,
} from '../crypto/ikev1-ids.ts';
import { authMethodOf } from '../ike/v1/auth-methods.ts';
import type { TrafficSelector } from '../ipsec/selector.ts';
import { DEFAULT_IKE_PROPOSALS, parseProposal } from './proposal.ts';
import { refuse } from './refuse.ts';
import type { ChildConfig, Connection, ProposalConfig } from './types.ts';

/** A transform of phase 1. */
export interface Phase1Combination {
  readonly encr: EncryptionAlgorithm;
  readonly integ: IntegrityAlgorithm;
  readonly ke: KeyExchangeAlgorithm;
}

/** A transform of phase 2: `encr` is absent with AH, `integ` with an AEAD. */
export interface Phase2Combination {
  readonly encr?: EncryptionAlgorithm;
  readonly integ?: IntegrityAlgorithm;
  readonly esn: SequenceAlgorithm;
}

/** RFC 2408 §3.5: the number of transforms has one byte. */
const MOST_TRANSFORMS = 255;

/** Of an ID payload, before its data (RFC 2407 §4.6.2). */
const ID_HEADER_BYTES = 4;

/** Every transform that a proposal stands for in phase 1, best first; empty where IKEv1 cannot express it. */
export function phase1Combinations(own: ProposalConfig): readonly Phase1Combination[] {
  return own.encr
    .filter((encr) => phase1CipherId(encr) !== undefined)
    .flatMap((encr) =>
      own.integ
        .filter((integ) => own.prf.some((prf) => prf.name === hashOf(integ)?.prf.name))
        .flatMap((integ) =>
          own.ke.filter((ke) => groupId(ke) !== undefined).map((ke) => ({ encr, integ, ke })),
        ),
    );
}

/** The same of a child's proposal in phase 2, without its groups. */
export function phase2Combinations(own: ProposalConfig): readonly Phase2Combination[] {
  const integ = own.integ.filter(
    (row) => (own.encr.length === 0 ? ahId(row) : authenticationId(row)) !== undefined,
  );
  const withIntegrity = own.integ.length === 0 ? [undefined] : integ;
  const encr = own.encr.length === 0 ? [undefined] : own.encr.filter((row) => espCipherId(row) !== undefined);
  return encr.flatMap((cipher) =>
    withIntegrity.flatMap((check) =>
      own.esn.map((esn) => ({
        ...(cipher === undefined ? {} : { encr: cipher }),
        ...(check === undefined ? {} : { integ: check }),
        esn,
      })),
    ),
  );
}

/** Broken or weak algorithms that an IKEv1 connection names: for old peers, and never without a word. */
export function weakAlgorithms({ proposals, children }: Connection): readonly string[] {
  const rows = [...proposals, ...Object.values(children).flatMap((child) => child.proposals)].flatMap(
    (own) => [...own.encr, ...own.integ, ...own.ke],
  );
  return [...new Set(rows.filter(isWeak).map((row) => row.name))];
}

/** Refuses what IKEv1 cannot do; does nothing for connections of IKEv2 alone. */
export function checkIkev1(path: string, connection: Connection): void {
  const { version, proposals, local, remote } = connection;
  const xauth = local.xauth !== undefined ? 'local' : remote.xauth !== undefined ? 'remote' : undefined;
  if (xauth !== undefined && version !== 1)
    refuse(
      `${path}.${xauth}.auth.xauth`,
      `is not accepted with version ${version}: XAuth is of IKEv1 alone, and IKEv2 would come up without it`,
    );
  const mode = connection.publicKeyEncryption;
  if (mode !== undefined && version !== 1)
    refuse(
      `${path}.publicKeyEncryption`,
      `"${mode}" is not accepted with version ${version}; only IKEv1 has it`,
    );
  if (version === 2) {
    if (connection.aggressive)
      refuse(`${path}.aggressive`, 'true is not accepted with version 2, which has no Aggressive Mode');
    return;
  }
  checkMethod(path, connection);
  checkEncryption(path, connection);
  const [own, theirs] = [pskOf(local.auth), pskOf(remote.auth)];
  if (!equalBytes(own, theirs))
    refuse(
      `${path}.local.auth.psk`,
      'is not accepted beside another remote.auth.psk: IKEv1 has one key for both sides',
    );
  const defaults = DEFAULT_IKE_PROPOSALS.map((text) => parseProposal(text, 'ike'));
  const isDefault = defaults.every((own, at) => own.ok && own.value.text === proposals[at]?.text);
  for (const [at, own] of proposals.entries()) {
    const { length } = phase1Combinations(own);
    if (length > MOST_TRANSFORMS)
      refuse(
        `${path}.proposals.${at}`,
        `"${own.text}" makes ${length} transforms; IKEv1 has at most ${MOST_TRANSFORMS}`,
      );
    if (length === 0 && version === 1 && !isDefault)
      refuse(
        `${path}.proposals.${at}`,
        `"${own.text}" cannot be said in IKEv1; expected a CBC cipher, a hash and a group, such as aes256-sha256-modp2048`,
      );
  }
  if (proposals.every((own) => phase1Combinations(own).length === 0))
    refuse(
      `${path}.proposals`,
      'none of them can be said in IKEv1; expected one such as aes256-sha256-modp2048',
    );
  for (const child of Object.values(connection.children)) checkChild(`${path}.children.${child.name}`, child);
}

/** Public-key encryption: our key decrypts, and the peer's is known beforehand with whom it belongs to. */
function checkEncryption(path: string, connection: Connection): void {
  const { local, remote, publicKeyEncryption: mode } = connection;
  if (mode === undefined) return;
  if (local.auth.kind !== 'signature' || remote.auth.kind !== 'signature')
    refuse(`${path}.publicKeyEncryption`, `"${mode}" is not accepted without an RSA key on both sides`);
  const { anchors, pinned, keys } = remote.auth;
  if (anchors.length > 0)
    refuse(
      `${path}.remote.auth.ca`,
      "is not accepted with publicKeyEncryption, in which no certificate is sent; expected the peer's own in certificate or publicKey",
    );
  if (local.auth.key.decryptNow === undefined)
    refuse(
      `${path}.local.auth.privateKey`,
      `is not accepted with publicKeyEncryption: ${describeKey(local.auth.key.kind)}${local.auth.key.kind.type === 'rsa' ? ' that only signs' : ''}; expected an RSA key that decrypts, as PEM or DER`,
    );
  const kinds = [...pinned.map(({ key }) => key), ...keys.map(({ kind }) => kind)];
  if (kinds.some((kind) => kind?.type !== 'rsa'))
    refuse(
      `${path}.remote.auth.${keys.length > 0 ? 'publicKey' : 'certificate'}`,
      'is not accepted with publicKeyEncryption: expected RSA',
    );
  if (kinds.length > 1)
    refuse(
      `${path}.remote.auth`,
      `${kinds.length} keys of the peer are not accepted with publicKeyEncryption, which uses one; make a connection of each`,
    );
  // Nothing else says whom the key belongs to.
  if (remote.id === undefined) refuse(`${path}.remote.id`, 'is missing; publicKeyEncryption needs it');
  const room = Math.min(...kinds.map((kind) => rsaRoom(kind?.bits ?? 0)));
  if (mode === 'original' && local.id !== undefined && local.id.data.length + ID_HEADER_BYTES > room)
    refuse(
      `${path}.local.id`,
      `has ${local.id.data.length} bytes, and the peer's key takes ${room - ID_HEADER_BYTES}; use another identity, or publicKeyEncryption "revised"`,
    );
}

/** Refuses what no authentication method of IKEv1 stands for. */
function checkMethod(path: string, connection: Connection): void {
  const { local, remote } = connection;
  if (authMethodOf(connection, 'initiator') !== undefined) return;
  const kinds = [local.auth.kind, remote.auth.kind];
  if (kinds.includes('psk') && kinds.includes('signature'))
    refuse(`${path}.local.auth`, 'is not accepted: in IKEv1 both sides have a pre-shared key, or both sign');
  const { publicKeyEncryption: mode } = connection;
  if (mode !== undefined && (local.xauth ?? remote.xauth) !== undefined)
    refuse(
      `${path}.publicKeyEncryption`,
      `"${mode}" is not accepted with XAuth, which comes after signatures here`,
    );
  const who =
    local.auth.kind === 'signature' ? `${describeKey(local.auth.key.kind)} is not accepted` : 'is missing';
  const xauth = local.xauth ?? remote.xauth;
  const expected =
    xauth === undefined ? 'an RSA key, or an ECDSA key on P-256, P-384 or P-521' : 'an RSA key';
  const why = xauth === undefined ? 'with IKEv1' : 'with XAuth';
  refuse(`${path}.local.auth.privateKey`, `${who} ${why}; expected ${expected}`);
}

function checkChild(path: string, child: ChildConfig): void {
  if (child.tfcPaddingBytes > 0)
    refuse(`${path}.tfcPadding`, 'is not accepted with IKEv1, in which nobody can say that he takes it');
  const row = child.protocol === 'ah' ? 'ahProposals' : 'espProposals';
  const counts = child.proposals.map((own) => phase2Combinations(own).length);
  if (counts.every((count) => count === 0))
    refuse(`${path}.${row}`, 'none of them can be said in IKEv1; expected one such as aes256-sha256');
  if (child.around.length > 0 && child.around.every((own) => phase2Combinations(own).length === 0))
    refuse(`${path}.ahProposals`, 'none of them can be said in IKEv1; expected one such as sha256');
  const most = Math.max(...counts);
  if (most > MOST_TRANSFORMS)
    refuse(`${path}.${row}`, `${most} transforms in one proposal; IKEv1 has at most ${MOST_TRANSFORMS}`);
  checkSelectors(`${path}.localTs`, child.localTs);
  checkSelectors(`${path}.remoteTs`, child.remoteTs);
}

/** RFC 2407 §4.6.2: one address range, one protocol, one port or all. */
function checkSelectors(path: string, selectors: readonly TrafficSelector[]): void {
  if (selectors.length > 1)
    refuse(
      path,
      `${selectors.length} selectors are not accepted with IKEv1, which has one; make a child of each`,
    );
  for (const { startPort, endPort } of selectors)
    if (startPort !== endPort && !(startPort === 0 && endPort === 65535))
      refuse(path, 'a range of ports is not accepted with IKEv1; expected one port, or none for all');
}

/** The key of one side; empty where it has none. */
function pskOf(auth: Connection['local']['auth'] | Connection['remote']['auth']): Uint8Array {
  return auth.kind === 'psk' ? auth.psk : new Uint8Array(0);
}

/** The key that both sides of an IKEv1 connection have. */
export function sharedKey({ remote }: Connection): Uint8Array {
  return pskOf(remote.auth);
}
