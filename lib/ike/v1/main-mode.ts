// Main Mode (RFC 2409 §5.1, §5.4, RFC 3947 §3): the first four messages in clear, identities and proofs under encryption. The initiator is
// here, the responder in main-mode-responder.ts.
//
//   initiator                                  responder
//   SA, VID...                          ->
//                                       <-     SA, VID...
//   KE, Ni, [CR], NAT-D, NAT-D          ->
//                                       <-     KE, Nr, [CR], NAT-D, NAT-D
//   {IDii, HASH_I | CERT, SIG_I,        ->     on the NAT-T ports from here on, where ESP is to go inside UDP
//      [N(INITIAL-CONTACT)]}
//                                       <-     {IDir, HASH_R | CERT, SIG_R}
//
// With public-key encryption the identities go with the key exchange, and the last two messages have the hashes alone (skeme.ts).

import { identityFrom, matchIdentity } from '../../auth/identity.ts';
import { wipe } from '../../bytes.ts';
import { sharedKey } from '../../config/ikev1.ts';
import type { Identity } from '../../config/types.ts';
import { ok, type Result } from '../../errors.ts';
import type { Datagram } from '../runtime.ts';
import { encodeV1Body } from '../wire/v1/codec.ts';
import {
  Exchange,
  findV1,
  type IdPayload,
  IPSEC_DOI,
  type Received,
  type V1Payload,
  V1Protocol,
} from '../wire/v1/message.ts';
import { V1Notify } from '../wire/v1/numbers.ts';
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
import { certificateRequests, checkProof, makeProof } from './phase1-auth.ts';
import { offerPhase1, type Phase1Choice, readPhase1Answer } from './phase1-offer.ts';
import { cookiesOf, isFirstContact, phase1Life, phase1Up } from './phase1-up.ts';
import type { V1Keys, V1Suite } from './protect.ts';
import { decryptionKey, open, seal } from './skeme.ts';
import { vendorIdsFor } from './vendor.ts';

export class MainModeInitiator extends Phase1 {
  readonly exchange = Exchange.MAIN_MODE;
  #step: 2 | 4 | 6 = 2;
  #choice: Phase1Choice | undefined;
  #privateValue: Uint8Array | undefined;
  #keys: V1Keys | undefined;
  /** Where it came with the key exchange. */
  #remoteId: Received<IdPayload> | undefined;

  start(): void {
    const { connection } = this.ike;
    const offer = offerPhase1(connection, phase1Life(connection));
    this.send([offer, ...vendorIdsFor(this.ike.connection)], { awaits: true });
    // What the hashes are over is the body as it is written.
    this.material.saBody = encodeV1Body(offer);
  }

  protected handle(_datagram: Datagram, message: Readable): void {
    if (this.#step === 2) return this.#second(message);
    if (this.#step === 4) return this.#fourth(_datagram, message);
    this.#sixth(_datagram, message);
  }

  #second({ payloads, responderCookie, accept }: Readable): void {
    const { ike } = this;
    const { runtime } = ike.host;
    const sa = findV1(payloads, 'SA');
    const choice = sa && readPhase1Answer(sa, ike.connection);
    if (choice === undefined || responderCookie === 0n) return ike.host.count('bad-phase1-answer');
    accept();
    ike.spiR = responderCookie;
    this.learn(payloads);
    if (ike.natWay === undefined && runtime.dataPlane.udpEncapsulationOnly)
      return this.fail('no-encapsulation', 'the peer knows no NAT traversal, which this data plane needs');
    this.#choice = choice;
    this.busy = true;
    const method = choice.suite.ke;
    const seed = runtime.random(method.seedBytes);
    runtime.keyExchange({ op: 'initiate', method, seed }, (outcome) => {
      wipe(seed);
      if (ike.state !== 'connecting') return wipe(outcome.ok ? outcome.value.privateValue : undefined);
      this.busy = false;
      if (!outcome.ok) return this.fail('key-exchange', outcome.error.message);
      this.#privateValue = outcome.value.privateValue;
      this.material.publicI = outcome.value.publicValue;
      this.material.ni = runtime.random(NONCE_BYTES);
      ike.localId = ownIdentity(ike.connection, ike.local.address);
      const half = this.#half(choice.suite, ike.localId);
      if (!half.ok) return this.fail('authentication', half.error.message);
      this.#step = 4;
      this.send(half.value, { awaits: true });
    });
  }

  /** What the third message is made of. */
  #half(suite: V1Suite, localId: Identity): Result<readonly V1Payload[]> {
    const { ike } = this;
    const ke = { type: 'KE', data: this.material.publicI } as const;
    const nonce = { type: 'NONCE', data: this.material.ni } as const;
    const nat = this.natPayloads(suite);
    if (!isEncryption(suite.method)) return ok([ke, nonce, ...certificateRequests([ike.connection]), ...nat]);
    return seal(ike, suite, ike.connection, { ke, nonce, id: idPayload(localId) }, nat);
  }

