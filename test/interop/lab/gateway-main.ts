// One gateway of a test, in a process of its own inside a network namespace: takes orders over IPC, answers each, and reports
// every event with its payload. When the test is gone, for whatever reason, the channel closes and the gateway with it.

import { createGateway, type Gateway, type Log, NegotiationError } from '../../../lib/index.ts';
import { type Answers, EVENTS, type Order, type RecordedEvent, type Report } from './gateway-protocol.ts';

let gateway: Gateway | undefined;

process.on('message', (order: Order) => {
  answer(order).then((report) => tell(report, () => order.do === 'close' && process.disconnect()));
});
process.on('disconnect', () => {
  void Promise.resolve(gateway?.close()).finally(() => process.exit(0));
});

async function answer(order: Order): Promise<Report> {
  try {
    return { number: order.number, value: await obey(order) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_UNKNOWN';
    const message = error instanceof Error ? error.message : String(error);
    const report = error instanceof NegotiationError ? error.report : undefined;
    return { number: order.number, code, message, report };
  }
}

async function obey(order: Order): Promise<Answers[keyof Answers]> {
  switch (order.do) {
    case 'start':
      gateway = await createGateway(order.with, { keyLog: true, log });
      record(gateway);
      return gateway.dataPlane;
    case 'initiate':
      await started().initiate(order.with.connection, order.with.child);
      return null;
    case 'terminate':
      await started().terminate(order.with.connection, order.with.child);
      return null;
    case 'rekey':
      await started().rekey(order.with.connection, order.with.child);
      return null;
    case 'sas':
      return started().sas();
    case 'stats':
      return started().stats();
    case 'close':
      await gateway?.close();
      gateway = undefined;
      return null;
    default:
      return order satisfies never;
  }
}

function started(): Gateway {
  if (gateway === undefined) throw new Error('the gateway has not started');
  return gateway;
}

function record(running: Gateway): void {
  // The emitter's types cannot follow a name out of a list to its arguments.
  for (const event of EVENTS)
    running.on(event, (...args: unknown[]) =>
      tell({ event, args: args.map(plain) } as unknown as RecordedEvent),
    );
}

/** Without the methods that events carry: they cannot cross the channel. */
function plain(value: unknown): unknown {
  return typeof value === 'object' && value !== null ? { ...value } : value;
}

const write =
  (level: string) =>
  (event: string, fields?: unknown): void =>
    tell({ log: `${level} ${event} ${fields === undefined ? '' : JSON.stringify(fields)}` });
const log: Log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };

function tell(report: Report, done: () => void = () => {}): void {
  if (process.connected) process.send?.(report, undefined, undefined, done);
}
