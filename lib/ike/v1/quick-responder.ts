// Quick Mode as its responder (RFC 2409 §5.5): chooses a child by the identities and a transform, makes the SAs, receives on them from its answer
// on, and sends on them when the third message has shown that the initiator has them too.

import { equalConstantTime, uint32, wipe } from '../../bytes.ts';
import type { ChildConfig } from '../../config/types.ts';
import { groupId } from '../../crypto/ikev1-ids.ts';
import { formatSelector } from '../../ipsec/selector.ts';
import type { FailureReport } from '../failure.ts';
import { reportFailure } from '../report.ts';
import { patienceMs } from '../retransmit.ts';
import type { Datagram, Timer } from '../runtime.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import { encodeAttributes } from '../wire/v1/attributes.ts';
import { encodeV1Payloads } from '../wire/v1/codec.ts';
import {
  allV1,
  Exchange,
  findV1,
  IPSEC_DOI,
  type Received,
  type SaPayload,
  type V1Payload,
} from '../wire/v1/message.ts';
import { Phase2Attribute, V1Notify, v1NotifyName } from '../wire/v1/numbers.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { hasHash1, peerSpis, sayDeleted, sayError } from './informational.ts';
import { hash2, hash3 } from './keys.ts';
import { type Lifetime, writeLifetime } from './lifetimes.ts';
import { isNonce, NONCE_BYTES } from './phase1.ts';
import {
  answerPhase2,
  choosePhase2,
  offeredGroups,
  type Phase2Choice,
  v1ProtocolOf,
} from './phase2-offer.ts';
import type { IvChain } from './protect.ts';
import { carriedOf, originalAddresses, ownerOf, phase2Life, type QuickMode, v1Obstacle } from './quick.ts';
import { type Fit, fittingChildren, groupsOf, offeredSelectors, sameAs } from './quick-choice.ts';
import { MOST_PARTS, Parts } from './quick-parts.ts';
import { Turns } from './turns.ts';

/** The first message of a Quick Mode whose id was not used before. */
export function respondQuick(ike: V1IkeSa, datagram: Datagram, frame: Framed<IsakmpHeader>): void {
  const { host } = ike;
  const { messageId, flags } = frame.header;
  const chain = ike.chain(messageId);
  const opened = chain?.open(datagram.data, frame.nextPayload);
  if (chain === undefined || !opened?.ok || !hasHash1(ike, messageId, opened.value))
    return host.count('not-authentic');
  const { payloads, accept } = opened.value;
  if (!ike.use(messageId)) return;
  // The peer has not heard of the end: nobody but us can tell it.
  if (ike.state === 'dead') return ike.closeReason === undefined ? undefined : sayDeleted(ike);
  if (ike.isBusy) return host.count('quick-mode-limit');
  accept();
  ike.heard(datagram);
  const quick = new QuickResponder(ike, messageId, chain, flags.commit);
  ike.takes(quick);
  quick.begin(datagram, frame.header, payloads);
}

/** An SA payload of the initiator with the child that it is for. */
interface Chosen {
  readonly sa: SaPayload;
  readonly fit: Fit;
  readonly choice: Phase2Choice;
}

class QuickResponder implements QuickMode {
  readonly messageId: number;
  spi = new Uint8Array(0);
  readonly isAsking = false;
  readonly #ike: V1IkeSa;
  readonly #chain: IvChain;
  readonly #turns: Turns;
  #protocol = 0;
  #ni = new Uint8Array(0);
  #nr = new Uint8Array(0);
  /** As the initiator wrote them: the answer repeats them. */
  #identities: readonly V1Payload[] = [];
  #parts: Parts | undefined;
  /** The initiator has set the commit bit: it says when its SA is up (RFC 2408 §3.1). */
  #commit: boolean;
  #state: 'working' | 'answered' | 'waiting' | 'over' = 'working';
  #linger: Timer | undefined;

  constructor(ike: V1IkeSa, messageId: number, chain: IvChain, commit: boolean) {
    this.#ike = ike;
    this.messageId = messageId;
    this.#chain = chain;
    this.#commit = commit;
    this.#turns = new Turns(ike, true, () => this.#unanswered());
  }