  #fourth(datagram: Datagram, message: Readable): void {
    const { ike } = this;
    const suite = this.#choice?.suite;
    const key = decryptionKey(ike.connection);
    if (suite === undefined || !isEncryption(suite.method) || key === undefined)
      return this.#answered(datagram, message);
    this.busy = true;
    open(ike.host, suite, ike.spiR, key, message.payloads, (opened) => {
      this.busy = false;
      if (ike.state !== 'connecting') return;
      this.#remoteId = opened.ok ? findV1(opened.value, 'ID') : undefined;
      if (!opened.ok || this.#remoteId === undefined) return this.unsealable();
      this.#answered(datagram, { ...message, payloads: opened.value });
    });
  }

  /** The peer's half is in clear. */
  #answered(datagram: Datagram, { payloads, accept }: Readable): void {
    const { ike, material } = this;
    const { host, connection } = ike;
    const ke = findV1(payloads, 'KE');
    const nonce = findV1(payloads, 'NONCE');
    const suite = this.#choice?.suite;
    if (suite === undefined || this.#privateValue === undefined) return;
    if (ke?.data.length !== suite.ke.responderPublicBytes || nonce === undefined || !isNonce(nonce.data))
      return host.count('malformed');
    accept();
    this.busy = true;
    material.publicR = ke.data;
    material.nr = nonce.data;
    const job = {
      op: 'finish',
      method: suite.ke,
      privateValue: this.#privateValue,
      peerPublic: ke.data,
    } as const;
    host.runtime.keyExchange(job, (outcome) => {
      wipe(this.#privateValue);
      if (ike.state !== 'connecting') return wipe(outcome.ok ? outcome.value.secret : undefined);
      this.busy = false;
      if (!outcome.ok) return this.fail('key-exchange', outcome.error.message);
      const { secret } = outcome.value;
      const exchanged = { ni: material.ni, nr: material.nr, spiI: ike.spiI, spiR: ike.spiR };
      this.#keys = phase1Keys(host, suite, sharedKey(connection), secret, exchanged);
      wipe(secret);
      this.detectNat(suite, datagram, payloads);
      if (ike.encap && !ike.natt) ike.float();
      this.encrypt(suite, this.#keys);
      if (ike.localId === undefined) return;
      const hash = this.hashOf('initiator', suite, this.#keys, idBody(ike.localId));
      this.busy = true;
      makeProof(host, connection, suite.method.initiator, hash, (proof) => {
        if (ike.state !== 'connecting' || ike.localId === undefined) return;
        this.busy = false;
        if (!proof.ok)
          return this.fail('authentication', `our signature could not be made: ${proof.error.message}`);
        this.#step = 6;
        const contact = isFirstContact(ike) ? [initialContact(ike.spiI, ike.spiR)] : [];
        const id = this.#remoteId === undefined ? [idPayload(ike.localId)] : [];
        this.send([...id, ...proof.value, ...contact], { awaits: true });
      });
    });
  }

  #sixth(datagram: Datagram, { payloads, accept }: Readable): void {
    const { ike } = this;
    const { connection, host } = ike;
    const id = this.#remoteId ?? findV1(payloads, 'ID');
    const suite = this.#choice?.suite;
    const keys = this.#keys;
    if (suite === undefined || keys === undefined || id === undefined) return host.count('malformed');
    const remoteId = peerIdentity(id);
    const who = remoteId ?? identityFrom(id.idType, id.data);
    const hash = this.hashOf('responder', suite, keys, id.body);
    this.busy = true;
    checkProof(host, [connection], suite.method.responder, who, hash, payloads, (accepted) => {
      this.busy = false;
      if (ike.state !== 'connecting') return;
      if (!accepted.ok) {
        host.count('not-authentic');
        return this.failLater('authentication', accepted.error.message, accepted.error.more);
      }
      accept();
      if (remoteId === undefined || !matchIdentity(connection.remote.id, remoteId))
        return this.fail('authentication', `the peer is ${who.text}, not ${connection.remote.id?.text}`);
      ike.remoteId = remoteId;
      this.#keys = undefined;
      this.settle(suite, keys);
      ike.followPeer(datagram);
      phase1Up(ike, this.#choice?.life ?? {}, payloads);
    });
  }

  protected wipe(): void {
    wipe(this.#privateValue);
    wipeV1Keys(this.#keys);
    this.#keys = undefined;
  }
}

function initialContact(spiI: bigint, spiR: bigint): V1Payload {
  const spi = cookiesOf(spiI, spiR);
  const notify = V1Notify.INITIAL_CONTACT;
  return { type: 'N', doi: IPSEC_DOI, protocol: V1Protocol.ISAKMP, spi, notify, data: new Uint8Array(0) };
}
