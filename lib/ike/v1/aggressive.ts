// Aggressive Mode (RFC 2409 §5.1 to §5.4, RFC 3947 §3): three messages, identities in clear unless they are encrypted with public keys
// (skeme.ts). The initiator is here, the responder in aggressive-responder.ts.
//
//   initiator                                responder
//   SA, KE, Ni, IDii, [CR], VID...     ->
//                                      <-    SA, KE, Nr, IDir, [CR], VID..., NAT-D, NAT-D, HASH_R | CERT, SIG_R
//   {HASH_I | CERT, SIG_I,             ->    on the NAT-T ports, where ESP is to go inside UDP
//      NAT-D, NAT-D}

import { identityFrom, matchIdentity } from '../../auth/identity.ts';
import { wipe } from '../../bytes.ts';
import { sharedKey } from '../../config/ikev1.ts';
import type { Identity } from '../../config/types.ts';
import type { KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import { groupId } from '../../crypto/ikev1-ids.ts';
import { fail, ok, type Result } from '../../errors.ts';
import type { Datagram } from '../runtime.ts';
import { encodeV1Body } from '../wire/v1/codec.ts';
import { Exchange, findV1, type V1Payload } from '../wire/v1/message.ts';
import { authMethodOf, isEncryption } from './auth-methods.ts';
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
import { certificateRequests, checkProof, hasProof, makeProof } from './phase1-auth.ts';
import {
  choosePhase1,
  firstGroup,
  offerPhase1,
  type Phase1Choice,
  readPhase1Answer,
} from './phase1-offer.ts';
import { isFirstContact, phase1Life, phase1Up } from './phase1-up.ts';
import type { V1Keys } from './protect.ts';
import { decryptionKey, open, seal } from './skeme.ts';
import { vendorIdsFor } from './vendor.ts';

export class AggressiveInitiator extends Phase1 {
  readonly exchange = Exchange.AGGRESSIVE;
  #group: KeyExchangeAlgorithm | undefined;
  #privateValue: Uint8Array | undefined;
  #keys: V1Keys | undefined;

  start(): void {
    const { ike, material } = this;
    const { connection, host } = ike;
    const { runtime } = host;
    const group = firstGroup(connection.proposals);
    if (group === undefined) return this.fail('no-proposal', 'no proposal can be said in IKEv1');
    this.#group = group;
    const seed = runtime.random(group.seedBytes);
    runtime.keyExchange({ op: 'initiate', method: group, seed }, (outcome) => {
      wipe(seed);
      if (ike.state !== 'connecting') return wipe(outcome.ok ? outcome.value.privateValue : undefined);
      if (!outcome.ok) return this.fail('key-exchange', outcome.error.message);
      this.#privateValue = outcome.value.privateValue;
      material.publicI = outcome.value.publicValue;
      material.ni = runtime.random(NONCE_BYTES);
      ike.localId = ownIdentity(connection, ike.local.address);
      const first = this.#first(group, ike.localId);
      if (!first.ok) return this.fail('authentication', first.error.message);
      this.send(first.value, { awaits: true });
    });
  }

  /** What the first message is made of. */
  #first(group: KeyExchangeAlgorithm, localId: Identity): Result<readonly V1Payload[]> {
    const { ike, material } = this;
    const { connection } = ike;
    const method = authMethodOf(connection, 'initiator');
    const sealed = method !== undefined && isEncryption(method);
    // Hash and cipher are used before the peer could choose among several.
    const offer = offerPhase1(connection, phase1Life(connection), groupId(group), sealed ? 1 : undefined);
    material.saBody = encodeV1Body(offer);
    const ke = { type: 'KE', data: material.publicI } as const;
    const nonce = { type: 'NONCE', data: material.ni } as const;
    const id = idPayload(localId);
    if (!sealed)
      return ok([offer, ke, nonce, id, ...certificateRequests([connection]), ...vendorIdsFor(connection)]);
    const suite = choosePhase1(offer, connection, 'initiator', groupId(group))?.suite;
    if (suite === undefined) return fail('no-proposal', 'there is nothing to offer');
    const half = seal(ike, suite, connection, { ke, nonce, id }, vendorIdsFor(connection));
    return half.ok ? ok([offer, ...half.value]) : half;
  }

  protected handle(datagram: Datagram, message: Readable): void {
    const { ike } = this;
    const { host, connection } = ike;
    const sa = findV1(message.payloads, 'SA');
    const choice = sa && this.#group && readPhase1Answer(sa, connection, groupId(this.#group));
    if (choice === undefined || message.responderCookie === 0n) return host.count('bad-phase1-answer');
    const { suite } = choice;
    const key = decryptionKey(connection);
    if (!isEncryption(suite.method) || key === undefined) return this.#answered(datagram, message, choice);
    this.busy = true;
    open(host, suite, message.responderCookie, key, message.payloads, (opened) => {
      this.busy = false;
      if (ike.state !== 'connecting') return;
      if (!opened.ok) return this.unsealable();
      this.#answered(datagram, { ...message, payloads: opened.value }, choice);
    });
  }

  /** The peer's half is in clear. */
  #answered(datagram: Datagram, message: Readable, choice: Phase1Choice): void {
    const { ike, material } = this;
    const { host, connection } = ike;
    const { payloads, responderCookie } = message;
    const { suite } = choice;
    const ke = findV1(payloads, 'KE');
    const nonce = findV1(payloads, 'NONCE');
    const id = findV1(payloads, 'ID');
    if (this.#privateValue === undefined) return;
    if (ke?.data.length !== suite.ke.responderPublicBytes || nonce === undefined || !isNonce(nonce.data))
      return host.count('malformed');
    if (id === undefined || !hasProof(suite.method.responder, payloads)) return host.count('malformed');
    this.busy = true;
    const job = {
      op: 'finish',
      method: suite.ke,
      privateValue: this.#privateValue,
      peerPublic: ke.data,
    } as const;
    host.runtime.keyExchange(job, (outcome) => {
      if (ike.state !== 'connecting') return wipe(outcome.ok ? outcome.value.secret : undefined);
      this.busy = false;
      if (!outcome.ok) return host.count('bad-public-value');
      material.publicR = ke.data;
      material.nr = nonce.data;
      const { secret } = outcome.value;
      ike.spiR = responderCookie;
      const exchanged = { ni: material.ni, nr: material.nr, spiI: ike.spiI, spiR: ike.spiR };
      const keys = phase1Keys(host, suite, sharedKey(connection), secret, exchanged);
      this.#keys = keys;
      wipe(secret);
      const remoteId = peerIdentity(id);
      const who = remoteId ?? identityFrom(id.idType, id.data);
      const hash = this.hashOf('responder', suite, keys, id.body);
      this.busy = true;
      checkProof(host, [connection], suite.method.responder, who, hash, payloads, (accepted) => {
        if (ike.state !== 'connecting') return;
        this.busy = false;
        if (!accepted.ok) {
          host.count('not-authentic');
          this.#wipeKeys();
          // Another answer may still come, from whoever has the key.
          ike.spiR = 0n;
          return this.failLater('authentication', accepted.error.message, accepted.error.more);
        }
        message.accept();
        this.learn(payloads);
        if (remoteId === undefined || !matchIdentity(connection.remote.id, remoteId))
          return this.fail('authentication', `the peer is ${who.text}, not ${connection.remote.id?.text}`);
        if (ike.natWay === undefined && host.runtime.dataPlane.udpEncapsulationOnly)
          return this.fail(
            'no-encapsulation',
            'the peer knows no NAT traversal, which this data plane needs',
          );
        ike.remoteId = remoteId;
        this.detectNat(suite, datagram, payloads);
        this.#prove(choice, keys);
      });
    });
  }

  /** The third message. */
  #prove({ suite, life }: Phase1Choice, keys: V1Keys): void {
    const { ike } = this;
    const { host, connection, localId } = ike;
    if (localId === undefined) return;
    if (ike.encap && !ike.natt) ike.float();
    // Of the addresses that this very message goes between.
    const nat = this.natPayloads(suite);
    this.encrypt(suite, keys);
    const hash = this.hashOf('initiator', suite, keys, idBody(localId));
    this.busy = true;
    makeProof(host, connection, suite.method.initiator, hash, (proof) => {
      if (ike.state !== 'connecting') return;
      this.busy = false;
      if (!proof.ok)
        return this.fail('authentication', `our signature could not be made: ${proof.error.message}`);
      this.send([...proof.value, ...nat], { awaits: false });
      wipe(this.#privateValue);
      const first = isFirstContact(ike);
      this.#keys = undefined;
      this.settle(suite, keys);
      phase1Up(ike, life, [], first);
    });
  }

  #wipeKeys(): void {
    wipeV1Keys(this.#keys);
    this.#keys = undefined;
  }

  protected wipe(): void {
    wipe(this.#privateValue);
    this.#wipeKeys();
  }
}
