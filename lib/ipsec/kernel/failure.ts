// What a kernel's refusal means: which algorithm or option it was, and what is missing. Kernels answer in errno, and newer ones in words.

import type { ErrorInfo } from '../../errors.ts';
import type { KernelFailure } from './kernel-api.ts';

/** A failure as the negotiation and the program see it. `what`: what was asked, in words (`the policy 10.1.0.0/16 > 10.2.0.0/16`). */
export function kernelError(failure: KernelFailure, what: string): ErrorInfo {
  const words = failure.detail === '' ? failure.errno : `${failure.errno}: ${failure.detail}`;
  return { code: 'ERR_IKE_KERNEL', message: `the kernel refuses ${what}: ${words}` };
}
