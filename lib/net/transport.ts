// Sockets of IKE: two UDP ports a gateway (RFC 7296 §2, §2.23), the second shared with ESP in UDP. Drivers: the addon's
// sockets (engine) and node:dgram (portable).

import type { Datagram } from '../ike/runtime.ts';
import type { Endpoint } from './address.ts';

export interface Transport {
  /** Where received IKE datagrams go, markers removed. Never throws into the event loop. */
  onDatagram(listener: (datagram: Datagram) => void): void;
  /** Sends now; an error of the network (unreachable, would block) is counted, not thrown: IKE retransmits. */
  send(datagram: Datagram): void;
  /** The ports really bound, for configurations that asked for port 0. */
  readonly ports: { readonly ike: number; readonly natt: number };
  /** The local address that packets to `remote` leave from. Rejects with a SystemError where there is no route. */
  localAddressFor(remote: Endpoint): Promise<string>;
  close(): Promise<void>;
}