  begin(datagram: Datagram, header: IsakmpHeader, payloads: readonly Received[]): void {
    this.#turns.accepted(datagram);
    this.#turns.trace(datagram, header, payloads);
    const sa = findV1(payloads, 'SA');
    const nonce = findV1(payloads, 'NONCE');
    this.spi = Uint8Array.from(sa?.proposals[0]?.spi ?? []);
    this.#protocol = sa?.proposals[0]?.protocol ?? 0;
    if (sa === undefined || nonce === undefined || !isNonce(nonce.data))
      return this.#refuse(
        V1Notify.PAYLOAD_MALFORMED,
        'malformed',
        'the peer asks for nothing that can be read',
      );
    this.#ni = Uint8Array.from(nonce.data);
    this.#identities = allV1(payloads, 'ID');
    const pair = offeredSelectors(this.#ike, payloads);
    if (pair === undefined)
      return this.#refuse(
        V1Notify.INVALID_ID_INFORMATION,
        'traffic-selectors',
        'the identities are no selectors',
      );
    const { localTs, remoteTs } = pair;
    const fits = fittingChildren(this.#ike, localTs, remoteTs);
    if (fits.length === 0) {
      const { name, children } = this.#ike.connection;
      const theirs = `${formatSelector(remoteTs)} to ${formatSelector(localTs)}`;
      const candidates = Object.keys(children);
      const what = `no child of ${name} allows ${theirs}`;
      return this.#refuse(V1Notify.INVALID_ID_INFORMATION, 'traffic-selectors', what, { candidates });
    }
    this.#choose(allV1(payloads, 'SA'), findV1(payloads, 'KE')?.data, fits);
  }

