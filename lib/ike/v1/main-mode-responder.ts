// Main Mode as its responder. With a pre-shared key it needs that before it knows the peer's identity (RFC 2409 §5.4): it has those of every
// connection that the addresses allow, and the one that the fifth message decrypts with is the peer's. With signatures there is one key.
//
// With public-key encryption the third message has the identity, and what cannot be decrypted, or is of nobody that we know, is answered like
// all else: with something that nobody can read, so that it comes to nothing only at the hash. Who sent it learns no more than that.

import { matchIdentity } from '../../auth/identity.ts';
import { equalBytes, wipe } from '../../bytes.ts';
import { sharedKey } from '../../config/ikev1.ts';
import type { Connection } from '../../config/types.ts';
import { fail, ok, type Result } from '../../errors.ts';
import type { FailureReport } from '../failure.ts';
import { wantsEncap } from '../nat.ts';
import type { Datagram } from '../runtime.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { Exchange, findV1, type IdPayload, type Received, type V1Payload } from '../wire/v1/message.ts';
import { V1Notify, v1NotifyName } from '../wire/v1/numbers.ts';
import { isEncryption } from './auth-methods.ts';
import {
  chainOf,
  idBody,
  idPayload,
  isNonce,
  NONCE_BYTES,
  ownIdentity,
  Phase1,
  peerIdentity,
  phase1Keys,
  type Readable,
  wipeV1Keys,
} from './phase1.ts';
import { certificateRequests, checkProof, hasProof, keyOf, makeProof } from './phase1-auth.ts';
import type { Phase1Choice } from './phase1-offer.ts';
import { isKeptOut, phase1Up, sayInClear } from './phase1-up.ts';
import type { IvChain, V1Keys } from './protect.ts';
import { connectionsFor, connectionsWithKey, decryptionKey, open, seal } from './skeme.ts';
import { vendorIdsFor } from './vendor.ts';

/** Keys that a responder holds possible at once. */
const MOST_TRIALS = 16;

/** A key that may be the peer's, with the connections that have it. */
interface Trial {
  readonly connections: readonly Connection[];
  readonly keys: V1Keys;
}

export class MainModeResponder extends Phase1 {
  readonly exchange = Exchange.MAIN_MODE;
  readonly #choice: Phase1Choice;
  #step: 3 | 5 = 3;
  #trials: readonly Trial[] = [];
  /** The key that the message at hand decrypts with. */
  #found: Trial | undefined;
  /** Where it came with the key exchange. */
  #remoteId: Received<IdPayload> | undefined;
  /** Why this exchange must not succeed, whatever comes. */
  #doomed: string | undefined;

  constructor(ike: Phase1['ike'], choice: Phase1Choice) {
    super(ike);
    this.#choice = choice;
  }

