// What of an IKEv1 configuration is there for old peers alone: said once, when the gateway starts.

import { weakAlgorithms } from '../../config/ikev1.ts';
import type { Connection } from '../../config/types.ts';
import type { Runtime } from '../runtime.ts';

/** Warns of weak algorithms and of Aggressive Mode. */
export function warnOfIkev1(runtime: Runtime, connection: Connection): void {
  const { name } = connection;
  const weak = weakAlgorithms(connection);
  if (weak.length > 0) {
    const message = `${name} takes ${weak.join(', ')}, which can be broken: only for a peer that has nothing better`;
    runtime.emit({ type: 'warning', warning: { code: 'weak-algorithm', message, connection: name } });
  }
  if (connection.aggressive && connection.publicKeyEncryption === undefined) {
    const keyed = connection.local.auth.kind === 'psk';
    const what = keyed ? 'can guess at its pre-shared key' : 'learns who its sides are';
    const message = `${name} uses Aggressive Mode: whoever asks or listens ${what}`;
    runtime.emit({ type: 'warning', warning: { code: 'aggressive-mode', message, connection: name } });
  }
}
