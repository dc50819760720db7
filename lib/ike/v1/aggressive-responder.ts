// Aggressive Mode as its responder. With a pre-shared key whoever sees the second message can guess at the key as long as he likes: it is
// answered only where the connection says so. Who it is says the first message; where that is encrypted, what cannot be decrypted or is
// of nobody that we know is answered like all else, as in Main Mode.

import { wipe } from '../../bytes.ts';
import { sharedKey } from '../../config/ikev1.ts';
import { fail, ok, type Result } from '../../errors.ts';
import type { Datagram } from '../runtime.ts';
import { Exchange, findV1, type IdPayload, type Received, type V1Payload } from '../wire/v1/message.ts';
import { isEncryption } from './auth-methods.ts';
import {
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
import { isKeptOut, phase1Up } from './phase1-up.ts';
import type { V1Keys } from './protect.ts';
import { connectionsFor, connectionsWithKey, decryptionKey, open, seal } from './skeme.ts';
import { vendorIdsFor } from './vendor.ts';

export class AggressiveResponder extends Phase1 {
  readonly exchange = Exchange.AGGRESSIVE;
  readonly #choice: Phase1Choice;
  #keys: V1Keys | undefined;
  #peer: Received<IdPayload> | undefined;
  /** Why this exchange must not succeed, whatever comes. */
  #doomed: string | undefined;
  #doubt: string | undefined;
  #told = false;

  constructor(ike: Phase1['ike'], choice: Phase1Choice) {
    super(ike);
    this.#choice = choice;
  }

  /** Answers the first message; where the identity in it can be read, the caller has chosen the connection by it. */
  start(datagram: Datagram, payloads: readonly Received[]): void {
    const { ike, material } = this;
    const { suite } = this.#choice;
    material.saBody = findV1(payloads, 'SA')?.body ?? new Uint8Array(0);
    this.turns.accepted(datagram);
    if (!isEncryption(suite.method)) return this.#asked(payloads);
    ike.candidates = connectionsWithKey(ike.host, suite, ike.candidates, payloads);
    const [key] = ike.candidates.flatMap((one) => decryptionKey(one) ?? []);
    if (key === undefined) return ike.die('failed');
    this.busy = true;
    open(ike.host, suite, ike.spiI, key, payloads, (opened) => {
      this.busy = false;
      if (ike.state !== 'connecting') return;
      if (opened.ok) return this.#identified(opened.value);
      this.report('authentication', `what ${ike.remote.address} sent cannot be decrypted with our key`);
      ike.die('failed');
    });
  }

  /** Who it is must be known before the answer, which is encrypted for him. */
  #identified(payloads: readonly Received[]): void {
    const { ike } = this;
    const known = connectionsFor(ike.candidates, findV1(payloads, 'ID'));
    const [connection] = known.length > 0 ? known : ike.candidates;
    if (connection !== undefined) ike.assign(connection);
    if (known.length === 0)
      this.#doomed = `what ${ike.remote.address} sent cannot be decrypted with our key, or no connection is for who it says it is`;
    this.#asked(payloads);
  }

  /** The peer's half is in clear. */
  #asked(payloads: readonly Received[]): void {
    const { ike, material } = this;
    const { host, connection } = ike;
    const { runtime } = host;
    const { suite } = this.#choice;
    const ke = findV1(payloads, 'KE');
    const nonce = findV1(payloads, 'NONCE');
    const id = findV1(payloads, 'ID');
    if (ke?.data.length !== suite.ke.initiatorPublicBytes || nonce === undefined || !isNonce(nonce.data)) {
      host.count('malformed');
      return ike.die('failed');
    }
    if (id === undefined) return ike.die('failed');
    this.#peer = id;
    ike.remoteId = peerIdentity(id);
    material.publicI = ke.data;
    material.ni = nonce.data;
    material.nr = runtime.random(NONCE_BYTES);
    this.learn(payloads);
    this.busy = true;
    const seed = runtime.random(suite.ke.seedBytes);
    runtime.keyExchange({ op: 'respond', method: suite.ke, seed, peerPublic: ke.data }, (outcome) => {
      wipe(seed);
      if (ike.state !== 'connecting') return wipe(outcome.ok ? outcome.value.secret : undefined);
      if (!outcome.ok) {
        host.count('bad-public-value');
        return ike.die('failed');
      }
      const { secret, publicValue } = outcome.value;
      material.publicR = publicValue;
      const exchanged = { ni: material.ni, nr: material.nr, spiI: ike.spiI, spiR: ike.spiR };
      const keys = phase1Keys(host, suite, sharedKey(connection), secret, exchanged);
      this.#keys = keys;
      wipe(secret);
      ike.localId = ownIdentity(connection, ike.local.address);
      const hash = this.hashOf('responder', suite, keys, idBody(ike.localId));
      makeProof(host, connection, suite.method.responder, hash, (proof) => {
        if (ike.state !== 'connecting') return;
        this.busy = false;
        const second = proof.ok ? this.#second(proof.value) : proof;
        if (!second.ok) {
          this.report('authentication', `our proof could not be made: ${second.error.message}`);
          return ike.die('failed');
        }
        this.send(second.value, { awaits: true });
        // Only now: the answer itself is in clear.
        this.encrypt(suite, keys);
      });
    });
  }

  /** What the second message is made of. */
  #second(proof: readonly V1Payload[]): Result<readonly V1Payload[]> {
    const { ike, material } = this;
    const { connection, localId } = ike;
    const { suite, answer } = this.#choice;
    if (localId === undefined) return fail('no-identity', 'we have no identity');
    const ke = { type: 'KE', data: material.publicR } as const;
    const nonce = { type: 'NONCE', data: material.nr } as const;
    const id = idPayload(localId);
    const more = [...vendorIdsFor(connection), ...this.natPayloads(suite)];
    if (!isEncryption(suite.method))
      return ok([answer, ke, nonce, id, ...certificateRequests([connection]), ...more, ...proof]);
    const half = seal(ike, suite, connection, { ke, nonce, id }, more, this.#doomed !== undefined);
    return half.ok ? ok([answer, ...half.value, ...proof]) : half;
  }

  protected handle(datagram: Datagram, { payloads, accept }: Readable): void {
    const { ike } = this;
    const { host, connection, remoteId } = ike;
    const { suite, life } = this.#choice;
    const keys = this.#keys;
    const { initiator } = suite.method;
    if (keys === undefined || this.#peer === undefined) return;
    if (!hasProof(initiator, payloads)) return host.count('malformed');
    if (remoteId === undefined) return this.undecipherable();
    const hash = this.hashOf('initiator', suite, keys, this.#peer.body);
    this.busy = true;
    checkProof(host, [connection], initiator, remoteId, hash, payloads, (accepted) => {
      this.busy = false;
      if (ike.state !== 'connecting') return;
      if (!accepted.ok || this.#doomed !== undefined) {
        host.count('not-authentic');
        return accepted.ok ? this.undecipherable() : this.#tell(accepted.error.message, accepted.error.more);
      }
      accept();
      if (isKeptOut(ike, [])) {
        this.report('authentication', `${remoteId.text} has an IKE SA already, which is kept`);
        return ike.die('failed');
      }
      // The hashes are of where the message came between, before anything moves.
      this.detectNat(suite, datagram, payloads);
      ike.local = datagram.local;
      ike.remote = datagram.remote;
      ike.natt = datagram.natt;
      this.#keys = undefined;
      this.settle(suite, keys);
      phase1Up(ike, life, []);
    });
  }

  protected override undecipherable(): void {
    this.#tell(this.#doomed ?? `the proof of ${this.ike.remoteId?.text} does not fit the ${this.#key}`);
  }

  protected override toldOf(notify: string): void {
    this.ike.host.count('unprotected-message');
    this.#doubt ??= `${this.ike.remoteId?.text} does not go on: ${notify}`;
  }

  override unreadable(): void {
    this.#doubt ??= `${this.ike.remoteId?.text} does not go on, and what it says fits no ${this.#key}`;
  }

  /** What was heard instead of the third message is worth a report only when that never comes. */
  override end(): void {
    const doubt = this.#doomed ?? this.#doubt;
    if (doubt !== undefined && this.ike.establishedAtMs === 0) this.#tell(doubt);
    super.end();
  }

  get #key(): string {
    return keyOf(this.#choice.suite.method.initiator);
  }

  /** Once, for it may be anybody's word; phase 1 goes on for whoever has the key. */
  #tell(message: string, more: Parameters<Phase1['report']>[2] = {}): void {
    if (this.#told) return;
    this.#told = true;
    this.report('authentication', message, { advice: `compare the ${this.#key} of both sides`, ...more });
  }

  protected wipe(): void {
    wipeV1Keys(this.#keys);
    this.#keys = undefined;
  }
}
