// AES-XCBC-MAC (RFC 3566) and AES-CMAC (RFC 4493), whole: 16 bytes. Both chain the message's blocks through AES and give the last
// one a value of its own, one for a whole block and another for one that was filled; they differ in how these values and the
// chain's key come from the key.

import { encryptBlock, encryptionKeys, lastKey } from './aes';
import { endMarked, firstBytes } from './bytes';
import { KEY, LAST_FILLED, LAST_WHOLE, MAC_KEY } from './layout';

/**
 * The key at KEY made ready. As a PRF a key of any length does: a long one is authenticated under zeros, a short one too with CMAC
 * (RFC 4615 §3), but filled with zeros with XCBC (RFC 4434 §2).
 */
export function macKey(xcbc: bool, keyLength: i32): void {
  let key = v128.load(KEY);
  if (keyLength < 16 && xcbc) key = firstBytes(key, keyLength);
  else if (keyLength != 16) {
    prepare(xcbc, i64x2.splat(0));
    key = macOf(KEY, keyLength);
  }
  prepare(xcbc, key);
}

/** The MAC of the bytes at `p`. What lies behind them is read, but does not count. */
export function macOf(p: usize, length: i32): v128 {
  const last = lastKey(16);
  let chain = i64x2.splat(0);
  for (; length > 16; length -= 16, p += 16) chain = encryptBlock(v128.xor(chain, v128.load(p)), last);
  let block = v128.load(p);
  if (length < 16) {
    block = v128.xor(endMarked(block, length), v128.load(LAST_FILLED));
  } else block = v128.xor(block, v128.load(LAST_WHOLE));
  return encryptBlock(v128.xor(chain, block), last);
}

function prepare(xcbc: bool, key: v128): void {
  const last = lastKey(16);
  v128.store(MAC_KEY, key);
  encryptionKeys(MAC_KEY, 16);
  if (xcbc) {
    // RFC 3566 §4: three keys, the ciphertexts of three constants.
    v128.store(LAST_WHOLE, encryptBlock(i8x16.splat(2), last));
    v128.store(LAST_FILLED, encryptBlock(i8x16.splat(3), last));
    v128.store(MAC_KEY, encryptBlock(i8x16.splat(1), last));
    encryptionKeys(MAC_KEY, 16);
  } else {
    // RFC 4493 §2.3: the ciphertext of zero, doubled once and twice.
    doubled(LAST_WHOLE, encryptBlock(i64x2.splat(0), last));
    doubled(LAST_FILLED, v128.load(LAST_WHOLE));
  }
}

/** Times x in GF(2^128), the highest bit first. */
function doubled(to: usize, x: v128): void {
  const high = bswap<u64>(i64x2.extract_lane(x, 0));
  const low = bswap<u64>(i64x2.extract_lane(x, 1));
  store<u64>(to, bswap<u64>((high << 1) | (low >> 63)));
  store<u64>(to, bswap<u64>((low << 1) ^ ((0 - (high >> 63)) & 0x87)), 8);
}
