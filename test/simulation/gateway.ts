// One gateway of the simulation: an IkeEndpoint over a virtual Runtime. It can crash, which drops the endpoint with its timers
// and its data plane, and start again with the same configuration.

import { createHash } from 'node:crypto';
import { decryptNow, verifyPeerNow } from '../../lib/auth/peer.ts';
import { concat } from '../../lib/bytes.ts';
import type { Config } from '../../lib/config/types.ts';
import type { KeyExchangeJob, KeyExchangeOutcome } from '../../lib/crypto/provider.ts';
import { fail, ok } from '../../lib/errors.ts';
import type { ChildSa } from '../../lib/ike/child-sa.ts';
import type { IkeEvent } from '../../lib/ike/events.ts';
import { IkeEndpoint } from '../../lib/ike/ike-endpoint.ts';
import type { Datagram, Log, Runtime, Timer } from '../../lib/ike/runtime.ts';
import { IkeSa } from '../../lib/ike/v2/ike-sa.ts';
import { Random } from '../fuzz/mutate.ts';
import { nodeCrypto, nodeKeyExchange } from '../lib/node-crypto.ts';
import type { VirtualClock } from './clock.ts';
import { WatchedPlane } from './plane.ts';
import { signNow, WALL_CLOCK_MS } from './signing.ts';

const NOTHING = new Uint8Array(0);
const NO_LOG: Log = { debug() {}, info() {}, warn() {}, error() {} };
const CRYPTO = nodeCrypto();
export const PORTS = { ike: 500, natt: 4500 } as const;

export interface GatewayOptions {
  readonly name: string;
  readonly address: string;
  readonly config: Config;
  readonly seed: number;
  /** Real X25519 and the like, or a cheap stand-in that has their shape and no security at all. */
  readonly keyExchange: 'node' | 'cheap';
  /** Whether the data plane answers later, as a kernel does. */
  readonly slowPlane: boolean;
  readonly udpEncapsulationOnly?: boolean;
  /** The longest that a signature takes; 60 ms by default. */
  readonly slowestSignatureMs?: number;
  readonly clock: VirtualClock;
  readonly send: (datagram: Datagram) => void;
  /** Hears every event, before the gateway keeps it. */
  readonly heard: (event: IkeEvent) => void;
}

export class Gateway {
  readonly name: string;
  readonly address: string;
  readonly config: Config;
  endpoint: IkeEndpoint;
  plane: WatchedPlane;
  readonly events: IkeEvent[] = [];
  /** Timers that wait; keyed by a number so that tests can see when each is due. */
  readonly timers = new Map<object, number>();
  /** Key exchanges and signatures that have not come back. */
  exchanging = 0;
  /** Signatures that were made or checked, and decryptions with a private key. */
  signatures = 0;
  /** Key-exchange jobs that came to an end, by operation. */
  readonly exchanges: Record<string, number> = { initiate: 0, respond: 0, finish: 0 };
  /** The very arrays that held seeds, private values and shared secrets of key exchanges: to be zeros when they are over. */
  readonly secrets: Uint8Array[] = [];
  up = false;
  readonly #options: GatewayOptions;
  readonly #random: Random;
  /** How often it has crashed. */
  life = 0;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.name = options.name;
    this.address = options.address;
    this.config = options.config;
    this.#random = new Random(options.seed);
    ({ endpoint: this.endpoint, plane: this.plane } = this.#make());
  }

  /** Begins: traps are set, what the configuration wants up is brought up. */
  start(): this {
    if (!this.up) {
      this.up = true;
      this.endpoint.begin();
    }
    return this;
  }

