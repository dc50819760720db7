// One gateway of the demonstration, in a process of its own: takes orders from main.ts over IPC, reports every message and
// SA as a line. When the main program is gone, for whatever reason, the channel closes and the gateway closes with it.

import { formatTrace } from '../../lib/control/trace.ts';
import { createGateway, type Gateway, type SaCounters } from '../../lib/index.ts';
import { datagram, echoRequest, look } from './packets.ts';
import type { Answers, Order, Report } from './protocol.ts';

const FLOOD_BYTES = 1300;

let gateway: Gateway | undefined;
/** What `look` saw: the moments echo replies came, and how much UDP came between which moments. */
const replies = new Map<number, number>();
const received = { bytes: 0, firstMs: 0, lastMs: 0 };

process.on('message', (order: Order) => {
  // The answer to `close` is the last thing that this process says.
  answer(order).then((report) => process.send?.(report, () => order.do === 'close' && process.disconnect()));
});
process.on('disconnect', () => {
  void Promise.resolve(gateway?.close()).finally(() => process.exit(0));
});
// The terminal's Ctrl-C is for the main program, which closes this one in order.
process.on('SIGINT', () => {});

async function answer(order: Order): Promise<Report> {
  try {
    return { number: order.number, ok: true, value: await obey(order) };
  } catch (error) {
    return {
      number: order.number,
      ok: false,
      message: error instanceof Error ? error.message : String(error),
    };
  }
}

async function obey(order: Order): Promise<Answers[keyof Answers]> {
  switch (order.do) {
    case 'start':
      gateway = await createGateway(order.config);
      listen(gateway);
      return gateway.dataPlane;
    case 'initiate':
      await started().initiate(order.connection, order.child);
      return null;
    case 'describe':
      return describe(started());
    case 'ping':
      return ping(started(), order.from, order.to, order.count);
    case 'flood':
      await flood(started(), order.from, order.to, order.seconds);
      return null;
    case 'received':
      return { bytes: received.bytes, ms: Math.max(1, received.lastMs - received.firstMs) };
    case 'close':
      await gateway?.close();
      gateway = undefined;
      return null;
  }
}

function started(): Gateway {
  if (gateway === undefined) throw new Error('the gateway has not started');
  return gateway;
}

function listen(running: Gateway): void {
  const say = (line: string): void => void process.send?.({ line });
  running.on('message', (message) => say(formatTrace(message)));
  running.on('ike-up', (ike) => say(`IKE SA up: ${ike.localId} - ${ike.remoteId}, ${ike.proposal}`));
  running.on('child-up', (child) =>
    say(`Child SA up: ${child.localTs} - ${child.remoteTs}, ${child.proposal}`),
  );
  running.on('child-down', (child, reason) => say(`Child SA ${child.name} down: ${reason}`));
  running.on('ike-down', (ike, reason) => say(`IKE SA ${ike.connection} down: ${reason}`));
  running.on('failed', (report) =>
    say(`failed: ${report.message}${report.advice ? ` (${report.advice})` : ''}`),
  );
  running.on('packet', (packet) => {
    const seen = look(packet);
    if (seen.kind === 'echo-request') running.send(seen.answer);
    else if (seen.kind === 'echo-reply') replies.set(seen.sequence, performance.now());
    else if (seen.kind === 'datagram') {
      received.lastMs = performance.now();
      received.firstMs ||= received.lastMs;
      received.bytes += seen.bytes;
    }
  });
}

function describe(running: Gateway): string[] {
  return running
    .sas()
    .flatMap(({ children, ...ike }) => [
      `IKE SA ${ike.initiatorSpi} ${ike.responderSpi}  ${ike.localId} - ${ike.remoteId}  ${ike.proposal}  ${ike.state}`,
      ...children.flatMap((child) => [
        `  ${child.name}  in ${child.spis.in} out ${child.spis.out}  ${child.localTs} - ${child.remoteTs}  ${child.proposal}${child.encap ? '  in UDP' : ''}`,
        `    in ${traffic(child.counters.in)}, out ${traffic(child.counters.out)}`,
      ]),
    ]);
}

function traffic(counters: SaCounters | undefined): string {
  return `${counters?.packets ?? 0} packets ${counters?.bytes ?? 0} bytes`;
}

async function ping(running: Gateway, from: string, to: string, count: number): Promise<string[]> {
  const lines: string[] = [];
  for (let sequence = 1; sequence <= count; sequence++) {
    const sentMs = performance.now();
    running.send(echoRequest(from, to, sequence, 56));
    for (let waited = 0; waited < 200 && !replies.has(sequence); waited++) await pause(10);
    const repliedMs = replies.get(sequence);
    if (repliedMs === undefined) throw new Error(`no answer to ping ${sequence} within 2 s`);
    lines.push(`reply from ${to}: sequence ${sequence}, ${(repliedMs - sentMs).toFixed(2)} ms`);
  }
  return lines;
}

async function flood(running: Gateway, from: string, to: string, seconds: number): Promise<void> {
  const packet = datagram(from, to, FLOOD_BYTES);
  const endMs = performance.now() + seconds * 1000;
  // Bursts with a turn of the event loop between them, or nothing would leave the socket.
  while (performance.now() < endMs) {
    for (let i = 0; i < 32; i++) running.send(packet);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await pause(100);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
