// The traps of one connection: policies that hold the first packets for a Child SA and ask for it, and the packets that did.

import type { ChildConfig, Connection } from '../config/types.ts';
import type { ErrorInfo, Result } from '../errors.ts';
import { ok } from '../errors.ts';
import type { PacketSummary } from '../ipsec/data-plane.ts';
import type { Host } from './host.ts';
import { kernelOf } from './kernel-options.ts';
import { childSelectors } from './narrowing.ts';
import { policyPriority } from './priority.ts';

export class Traps {
  readonly #host: Host;
  readonly #connection: Connection;
  /** Policy ids, by child. */
  readonly #ids = new Map<string, number>();
  /** The packets that set traps off, by child. */
  readonly #packets = new Map<string, PacketSummary>();
  #closed = false;

  constructor(host: Host, connection: Connection) {
    this.#host = host;
    this.#connection = connection;
  }

  /** Sets a child's trap unless it stands. */
  set(config: ChildConfig): void {
    if (this.#ids.has(config.name) || this.#closed) return;
    const id = this.#host.nextId();
    this.#ids.set(config.name, id);
    localAddressOf(this.#host, this.#connection, (local) => {
      if (this.#closed) return;
      if (!local.ok) return this.#failed(config, local.error);
      const { localTs, remoteTs } = childSelectors(config, local.value, this.#connection.remoteAddress ?? '');
      const priority = policyPriority('trap', localTs, remoteTs);
      const { protocol, mode } = config;
      const wanted = { protocol, mode, local: local.value, remote: this.#connection.remoteAddress ?? '' };
      const policy = { id, kind: 'trap', priority, localTs, remoteTs, wanted, ...kernelOf(config) } as const;
      this.#host.runtime.dataPlane.addPolicy(policy, (error) => {
        if (error !== undefined) this.#failed(config, error);
      });
    });
  }

  /** A packet ran into the trap of `policyId`: the name of its child, undefined when the trap is not one of these. */
  sprung(policyId: number, packet: PacketSummary | undefined): string | undefined {
    for (const [name, id] of this.#ids) {
      if (id !== policyId) continue;
      if (packet !== undefined) this.#packets.set(name, packet);
      return name;
    }
    return undefined;
  }

  packetFor(child: string): PacketSummary | undefined {
    return this.#packets.get(child);
  }

  /** The packet has what it waited for, or will not get it. */
  forgetPacket(child: string): void {
    this.#packets.delete(child);
  }

  close(): void {
    this.#closed = true;
    for (const id of this.#ids.values()) this.#host.runtime.dataPlane.deletePolicy(id);
    this.#ids.clear();
    this.#packets.clear();
  }

  #failed(config: ChildConfig, error: ErrorInfo): void {
    this.#ids.delete(config.name);
    this.#host.runtime.log.error('trap-failed', {
      connection: this.#connection.name,
      child: config.name,
      reason: error.message,
    });
  }
}

/** The connection's own outer address: as configured, or the one that the route to the peer has. */
export function localAddressOf(
  host: Host,
  { localAddress, remoteAddress, remotePort }: Connection,
  done: (address: Result<string>) => void,
): void {
  if (localAddress !== undefined) return done(ok(localAddress));
  host.runtime.localAddressFor({ address: remoteAddress ?? '', port: remotePort }, done);
}
