// Commands and daemons of the lab. A command runs to its end within a time limit and says what it printed when it fails;
// a daemon is a process that goes on, whose output is kept as evidence and which is ended by its own pid, at the latest
// when the test program itself ends.

import { type ChildProcess, execFile, spawn } from 'node:child_process';

/** A command and its arguments. */
export type Command = readonly [command: string, args: readonly string[]];

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_LIMIT_BYTES = 16 * 1024 * 1024;
const LOG_LIMIT_CHARACTERS = 2_000_000;
const STOP_LIMIT_MS = 5000;

/** Runs a command to its end. Rejects with all that it printed when it fails or takes too long. */
export function run([command, args]: Command, timeoutMs = 15_000): Promise<Output> {
  return new Promise((resolve, reject) => {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: OUTPUT_LIMIT_BYTES } as const;
    execFile(command, args, options, (error, stdout, stderr) => {
      if (error === null) return resolve({ stdout, stderr });
      const how = error.killed
        ? `took longer than ${timeoutMs} ms`
        : `ended with ${error.code ?? error.signal}`;
      reject(new Error(`${command} ${args.join(' ')}: ${how}\n${stdout}${stderr}`));
    });
  });
}

/** Waits until `check` gives something else than undefined or false. `what` is named when the time is over. */
export async function until<T>(
  what: string | (() => string),
  check: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 10_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > endMs)
      throw new Error(`not within ${timeoutMs} ms: ${typeof what === 'string' ? what : what()}`);
    await pause(50);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const running = new Set<Daemon>();
process.on('exit', () => {
  for (const daemon of running) daemon.kill('SIGKILL');
});

/** A process that runs until it is stopped. */
export class Daemon {
  readonly name: string;
  readonly process: ChildProcess;
  readonly ended: Promise<void>;
  #log = '';
  #end: string | undefined;

  /** `ipc`: with node's channel for messages. */
  constructor(
    name: string,
    [command, args]: Command,
    options: { ipc?: boolean; env?: NodeJS.ProcessEnv } = {},
  ) {
    this.name = name;
    this.process = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
      env: { ...process.env, ...options.env },
      // Uint8Array crosses the channel as what it is.
      serialization: 'advanced',
    });
    running.add(this);
    for (const stream of [this.process.stdout, this.process.stderr])
      stream?.on('data', (data: Buffer) => {
        this.#log = (this.#log + data.toString()).slice(-LOG_LIMIT_CHARACTERS);
      });
    this.ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#end = how;
        running.delete(this);
        resolve();
      };
      this.process.on('exit', (status, signal) => end(signal ?? `status ${status}`));
      this.process.on('error', (error) => end(error.message));
    });
  }

  /** What it printed so far, and how it ended. */
  get log(): string {
    return this.#end === undefined ? this.#log : `${this.#log}\n(${this.name} ended: ${this.#end})\n`;
  }

  get alive(): boolean {
    return this.#end === undefined;
  }

  get pid(): number {
    const { pid } = this.process;
    if (pid === undefined) throw new Error(`${this.name} did not start: ${this.#end}`);
    return pid;
  }

  /** Waits until it printed something that matches. */
  async printed(pattern: RegExp, timeoutMs = 10_000): Promise<void> {
    await until(
      () => `${this.name} prints ${pattern}; it printed:\n${this.log}`,
      () => {
        if (pattern.test(this.#log)) return true;
        if (!this.alive) throw new Error(`${this.name} ended before it printed ${pattern}:\n${this.log}`);
        return false;
      },
      timeoutMs,
    );
  }

  /** Sends a signal to this very process. */
  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Ends it with `signal` and waits; by force when that takes too long. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!this.alive) return;
    this.kill(signal);
    const force = setTimeout(() => this.kill('SIGKILL'), STOP_LIMIT_MS);
    await this.ended;
    clearTimeout(force);
  }
}
