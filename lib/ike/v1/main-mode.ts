// Main Mode with a pre-shared key (RFC 2409 §5.4, RFC 3947 §3): the first four messages in clear, identities and proofs under encryption.
//
//   initiator                                  responder
//   SA, VID...                          ->
//                                       <-     SA, VID...
//   KE, Ni, NAT-D, NAT-D                ->
//                                       <-     KE, Nr, NAT-D, NAT-D
//   {IDii, HASH_I, N(INITIAL-CONTACT)}  ->     on the NAT-T ports from here on, where ESP is to go inside UDP
//                                       <-     {IDir, HASH_R}
//
// The responder needs the key before it knows the peer's identity: it has those of every connection that the addresses allow, and the one
// that the fifth message decrypts with is the peer's.

import { matchIdentity } from '../../auth/identity.ts';
import { equalBytes, wipe } from '../../bytes.ts';
import { sharedKey } from '../../config/ikev1.ts';
import type { Connection } from '../../config/types.ts';
import type { Result } from '../../errors.ts';
import { fail } from '../../errors.ts';
import type { Datagram } from '../runtime.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { encodeV1Body } from '../wire/v1/codec.ts';
import {
  Exchange,
  findV1,
  IPSEC_DOI,
  type Received,
  type V1Payload,
  V1Protocol,
} from '../wire/v1/message.ts';
import { V1Notify } from '../wire/v1/numbers.ts';
import {
  chainOf,
  idBody,
  idPayload,
  isNonce,
  NONCE_BYTES,
  ownIdentity,
  Phase1,
  peerIdentity,
  pskKeys,
  type Readable,
  wantsEncap,
  wipeV1Keys,
} from './phase1.ts';
import { offerPhase1, type Phase1Choice, readPhase1Answer } from './phase1-offer.ts';
import { cookiesOf, isFirstContact, isKeptOut, phase1Life, phase1Up, sayInClear } from './phase1-up.ts';
import type { IvChain, V1Keys } from './protect.ts';
import { OUR_VENDOR_IDS } from './vendor.ts';

/** Keys that a responder holds possible at once. */
const MOST_TRIALS = 16;

export class MainModeInitiator extends Phase1 {
  readonly exchange = Exchange.MAIN_MODE;
  #step: 2 | 4 | 6 = 2;
  #choice: Phase1Choice | undefined;
  #privateValue: Uint8Array | undefined;
  #keys: V1Keys | undefined;

