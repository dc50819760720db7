// parseConfig: what people write -> rows (schema.ts) -> rules that span several rows -> the frozen Config of types.ts.
// The first thing wrong becomes one ConfigError that names the path, the value (never a secret) and what was expected.

import type { z } from 'zod';
import type { ConfigError } from '../errors.ts';
import { parseAddress } from '../net/address.ts';
import { checkJitter, isShunt, toChild, toShunt } from './child.ts';
import { readAuth } from './credentials.ts';
import { checkIkev1 } from './ikev1.ts';
import { NAME, showKind } from './notation.ts';
import { checkPools, toPool } from './pool.ts';
import { configError, refuse } from './refuse.ts';
import { type ConfigRows, configSchema } from './schema.ts';
import { closest } from './suggest.ts';
import type { Config, Connection } from './types.ts';

export type { ConfigInput } from './schema.ts';

type ConnectionRows = ConfigRows['connections'][string];

const MAX_CONNECTIONS = 10_000;
const MAX_CHILDREN = 1000;
const MAX_POOLS = 1000;

/** swanctl's words for what stands elsewhere or is named otherwise here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  psk: 'remote.auth.psk',
  secret: 'remote.auth.psk',
  startaction: 'start',
  localaddrs: 'local.address',
  remoteaddrs: 'remote.address',
  remoteport: 'remote.port',
  randtime: 'rekeyJitter',
  reauthtime: 'rekeyTime',
};

/**
 * Validates a configuration and fills in what was left out. Throws a {@link ConfigError} whose message begins with the
 * path of the first mistake; unknown options are mistakes. The result is complete and frozen.
 */
export function parseConfig(input: unknown): Config {
  checkNames(input);
  const parsed = configSchema.safeParse(input);
  if (!parsed.success) throw explain(parsed.error.issues, input);
  return deepFreeze(toConfig(parsed.data));
}

function toConfig(rows: ConfigRows): Config {
  const { listen } = rows;
  if (listen.port === listen.nattPort && listen.port !== 0)
    refuse('listen.nattPort', `${listen.nattPort} is the same as listen.port; expected another port`);
  const { timeout, ...retransmit } = rows.retransmit;
  const { halfOpenTimeout, ...limits } = rows.limits;
  return {
    listen: rows.listen,
    dataPlane: rows.dataPlane,
    tun: rows.tun,
    engine: {
      workers: rows.engine.workers,
      busyPollMs: rows.engine.busyPoll,
      clampMss: rows.engine.clampMss,
    },
    routes: rows.routes,
    kernel: rows.kernel,
    retransmit: { ...retransmit, timeoutMs: timeout },
    limits: { ...limits, halfOpenTimeoutMs: halfOpenTimeout },
    natKeepaliveMs: rows.natKeepalive,
    pools: mapValues(rows.pools, (name, poolRows) => toPool(`pools.${name}`, poolRows)),
    connections: mapValues(rows.connections, (name, own) => toConnection(name, own, Object.keys(rows.pools))),
  };
}

function toConnection(name: string, rows: ConnectionRows, pools: readonly string[]): Connection {
  const path = `connections.${name}`;
  const { local, remote } = rows;
  if (
    local.address !== undefined &&
    remote.address !== undefined &&
    family(local.address) !== family(remote.address)
  )
    refuse(
      `${path}.local.address`,
      `"${local.address}" and remote.address "${remote.address}" are not of one address family`,
    );
  const all = Object.entries(rows.children);
  const negotiated = all.filter(([, childRows]) => !isShunt(childRows));
  const nobody = all.length > 0 && negotiated.length === 0;
  const rekeyJitterMs = rows.rekeyJitter ?? Math.round(rows.rekeyTime / 10);
  checkJitter(path, rows.rekeyTime, rekeyJitterMs);
  const around = {
    localAddress: local.address,
    remoteAddress: remote.address,
    encap: rows.encap === true,
    version: rows.version,
  };
  const connection: Connection = {
    name,
    version: rows.version,
    aggressive: rows.aggressive,
    publicKeyEncryption: rows.publicKeyEncryption,
    localAddress: local.address,
    remoteAddress: remote.address,
    remotePort: remote.port,
    remoteNattPort: remote.nattPort,
    ...readAuth(path, local, remote, nobody),
    proposals: rows.proposals,
    children: mapValues(Object.fromEntries(negotiated), (child, childRows) =>
      toChild(`${path}.children.${child}`, child, childRows, around),
    ),
    shunts: mapValues(
      Object.fromEntries(all.filter(([, childRows]) => isShunt(childRows))),
      (child, childRows) => toShunt(`${path}.children.${child}`, child, childRows, around),
    ),
    pools: rows.pools,
    vips: rows.vips,
    modeConfig: rows.modeConfig,
    encap: rows.encap,
    rekeyTimeMs: rows.rekeyTime,
    rekeyJitterMs,
    overTimeMs: rows.overTime ?? Math.round(rows.rekeyTime / 10),
    dpdDelayMs: rows.dpdDelay,
    unique: rows.unique,
    retryMs: rows.retry,
  };
  checkPools(path, connection, pools);
  if (!nobody) checkIkev1(path, connection);
  return connection;
}

