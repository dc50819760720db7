// Aggressive Mode with a pre-shared key (RFC 2409 §5.4, RFC 3947 §3): three messages, identities in clear.
//
//   initiator                           responder
//   SA, KE, Ni, IDii, VID...     ->
//                                <-     SA, KE, Nr, IDir, VID..., NAT-D, NAT-D, HASH_R
//   {HASH_I, NAT-D, NAT-D}       ->     on the NAT-T ports, where ESP is to go inside UDP
//
// Whoever sees the second message can guess at the key as long as he likes: it is answered only where the connection says so.

import { matchIdentity } from '../../auth/identity.ts';
import { wipe } from '../../bytes.ts';
import { sharedKey } from '../../config/ikev1.ts';
import type { KeyExchangeAlgorithm } from '../../crypto/algorithms.ts';
import { groupId } from '../../crypto/ikev1-ids.ts';
import type { Datagram } from '../runtime.ts';
import { encodeV1Body } from '../wire/v1/codec.ts';
import { Exchange, findV1, type Received } from '../wire/v1/message.ts';
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
import { firstGroup, offerPhase1, type Phase1Choice, readPhase1Answer } from './phase1-offer.ts';
import { isFirstContact, isKeptOut, phase1Life, phase1Up } from './phase1-up.ts';
import type { V1Keys } from './protect.ts';
import { OUR_VENDOR_IDS } from './vendor.ts';

export class AggressiveInitiator extends Phase1 {
  readonly exchange = Exchange.AGGRESSIVE;
  #group: KeyExchangeAlgorithm | undefined;
  #privateValue: Uint8Array | undefined;

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
      const offer = offerPhase1(connection, phase1Life(connection), groupId(group));
      material.saBody = encodeV1Body(offer);
      this.send(
        [
          offer,
          { type: 'KE', data: material.publicI },
          { type: 'NONCE', data: material.ni },
          idPayload(ike.localId),
          ...OUR_VENDOR_IDS,
        ],
        { awaits: true },
      );
    });
  }

  protected handle(datagram: Datagram, { payloads, responderCookie, accept }: Readable): void {
    const { ike, material } = this;
    const { host, connection } = ike;
    const sa = findV1(payloads, 'SA');
    const ke = findV1(payloads, 'KE');
    const nonce = findV1(payloads, 'NONCE');
    const id = findV1(payloads, 'ID');
    const hash = findV1(payloads, 'HASH');
    const choice = sa && this.#group && readPhase1Answer(sa, connection, groupId(this.#group));
    if (choice === undefined || this.#privateValue === undefined || responderCookie === 0n)
      return host.count('bad-phase1-answer');
    const { suite } = choice;
    if (ke?.data.length !== suite.ke.responderPublicBytes || nonce === undefined || !isNonce(nonce.data))
      return host.count('malformed');
    if (id === undefined || hash === undefined) return host.count('malformed');
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
      wipe(secret);
      if (!this.proves('responder', suite, keys, id, hash.data)) {
        host.count('not-authentic');
        wipeV1Keys(keys);
        // Another answer may still come, from whoever has the key.
        ike.spiR = 0n;
        const advice = 'compare the pre-shared key of both sides';
        return this.failLater('authentication', 'the proof of the peer does not fit the pre-shared key', {
          advice,
        });
      }
      const remoteId = peerIdentity(id);
      accept();
      this.learn(payloads);
      if (remoteId === undefined || !matchIdentity(connection.remote.id, remoteId)) {
        wipeV1Keys(keys);
        const who = remoteId?.text ?? 'somebody with a port in the identity';
        return this.fail('authentication', `the peer is ${who}, not ${connection.remote.id?.text}`);
      }
      if (ike.natWay === undefined && host.runtime.dataPlane.udpEncapsulationOnly) {
        wipeV1Keys(keys);
        return this.fail('no-encapsulation', 'the peer knows no NAT traversal, which this data plane needs');
      }
      ike.remoteId = remoteId;
      this.detectNat(suite, datagram, payloads);
      if (ike.encap && !ike.natt) ike.float();
      // Of the addresses that this very message goes between.
      const nat = this.natPayloads(suite);
      this.encrypt(suite, keys);
      const own = this.hashOf('initiator', suite, keys, idBody(ike.localId ?? remoteId));
      this.send([{ type: 'HASH', data: own }, ...nat], { awaits: false });
      wipe(this.#privateValue);
      const first = isFirstContact(ike);
      this.settle(suite, keys);
      phase1Up(ike, choice.life, [], first);
    });
  }

  protected wipe(): void {
    wipe(this.#privateValue);
  }
}

