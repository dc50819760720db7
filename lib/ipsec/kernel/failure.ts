// What a kernel's refusal means: which algorithm or option it was, and which module is missing. Kernels answer in errno, and newer ones
// in words.

import type { CipherMode } from '../../crypto/algorithms.ts';
import type { ErrorInfo } from '../../errors.ts';
import type { SaSuite } from '../data-plane.ts';
import type { KernelFailure } from './kernel-api.ts';

/** Linux's modules for a cipher in ESP, beside that of the protocol. Kernels may have them built in. */
const CIPHER_MODULES: Readonly<Record<CipherMode, string>> = {
  'aes-cbc': 'aes, cbc, authenc, echainiv',
  'aes-ctr': 'aes, ctr, authenc, seqiv',
  'aes-gcm': 'aes, gcm, ctr, ghash, seqiv, drbg',
  'aes-gmac': 'aes, gcm, ctr, ghash, seqiv, drbg',
  'aes-ccm': 'aes, ccm, ctr, seqiv, drbg',
  'chacha20-poly1305': 'chacha20poly1305, chacha_generic, poly1305_generic, seqiv, drbg',
  'camellia-cbc': 'camellia, cbc, authenc, echainiv',
  '3des-cbc': 'des_generic, cbc, authenc, echainiv',
  'des-cbc': 'des_generic, cbc, authenc, echainiv',
  null: 'crypto_null, authenc',
};
const REMEDY = "dataPlane 'engine' does without the kernel's IPsec";

/** A failure as the negotiation and the program see it. `what` was asked for, in words. */
export function kernelError(failure: KernelFailure, what: string): ErrorInfo {
  return { code: 'ERR_IKE_KERNEL', message: `the kernel refuses ${what}: ${wordsOf(failure)}` };
}

/**
 * Why an SA was refused. `code`: ERR_IKE_NO_ESP where the protocol is missing as a whole, ERR_IKE_ALGORITHM where it is one of the
 * suite's, else ERR_IKE_KERNEL. `v6`: of the outer addresses.
 */
export function saError(
  failure: KernelFailure,
  suite: SaSuite,
  { v6, esn = false }: { readonly v6: boolean; readonly esn?: boolean },
): ErrorInfo {
  const { protocol, mode } = suite;
  const name = protocol.toUpperCase();
  switch (failure.errno) {
    case 'EPROTONOSUPPORT':
      if (/\bmode\b/.test(failure.detail))
        return {
          code: 'ERR_IKE_KERNEL',
          message: `the kernel has no ${mode} mode (${wordsOf(failure)}); ${REMEDY}`,
        };
      return {
        code: 'ERR_IKE_NO_ESP',
        message: `the kernel has no ${name} over ${v6 ? 'IPv6' : 'IPv4'}: it lacks the module ${protocol}${v6 ? 6 : 4} (${wordsOf(failure)}); ${REMEDY}`,
      };
    case 'ENOSYS':
    case 'ENOENT':
      return {
        code: 'ERR_IKE_ALGORITHM',
        message: `the kernel cannot do ${suiteName(suite)}: it lacks one of the modules ${modulesOf(suite, esn)} (${wordsOf(failure)})`,
      };
    default:
      return kernelError(failure, `${name} in ${mode} mode with ${suiteName(suite)}`);
  }
}

/** The algorithms by name: `aes128-sha256`. */
export function suiteName({ encryption, integrity }: SaSuite): string {
  return [encryption, integrity].flatMap((row) => row?.name ?? []).join('-');
}

function modulesOf({ protocol, encryption, integrity }: SaSuite, esn: boolean): string {
  const check = integrity === undefined ? [] : [hashModules(integrity.xfrm ?? '')];
  // With 64-bit numbers a cipher and its hash are tied together by another module.
  const cipher = encryption === undefined ? [] : [CIPHER_MODULES[encryption.mode]];
  const tied = esn && protocol === 'esp' && integrity !== undefined ? ['authencesn'] : [];
  return [...cipher, ...check, ...tied].join(', ');
}

/** `hmac(sha256)` needs hmac and sha256. */
function hashModules(name: string): string {
  return name.split(/[()]+/).filter(Boolean).join(', ');
}

function wordsOf({ errno, detail }: KernelFailure): string {
  return detail === '' ? errno : `${errno}: ${detail}`;
}