  start(): void {
    const { connection } = this.ike;
    const offer = offerPhase1(connection.proposals, phase1Life(connection));
    this.send([offer, ...OUR_VENDOR_IDS], { awaits: true });
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
    const choice = sa && readPhase1Answer(sa, ike.connection.proposals);
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
      this.#step = 4;
      const { publicI, ni } = this.material;
      this.send(
        [{ type: 'KE', data: publicI }, { type: 'NONCE', data: ni }, ...this.natPayloads(choice.suite)],
        { awaits: true },
      );
    });
  }

  #fourth(datagram: Datagram, { payloads, accept }: Readable): void {
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
      this.#keys = pskKeys(host, suite, sharedKey(connection), secret, exchanged);
      wipe(secret);
      this.detectNat(suite, datagram, payloads);
      if (ike.encap && !ike.natt) ike.float();
      this.encrypt(suite, this.#keys);
      ike.localId = ownIdentity(connection, ike.local.address);
      const hash = this.hashOf('initiator', suite, this.#keys, idBody(ike.localId));
      this.#step = 6;
      this.send(
        [
          idPayload(ike.localId),
          { type: 'HASH', data: hash },
          ...(isFirstContact(ike) ? [initialContact(ike.spiI, ike.spiR)] : []),
        ],
        { awaits: true },
      );
    });
  }

  #sixth(datagram: Datagram, { payloads, accept }: Readable): void {
    const { ike } = this;
    const { connection } = ike;
    const id = findV1(payloads, 'ID');
    const hash = findV1(payloads, 'HASH');
    const suite = this.#choice?.suite;
    const keys = this.#keys;
    if (suite === undefined || keys === undefined || this.chain === undefined) return;
    if (id === undefined || hash === undefined || !this.proves('responder', suite, keys, id, hash.data))
      return ike.host.count('not-authentic');
    const remoteId = peerIdentity(id);
    accept();
    if (remoteId === undefined || !matchIdentity(connection.remote.id, remoteId)) {
      const who = remoteId?.text ?? 'somebody with a port in the identity';
      return this.fail('authentication', `the peer is ${who}, not ${connection.remote.id?.text}`);
    }
    ike.remoteId = remoteId;
    this.#keys = undefined;
    this.settle(suite, keys);
    ike.followPeer(datagram);
    phase1Up(ike, this.#choice?.life ?? {}, payloads);
  }

  protected wipe(): void {
    wipe(this.#privateValue);
    wipeV1Keys(this.#keys);
    this.#keys = undefined;
  }
}

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

  constructor(ike: Phase1['ike'], choice: Phase1Choice) {
    super(ike);
    this.#choice = choice;
  }

  /** Answers the first message; the caller has chosen. */
  start(datagram: Datagram, payloads: readonly Received[]): void {
    this.material.saBody = findV1(payloads, 'SA')?.body ?? new Uint8Array(0);
    this.learn(payloads);
    this.turns.accepted(datagram);
    this.send([this.#choice.answer, ...OUR_VENDOR_IDS], { awaits: false });
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
      if (!opened.ok || !this.#isProved(trial, opened.value.payloads)) continue;
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

  #isProved({ keys }: Trial, payloads: readonly Received[]): boolean {
    const id = findV1(payloads, 'ID');
    const hash = findV1(payloads, 'HASH');
    return (
      id !== undefined &&
      hash !== undefined &&
      this.proves('initiator', this.#choice.suite, keys, id, hash.data)
    );
  }

  protected override undecipherable(): void {
    const { ike } = this;
    if (this.#step !== 5 || this.#told) return;
    this.#told = true;
    // It may be anybody's: the exchange goes on for whoever has the key.
    this.report('authentication', `the proof of ${ike.remote.address} fits no pre-shared key`, {
      notify: 'AUTHENTICATION_FAILED',
      candidates: ike.candidates.map(({ name }) => name),
      advice: 'compare the pre-shared key of both sides',
    });
    sayInClear(ike, V1Notify.AUTHENTICATION_FAILED);
  }

  #told = false;

  protected handle(datagram: Datagram, message: Readable): void {
    if (this.#step === 3) return this.#third(datagram, message);
    if (this.#found !== undefined) this.#fifth(datagram, message, this.#found);
  }

  #third(datagram: Datagram, { payloads, accept }: Readable): void {
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
      this.send([{ type: 'KE', data: material.publicR }, { type: 'NONCE', data: material.nr }, ...nat], {
        awaits: false,
      });
    });
  }

  #makeTrials(secret: Uint8Array): readonly Trial[] {
    const { ike, material } = this;
    const groups: { psk: Uint8Array; connections: Connection[] }[] = [];
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
      keys: pskKeys(ike.host, this.#choice.suite, psk, secret, exchanged),
    }));
  }

  #fifth(datagram: Datagram, { payloads, accept }: Readable, { connections, keys }: Trial): void {
    const { ike } = this;
    const { suite, life } = this.#choice;
    const id = findV1(payloads, 'ID');
    if (id === undefined) return;
    const remoteId = peerIdentity(id);
    const connection =
      remoteId && connections.find((candidate) => matchIdentity(candidate.remote.id, remoteId));
    accept();
    if (remoteId === undefined || connection === undefined) {
      const candidates = ike.candidates.map(({ name }) => name);
      const who = remoteId?.text ?? 'an identity with a port';
      const notify = 'INVALID_ID_INFORMATION';
      this.report('authentication', `no connection is for ${who}`, { candidates, notify });
      sayInClear(ike, V1Notify.INVALID_ID_INFORMATION);
      return ike.die('failed');
    }
    ike.assign(connection);
    ike.remoteId = remoteId;
    ike.localId = ownIdentity(connection, ike.local.address);
    if (isKeptOut(ike, payloads)) {
      this.report('authentication', `${remoteId.text} has an IKE SA already, which is kept`);
      return ike.die('failed');
    }
    ike.local = datagram.local;
    ike.remote = datagram.remote;
    ike.natt = datagram.natt;
    ike.pretendsNat = ike.nat.supported && (ike.pretendsNat || wantsEncap(ike.host, connection));
    const hash = this.hashOf('responder', suite, keys, idBody(ike.localId));
    this.send([idPayload(ike.localId), { type: 'HASH', data: hash }], { awaits: false });
    this.#trials = this.#trials.filter((trial) => trial.keys !== keys);
    this.wipe();
    this.settle(suite, keys);
    phase1Up(ike, life, payloads);
  }

  protected wipe(): void {
    for (const { keys } of this.#trials) wipeV1Keys(keys);
    this.#trials = [];
  }
}

function initialContact(spiI: bigint, spiR: bigint): V1Payload {
  const spi = cookiesOf(spiI, spiR);
  const notify = V1Notify.INITIAL_CONTACT;
  return { type: 'N', doi: IPSEC_DOI, protocol: V1Protocol.ISAKMP, spi, notify, data: new Uint8Array(0) };
}