export class AggressiveResponder extends Phase1 {
  readonly exchange = Exchange.AGGRESSIVE;
  readonly #choice: Phase1Choice;
  #keys: V1Keys | undefined;
  #idBody = new Uint8Array(0);

  constructor(ike: Phase1['ike'], choice: Phase1Choice) {
    super(ike);
    this.#choice = choice;
  }

  /** Answers the first message; the caller has chosen the connection by the identity in it. */
  start(datagram: Datagram, payloads: readonly Received[]): void {
    const { ike, material } = this;
    const { host, connection } = ike;
    const { runtime } = host;
    const { suite, answer } = this.#choice;
    const ke = findV1(payloads, 'KE');
    const nonce = findV1(payloads, 'NONCE');
    const id = findV1(payloads, 'ID');
    if (ke === undefined || nonce === undefined || id === undefined) return ike.die('failed');
    this.#idBody = Uint8Array.from(id.body);
    material.saBody = findV1(payloads, 'SA')?.body ?? new Uint8Array(0);
    material.publicI = ke.data;
    material.ni = nonce.data;
    material.nr = runtime.random(NONCE_BYTES);
    this.learn(payloads);
    this.turns.accepted(datagram);
    this.busy = true;
    const seed = runtime.random(suite.ke.seedBytes);
    runtime.keyExchange({ op: 'respond', method: suite.ke, seed, peerPublic: ke.data }, (outcome) => {
      wipe(seed);
      if (ike.state !== 'connecting') return wipe(outcome.ok ? outcome.value.secret : undefined);
      this.busy = false;
      if (!outcome.ok) {
        host.count('bad-public-value');
        return ike.die('failed');
      }
      const { secret, publicValue } = outcome.value;
      material.publicR = publicValue;
      const exchanged = { ni: material.ni, nr: material.nr, spiI: ike.spiI, spiR: ike.spiR };
      this.#keys = phase1Keys(host, suite, sharedKey(connection), secret, exchanged);
      wipe(secret);
      ike.localId = ownIdentity(connection, ike.local.address);
      const hash = this.hashOf('responder', suite, this.#keys, idBody(ike.localId));
      this.send(
        [
          answer,
          { type: 'KE', data: publicValue },
          { type: 'NONCE', data: material.nr },
          idPayload(ike.localId),
          ...OUR_VENDOR_IDS,
          ...this.natPayloads(suite),
          { type: 'HASH', data: hash },
        ],
        { awaits: true },
      );
      // Only now: the answer itself is in clear.
      this.encrypt(suite, this.#keys);
    });
  }

  protected handle(datagram: Datagram, { payloads, accept }: Readable): void {
    const { ike } = this;
    const { suite, life } = this.#choice;
    const hash = findV1(payloads, 'HASH');
    const keys = this.#keys;
    if (keys === undefined) return;
    if (hash === undefined) return ike.host.count('malformed');
    const id = {
      type: 'ID',
      idType: 0,
      protocol: 0,
      port: 0,
      data: this.#idBody,
      body: this.#idBody,
    } as const;
    if (!this.proves('initiator', suite, keys, id, hash.data)) {
      ike.host.count('not-authentic');
      return this.undecipherable();
    }
    accept();
    if (isKeptOut(ike, [])) {
      this.report('authentication', `${ike.remoteId?.text} has an IKE SA already, which is kept`);
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
  }

  protected override undecipherable(): void {
    this.#tell(`the proof of ${this.ike.remoteId?.text} does not fit the pre-shared key`);
  }

  protected override toldOf(notify: string): void {
    this.ike.host.count('unprotected-message');
    this.#doubt ??= `${this.ike.remoteId?.text} does not go on: ${notify}`;
  }

  override unreadable(): void {
    this.#doubt ??= `${this.ike.remoteId?.text} does not go on, and what it says fits no pre-shared key`;
  }

  /** What was heard instead of the third message is worth a report only when that never comes. */
  override end(): void {
    if (this.#doubt !== undefined && this.ike.establishedAtMs === 0) this.#tell(this.#doubt);
    super.end();
  }

  #doubt: string | undefined;

  /** Once, for it may be anybody's word; phase 1 goes on for whoever has the key. */
  #tell(message: string): void {
    if (this.#told) return;
    this.#told = true;
    this.report('authentication', message, { advice: 'compare the pre-shared key of both sides' });
  }

  #told = false;

  protected wipe(): void {
    wipeV1Keys(this.#keys);
    this.#keys = undefined;
  }
}
