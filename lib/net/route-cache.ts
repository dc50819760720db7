// Which local address packets to a peer leave from, where there is only node:dgram to ask: a socket that is connected to the
// peer sends nothing but knows its own address. Answers are kept for a while; their number and the sockets are bounded.

import { createSocket } from 'node:dgram';
import { SystemError } from '../errors.ts';
import type { Endpoint } from './address.ts';

const MAX_ANSWERS = 1024;
const MAX_LOOKUPS = 64;
/** Routes change; an answer may be wrong for so long. */
const ANSWER_LIFE_MS = 10_000;

interface Answer {
  readonly address: string;
  readonly untilMs: number;
}

export class RouteCache {
  readonly #bound: readonly string[];
  readonly #answers = new Map<string, Answer>();
  readonly #lookups = new Map<string, Promise<string>>();

  /** `bound`: the addresses that the transport listens on. */
  constructor(bound: readonly string[]) {
    this.#bound = [...new Set(bound)];
  }

  /** Whether so many lookups are under way that what strangers send must wait. */
  get busy(): boolean {
    return this.#lookups.size >= MAX_LOOKUPS;
  }

  /** A recent answer. */
  cached({ address }: Endpoint): string | undefined {
    const answer = this.#answers.get(address);
    return answer === undefined || performance.now() >= answer.untilMs ? undefined : answer.address;
  }

  /** Rejects with a SystemError where there is no route. */
  find(remote: Endpoint): Promise<string> {
    const known = this.cached(remote);
    if (known !== undefined) return Promise.resolve(known);
    const underWay = this.#lookups.get(remote.address);
    if (underWay !== undefined) return underWay;
    const lookup = routedAddress(remote)
      .then((routed) => this.#keep(remote, this.#listening(remote, routed)))
      .finally(() => this.#lookups.delete(remote.address));
    this.#lookups.set(remote.address, lookup);
    return lookup;
  }

  close(): void {
    this.#answers.clear();
  }

  #keep(remote: Endpoint, address: string): string {
    if (this.#answers.size >= MAX_ANSWERS) {
      // A Map keeps the order of insertion: the oldest goes.
      const [oldest] = this.#answers.keys();
      this.#answers.delete(oldest);
    }
    this.#answers.set(remote.address, { address, untilMs: performance.now() + ANSWER_LIFE_MS });
    return address;
  }

  /** The routed address if the transport listens there, else the first that it has of that family. */
  #listening(remote: Endpoint, routed: string): string {
    const family = this.#bound.filter((address) => address.includes(':') === remote.address.includes(':'));
    if (family.includes('0.0.0.0') || family.includes('::') || family.includes(routed)) return routed;
    if (family.length === 0)
      throw new SystemError('ERR_IKE_NO_ROUTE', `no listen address is of the family of ${remote.address}`);
    return family[0];
  }
}

function routedAddress({ address, port }: Endpoint): Promise<string> {
  const ipv6 = address.includes(':');
  return new Promise((resolve, reject) => {
    const socket = createSocket({
      type: ipv6 ? 'udp6' : 'udp4',
      lookup: (host, _options, callback) => callback(null, host, ipv6 ? 6 : 4),
    });
    const fail = (cause: unknown): void => {
      socket.close();
      reject(new SystemError('ERR_IKE_NO_ROUTE', `there is no route to ${address}`, { cause }));
    };
    socket.once('error', fail);
    // The callback of connect() gets the error, if there is one; the types of Node leave that out.
    const connected = (error?: Error): void => {
      socket.removeListener('error', fail);
      if (error instanceof Error) {
        fail(error);
        return;
      }
      const own = socket.address().address;
      socket.close();
      resolve(own);
    };
    try {
      socket.connect(port, address, connected);
    } catch (cause) {
      fail(cause);
    }
  });
}
