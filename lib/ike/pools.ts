// Addresses for remote peers: who has which, from the pools of the configuration. An identity that comes back gets the address that it had,
// unless somebody else has it by now. Nothing here knows of messages.

import type { PoolConfig } from '../config/types.ts';
import { formatAddress } from '../net/address.ts';

interface Lease {
  readonly pool: Pool;
  readonly identity: string;
  readonly offset: bigint;
  /** The IKE SAs that hold it; none: it is free, and remembered. */
  readonly holders: Set<number>;
}

/** One pool's addresses, by their distance from the first. */
class Pool {
  readonly config: PoolConfig;
  readonly #ranges: readonly { readonly start: bigint; readonly size: bigint }[];
  readonly #byteLength: number;
  readonly #size: bigint;
  /** By offset. Those that are free stand in the order in which they became so. */
  readonly leases = new Map<bigint, Lease>();
  /** The latest of each identity. */
  readonly byIdentity = new Map<string, Lease>();
  #fresh = 0n;

  constructor(config: PoolConfig) {
    this.config = config;
    this.#byteLength = config.addresses[0].start.length;
    this.#ranges = config.addresses.map(({ start, end }) => {
      const first = toNumber(start);
      return { start: first, size: toNumber(end) - first + 1n };
    });
    this.#size = this.#ranges.reduce((sum, { size }) => sum + size, 0n);
  }

  get isIpv6(): boolean {
    return this.#byteLength === 16;
  }

  address(offset: bigint): string {
    let left = offset;
    for (const { start, size } of this.#ranges) {
      if (left < size) return formatAddress(toBytes(start + left, this.#byteLength));
      left -= size;
    }
    throw new RangeError(`a pool has no address ${offset}`);
  }

  /** An offset that nobody holds: one that nobody ever had, else the one that is free for longest. */
  free(): bigint | undefined {
    if (this.#fresh < this.#size) return this.#fresh++;
    for (const [offset, { holders }] of this.leases) if (holders.size === 0) return offset;
    return undefined;
  }

  grant(offset: bigint, identity: string): Lease {
    this.forget(this.leases.get(offset));
    const lease = { pool: this, identity, offset, holders: new Set<number>() };
    this.leases.set(offset, lease);
    this.byIdentity.set(identity, lease);
    return lease;
  }

  forget(lease: Lease | undefined): void {
    if (lease === undefined) return;
    this.leases.delete(lease.offset);
    if (this.byIdentity.get(lease.identity) === lease) this.byIdentity.delete(lease.identity);
  }

  /** Nobody holds it any more: last in the row of those that are free. */
  freed(lease: Lease): void {
    this.leases.delete(lease.offset);
    this.leases.set(lease.offset, lease);
  }
}

export class Pools {
  readonly #pools: ReadonlyMap<string, Pool>;
  readonly #byHolder = new Map<number, Set<Lease>>();

  constructor(configs: Readonly<Record<string, PoolConfig>>) {
    this.#pools = new Map(Object.entries(configs).map(([name, config]) => [name, new Pool(config)]));
  }

  /**
   * An address of one family for an IKE SA, out of the first of the pools `names` that has one. One identity has one address, whichever
   * IKE SA asks, unless it is not to be `shared` between several that are up at once.
   */
  lease(
    names: readonly string[],
    holder: number,
    identity: string,
    family: 'ipv4' | 'ipv6',
    shared: boolean,
  ): string | undefined {
    const pools = names
      .flatMap((name) => this.#pools.get(name) ?? [])
      .filter(({ isIpv6 }) => isIpv6 === (family === 'ipv6'));
    const own = [...(this.#byHolder.get(holder) ?? [])].find(({ pool }) => pools.includes(pool));
    if (own !== undefined) return own.pool.address(own.offset);
    for (const pool of pools) {
      const known = pool.byIdentity.get(identity);
      if (known !== undefined && (shared || known.holders.size === 0)) return this.#hold(known, holder);
    }
    for (const pool of pools) {
      const offset = pool.free();
      if (offset !== undefined) return this.#hold(pool.grant(offset, identity), holder);
    }
    return undefined;
  }

  /** What an IKE SA holds is its successor's, too. */
  handOver(from: number, to: number): void {
    for (const lease of this.#byHolder.get(from) ?? []) this.#hold(lease, to);
  }

  /** An IKE SA is over. */
  release(holder: number): void {
    for (const lease of this.#byHolder.get(holder) ?? []) {
      lease.holders.delete(holder);
      if (lease.holders.size === 0) lease.pool.freed(lease);
    }
    this.#byHolder.delete(holder);
  }

  #hold(lease: Lease, holder: number): string {
    lease.holders.add(holder);
    const all = this.#byHolder.get(holder) ?? new Set<Lease>();
    this.#byHolder.set(holder, all.add(lease));
    return lease.pool.address(lease.offset);
  }
}

function toNumber(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

function toBytes(number: bigint, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let left = number;
  for (let i = lengthBytes - 1; i >= 0; i--) {
    bytes[i] = Number(left & 0xffn);
    left >>= 8n;
  }
  return bytes;
}
