// Two gateways on loopback with the portable data plane, `hq` and `branch`, and what tests ask of them.

import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { type ConfigInput, createGateway, type Gateway } from '../../lib/index.ts';
import { parseAddress } from '../../lib/net/address.ts';

export const PSK = 'a key that is only for this test';
export const HQ = { address: '127.0.0.1', network: '10.1.0.0/16', host: '10.1.0.1' };
export const BRANCH = { address: '127.0.0.2', network: '10.2.0.0/16', host: '10.2.0.1' };

type ConnectionInput = NonNullable<ConfigInput['connections']>[string];
type ChildInput = NonNullable<ConnectionInput['children']>[string];

/** What a test changes in the usual configuration of one side. */
export interface Side {
  readonly psk?: string;
  readonly connection?: Partial<ConnectionInput>;
  readonly child?: Partial<ChildInput>;
  readonly top?: Partial<ConfigInput>;
  /** The peer's ports; without them this side only answers. */
  readonly peer?: Gateway['ports'];
  /** Its own ports; free ones by default. */
  readonly own?: Gateway['ports'];
}

/** Starts the responder's side: it takes ports that are free. */
export function startBranch(t: TestContext, side: Side = {}): Promise<Gateway> {
  return start(t, config(BRANCH, HQ, 'branch.example.com', 'hq.example.com', side));
}

/** Starts the initiator's side. */
export function startHq(t: TestContext, side: Side = {}): Promise<Gateway> {
  return start(t, config(HQ, BRANCH, 'hq.example.com', 'branch.example.com', side));
}

/** Both, where hq knows branch's ports. */
export async function startPair(
  t: TestContext,
  sides: { hq?: Side; branch?: Side } = {},
): Promise<{ hq: Gateway; branch: Gateway }> {
  const branch = await startBranch(t, sides.branch);
  const hq = await startHq(t, { peer: branch.ports, ...sides.hq });
  return { hq, branch };
}

async function start(t: TestContext, input: ConfigInput): Promise<Gateway> {
  const gateway = await createGateway(input);
  t.after(() => gateway.close());
  return gateway;
}

/** The usual configuration: short waits, one child `net` between the two networks. */
export function config(
  here: typeof HQ,
  there: typeof HQ,
  localId: string,
  remoteId: string,
  side: Side,
): ConfigInput {
  const ports = side.peer === undefined ? {} : { port: side.peer.ike, nattPort: side.peer.natt };
  return {
    dataPlane: 'portable',
    listen: { addresses: [here.address], port: side.own?.ike ?? 0, nattPort: side.own?.natt ?? 0 },
    retransmit: { timeout: '100ms', tries: 3 },
    ...side.top,
    connections: {
      site: {
        local: { address: here.address, id: localId },
        remote: { address: there.address, ...ports, id: remoteId, auth: { psk: side.psk ?? PSK } },
        retry: '300ms',
        children: { net: { localTs: [here.network], remoteTs: [there.network], ...side.child } },
        ...side.connection,
      },
    },
  };
}

/** The arguments of the next event of a kind. */
export async function next<T extends unknown[]>(gateway: Gateway, event: string): Promise<T> {
  return (await once(gateway, event, { signal: AbortSignal.timeout(10_000) })) as T;
}

/** A UDP packet from one host to another with `text` in it, checksums left out where IPv4 allows it. */
export function packet(from: string, to: string, text: string): Uint8Array {
  const data = new TextEncoder().encode(text);
  const bytes = new Uint8Array(28 + data.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x45;
  view.setUint16(2, bytes.length);
  bytes[8] = 64;
  bytes[9] = 17;
  bytes.set(parseAddress(from) ?? [], 12);
  bytes.set(parseAddress(to) ?? [], 16);
  view.setUint16(20, 7000);
  view.setUint16(22, 7001);
  view.setUint16(24, 8 + data.length);
  bytes.set(data, 28);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(10, ~sum & 0xffff);
  return bytes;
}