  /** Answers the first message; the caller has chosen. */
  start(datagram: Datagram, payloads: readonly Received[]): void {
    this.material.saBody = findV1(payloads, 'SA')?.body ?? new Uint8Array(0);
    this.learn(payloads);
    this.turns.accepted(datagram);
    this.send([this.#choice.answer, ...vendorIdsFor(this.ike.connection)], { awaits: false });
  }

  protected override read(
    datagram: Datagram,
    frame: Framed<IsakmpHeader>,
  ): Result<Omit<Readable, 'responderCookie'>> {
    if (!frame.header.flags.encrypted) return super.read(datagram, frame);
    const { suite } = this.#choice;
    for (const trial of this.#trials) {
      const chain = chainOf(this.ike.host, suite, trial.keys, this.material);
      const opened = chain.open(datagram.data, frame.nextPayload);
      if (!opened.ok || !this.#mayBe(trial, opened.value.payloads)) continue;
      this.#found = trial;
      return {
        ok: true,
        value: { payloads: opened.value.payloads, accept: this.#taker(chain, opened.value.accept) },
      };
    }
    return fail('not-authentic', 'no key of ours opens it');
  }

  #taker(chain: IvChain, accept: () => void): () => void {
    return () => {
      accept();
      this.chain = chain;
    };
  }

  /** With a pre-shared key the proof tells; a signature is looked at later. */
  #mayBe({ keys }: Trial, payloads: readonly Received[]): boolean {
    const { suite } = this.#choice;
    const id = this.#remoteId ?? findV1(payloads, 'ID');
    if (id === undefined || !hasProof(suite.method.initiator, payloads)) return false;
    const hash = findV1(payloads, 'HASH');
    return hash === undefined || (this.proves('initiator', suite, keys, id, hash.data) && !this.#doomed);
  }

  protected override undecipherable(): void {
    const { ike } = this;
    if (this.#step !== 5) return;
    const { initiator } = this.#choice.suite.method;
    const message = this.#doomed ?? `the proof of ${ike.remote.address} fits no ${keyOf(initiator)}`;
    const candidates = ike.candidates.map(({ name }) => name);
    const advice = `compare the ${keyOf(initiator)} of both sides`;
    this.#tell(V1Notify.AUTHENTICATION_FAILED, message, { candidates, advice });
  }

  /** Once, for it may be anybody's message: the exchange goes on for whoever has the key. */
  #tell(notify: number, message: string, more: Partial<FailureReport>): void {
    if (this.#told) return;
    this.#told = true;
    this.report('authentication', message, { notify: v1NotifyName(notify), ...more });
    sayInClear(this.ike, notify);
  }

  #told = false;

  protected handle(datagram: Datagram, message: Readable): void {
    if (this.#step === 3) return this.#third(datagram, message);
    if (this.#found !== undefined) this.#fifth(datagram, message, this.#found);
  }

  #third(datagram: Datagram, message: Readable): void {
    const { ike } = this;
    const { host } = ike;
    const { suite } = this.#choice;
    if (!isEncryption(suite.method)) return this.#asked(datagram, message);
    ike.candidates = connectionsWithKey(host, suite, ike.candidates, message.payloads);
    const [key] = ike.candidates.flatMap((one) => decryptionKey(one) ?? []);
    if (key === undefined) return;
    // Once: each costs an operation with the private key.
    message.accept();
    this.busy = true;
    open(host, suite, ike.spiI, key, message.payloads, (opened) => {
      this.busy = false;
      if (ike.state !== 'connecting') return;
      if (opened.ok) return this.#identified(datagram, { ...message, payloads: opened.value });
      // What was meant for another key comes out as anything, and so does what somebody makes up: neither is told why it is dropped.
      this.report('authentication', `what ${ike.remote.address} sent cannot be decrypted with our key`);
      ike.die('failed');
    });
  }

  /** Who it is must be known before the answer, which is encrypted for him. */
  #identified(datagram: Datagram, message: Readable): void {
    const { ike } = this;
    this.#remoteId = findV1(message.payloads, 'ID');
    const known = connectionsFor(ike.candidates, this.#remoteId);
    if (known.length > 0) ike.candidates = known;
    else
      this.#doomed = `what ${ike.remote.address} sent cannot be decrypted with our key, or no connection is for who it says it is`;
    this.#asked(datagram, message);
    if (!this.busy) ike.die('failed');
  }

  /** The peer's half is in clear. Nothing happens where it is none. */
  #asked(datagram: Datagram, { payloads, accept }: Readable): void {
    const { ike, material } = this;
    const { runtime } = ike.host;
    const { suite } = this.#choice;
    const ke = findV1(payloads, 'KE');
    const nonce = findV1(payloads, 'NONCE');
    if (ke?.data.length !== suite.ke.initiatorPublicBytes || nonce === undefined || !isNonce(nonce.data))
      return ike.host.count('malformed');
    accept();
    ike.followPeer(datagram);
    this.busy = true;
    material.publicI = ke.data;
    material.ni = nonce.data;
    material.nr = runtime.random(NONCE_BYTES);
    const seed = runtime.random(suite.ke.seedBytes);
    runtime.keyExchange({ op: 'respond', method: suite.ke, seed, peerPublic: ke.data }, (outcome) => {
      wipe(seed);
      if (ike.state !== 'connecting') return wipe(outcome.ok ? outcome.value.secret : undefined);
      this.busy = false;
      if (!outcome.ok) {
        ike.host.count('bad-public-value');
        return ike.die('failed');
      }
      material.publicR = outcome.value.publicValue;
      this.#trials = this.#makeTrials(outcome.value.secret);
      wipe(outcome.value.secret);
      this.#step = 5;
      // Our own hashes are of the addresses before NAT detection says anything.
      const nat = this.natPayloads(suite);
      this.detectNat(suite, datagram, payloads);
      const half = this.#half(nat);
      if (!half.ok) {
        this.report('authentication', half.error.message);
        return ike.die('failed');
      }
      this.send(half.value, { awaits: false });
    });
  }

  /** What the fourth message is made of. */
  #half(nat: readonly V1Payload[]): Result<readonly V1Payload[]> {
    const { ike, material } = this;
    const { suite } = this.#choice;
    const ke = { type: 'KE', data: material.publicR } as const;
    const nonce = { type: 'NONCE', data: material.nr } as const;
    if (!isEncryption(suite.method)) return ok([ke, nonce, ...certificateRequests(ike.candidates), ...nat]);
    const [connection = ike.connection] = ike.candidates;
    const id = idPayload(ownIdentity(connection, ike.local.address));
    return seal(ike, suite, connection, { ke, nonce, id }, nat, this.#doomed !== undefined);
  }

  #makeTrials(secret: Uint8Array): readonly Trial[] {
    const { ike, material } = this;
    const groups: { psk: Uint8Array; connections: Connection[] }[] = [];
    // With signatures all of them have the empty key.
    for (const connection of ike.candidates) {
      const psk = sharedKey(connection);
      const known = groups.find((group) => equalBytes(group.psk, psk));
      if (known !== undefined) known.connections.push(connection);
      else if (groups.length < MOST_TRIALS) groups.push({ psk, connections: [connection] });
      else ike.host.count('too-many-keys');
    }
    const exchanged = { ni: material.ni, nr: material.nr, spiI: ike.spiI, spiR: ike.spiR };
    return groups.map(({ psk, connections }) => ({
      connections,
      keys: phase1Keys(ike.host, this.#choice.suite, psk, secret, exchanged),
    }));
  }

  #fifth(datagram: Datagram, { payloads, accept }: Readable, { connections, keys }: Trial): void {
    const { ike } = this;
    const { host } = ike;
    const { suite } = this.#choice;
    const id = this.#remoteId ?? findV1(payloads, 'ID');
    if (id === undefined) return;
    const remoteId = peerIdentity(id);
    const known = connections.filter(
      (one) => remoteId !== undefined && matchIdentity(one.remote.id, remoteId),
    );
    if (remoteId === undefined || known.length === 0) {
      const candidates = ike.candidates.map(({ name }) => name);
      const who = remoteId?.text ?? 'an identity with a port';
      const notify = 'INVALID_ID_INFORMATION';
      const proved = suite.method.initiator === 'psk';
      if (!proved) host.count('not-authentic');
      this.#tell(V1Notify.INVALID_ID_INFORMATION, `no connection is for ${who}`, { candidates, notify });
      // A signature has not been looked at: it may be anybody's word.
      return proved ? ike.die('failed') : undefined;
    }
    this.busy = true;
    const hash = this.hashOf('initiator', suite, keys, id.body);
    checkProof(host, known, suite.method.initiator, remoteId, hash, payloads, (accepted) => {
      this.busy = false;
      if (ike.state !== 'connecting') return;
      if (!accepted.ok) {
        host.count('not-authentic');
        return this.#tell(V1Notify.AUTHENTICATION_FAILED, accepted.error.message, accepted.error.more);
      }
      accept();
      ike.assign(accepted.value);
      ike.remoteId = remoteId;
      ike.localId = ownIdentity(accepted.value, ike.local.address);
      if (isKeptOut(ike, payloads)) {
        this.report('authentication', `${remoteId.text} has an IKE SA already, which is kept`);
        return ike.die('failed');
      }
      this.#prove(datagram, keys, payloads);
    });
  }

  #prove(datagram: Datagram, keys: V1Keys, payloads: readonly Received[]): void {
    const { ike } = this;
    const { connection, host, localId } = ike;
    const { suite, life } = this.#choice;
    if (localId === undefined) return;
    ike.local = datagram.local;
    ike.remote = datagram.remote;
    ike.natt = datagram.natt;
    ike.pretendsNat = ike.nat.supported && (ike.pretendsNat || wantsEncap(host, connection));
    const hash = this.hashOf('responder', suite, keys, idBody(localId));
    this.busy = true;
    makeProof(host, connection, suite.method.responder, hash, (proof) => {
      this.busy = false;
      if (ike.state !== 'connecting') return;
      if (!proof.ok) {
        this.report('authentication', `our signature could not be made: ${proof.error.message}`);
        return ike.die('failed');
      }
      const id = this.#remoteId === undefined ? [idPayload(localId)] : [];
      this.send([...id, ...proof.value], { awaits: false });
      this.#trials = this.#trials.filter((trial) => trial.keys !== keys);
      this.wipe();
      this.settle(suite, keys);
      phase1Up(ike, life, payloads);
    });
  }

  protected wipe(): void {
    for (const { keys } of this.#trials) wipeV1Keys(keys);
    this.#trials = [];
  }
}