  #choose(offers: readonly SaPayload[], peerPublic: Uint8Array | undefined, fits: readonly Fit[]): void {
    const ike = this.#ike;
    const chosen: Chosen[] = [];
    for (const sa of offers.slice(0, MOST_PARTS + 1)) {
      // Each SA is another child, and all have the key exchange of the first.
      const free = fits.filter((fit) => !chosen.some((one) => one.fit === fit));
      const found = this.#chooseOne(sa, peerPublic, free, chosen[0]?.choice);
      if (found !== undefined) chosen.push({ sa, ...found });
    }
    if (chosen.length === offers.length && chosen.length <= MOST_PARTS) {
      return this.#make(chosen, peerPublic);
    }
    const [{ config }] = fits;
    const obstacle = v1Obstacle(ike, config);
    const candidates = fits.map((fit) => fit.config.name);
    const advice = `offer ${config.proposals.map(({ text }) => text).join(' or ')} on the peer`;
    if (obstacle === undefined)
      return this.#refuse(V1Notify.NO_PROPOSAL_CHOSEN, 'no-proposal', 'no common proposal of phase 2', {
        candidates,
        advice,
      });
    this.#refuse(V1Notify.NO_PROPOSAL_CHOSEN, obstacle.code, obstacle.message, {
      candidates,
      advice: obstacle.advice,
    });
  }

  #chooseOne(
    sa: SaPayload,
    peerPublic: Uint8Array | undefined,
    fits: readonly Fit[],
    before: Phase2Choice | undefined,
  ): { readonly fit: Fit; readonly choice: Phase2Choice } | undefined {
    const ike = this.#ike;
    const groups = offeredGroups(sa);
    for (const fit of fits) {
      if (v1Obstacle(ike, fit.config) !== undefined) continue;
      for (const group of groupsOf(fit.config)) {
        if (before !== undefined && before.suite.ke !== group) continue;
        if (!ike.newGroups.allows(group)) continue;
        if (!groups.has(group && groupId(group)) || group?.initiatorPublicBytes !== peerPublic?.length)
          continue;
        const choice = choosePhase2(sa, { config: fit.config, carried: carriedOf(ike), group });
        if (choice !== undefined) return { fit, choice };
      }
    }
    return undefined;
  }

  #make(chosen: readonly Chosen[], peerPublic: Uint8Array | undefined): void {
    const ike = this.#ike;
    const { runtime, config } = ike.host;
    const owner = ownerOf(ike);
    const parts = new Parts(
      ike,
      chosen.map(({ fit }) => ({ ...fit, replaces: sameAs(owner, fit) })),
    );
    const fresh = parts.all.filter(({ replaces }) => replaces === undefined).length;
    const { childSasPerIkeSa } = config.limits;
    const room = owner.children.size + parts.all.length <= childSasPerIkeSa * (fresh > 0 ? 1 : 2);
    if (!room) {
      const limit = 'there are as many Child SAs as limits.childSasPerIkeSa allows';
      return this.#refuse(V1Notify.NO_PROPOSAL_CHOSEN, 'limit', limit);
    }
    this.#parts = parts;
    this.#nr = Uint8Array.from(runtime.random(NONCE_BYTES));
    parts.allocate((allocated) => {
      if (!allocated.ok)
        return this.#refuse(V1Notify.NO_PROPOSAL_CHOSEN, 'data-plane', allocated.error.message);
      const method = chosen[0]?.choice.suite.ke;
      if (method === undefined || peerPublic === undefined) return this.#install(parts, chosen, undefined);
      const seed = runtime.random(method.seedBytes);
      runtime.keyExchange({ op: 'respond', method, seed, peerPublic }, (outcome) => {
        wipe(seed);
        if (this.#isOver()) return wipe(outcome.ok ? outcome.value.secret : undefined);
        if (!outcome.ok)
          return this.#refuse(V1Notify.INVALID_KEY_INFORMATION, 'key-exchange', outcome.error.message);
        this.#install(parts, chosen, outcome.value);
      });
    });
  }

  #install(
    parts: Parts,
    chosen: readonly Chosen[],
    exchanged: { readonly publicValue: Uint8Array; readonly secret: Uint8Array } | undefined,
  ): void {
    const ike = this.#ike;
    if (ike.keys === undefined) return this.end();
    const choices = chosen.map(({ choice }) => choice);
    const material = { ni: this.#ni, nr: this.#nr, secret: exchanged?.secret };
    parts.install(
      false,
      choices,
      material,
      ({ life }) => life,
      (installed) => {
        if (!installed.ok)
          return this.#refuse(V1Notify.NO_PROPOSAL_CHOSEN, 'data-plane', installed.error.message, {
            child: parts.all.map(({ config }) => config.name).join(', '),
          });
        this.#answer(parts, chosen, exchanged?.publicValue);
      },
    );
    wipe(exchanged?.secret);
  }

  #answer(parts: Parts, chosen: readonly Chosen[], publicValue: Uint8Array | undefined): void {
    const ike = this.#ike;
    const { keys, suite, host } = ike;
    if (keys === undefined || suite === undefined) return this.end();
    const [{ config }] = parts.all;
    const payloads: readonly V1Payload[] = [
      ...chosen.map(({ sa, choice }, at) => ({ ...sa, proposals: answerPhase2(choice, parts.spis[at]) })),
      { type: 'NONCE', data: this.#nr },
      ...(publicValue === undefined ? [] : [{ type: 'KE', data: publicValue } as const]),
      ...this.#identities,
      ...originalAddresses(ike, config, false),
      ...chosen.flatMap(({ choice }, at) =>
        this.#lifetime(parts.all[at].config, choice.life, parts.spis[at].spi),
      ),
    ];
    const rest = encodeV1Payloads(payloads).bytes;
    const data = hash2(host.runtime.crypto, suite.hash, keys.a, this.messageId, this.#ni, rest);
    this.#state = 'answered';
    this.#send([{ type: 'HASH', data }, ...payloads], true);
  }

  /** RFC 2407 §4.5.4, §4.6.3.1: where ours is the sooner end, the initiator is told. */
  #lifetime(config: ChildConfig, theirs: Lifetime, spiIn: number): readonly V1Payload[] {
    const own = phase2Life(config);
    const shorter: Lifetime = {
      ...(own.seconds !== undefined && own.seconds < (theirs.seconds ?? Number.POSITIVE_INFINITY)
        ? { seconds: own.seconds }
        : {}),
      ...(own.kilobytes !== undefined && own.kilobytes < (theirs.kilobytes ?? Number.POSITIVE_INFINITY)
        ? { kilobytes: own.kilobytes }
        : {}),
    };
    const attributes = writeLifetime(Phase2Attribute, shorter);
    if (attributes.length === 0) return [];
    const notify = V1Notify.RESPONDER_LIFETIME;
    const data = encodeAttributes(attributes);
    return [{ type: 'N', doi: IPSEC_DOI, protocol: v1ProtocolOf(config), spi: uint32(spiIn), notify, data }];
  }

  #send(payloads: readonly V1Payload[], awaits: boolean): void {
    const header = this.#ike.header(Exchange.QUICK_MODE, this.messageId);
    this.#turns.send({ message: this.#chain.seal(header, payloads), header, payloads }, awaits);
  }

  receive(datagram: Datagram, frame: Framed<IsakmpHeader>): void {
    const ike = this.#ike;
    const { host, keys, suite } = ike;
    if (this.#turns.repeated(datagram)) return;
    if (this.#state !== 'answered' || keys === undefined || suite === undefined)
      return host.count('unexpected-message');
    const opened = this.#chain.open(datagram.data, frame.nextPayload);
    if (!opened.ok) return host.count('not-authentic');
    const [hash] = opened.value.payloads;
    const expected = hash3(host.runtime.crypto, suite.hash, keys.a, this.messageId, this.#ni, this.#nr);
    if (hash?.type !== 'HASH' || !equalConstantTime(expected, hash.data)) return host.count('not-authentic');
    opened.value.accept();
    this.#turns.accepted(datagram);
    this.#turns.trace(datagram, frame.header, opened.value.payloads);
    ike.heard(datagram);
    if (!this.#commit && !frame.header.flags.commit) return this.#up();
    this.#commit = true;
    this.#state = 'waiting';
    const { runtime, config } = host;
    this.#linger = runtime.setTimer(patienceMs(config.retransmit), () => this.#unanswered());
  }

  connected(): void {
    if (this.#state === 'waiting') this.#up();
  }

  #up(): void {
    if (this.#parts === undefined) return this.end();
    this.#over(true);
    this.#parts.activate();
  }

  #refuse(notify: number, code: string, message: string, more: Partial<FailureReport> = {}): void {
    const failure = { exchange: 'QUICK_MODE', role: 'responder', code, message } as const;
    this.#parts?.abandon();
    reportFailure(this.#ike, failure, { notify: v1NotifyName(notify), ...more });
    sayError(this.#ike, notify, this.#protocol, this.spi);
    this.#over(true);
  }

  /** The third message did not come. */
  #unanswered(): void {
    this.#ike.host.count('quick-mode-unfinished');
    this.#parts?.abandon();
    this.#over();
  }

  /** It is the initiator that is told of errors. */
  refused(): void {}

  deletedByPeer(spiOut: number, protocol: number): void {
    const { children = [] } = this.#parts ?? {};
    if (this.#state === 'working') return;
    const isOne = children.some((child) =>
      peerSpis(child).some(([one, spi]) => one === protocol && spi === spiOut),
    );
    if (!isOne) return;
    this.#parts?.abandon();
    this.#over();
  }

  end(): void {
    this.#parts?.abandon();
    this.#over();
    this.#linger?.cancel();
  }

  /** With `kept` what is repeated still finds its answer. */
  #over(kept = false): void {
    if (this.#state === 'over') return;
    const ike = this.#ike;
    this.#state = 'over';
    this.#turns.stop();
    this.#linger?.cancel();
    if (kept && ike.state !== 'dead') {
      const { runtime, config } = ike.host;
      this.#linger = runtime.setTimer(patienceMs(config.retransmit), () => ike.forgets(this));
    } else ike.forgets(this);
  }

  #isOver(): boolean {
    return this.#state === 'over';
  }
}
