// Inbound SPIs of a data plane: which are reserved by a negotiation and which belong to an SA.
// reserve() -> [release() | install()] -> remove().

import { readUint32, wipe } from '../bytes.ts';
import { isDegenerateKey } from '../crypto/cipher.ts';
import { fail, ok, type Result } from '../errors.ts';
import type { EspParameters, SaParameters } from './data-plane.ts';

/** SPIs below are not for use on the wire (RFC 4303 §2.1). */
export const MIN_SPI = 256;
const MAX_SPIS = 65536;
const MAX_DRAWS = 64;
/** The largest `SaParameters.replayWindow`. */
export const MAX_REPLAY_WINDOW = 65536;

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

/** What a data plane refuses in an SA before it takes it: undefined when there is nothing to say. */
export function checkSa(sa: SaParameters): { readonly code: string; readonly message: string } | undefined {
  const problem = (message: string) => ({ code: 'bad-sa', message });
  if (!Number.isInteger(sa.spi) || sa.spi < MIN_SPI || sa.spi > 0xffffffff)
    return problem(`SPI ${sa.spi} is not for use`);
  const unsuited = sa.protocol === 'esp' ? unsuitedCipher(sa) : undefined;
  if (unsuited !== undefined) return problem(unsuited);
  if ((sa.integrityKey?.length ?? 0) !== (sa.integrity?.keyBytes ?? 0))
    return problem('the integrity key has the wrong length');
  if (!Number.isInteger(sa.replayWindow) || sa.replayWindow < 0 || sa.replayWindow > MAX_REPLAY_WINDOW)
    return problem(`a replay window of ${sa.replayWindow} packets is not between 0 and ${MAX_REPLAY_WINDOW}`);
  return undefined;
}

function unsuitedCipher({ encryption, encryptionKey, integrity }: EspParameters): string | undefined {
  if (encryptionKey.length !== encryption.keyBits / 8 + encryption.saltBytes)
    return `${encryption.name} does not take a key of ${encryptionKey.length} bytes`;
  // Encryption without integrity is not offered (RFC 8221 §4).
  if ((encryption.icvBytes === 0) !== (integrity !== undefined))
    return 'an AEAD, or a cipher with an integrity algorithm';
  if (isDegenerateKey(encryption, encryptionKey))
    return `${encryption.name} does not take a key that makes it plain DES`;
  return undefined;
}

/** The same parameters with keys of their own. */
export function copySa<Sa extends SaParameters>(sa: Sa): Sa {
  return {
    ...sa,
    ...(sa.encryptionKey === undefined ? {} : { encryptionKey: sa.encryptionKey.slice() }),
    ...(sa.integrityKey === undefined ? {} : { integrityKey: sa.integrityKey.slice() }),
  };
}

/** Overwrites the keys of an SA that is gone. */
export function wipeSa(sa: SaParameters): void {
  wipe(sa.encryptionKey, sa.integrityKey);
}