/** Names first: zod passes over `__proto__`, and a bad name would make every later path hard to read. */
function checkNames(input: unknown): void {
  const connections = property(input, 'connections');
  checkEntries('connections', connections, MAX_CONNECTIONS);
  checkEntries('pools', property(input, 'pools'), MAX_POOLS);
  for (const [name, connection] of entries(connections))
    checkEntries(`connections.${name}.children`, property(connection, 'children'), MAX_CHILDREN);
}

function checkEntries(path: string, value: unknown, most: number): void {
  const all = entries(value);
  if (all.length > most) refuse(path, `has ${all.length} entries; expected at most ${most}`);
  for (const [name] of all)
    if (!NAME.test(name))
      refuse(
        path,
        `${JSON.stringify(name.slice(0, 80))} is not a name; expected up to 64 letters, digits, ".", "_" or "-"`,
      );
}

/** One error of all that zod found in `input` by the schema `whole`, which stands at `at`: a misspelt option before the missing one that it was meant to be. */
export function explain(
  issues: readonly z.core.$ZodIssue[],
  input: unknown,
  whole: z.core.$ZodType = configSchema,
  at: readonly string[] = [],
): ConfigError {
  const issue = issues.find((one) => one.code === 'unrecognized_keys') ?? issues[0];
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0];
    return configError(
      [...at, ...path, key].join('.'),
      `unknown option${suggestion(key, knownKeys(whole, path))}`,
    );
  }
  if (issue.code === 'invalid_type' || issue.code === 'invalid_key' || issue.code === 'invalid_element') {
    // An object was expected: what stands there instead may be a secret in the wrong place.
    const found = path.reduce<unknown>(property, input);
    const what = found === undefined ? 'is missing' : `${showKind(found)} is not accepted`;
    return configError([...at, ...path].join('.'), `${what}; expected an object`);
  }
  return configError([...at, ...path].join('.'), issue.message);
}

function suggestion(key: string, known: readonly string[]): string {
  const elsewhere = ELSEWHERE[key.toLowerCase().replace(/[_-]/g, '')];
  if (elsewhere !== undefined && !known.includes(key)) return `; did you mean "${elsewhere}"?`;
  const near = closest(key, known);
  return near === undefined ? `; known here are ${known.join(', ')}` : `; did you mean "${near}"?`;
}

/** The options at a path of the schema, walking through defaults and records. */
function knownKeys(whole: z.core.$ZodType, path: readonly string[]): readonly string[] {
  let schema: z.core.$ZodType | undefined = whole;
  for (const key of path) {
    const definition: z.core.$ZodTypeDef | undefined = unwrap(schema)?._zod.def;
    if (definition === undefined) return [];
    schema =
      definition.type === 'object'
        ? (definition as z.core.$ZodObjectDef).shape[key]
        : (definition as z.core.$ZodRecordDef).valueType;
  }
  const definition = unwrap(schema)?._zod.def;
  return definition?.type === 'object' ? Object.keys((definition as z.core.$ZodObjectDef).shape) : [];
}

/** The schema inside defaults and optionals. */
export function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  let inner = schema;
  while (inner !== undefined && ['optional', 'prefault'].includes(inner._zod.def.type))
    inner = (inner._zod.def as z.core.$ZodOptionalDef).innerType;
  return inner;
}

function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function entries(value: unknown): [string, unknown][] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}

function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  map: (name: string, value: A) => B,
): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, map(name, value)]));
}

function family(address: string): number | undefined {
  return parseAddress(address)?.length;
}

/** Freezes all but byte strings, which JavaScript cannot freeze. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value))
    return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
