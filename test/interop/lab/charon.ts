// strongSwan's charon-systemd on a host of the lab, driven by swanctl. Each daemon has its own /run in a mount namespace,
// so that its control socket is its own; ESP is done by its kernel-libipsec plugin, because the kernel need not have ESP.
// That plugin wants UDP encapsulation: connections say `encap = yes` where no NAT asks for it.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { inner, type RawSection, readRaw, render, type Section } from './conf.ts';
import { type Host, inside } from './network.ts';
import { type Command, Daemon, run, until } from './shell.ts';

const PLUGINS =
  'random nonce openssl pem pkcs1 pkcs8 pubkey x509 revocation constraints hmac xcbc cmac kdf gcm aes sha1 sha2 curve25519 drbg ' +
  'kernel-libipsec kernel-netlink socket-default vici updown xauth-generic attr unity';
/** A command that waits for a peer gives up after this; swanctl itself says why then. */
const COMMAND_SECONDS = 12;

/** A Child SA as charon tells of it. */
export interface CharonChild {
  readonly name: string;
  readonly state: string;
  readonly spiIn: string;
  readonly spiOut: string;
  readonly encryption: string;
  readonly integrity: string | undefined;
  readonly keyExchange: string | undefined;
  readonly encap: boolean;
  readonly localTs: readonly string[];
  readonly remoteTs: readonly string[];
  readonly packetsIn: number;
  readonly packetsOut: number;
}

/** An IKE SA as charon tells of it. */
export interface CharonIke {
  readonly connection: string;
  readonly state: string;
  readonly initiator: boolean;
  readonly initiatorSpi: string;
  readonly responderSpi: string;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly natLocal: boolean;
  readonly natRemote: boolean;
  /** swanctl's names, for example `AES_GCM_16-128/PRF_HMAC_SHA2_256/CURVE_25519`. */
  readonly proposal: string;
  readonly children: readonly CharonChild[];
}

/** What swanctl rekeys or terminates. */
export type Target = { readonly child: string } | { readonly ike: string };

export class Charon {
  readonly #daemon: Daemon;
  readonly #folder: string;

  private constructor(daemon: Daemon, folder: string) {
    this.#daemon = daemon;
    this.#folder = folder;
  }

  /** Starts a daemon on a host. `settings` are added to its section of strongswan.conf. */
  static async start(host: Host, folder: string, settings: Section = {}): Promise<Charon> {
    mkdirSync(folder, { recursive: true });
    const strongswan: Section = {
      'charon-systemd': {
        load: PLUGINS,
        retransmit_timeout: 0.5,
        retransmit_base: 1.4,
        retransmit_tries: 5,
        filelog: { lab: { path: join(folder, 'log'), default: 1, ike: 2, cfg: 2, net: 1, flush_line: true } },
        ...settings,
      },
    };
    writeFileSync(join(folder, 'strongswan.conf'), render(strongswan));
    const script = `mount -t tmpfs tmpfs /run && exec /usr/sbin/charon-systemd`;
    const daemon = new Daemon(`charon on ${host.name}`, inside(host, 'unshare', '-m', 'bash', '-c', script), {
      env: { STRONGSWAN_CONF: join(folder, 'strongswan.conf') },
    });
    const charon = new Charon(daemon, folder);
    await until(`${daemon.name} opens its socket`, () => {
      if (!daemon.alive) throw new Error(`${charon.name} ended at its start:\n${charon.log}`);
      return existsSync(`/proc/${daemon.pid}/root/run/charon.vici`);
    });
    return charon;
  }

  get name(): string {
    return this.#daemon.name;
  }

  /** Of the process itself, for what /proc knows of it. */
  get pid(): number {
    return this.#daemon.pid;
  }

