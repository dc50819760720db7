// The worker pool for key exchange. Way of a job: `run` copies its secrets -> the queue (bounded) -> a free worker, or a new one while
// there are fewer than `workers` -> `done`. A worker has one job at a time, so one that dies fails one job; the next job starts
// another in its place. Idle workers do not keep the process alive. Byte arrays are moved between threads, not copied.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { fail } from '../errors.ts';
import { checkJob } from './key-exchange.ts';
import type { KeyExchangeJob, KeyExchangeOutcome } from './provider.ts';
import { wasmModule } from './wasm.ts';

/** Key exchange beside the event loop. */
export interface KeyExchangePool {
  /**
   * Runs `job` in a worker. `done` is called once, never before `run` returned. The job's arrays may be wiped as soon as `run` returned.
   * A wrong length of a seed or private value is a RangeError here.
   */
  run(job: KeyExchangeJob, done: (outcome: KeyExchangeOutcome) => void): void;
  /** Ends the workers. Jobs that wait or run end as `unavailable`. Resolves when all workers are gone. */
  close(): Promise<void>;
}

export interface KeyExchangePoolOptions {
  /** Threads at most; they start when there is work. Default: the processors there are, at most 4. */
  readonly workers?: number;
  /** Jobs that may wait; one more is `unavailable` at once. Default 1,024. */
  readonly queueLimit?: number;
}

interface Task {
  readonly job: KeyExchangeJob;
  readonly done: (outcome: KeyExchangeOutcome) => void;
}

interface Member {
  readonly worker: Worker;
  task: Task | undefined;
}

const MAX_DEFAULT_WORKERS = 4;
const DEFAULT_QUEUE_LIMIT = 1_024;

/** Makes a pool; no thread is started yet. Throws a SystemError `ERR_IKE_WASM` when the WASM module is missing. */
export function createKeyExchangePool(options: KeyExchangePoolOptions = {}): KeyExchangePool {
  const {
    workers = Math.min(availableParallelism(), MAX_DEFAULT_WORKERS),
    queueLimit = DEFAULT_QUEUE_LIMIT,
  } = options;
  if (!Number.isInteger(workers) || workers < 1) throw new RangeError(`${workers} workers: at least 1`);
  const module = wasmModule();
  const members = new Set<Member>();
  const queue: Task[] = [];
  let closing: Promise<void> | undefined;

  function dispatch(): void {
    while (queue.length > 0 && closing === undefined) {
      const member = [...members].find(({ task }) => task === undefined) ?? startWorker();
      if (member === undefined) return;
      const task = queue.shift();
      if (task === undefined) return;
      member.task = task;
      member.worker.ref();
      member.worker.postMessage(task.job, secretBuffers(task.job));
    }
  }

  function startWorker(): Member | undefined {
    if (members.size >= workers) return undefined;
    const worker = new Worker(new URL('./key-exchange-worker.js', import.meta.url), {
      name: 'ike-native key exchange',
      workerData: { module },
      execArgv: [],
    });
    const member: Member = { worker, task: undefined };
    members.add(member);
    worker.on('message', (outcome: KeyExchangeOutcome) => {
      finish(member, outcome);
      dispatch();
    });
    const gone = (reason: string): void => {
      members.delete(member);
      finish(member, fail('unavailable', `the key exchange's worker ended: ${reason}`));
      dispatch();
    };
    // An outcome that cannot be read would leave its task waiting.
    worker.on('messageerror', () => void worker.terminate());
    // After an error comes the exit too; whoever is first has the task.
    worker.on('error', (error) => gone(error instanceof Error ? error.message : String(error)));
    worker.on('exit', (code) => gone(closing === undefined ? `exit code ${code}` : 'the pool is closed'));
    return member;
  }

  function finish(member: Member, outcome: KeyExchangeOutcome): void {
    const { task } = member;
    if (task === undefined) return;
    member.task = undefined;
    member.worker.unref();
    task.done(outcome);
  }

  return {
    run(job, done) {
      checkJob(job);
      if (closing !== undefined) return later(done, 'the pool is closed');
      if (queue.length >= queueLimit) return later(done, `${queueLimit} key exchanges wait already`);
      queue.push({ job: ownCopy(job), done });
      dispatch();
    },
    close() {
      closing ??= Promise.all([...members].map(({ worker }) => worker.terminate())).then(() => undefined);
      for (const { job, done } of queue.splice(0)) {
        for (const buffer of secretBuffers(job)) new Uint8Array(buffer).fill(0);
        later(done, 'the pool is closed');
      }
      return closing;
    },
  };
}

function later(done: (outcome: KeyExchangeOutcome) => void, message: string): void {
  setImmediate(() => done(fail('unavailable', message)));
}

/** The caller may wipe its own; and what is moved to a worker must not be a view of something larger. */
function ownCopy(job: KeyExchangeJob): KeyExchangeJob {
  switch (job.op) {
    case 'initiate':
      return { ...job, seed: new Uint8Array(job.seed) };
    case 'respond':
      return { ...job, seed: new Uint8Array(job.seed), peerPublic: new Uint8Array(job.peerPublic) };
    case 'finish':
      return {
        ...job,
        privateValue: new Uint8Array(job.privateValue),
        peerPublic: new Uint8Array(job.peerPublic),
      };
  }
}

/** The arrays of {@link ownCopy} that are secret: moved, they are gone from this thread. */
function secretBuffers(job: KeyExchangeJob): ArrayBuffer[] {
  const secret = job.op === 'finish' ? job.privateValue : job.seed;
  return [secret.buffer as ArrayBuffer];
}
