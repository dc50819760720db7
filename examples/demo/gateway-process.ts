// A gateway in a process of its own, seen from the main program: orders go out, answers come back, lines are printed.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Answer, Answers, Report, Request } from './protocol.ts';

const running = new Set<GatewayProcess>();

/** Ends every gateway process, cleanly where it still answers. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((gateway) => gateway.stop()));
}

export class GatewayProcess {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  readonly #ended: Promise<void>;
  #number = 0;

  /** Starts `command` with the path of gateway.js behind its arguments; `name` stands before its lines. */
  constructor(name: string, command: string, args: readonly string[]) {
    this.#process = spawn(command, [...args, join(import.meta.dirname, 'gateway.js')], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // A group of its own: Ctrl-C reaches the main program alone, which then closes this one in order.
      detached: true,
    });
    running.add(this);
    this.#process.on('message', (report: Report) => {
      if ('line' in report) console.log(`${name.padEnd(6)} ${report.line}`);
      else this.#waiting.get(report.number)?.(report);
    });
    this.#ended = new Promise((resolve) => {
      const end = (reason: string): void => {
        running.delete(this);
        for (const [number, answer] of this.#waiting)
          answer({ number, ok: false, message: `gateway ${name} ${reason}` });
        resolve();
      };
      this.#process.on('exit', (status, signal) => end(`ended (${signal ?? `status ${status}`})`));
      this.#process.on('error', (error) => end(`did not start: ${error.message}`));
    });
  }

  /** Gives an order and resolves with its answer; rejects when the gateway refuses, or ends before it answers. */
  ask<D extends keyof Answers>(order: Extract<Request, { do: D }>): Promise<Answers[D]> {
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, (answer) => {
        this.#waiting.delete(number);
        if (answer.ok) resolve(answer.value as Answers[D]);
        else reject(new Error(answer.message));
      });
      if (!running.has(this))
        this.#waiting.get(number)?.({ number, ok: false, message: 'the gateway has ended' });
      else this.#process.send({ ...order, number });
    });
  }

  /** Closes the gateway and waits for its process; ends it by force when it takes longer than 5 seconds. */
  async stop(): Promise<void> {
    if (!running.has(this)) return;
    const force = setTimeout(() => this.#process.kill('SIGKILL'), 5000);
    await this.ask({ do: 'close' }).catch(() => {});
    await this.#ended;
    clearTimeout(force);
  }
}
