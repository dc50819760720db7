// Our gateway on a host of the lab, in a process of its own. Orders resolve when the gateway has answered; events are kept with
// their payload, and `event()` hands each out once. What fails or takes too long says the message flow that led there.

import { join } from 'node:path';
import { formatTrace } from '../../../lib/control/trace.ts';
import type {
  ConfigInput,
  FailureReport,
  GatewayEvents,
  GatewayStats,
  IkeSaStatus,
  KeyLogEntry,
  MessageTrace,
} from '../../../lib/index.ts';
import type { Answers, EventName, OrderName, Orders, RecordedEvent, Report } from './gateway-protocol.ts';
import { type Host, inside } from './network.ts';
import { Daemon, until } from './shell.ts';

/** Longer than any negotiation of a test with the retransmissions of its configuration. */
const ORDER_LIMIT_MS = 30_000;

/** An order that the gateway refused or could not carry out. */
export class OrderFailed extends Error {
  override readonly name = 'OrderFailed';
  readonly code: string;
  readonly report: FailureReport | undefined;

  constructor(code: string, message: string, report: FailureReport | undefined) {
    super(message);
    this.code = code;
    this.report = report;
  }
}

export class GatewayProcess {
  readonly #daemon: Daemon;
  readonly #answers = new Map<number, (report: Report) => void>();
  readonly #events: RecordedEvent[] = [];
  /** How far the events of each name have been handed out. */
  readonly #handedOut = new Map<EventName, number>();
  readonly #lines: string[] = [];
  #number = 0;

  private constructor(host: Host) {
    const main = join(import.meta.dirname, 'gateway-main.js');
    const command = inside(host, process.execPath, '--enable-source-maps', main);
    this.#daemon = new Daemon(`our gateway on ${host.name}`, command, { ipc: true });
    this.#daemon.process.on('message', (report: Report) => this.#receive(report));
  }

  /** Starts a gateway; rejects when its configuration or its host does not allow it. */
  static async start(host: Host, config: ConfigInput): Promise<GatewayProcess> {
    const gateway = new GatewayProcess(host);
    try {
      await gateway.#order('start', config);
    } catch (error) {
      await gateway.#daemon.stop('SIGKILL');
      throw error;
    }
    return gateway;
  }

  get name(): string {
    return this.#daemon.name;
  }

  /** Of the process itself, for what /proc knows of it. */
  get pid(): number {
    return this.#daemon.pid;
  }

  async initiate(connection: string, child?: string): Promise<void> {
    await this.#order('initiate', { connection, child });
  }

  async terminate(connection: string, child?: string): Promise<void> {
    await this.#order('terminate', { connection, child });
  }

  async rekey(connection: string, child?: string): Promise<void> {
    await this.#order('rekey', { connection, child });
  }

  sas(): Promise<IkeSaStatus[]> {
    return this.#order('sas', undefined);
  }

  stats(): Promise<GatewayStats> {
    return this.#order('stats', undefined);
  }

  /** The next event of a name that `where` accepts; those before it are passed over. Waits for it where needed. */
  async event<E extends EventName>(
    name: E,
    where: (...args: GatewayEvents[E]) => boolean = () => true,
    timeoutMs = 10_000,
  ): Promise<GatewayEvents[E]> {
    const next = (): GatewayEvents[E] | undefined => {
      for (let at = this.#handedOut.get(name) ?? 0; at < this.#events.length; at++) {
        const recorded = this.#events[at];
        if (recorded.event !== name) continue;
        const args = recorded.args as GatewayEvents[E];
        if (!where(...args)) continue;
        this.#handedOut.set(name, at + 1);
        return args;
      }
      if (!this.#daemon.alive) throw new Error(`${this.name} ended; no event '${name}'\n${this.evidence}`);
      return undefined;
    };
    return until(`${this.name}: event '${name}'`, next, timeoutMs);
  }

  /** All events of a name so far, handed out or not. */
  events<E extends EventName>(name: E): GatewayEvents[E][] {
    return this.#events.filter((one) => one.event === name).map(({ args }) => args as GatewayEvents[E]);
  }

  get messages(): MessageTrace[] {
    return this.events('message').map(([message]) => message);
  }

  get keys(): KeyLogEntry[] {
    return this.events('keys').map(([entry]) => entry);
  }

  /** The one IKE SA, once there is exactly one with `children` established Child SAs and nothing in between. */
  settled(children = 1): Promise<IkeSaStatus> {
    return until(`${this.name} has one IKE SA with ${children} Child SAs`, async () => {
      const sas = await this.sas();
      const [ike] = sas;
      const calm =
        sas.length === 1 &&
        ike.state === 'established' &&
        ike.children.length === children &&
        ike.children.every((child) => child.state === 'established');
      return calm ? ike : undefined;
    });
  }

  /** Waits until nothing is up any more. */
  async empty(): Promise<void> {
    await until(`${this.name} has no SA`, async () => (await this.sas()).length === 0);
  }

  /** Message flow, events and log, in the order of their coming. */
  get evidence(): string {
    return [...this.#lines, this.#daemon.log].join('\n');
  }

  /** Closes the gateway in order and ends its process. */
  async stop(): Promise<void> {
    if (!this.#daemon.alive) return;
    await this.#order('close', undefined).catch(() => {});
    await this.#daemon.stop();
  }

  /** Dies at once, without a word to its peers. */
  async kill(): Promise<void> {
    await this.#daemon.stop('SIGKILL');
  }

  #order<N extends OrderName>(name: N, content: Orders[N]): Promise<Answers[N]> {
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(limit);
        this.#answers.delete(number);
      };
      const refuse = (why: string): void => {
        settle();
        reject(new Error(`${this.name}: order '${name}': ${why}`));
      };
      const limit = setTimeout(() => refuse(`no answer within ${ORDER_LIMIT_MS} ms`), ORDER_LIMIT_MS);
      this.#answers.set(number, (report) => {
        settle();
        if ('value' in report) resolve(report.value as Answers[N]);
        else if ('code' in report)
          reject(new OrderFailed(report.code, report.message, report.report as FailureReport | undefined));
      });
      void this.#daemon.ended.then(() => refuse(`it ended\n${this.#daemon.log}`));
      if (this.#daemon.alive) this.#daemon.process.send({ number, do: name, with: content }, () => {});
    });
  }

  #receive(report: Report): void {
    if ('number' in report) this.#answers.get(report.number)?.(report);
    else if ('log' in report) this.#lines.push(`  log ${report.log}`);
    else {
      this.#events.push(report);
      if (report.event === 'message') this.#lines.push(formatTrace(report.args[0]));
      else if (report.event !== 'keys') this.#lines.push(`  ${report.event} ${JSON.stringify(report.args)}`);
    }
  }
}
