// A thread of the key exchange pool: a job comes in, its outcome goes out. What came in is wiped; what goes out is moved.

import { parentPort, workerData } from 'node:worker_threads';
import { wipe } from '../bytes.ts';
import { fail } from '../errors.ts';
import { runKeyExchange } from './key-exchange.ts';
import type { KeyExchangeJob, KeyExchangeOutcome } from './provider.ts';
import { useModule, type WasmModule } from './wasm.ts';

useModule((workerData as { readonly module: WasmModule }).module);

parentPort?.on('message', (job: KeyExchangeJob) => {
  const outcome = outcomeOf(job);
  wipe(job.op === 'finish' ? job.privateValue : job.seed);
  parentPort?.postMessage(
    outcome,
    outcome.ok ? Object.values(outcome.value).map((bytes: Uint8Array) => bytes.buffer as ArrayBuffer) : [],
  );
});

function outcomeOf(job: KeyExchangeJob): KeyExchangeOutcome {
  try {
    return runKeyExchange(job);
  } catch (error) {
    return fail('unavailable', error instanceof Error ? error.message : String(error));
  }
}