  /** Its log file, and what it printed. */
  get log(): string {
    const path = join(this.#folder, 'log');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    // Without the configuration that it repeats, one line a value.
    return text.replace(/^\S+ {2,}[\w ]+ = .*\n/gm, '') + this.#daemon.log;
  }

  /**
   * Loads the content of a swanctl.conf in place of what was loaded before. `files` stand beside it, by path: `x509/own.pem`,
   * `x509ca/root.pem`, `private/own.pem`.
   */
  async load(conf: Section, files: Readonly<Record<string, string>> = {}): Promise<void> {
    const path = join(this.#folder, 'swanctl.conf');
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(this.#folder, name)), { recursive: true });
      writeFileSync(join(this.#folder, name), content);
    }
    writeFileSync(path, render(conf));
    await run(this.#swanctl('--load-all', '--file', path));
  }

  /** Brings a child up, with its IKE SA where there is none. Rejects with swanctl's words when it fails. */
  async initiate(child: string): Promise<void> {
    await run(this.#swanctl('--initiate', '--child', child, '--timeout', String(COMMAND_SECONDS)), 20_000);
  }

  /** Starts a rekeying; the command does not wait for its end. */
  async rekey(target: Target): Promise<void> {
    await run(this.#swanctl('--rekey', ...words(target)));
  }

  /** Deletes an IKE SA or a Child SA and waits for the peer's answer. */
  async terminate(target: Target): Promise<void> {
    await run(this.#swanctl('--terminate', ...words(target), '--timeout', String(COMMAND_SECONDS)), 20_000);
  }

  async sas(): Promise<CharonIke[]> {
    const { stdout } = await run(this.#swanctl('--list-sas', '--raw'));
    return readRaw(stdout, 'list-sa event').flatMap((event) =>
      Object.entries(event).map(([connection, ike]) => readIke(connection, ike as RawSection)),
    );
  }

  /**
   * The established IKE SA, once there is exactly one with `children` installed Child SAs and nothing in between. Rekeyed
   * children are deleted, but strongSwan keeps what comes in on them for another five seconds: those are left out.
   */
  settled(children = 1): Promise<CharonIke> {
    return until(`${this.name} has one IKE SA with ${children} Child SAs`, async () => {
      const sas = await this.sas();
      if (sas.length !== 1) return undefined;
      const living = sas[0].children.filter(({ state }) => state !== 'DELETED');
      const calm =
        sas[0].state === 'ESTABLISHED' &&
        living.length === children &&
        living.every(({ state }) => state === 'INSTALLED');
      return calm ? { ...sas[0], children: living } : undefined;
    });
  }

  /** Waits until nothing is up any more. */
  async empty(): Promise<void> {
    await until(`${this.name} has no SA`, async () => (await this.sas()).length === 0);
  }

  /** Waits for a line of its log. */
  async logged(pattern: RegExp, timeoutMs = 10_000): Promise<void> {
    await until(`${this.name} logs ${pattern}`, () => pattern.test(this.log), timeoutMs);
  }

  /** Dies at once, without a word to its peers. */
  async kill(): Promise<void> {
    await this.#daemon.stop('SIGKILL');
  }

  /** Ends in order: it deletes its SAs first. */
  async stop(): Promise<void> {
    await this.#daemon.stop();
  }

  #swanctl(...args: string[]): Command {
    const environment = [
      `STRONGSWAN_CONF=${join(this.#folder, 'strongswan.conf')}`,
      `SWANCTL_DIR=${this.#folder}`,
    ];
    return [
      'nsenter',
      ['-t', String(this.#daemon.pid), '-m', '-n', 'env', ...environment, 'swanctl', ...args],
    ];
  }
}

function words(target: Target): string[] {
  return 'child' in target ? ['--child', target.child] : ['--ike', target.ike];
}

function readIke(connection: string, ike: RawSection): CharonIke {
  const text = (key: string): string | undefined => textOf(ike, key);
  return {
    connection,
    state: text('state') ?? '',
    initiator: text('initiator') === 'yes',
    initiatorSpi: text('initiator-spi') ?? '',
    responderSpi: text('responder-spi') ?? '',
    remoteHost: text('remote-host') ?? '',
    remotePort: Number(text('remote-port')),
    natLocal: text('nat-local') === 'yes',
    natRemote: text('nat-remote') === 'yes',
    proposal: [algorithm(ike, 'encr'), text('integ-alg'), text('prf-alg'), text('dh-group')]
      .filter(Boolean)
      .join('/'),
    children: Object.values(inner(ike, 'child-sas')).map((child) => readChild(child as RawSection)),
  };
}

function readChild(child: RawSection): CharonChild {
  const list = (key: string): string[] => (Array.isArray(child[key]) ? child[key] : []);
  return {
    name: textOf(child, 'name') ?? '',
    state: textOf(child, 'state') ?? '',
    spiIn: textOf(child, 'spi-in') ?? '',
    spiOut: textOf(child, 'spi-out') ?? '',
    encryption: algorithm(child, 'encr'),
    integrity: textOf(child, 'integ-alg'),
    keyExchange: textOf(child, 'dh-group'),
    encap: textOf(child, 'encap') === 'yes',
    localTs: list('local-ts'),
    remoteTs: list('remote-ts'),
    packetsIn: Number(textOf(child, 'packets-in') ?? 0),
    packetsOut: Number(textOf(child, 'packets-out') ?? 0),
  };
}

function algorithm(section: RawSection, kind: string): string {
  return [textOf(section, `${kind}-alg`), textOf(section, `${kind}-keysize`)].filter(Boolean).join('-');
}

function textOf(section: RawSection, key: string): string | undefined {
  const value = section[key];
  return typeof value === 'string' ? value : undefined;
}
