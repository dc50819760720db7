// What comes between phase 1 and the first Quick Mode: XAuth, where the authentication method says so, then an inner address for whoever
// wants one (Mode-Config, draft-dukes-ike-mode-cfg-02). Until then the IKE SA is not up, and nothing but this is heard on it.
//
//   begin() -> XAuth -> an address is asked for, given unasked, or waited for -> up()
//   a REQUEST of the peer for an address is answered at any time after XAuth

import type { PoolConfig } from '../../config/types.ts';
import { parseAddress } from '../../net/address.ts';
import { reportFailure } from '../report.ts';
import type { Datagram, Timer } from '../runtime.ts';
import type { Framed, IsakmpHeader } from '../wire/header.ts';
import type { Attribute } from '../wire/v1/message.ts';
import { xauthRole } from './auth-methods.ts';
import {
  answerTo,
  ConfigAttribute,
  ConfigType,
  isXauth,
  readSettings,
  requestAttributes,
  settingsAttributes,
} from './config-attributes.ts';
import type { V1IkeSa } from './ike-sa.ts';
import { sayDeleted } from './informational.ts';
import { Transactions } from './transaction.ts';
import { answerXauth, askForUser } from './xauth.ts';

export class Configuration {
  /** The peer said INITIAL-CONTACT before it was through. */
  contact = false;
  readonly #ike: V1IkeSa;
  readonly #transactions: Transactions;
  #step: 'phase1' | 'xauth' | 'address' | 'up' = 'phase1';
  #up: () => void = () => {};
  #timer: Timer | undefined;

  constructor(ike: V1IkeSa) {
    this.#ike = ike;
    this.#transactions = new Transactions(ike, (asked, attributes) => this.#asked(asked, attributes));
  }

  /** Phase 1 is through. `up` is called when nothing is left to do before the IKE SA is up; if that never is, the IKE SA ends. */
  begin(up: () => void): void {
    const ike = this.#ike;
    const { local, remote } = ike.connection;
    this.#up = up;
    this.#step = 'xauth';
    const role = ike.suite && xauthRole(ike.suite.method, ike.role);
    if (role === undefined) return this.#address();
    const end = (refusal?: string): void => {
      if (refusal === undefined) this.#address();
      else this.#fail('xauth', refusal);
    };
    if (role === 'server' && remote.xauth !== undefined)
      return askForUser(ike, this.#transactions, remote.xauth, end);
    if (role === 'client' && local.xauth !== undefined)
      return this.#await('xauth', 'the peer did not ask for a name and a password');
    this.#fail('xauth', 'XAuth must follow, for which there is no user here');
  }

  receive(datagram: Datagram, frame: Framed<IsakmpHeader>): void {
    if (this.#step === 'phase1') return this.#ike.host.count('before-authentication');
    this.#transactions.receive(datagram, frame);
  }

  end(): void {
    this.#timer?.cancel();
    this.#transactions.end();
  }

  // ---- an address

  #address(): void {
    const ike = this.#ike;
    const { vips, pools, modeConfig } = ike.connection;
    this.#timer?.cancel();
    if (ike.state !== 'connecting') return;
    this.#step = 'address';
    const told = (attributes: readonly Attribute[]): void => this.#told(attributes);
    const silent = (): void => this.#fail('no-address', 'the peer does not answer Mode-Config');
    if (vips.length > 0 && modeConfig === 'push')
      return this.#await('no-address', 'the peer did not give us an address');
    if (vips.length > 0) {
      const before = ike.renews?.vips ?? [];
      const attributes = requestAttributes(before.length > 0 ? before : vips);
      return this.#transactions.ask(ConfigType.REQUEST, attributes, told, silent);
    }
    if (pools.length === 0 || modeConfig === 'pull') return this.#done();
    const attributes = this.#lease(() => true);
    if (ike.remoteVips.length === 0) return this.#fail('no-address', 'the pools have no address left');
    this.#transactions.ask(ConfigType.SET, attributes, () => this.#done(), silent);
  }

  /** The settings for the peer, with addresses of the families that it `wants`. */
  #lease(wants: (attribute: number) => boolean): readonly Attribute[] {
    const ike = this.#ike;
    const { host, connection } = ike;
    const identity = ike.xauthId ?? ike.remoteId?.text ?? '';
    const configs = connection.pools.flatMap((name): PoolConfig[] =>
      Object.hasOwn(host.config.pools, name) ? [host.config.pools[name]] : [],
    );
    const families = [
      ['ipv4', ConfigAttribute.IP4_ADDRESS],
      ['ipv6', ConfigAttribute.IP6_ADDRESS],
    ] as const;
    const shared = connection.unique !== 'never';
    const leased = families.flatMap(([family, attribute]) =>
      wants(attribute) ? (host.pools.lease(connection.pools, ike.id, identity, family, shared) ?? []) : [],
    );
    ike.remoteVips = [...new Set([...ike.remoteVips, ...leased])];
    return settingsAttributes(leased, configs);
  }

  /** What the peer gives us. */
  #told(attributes: readonly Attribute[]): void {
    const ike = this.#ike;
    if (ike.state !== 'connecting') return;
    const settings = readSettings(attributes);
    const wanted = new Set(ike.connection.vips.map(familyOf));
    const addresses = [...wanted].flatMap((family) =>
      settings.addresses.filter((address) => familyOf(address) === family).slice(0, 1),
    );
    if (addresses.length === 0) return this.#fail('no-address', 'the peer has no address for us');
    ike.vips = addresses;
    ike.settings = { ...settings, addresses };
    this.#done();
  }

  #done(): void {
    this.#timer?.cancel();
    this.#step = 'up';
    const { vips, host, id } = this.#ike;
    for (const address of vips) host.vips.hold(address, id);
    this.#up();
  }

  // ---- what the peer asks

  #asked(asked: number, attributes: readonly Attribute[]): readonly Attribute[] | undefined {
    const ike = this.#ike;
    const { connection } = ike;
    if (attributes.some(isXauth)) {
      const client = connection.local.xauth;
      if (this.#step !== 'xauth' || client === undefined) return undefined;
      const end = (refusal?: string): void => {
        // The peer may give the address at once.
        if (refusal === undefined) this.#step = 'address';
        this.#later(() => (refusal === undefined ? this.#address() : this.#fail('xauth', refusal)));
      };
      return answerXauth(ike, client, asked, attributes, end);
    }
    if (this.#step === 'xauth') return undefined;
    if (asked === ConfigType.REQUEST)
      return answerTo(
        attributes,
        this.#lease((family) => attributes.some(({ type }) => type === family)),
      );
    if (connection.vips.length === 0 || connection.modeConfig !== 'push' || this.#step !== 'address')
      return undefined;
    this.#later(() => this.#told(attributes));
    return attributes.map(({ type }) => ({ type, value: new Uint8Array(0) }));
  }

  /** When the answer at hand has gone out. */
  #later(then: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#ike.host.runtime.setTimer(0, then);
  }

  #await(code: string, message: string): void {
    const { runtime, config } = this.#ike.host;
    const fail = (): void => this.#fail(code, message);
    this.#timer = runtime.setTimer(config.limits.halfOpenTimeoutMs, fail);
  }

  #fail(code: string, message: string): void {
    const ike = this.#ike;
    if (ike.state !== 'connecting') return;
    reportFailure(ike, { exchange: 'TRANSACTION', role: ike.role, code, message });
    sayDeleted(ike);
    ike.die('failed');
  }
}

function familyOf(address: string): number | undefined {
  return parseAddress(address)?.length;
}
