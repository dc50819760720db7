// Private groups of IKEv1: rows -> rows of the algorithm table, and children whose Quick Modes use them.

import type { KeyExchangeAlgorithm } from '../crypto/algorithms.ts';
import { PRIVATE_GROUP_IDS, privateGroup, privateGroupFault } from '../crypto/private-group.ts';
import { type Notation, Refusal } from './notation.ts';
import { refuse } from './refuse.ts';
import type { ConfigRows } from './schema.ts';
import type { ChildConfig } from './types.ts';

type ConnectionRows = ConfigRows['connections'][string];
const MOST_HEX = 1024;

/** A prime in hexadecimal. */
export const prime: Notation<Uint8Array, string> = {
  expected: 'a safe prime of 2048 to 4096 bits in hexadecimal',
  read(input) {
    if (typeof input !== 'string') return new Refusal();
    const digits = input.replace(/\s+/g, '');
    if (!/^([0-9a-fA-F]{2})+$/.test(digits) || digits.length > MOST_HEX) return new Refusal();
    return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  },
};

/** The private groups of a connection by name. */
export function readNewGroups(
  path: string,
  { newGroups, version }: ConnectionRows,
): ReadonlyMap<string, KeyExchangeAlgorithm> {
  const groups = new Map<string, KeyExchangeAlgorithm>();
  const ids = new Set<number>();
  for (const [name, { id, prime: modulus, generator }] of Object.entries(newGroups)) {
    if (version !== 1)
      refuse(`${path}.newGroups`, `is not accepted with version ${version}; only IKEv1 has New Group Mode`);
    if (ids.has(id)) refuse(`${path}.newGroups.${name}.id`, `${id} is another group's already`);
    const group = { prime: modulus, generator };
    const fault = privateGroupFault(group);
    if (fault !== undefined) refuse(`${path}.newGroups.${name}.prime`, `is not accepted: ${fault}`);
    ids.add(id);
    groups.set(name, privateGroup(name, id, group));
  }
  return groups;
}

/** A child whose Quick Modes have their key exchange in a private group. */
export function withNewGroup(
  path: string,
  child: ChildConfig,
  name: string | undefined,
  groups: ReadonlyMap<string, KeyExchangeAlgorithm>,
): ChildConfig {
  if (name === undefined) return child;
  const group = groups.get(name);
  if (group === undefined) refuse(`${path}.newGroup`, `there is no group "${name}" in newGroups`);
  if (child.proposals.some(({ ke }) => ke.length > 0))
    refuse(`${path}.newGroup`, `"${name}" is not accepted beside a key exchange in the proposals`);
  const proposals = child.proposals.map((own) => ({ ...own, text: `${own.text}-${name}`, ke: [group] }));
  return { ...child, proposals };
}

export { PRIVATE_GROUP_IDS };
