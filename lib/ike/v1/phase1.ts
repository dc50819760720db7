// What Main Mode and Aggressive Mode have in common (RFC 2409 §5): turns and their encryption, keys from a pre-shared key, the hashes that
// prove both sides, identities, NAT traversal, and how little an unauthenticated message can do.

import { identityFrom, identityFromAddress } from '../../auth/identity.ts';
import { equalConstantTime, toHex, uint64, wipe } from '../../bytes.ts';
import type { Connection, Identity } from '../../config/types.ts';
import { ok, type Result } from '../../errors.ts';
import type { KeyLogEntry } from '../events.ts';
import type { FailureReport } from '../failure.ts';
import type { Host } from '../host.ts';
import { wantsEncap } from '../nat.ts';
import { reportFailure } from '../report.ts';
import type { Datagram } from '../runtime.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { decodeV1Message, encodeV1Body, encodeV1Message } from '../wire/v1/codec.ts';
import { allV1, type IdPayload, type Received, type V1Payload } from '../wire/v1/message.ts';
import { FIRST_STATUS, V1Notify, v1NotifyName } from '../wire/v1/numbers.ts';
import { isEncryption, proofHash, type Role } from './auth-methods.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { phase1Hash, phase1Iv, skeyidOfEncryption, skeyidOfPsk, skeyidOfSignatures } from './keys.ts';
import { detectV1Nat, natPayloads } from './nat.ts';
import { IvChain, type V1Keys, type V1Suite } from './protect.ts';
import { v1ExchangeName } from './trace.ts';
import { Turns } from './turns.ts';
import { readVendorIds } from './vendor.ts';

export const NONCE_BYTES = 32;
const UDP = 17;
/** Messages that are kept while the peer's last proof is looked at. */
const MOST_EARLY = 8;

/** What the hashes of phase 1 are over, as it comes together. Public values and nonces by role. */
export interface Phase1Material {
  saBody: Uint8Array;
  publicI: Uint8Array;
  publicR: Uint8Array;
  ni: Uint8Array;
  nr: Uint8Array;
}

/** A message whose payloads can be read; nothing about it is proved yet. */
export interface Readable {
  readonly payloads: readonly Received[];
  /** As the header has it; the initiator learns it by the second message. */
  readonly responderCookie: bigint;
  /** It has been acted upon: repetitions get the answer to it, and the IV chain moves on. */
  accept(): void;
}

export abstract class Phase1 {
  abstract readonly exchange: number;
  readonly ike: V1IkeSa;
  /** Encryption begins with the key exchange. */
  protected chain: IvChain | undefined;
  protected readonly turns: Turns;
  /** Slow work is under way: what comes meanwhile is not heard. */
  protected busy = false;
  protected readonly material: Phase1Material = {
    saBody: new Uint8Array(0),
    publicI: new Uint8Array(0),
    publicR: new Uint8Array(0),
    ni: new Uint8Array(0),
    nr: new Uint8Array(0),
  };
  #finished = false;
  #doubted = false;
  #early: { readonly datagram: Datagram; readonly frame: Framed<IsakmpHeader> }[] = [];

