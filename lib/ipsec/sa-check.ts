// What a data plane looks at in an SA before it takes it, and the care of its keys: copied when it comes, wiped when it goes.

import { wipe } from '../bytes.ts';
import { isDegenerateKey } from '../crypto/cipher.ts';
import type { ErrorInfo } from '../errors.ts';
import type { EspParameters, SaLimits, SaParameters, SaSuite } from './data-plane.ts';
import { MIN_SPI } from './spi-table.ts';

/** The largest `SaParameters.replayWindow`. */
export const MAX_REPLAY_WINDOW = 65536;
/** No IP packet is longer. */
const MAX_TFC_BYTES = 65535;

/**
 * Whether such SAs have a meaning at all: ESP with an AEAD alone or a cipher and an integrity algorithm (RFC 4303 §3.2, RFC 8221 §4),
 * AH with an integrity algorithm alone (RFC 4302 §2.6).
 */
export function suiteIsSound({ protocol, encryption, integrity }: SaSuite): boolean {
  if (protocol === 'ah') return encryption === undefined && integrity !== undefined;
  return encryption !== undefined && encryption.icvBytes > 0 !== (integrity !== undefined);
}

/** What a data plane refuses in an SA before it takes it: undefined when there is nothing to say. */
export function checkSa(sa: SaParameters): ErrorInfo | undefined {
  const message =
    unsoundSpi(sa) ?? unsoundSuite(sa) ?? unsoundWindow(sa) ?? unsoundLimits(sa.limits) ?? unsoundPadding(sa);
  if (message !== undefined) return { code: 'bad-sa', message };
  if (sa.protocol === 'ah' && sa.udpEncapsulation)
    return { code: 'bad-sa', message: 'AH protects the addresses that a NAT changes: there is no AH in UDP' };
  if (sa.protocol === 'ah' && sa.outerSaId !== undefined)
    return { code: 'bad-sa', message: 'AH goes around ESP, nothing goes around AH' };
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

function unsoundSpi({ spi }: SaParameters): string | undefined {
  const usable = Number.isInteger(spi) && spi >= MIN_SPI && spi <= 0xffffffff;
  return usable ? undefined : `SPI ${spi} is not for use`;
}

function unsoundSuite(sa: SaParameters): string | undefined {
  if (!suiteIsSound(sa))
    return sa.protocol === 'ah'
      ? 'AH has an integrity algorithm and no cipher'
      : 'ESP has an AEAD, or a cipher with an integrity algorithm';
  const unsuited = sa.protocol === 'esp' ? unsuitedCipher(sa) : undefined;
  if (unsuited !== undefined) return unsuited;
  return (sa.integrityKey?.length ?? 0) === (sa.integrity?.keyBytes ?? 0)
    ? undefined
    : 'the integrity key has the wrong length';
}

function unsuitedCipher({ encryption, encryptionKey }: EspParameters): string | undefined {
  if (encryptionKey.length !== encryption.keyBits / 8 + encryption.saltBytes)
    return `${encryption.name} does not take a key of ${encryptionKey.length} bytes`;
  if (isDegenerateKey(encryption, encryptionKey))
    return `${encryption.name} does not take a key that makes it plain DES`;
  return undefined;
}

function unsoundWindow({ replayWindow }: SaParameters): string | undefined {
  const sound = Number.isInteger(replayWindow) && replayWindow >= 0 && replayWindow <= MAX_REPLAY_WINDOW;
  return sound
    ? undefined
    : `a replay window of ${replayWindow} packets is not between 0 and ${MAX_REPLAY_WINDOW}`;
}

function unsoundLimits(limits: SaLimits = {}): string | undefined {
  const { softBytes = 0, hardBytes = 0, softPackets = 0, hardPackets = 0 } = limits;
  const wrong = [softBytes, hardBytes, softPackets, hardPackets].find(
    (limit) => !Number.isSafeInteger(limit) || limit < 0,
  );
  return wrong === undefined ? undefined : `${wrong} is no limit of bytes or packets`;
}

/** What the padding is cut off by is the inner packet's own length, which transport mode does not carry (RFC 4303 §2.7). */
function unsoundPadding({ tfcBytes = 0, protocol, mode }: SaParameters): string | undefined {
  if (tfcBytes === 0) return undefined;
  if (protocol !== 'esp' || mode !== 'tunnel') return 'only ESP in tunnel mode pads its traffic flow';
  return Number.isInteger(tfcBytes) && tfcBytes > 0 && tfcBytes <= MAX_TFC_BYTES
    ? undefined
    : `traffic is not padded to ${tfcBytes} bytes`;
}
