// Addresses that peers have given to us: on the data plane's device as long as an IKE SA holds them, which several may at once while one
// renews another.

import type { Host } from './host.ts';

export class Vips {
  readonly #host: Pick<Host, 'runtime'>;
  readonly #holders = new Map<string, Set<number>>();

  constructor(host: Pick<Host, 'runtime'>) {
    this.#host = host;
  }

  hold(address: string, holder: number): void {
    const holders = this.#holders.get(address) ?? new Set<number>();
    this.#holders.set(address, holders.add(holder));
    if (holders.size > 1) return;
    const { dataPlane, log } = this.#host.runtime;
    dataPlane.addAddress?.(address, (error) => {
      if (error !== undefined) log.warn('vip-refused', { address, reason: error.message });
    });
  }

  release(holder: number): void {
    for (const [address, holders] of this.#holders) {
      if (!holders.delete(holder) || holders.size > 0) continue;
      this.#holders.delete(address);
      this.#host.runtime.dataPlane.removeAddress?.(address);
    }
  }
}
