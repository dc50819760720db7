// Inbound SPIs of a data plane: which are reserved by a negotiation and which belong to an SA.
// reserve() -> [release() | install()] -> remove().

import { readUint32 } from '../bytes.ts';
import { fail, ok, type Result } from '../errors.ts';

/** SPIs below are not for use on the wire (RFC 4303 §2.1). */
export const MIN_SPI = 256;
const MAX_SPIS = 65536;
const MAX_DRAWS = 64;

export class SpiTable {
  /** The SA's id, or undefined while the SPI is only reserved. */
  readonly #owners = new Map<number, number | undefined>();
  readonly #random: (lengthBytes: number) => Uint8Array;

  constructor(random: (lengthBytes: number) => Uint8Array) {
    this.#random = random;
  }

  /** Draws an SPI that nobody has. */
  reserve(): Result<number> {
    if (this.#owners.size >= MAX_SPIS) return fail('no-spi', `all ${MAX_SPIS} inbound SPIs are in use`);
    for (let draw = 0; draw < MAX_DRAWS; draw++) {
      const spi = readUint32(this.#random(4));
      if (spi < MIN_SPI || this.#owners.has(spi)) continue;
      this.#owners.set(spi, undefined);
      return ok(spi);
    }
    return fail('no-spi', `no free SPI in ${MAX_DRAWS} draws`);
  }

  /** Gives a reserved SPI back. One that an SA has stays with it. */
  release(spi: number): void {
    if (this.#owners.get(spi) === undefined) this.#owners.delete(spi);
  }

  /** Hands an SPI, reserved or chosen by hand, to an SA; false when another SA has it or the table is full. */
  install(spi: number, saId: number): boolean {
    if (this.#owners.get(spi) !== undefined) return false;
    if (!this.#owners.has(spi) && this.#owners.size >= MAX_SPIS) return false;
    this.#owners.set(spi, saId);
    return true;
  }

  /** Takes the SPI from its SA and frees it. */
  remove(spi: number): void {
    this.#owners.delete(spi);
  }

  /** The SA that answers to an SPI. */
  owner(spi: number): number | undefined {
    return this.#owners.get(spi);
  }

  clear(): void {
    this.#owners.clear();
  }
}
