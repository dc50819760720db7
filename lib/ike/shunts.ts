// The policies of `pass` and `drop` children: they stand from the gateway's start to its end, and no SA is ever made for them.

import type { Connection, ShuntConfig } from '../config/types.ts';
import type { ErrorInfo } from '../errors.ts';
import type { Host } from './host.ts';
import { kernelOf } from './kernel-options.ts';
import { resolveSelectors } from './narrowing.ts';
import { policyPriority } from './priority.ts';
import { localAddressOf } from './traps.ts';

export class Shunts {
  readonly #host: Host;
  readonly #ids = new Set<number>();
  #closed = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Installs those of a connection that are to be. */
  begin(connection: Connection): void {
    for (const shunt of Object.values(connection.shunts)) {
      if (!shunt.installed) continue;
      const { localTs } = shunt;
      if (localTs.length > 0) this.#install(connection, shunt, localTs);
      else
        localAddressOf(this.#host, connection, (local) => {
          if (local.ok) this.#install(connection, shunt, resolveSelectors(localTs, local.value));
          else this.#failed(connection, shunt, local.error);
        });
    }
  }

  close(): void {
    this.#closed = true;
    for (const id of this.#ids) this.#host.runtime.dataPlane.deletePolicy(id);
    this.#ids.clear();
  }

  #install(connection: Connection, shunt: ShuntConfig, localTs: ShuntConfig['localTs']): void {
    if (this.#closed) return;
    const id = this.#host.nextId();
    this.#ids.add(id);
    const remoteTs = resolveSelectors(shunt.remoteTs, connection.remoteAddress ?? '');
    const kind = shunt.mode === 'pass' ? 'bypass' : 'discard';
    const priority = policyPriority(kind, localTs, remoteTs);
    const policy = { id, kind, priority, localTs, remoteTs, ...kernelOf(shunt) } as const;
    this.#host.runtime.dataPlane.addPolicy(policy, (error) => {
      if (error === undefined) return;
      this.#ids.delete(id);
      this.#failed(connection, shunt, error);
    });
  }

  #failed(connection: Connection, shunt: ShuntConfig, error: ErrorInfo): void {
    this.#host.runtime.log.error('shunt-failed', {
      connection: connection.name,
      child: shunt.name,
      reason: error.message,
    });
  }
}