  constructor(ike: V1IkeSa) {
    this.ike = ike;
    this.turns = new Turns(ike, ike.role === 'responder', () => this.#unanswered());
  }

  /** A message of this exchange. */
  receive(datagram: Datagram, frame: Framed<IsakmpHeader>): void {
    const { host } = this.ike;
    if (this.turns.repeated(datagram)) return;
    if (this.#finished || this.busy || this.ike.state === 'dead') return host.count('unexpected-message');
    const read = this.read(datagram, frame);
    if (!read.ok) {
      host.count(frame.header.flags.encrypted ? 'not-authentic' : 'malformed');
      if (frame.header.flags.encrypted) this.undecipherable();
      return;
    }
    this.turns.trace(datagram, frame.header, read.value.payloads);
    const { accept } = read.value;
    this.handle(datagram, {
      payloads: read.value.payloads,
      responderCookie: frame.header.responderCookie,
      accept: () => {
        accept();
        this.turns.accepted(datagram);
      },
    });
  }

  protected abstract handle(datagram: Datagram, message: Readable): void;

  /** Reads a message, in clear or encrypted as its header says. */
  protected read(
    datagram: Datagram,
    { header, nextPayload }: Framed<IsakmpHeader>,
  ): Result<Omit<Readable, 'responderCookie'>> {
    if (header.flags.encrypted && this.chain !== undefined)
      return this.chain.open(datagram.data, nextPayload);
    const message = decodeV1Message(datagram.data);
    return message.ok ? ok({ payloads: message.value.payloads, accept() {} }) : message;
  }

  /** The peer, or anybody in its name, tells a responder of an error: no more than something to report. */
  protected toldOf(_notify: string): void {
    this.ike.host.count('unprotected-message');
  }

  /** The peer may be through and begin what follows while its proof is still looked at: whether that is kept till then. */
  hold(datagram: Datagram, frame: Framed<IsakmpHeader>): boolean {
    if (!this.busy || this.chain === undefined || this.#early.length >= MOST_EARLY) return false;
    this.#early.push({ datagram: { ...datagram, data: new Uint8Array(datagram.data) }, frame });
    return true;
  }

  /** Phase 1 is up: what was kept comes now. */
  release(): void {
    for (const { datagram, frame } of this.#early.splice(0)) this.ike.receive(datagram, frame);
  }

  /** An Informational came under a key that is not there yet, or never will be. */
  unreadable(): void {}

  /** A message did not decrypt to payloads: the peer's key may be another. */
  protected undecipherable(): void {}

  protected send(payloads: readonly V1Payload[], options: { readonly awaits: boolean }): void {
    const header = this.ike.header(this.exchange, 0);
    const message =
      this.chain === undefined ? encodeV1Message(header, payloads) : this.chain.seal(header, payloads);
    this.turns.send({ message, header, payloads }, options.awaits);
  }

  /** An error in clear: anybody could have sent it, so it counts only when nothing better comes for a while (RFC 2408 §5.14). */
  doubt(payloads: readonly Received[]): void {
    const error = allV1(payloads, 'N').find(({ notify }) => notify < FIRST_STATUS);
    if (error === undefined || this.ike.role === 'responder')
      return this.ike.host.count('unprotected-message');
    const notify = v1NotifyName(error.notify);
    const [code, advice] =
      error.notify === V1Notify.NO_PROPOSAL_CHOSEN
        ? (['no-proposal', 'compare the proposals of phase 1 on both sides'] as const)
        : this.chain === undefined
          ? (['peer-refused', 'see what the peer logs'] as const)
          : (['authentication', 'compare the identities and the keys of both sides'] as const);
    this.failLater(code, `the peer refused with ${notify}`, { notify, advice });
  }

  /** Fails unless phase 1 comes to its end meanwhile. */
  protected failLater(code: string, message: string, more: Partial<FailureReport>): void {
    const { ike } = this;
    if (this.#doubted || this.#finished) return;
    this.#doubted = true;
    const { runtime, config } = ike.host;
    ike.timers.push(
      runtime.setTimer(config.retransmit.timeoutMs, () => {
        if (ike.state === 'connecting') this.fail(code, message, more);
      }),
    );
  }

  /** What the peer encrypted is none for us; anybody can send such a thing. */
  protected unsealable(): void {
    this.ike.host.count('not-authentic');
    const message = `what ${this.ike.remote.address} sent cannot be decrypted with our key`;
    this.failLater('authentication', message, { advice: 'compare the public key of both sides' });
  }

  protected report(code: string, message: string, more: Partial<FailureReport> = {}): void {
    const { ike } = this;
    const exchange = v1ExchangeName(this.exchange);
    reportFailure(ike, { exchange, role: ike.role, code, message }, more);
  }

  protected fail(code: string, message: string, more: Partial<FailureReport> = {}): void {
    this.report(code, message, more);
    this.ike.die('failed');
  }

  #unanswered(): void {
    const { remote, role } = this.ike;
    if (role === 'responder') return this.ike.die('failed');
    const message = `${remote.address} port ${remote.port} did not answer ${v1ExchangeName(this.exchange)}`;
    const advice =
      'check the address, that UDP ports 500 and 4500 pass in both directions, that the peer runs and has IKEv1, and the pre-shared key';
    this.fail('no-answer', message, { advice });
  }

  /** It is over, one way or the other. */
  end(): void {
    this.#finished = true;
    this.#early = [];
    this.turns.stop();
    this.wipe();
  }

  /** Overwrites private values, secrets and keys that came to nothing. */
  protected abstract wipe(): void;

  // ---- what both modes make of the material

  /** Encrypts from now on (RFC 2409 Appendix B). */
  protected encrypt(suite: V1Suite, keys: V1Keys): void {
    this.chain = chainOf(this.ike.host, suite, keys, this.material);
  }

  /** What follows of this phase 1 starts from its last block. */
  protected settle(suite: V1Suite, keys: V1Keys): void {
    const { ike, chain, material } = this;
    ike.suite = suite;
    ike.keys = keys;
    ike.nonces = [material.ni, material.nr];
    const { runtime } = ike.host;
    if (runtime.keyLog) runtime.emit({ type: 'keys', keys: keyLogEntry(ike, suite, keys) });
    ike.lastBlock = chain?.last.slice() ?? new Uint8Array(suite.encr.ivBytes);
    this.#finished = true;
    this.turns.stop();
  }

  /** HASH_I or HASH_R. */
  protected hashOf(side: Role, suite: V1Suite, keys: V1Keys, idBody: Uint8Array): Uint8Array {
    const { publicI, publicR, saBody } = this.material;
    const { spiI, spiR, host } = this.ike;
    const first = side === 'initiator';
    return phase1Hash(host.runtime.crypto, proofHash(suite.method, suite.hash), keys.skeyid, {
      publicOwn: first ? publicI : publicR,
      publicPeer: first ? publicR : publicI,
      cookieOwn: uint64(first ? spiI : spiR),
      cookiePeer: uint64(first ? spiR : spiI),
      saBody,
      idBody,
    });
  }

  protected proves(
    side: Role,
    suite: V1Suite,
    keys: V1Keys,
    id: Received<IdPayload>,
    hash: Uint8Array,
  ): boolean {
    return equalConstantTime(this.hashOf(side, suite, keys, id.body), hash);
  }

  protected natPayloads(suite: V1Suite): readonly V1Payload[] {
    const { ike } = this;
    const { host, natWay } = ike;
    if (natWay === undefined) return [];
    const pretend = wantsEncap(host, ike.connection) ? host.runtime.random(64) : undefined;
    const subject = { hash: suite.hash.name, spiI: ike.spiI, spiR: ike.spiR };
    return natPayloads(host.runtime.crypto, subject, ike.path, natWay, pretend);
  }

  protected detectNat(suite: V1Suite, datagram: Datagram, payloads: readonly V1Payload[]): void {
    const { ike } = this;
    if (ike.natWay === undefined) return;
    const subject = { hash: suite.hash.name, spiI: ike.spiI, spiR: ike.spiR };
    ike.nat = detectV1Nat(ike.host.runtime.crypto, subject, datagram, payloads);
    ike.pretendsNat = ike.nat.supported && wantsEncap(ike.host, ike.connection);
  }

  /** What the vendor ids of the peer's first message say. */
  protected learn(payloads: readonly V1Payload[]): void {
    const { natt, dpd, names } = readVendorIds(payloads);
    const { ike } = this;
    ike.natWay = natt;
    ike.peerDpd = dpd;
    ike.host.runtime.log.debug('vendor-ids', {
      connection: ike.connection.name,
      remote: ike.remote.address,
      names,
    });
  }
}

/** The keys of a phase 1: of the pre-shared key, of nonces that were encrypted, or with signatures of the exchange alone. */
export function phase1Keys(
  host: Host,
  suite: V1Suite,
  psk: Uint8Array,
  secret: Uint8Array,
  exchanged: Pick<Phase1Material, 'ni' | 'nr'> & { readonly spiI: bigint; readonly spiR: bigint },
): V1Keys {
  const { crypto } = host.runtime;
  const { ni, nr } = exchanged;
  const cookies = { initiator: uint64(exchanged.spiI), responder: uint64(exchanged.spiR) };
  const both = { cookieI: cookies.initiator, cookieR: cookies.responder, ni, nr };
  const skeyid =
    suite.method.initiator === 'psk'
      ? skeyidOfPsk(crypto, suite.hash, psk, both)
      : isEncryption(suite.method)
        ? skeyidOfEncryption(crypto, suite.hash, both)
        : skeyidOfSignatures(crypto, suite.hash, secret, both);
  const { d, a, e } = crypto.ikev1.deriveSkeyids(suite.hash.prf, skeyid, secret, cookies);
  const cipher = crypto.ikev1.phase1CipherKey(suite.hash.prf, e, suite.encr.keyBits / 8);
  wipe(e);
  return { skeyid, d, a, cipher };
}

function keyLogEntry({ spiI, spiR }: V1IkeSa, { encr }: V1Suite, { cipher }: V1Keys): KeyLogEntry {
  return {
    kind: 'ikev1',
    initiatorSpi: toHex(uint64(spiI)),
    responderSpi: toHex(uint64(spiR)),
    encryption: encr.name,
    encryptionKey: cipher.slice(),
  };
}

export function wipeV1Keys(keys: V1Keys | undefined): void {
  wipe(keys?.skeyid, keys?.d, keys?.a, keys?.cipher);
}

export function chainOf(
  host: Host,
  suite: V1Suite,
  keys: V1Keys,
  { publicI, publicR }: Phase1Material,
): IvChain {
  const { crypto } = host.runtime;
  const iv = phase1Iv(crypto, suite.hash, publicI, publicR, suite.encr.blockBytes);
  return new IvChain(crypto, suite.encr, keys.cipher, iv);
}

/** Our identity as a payload. */
export function idPayload({ idType, data }: Identity): IdPayload {
  return { type: 'ID', idType, protocol: 0, port: 0, data };
}

export function idBody(identity: Identity): Uint8Array {
  return encodeV1Body(idPayload(identity));
}

export function ownIdentity(connection: Connection, local: string): Identity {
  return connection.local.id ?? identityFromAddress(local);
}

/** The peer's identity; undefined where protocol and port are not those of phase 1 (RFC 2407 §4.6.2). */
export function peerIdentity({ idType, protocol, port, data }: IdPayload): Identity | undefined {
  const none = protocol === 0 && port === 0;
  const ike = protocol === UDP && (port === 500 || port === 4500 || port === 0);
  return none || ike ? identityFrom(idType, data) : undefined;
}

/** RFC 2409 §5: 8 to 256 bytes. */
export function isNonce(data: Uint8Array): boolean {
  return data.length >= 8 && data.length <= 256;
}