  /** Power goes: nothing is told to anybody, and nothing is left. */
  crash(): void {
    this.life++;
    this.up = false;
    this.timers.clear();
    this.exchanging = 0;
    ({ endpoint: this.endpoint, plane: this.plane } = this.#make());
  }

  receive(datagram: Datagram): void {
    if (this.up) this.endpoint.receive(datagram);
  }

  /** Those of IKEv2. */
  get ikeSas(): IkeSa[] {
    return [...this.endpoint.table.live].filter((ike) => ike instanceof IkeSa);
  }

  get children(): ChildSa[] {
    return this.ikeSas.flatMap((ike) => [...ike.children]);
  }

  /** The only IKE SA; a test that asks for it fails when there is none or another. */
  get ike(): IkeSa {
    const [ike, ...more] = this.ikeSas;
    if (ike === undefined || more.length > 0)
      throw new Error(`${this.name} has ${more.length + (ike === undefined ? 0 : 1)} IKE SAs`);
    return ike;
  }

  eventsOf<T extends IkeEvent['type']>(type: T): Extract<IkeEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<IkeEvent, { type: T }> => event.type === type);
  }

  /** Codes of the failures so far. */
  get failures(): string[] {
    return this.eventsOf('failed').map(({ report }) => report.code);
  }

  count(what: string): number {
    return this.endpoint.counts()[what] ?? 0;
  }

  #make(): { endpoint: IkeEndpoint; plane: WatchedPlane } {
    const { clock, slowPlane, udpEncapsulationOnly, config } = this.#options;
    const life = this.life;
    const later = (delayMs: number, then: () => void): void => {
      clock.after(delayMs, () => {
        if (life === this.life) then();
      });
    };
    const random = (lengthBytes: number): Uint8Array => this.#random.bytes(lengthBytes);
    const answer = (then: () => void): void => (slowPlane ? later(this.#random.below(20), then) : then());
    const plane = new WatchedPlane(random, answer, { udpEncapsulationOnly: udpEncapsulationOnly ?? false });
    const runtime: Runtime = {
      nowMs: () => clock.nowMs,
      setTimer: (delayMs, fire) => this.#setTimer(delayMs, fire, life),
      random,
      send: (datagram) => {
        if (life === this.life) this.#options.send({ ...datagram, data: datagram.data.slice() });
      },
      localAddressFor: (_remote, done) => later(this.#random.below(5), () => done(ok(this.address))),
      crypto: CRYPTO,
      keyExchange: (job, done) => {
        this.exchanging++;
        const outcome = this.#options.keyExchange === 'node' ? nodeKeyExchange(job) : cheapKeyExchange(job);
        if (job.op !== 'finish') this.secrets.push(job.seed);
        if (outcome.ok) this.secrets.push(outcome.value.privateValue, outcome.value.secret);
        later(1 + this.#random.below(60), () => {
          this.exchanging--;
          this.exchanges[job.op]++;
          done(outcome);
        });
      },
      wallClockMs: () => WALL_CLOCK_MS + clock.nowMs,
      sign: (job, done) => this.#slowly(later, () => done(signNow(job))),
      checkUser: (_check, username, password, done) =>
        this.#slowly(later, () => done(password === `${username}!`)),
      decrypt: (job, done) => this.#slowly(later, () => done(decryptNow(job))),
      verifyPeer: (job, done) => this.#slowly(later, () => done(verifyPeerNow(job))),
      dataPlane: plane,
      emit: (event) => {
        this.#options.heard(event);
        this.events.push(event);
      },
      log: NO_LOG,
      keyLog: false,
    };
    const endpoint = new IkeEndpoint(runtime, config, PORTS);
    plane.onEvent((event) => endpoint.dataPlaneEvent(event));
    return { endpoint, plane };
  }

  /** Signatures take their time from the seed, and sometimes as long as an HSM that sleeps. */
  #slowly(later: (delayMs: number, then: () => void) => void, then: () => void): void {
    this.exchanging++;
    this.signatures++;
    later(1 + this.#random.below(this.#options.slowestSignatureMs ?? 60), () => {
      this.exchanging--;
      then();
    });
  }

  #setTimer(delayMs: number, fire: () => void, life: number): Timer {
    const { clock } = this.#options;
    const key = {};
    this.timers.set(key, clock.nowMs + delayMs);
    const scheduled = clock.after(delayMs, () => {
      if (life !== this.life) return;
      this.timers.delete(key);
      fire();
    });
    return {
      cancel: () => {
        this.timers.delete(key);
        scheduled.cancel();
      },
    };
  }
}

/** The shape of a key exchange without its cost: the public value is a hash, the secret a hash of both. Protects nothing. */
export function cheapKeyExchange(job: KeyExchangeJob): KeyExchangeOutcome {
  const { method } = job;
  const seed = job.op === 'finish' ? job.privateValue : job.seed;
  const own = stretch([Uint8Array.of(method.id), seed], method.initiatorPublicBytes);
  if (job.op === 'initiate') return ok({ publicValue: own, privateValue: seed.slice(), secret: NOTHING });
  const { peerPublic } = job;
  if (peerPublic.length !== own.length || peerPublic.every((byte) => byte === 0)) {
    return fail('invalid-public-value', 'the public value is not usable');
  }
  const both = Buffer.compare(own, peerPublic) < 0 ? [own, peerPublic] : [peerPublic, own];
  const secret = stretch(both, method.sharedBytes);
  return ok({ publicValue: job.op === 'respond' ? own : NOTHING, privateValue: NOTHING, secret });
}

function stretch(parts: readonly Uint8Array[], lengthBytes: number): Uint8Array {
  const out = new Uint8Array(lengthBytes);
  for (let offset = 0, n = 0; offset < lengthBytes; offset += 32, n++) {
    const block = createHash('sha256')
      .update(concat(Uint8Array.of(n), ...parts))
      .digest();
    out.set(block.subarray(0, Math.min(32, lengthBytes - offset)), offset);
  }
  return out;
}
