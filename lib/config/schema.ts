// The table of options: one row each, from which the validator, the types and docs/configuration.md are made. Here are the gateway's own;
// those of connections and children have files of their own. parse.ts turns the rows' values into a Config.

import { z } from 'zod';
import {
  address,
  decimal,
  deviceName,
  duration,
  flag,
  integer,
  list,
  oneOf,
  xfrmInterface,
} from './notation.ts';
import { option, row, section } from './option.ts';
import { connection } from './schema-connection.ts';
import { pool } from './schema-pool.ts';

const day = 86_400_000;

/** The whole configuration as people write it. */
export const configSchema = z.strictObject({
  listen: section('The sockets of IKE.', {
    addresses: option(list(address(), 64), ['0.0.0.0', '::'], 'Local addresses to bind.'),
    port: option(integer(0, 65535), 500, 'UDP port of IKE; 0 takes a free one.'),
    nattPort: option(integer(0, 65535), 4500, 'UDP port of IKE and ESP behind NAT; 0 takes a free one.'),
  }),
  dataPlane: option(
    oneOf('auto', 'engine', 'portable', 'memory'),
    'auto',
    '`engine` (C++, TUN device, needs CAP_NET_ADMIN), `portable` (WASM, packets through the API), `memory` (tests: carries nothing); `auto` takes the engine where it works, else portable.',
  ),
  tun: section('The TUN device of the engine.', {
    name: option(deviceName, 'ike0', 'Name of the device.'),
    mtu: option(integer(1280, 65535), 1400, 'Largest inner packet in bytes.'),
  }),
  engine: section('The threads of the engine.', {
    workers: option(
      integer(0, 16),
      0,
      'Threads in each direction; 0: one on up to 7 cores, then a quarter of the cores, at most 4. More than one carry a single SA too, and keep the packets of each flow in order.',
    ),
    busyPoll: option(
      duration(0, 1000),
      '0s',
      'A thread that found nothing to do looks again for this long before it sleeps: less latency for more processor time; 0 sleeps at once.',
    ),
    clampMss: option(
      flag,
      true,
      'Whether TCP connections through tunnels, in both directions, agree on segments that fit their path, so that they need no ICMP.',
    ),
  }),
  routes: section('Routes for the remote selectors (engine).', {
    install: option(flag, true, 'Whether to make them; they go when the gateway closes.'),
    table: option(integer(1, 0x7fffffff), 4500, 'Routing table of their own.'),
    priority: option(integer(1, 32765), 4500, 'Priority of the rule that leads to the table.'),
    mark: option(
      integer(1, 0x7fffffff),
      4500,
      "Firewall mark of the gateway's own packets, which keeps them out of that table.",
    ),
  }),
  kernel: section('SAs and policies in the kernel (`xfrm`, `pfkey`).', {
    interfaces: option(
      list(xfrmInterface, 256, 0),
      [],
      'xfrm interfaces to make, as "NAME=ID" or "NAME=ID@DEVICE": what is routed into one belongs to the children with `ifIdOut` ID (`xfrm`). They go when the gateway closes.',
    ),
    leftovers: option(
      oneOf('clear', 'adopt', 'refuse', 'flush'),
      'clear',
      "SAs and policies of this gateway's `reqid` that a killed run has left: `clear` removes them, `adopt` lets them carry traffic until new ones take over, `refuse` does not start. `flush` removes everybody's.",
    ),
    reqid: option(
      integer(0x10000, 0xffff0000),
      0x494b0000,
      'The first of 65,536 request ids by which the gateway knows what is its own. Gateways that share a network namespace need different ones, 65,536 apart.',
    ),
  }),
  retransmit: section(
    'When a request is sent again (RFC 7296 §2.4): after `timeout`, then `base` times longer each time.',
    {
      timeout: option(duration(50, 60_000), '2s', 'First wait.'),
      base: option(decimal(1, 5), 1.8, 'Growth of the wait.'),
      tries: option(
        integer(0, 20),
        6,
        'How many times the request is sent again before the peer counts as dead.',
      ),
      jitter: option(decimal(0, 1), 0.1, 'Share of each wait that is random.'),
    },
  ),
  limits: section('Bounds that keep a flood from filling memory.', {
    cookieThreshold: option(
      integer(0, 1_000_000),
      32,
      'Half-open IKE SAs from which on a cookie is asked for (RFC 7296 §2.6); 0 always asks.',
    ),
    halfOpen: option(integer(1, 1_000_000), 2048, 'Half-open IKE SAs in all; further requests are dropped.'),
    halfOpenPerAddress: option(integer(1, 1_000_000), 64, 'Half-open IKE SAs from one address.'),
    halfOpenTimeout: option(
      duration(1000, 600_000),
      '30s',
      'A responder forgets an IKE SA that did not authenticate within this time.',
    ),
    ikeSas: option(integer(1, 1_000_000), 10_000, 'IKE SAs in all.'),
    childSasPerIkeSa: option(integer(1, 10_000), 128, 'Child SAs on one IKE SA.'),
    heldPackets: option(integer(0, 10_000), 32, 'Packets that wait for one trap policy.'),
  }),
  natKeepalive: option(
    duration(0, day),
    '20s',
    'Pause between NAT keepalives when we are behind a NAT; 0 sends none.',
  ),
  pools: row(z.record(z.string(), pool).prefault({}), {
    doc: 'Addresses for remote peers, by name; connections name them in `pools`.',
  }),
  connections: row(z.record(z.string(), connection).prefault({}), { doc: 'The connections, by name.' }),
});

/** What {@link parseConfig} reads. */
export type ConfigInput = z.input<typeof configSchema>;
/** The rows' values, before rules that span several rows. */
export type ConfigRows = z.output<typeof configSchema>;
