// Certificates for tests, made by the openssl command while the tests run: keys of every kind, CAs and what they issue, with dates
// and extensions of choice. All lies in a folder that is removed when the test program ends.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type TestKey =
  | 'rsa1024'
  | 'rsa2048'
  | 'rsa3072'
  | 'p256'
  | 'p384'
  | 'p521'
  | 'secp256k1'
  | 'ed25519'
  | 'ed448';

const GENERATE: Readonly<Record<TestKey, readonly string[]>> = {
  rsa1024: ['RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
  rsa2048: ['RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  rsa3072: ['RSA', '-pkeyopt', 'rsa_keygen_bits:3072'],
  p256: ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  p384: ['EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  p521: ['EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  secp256k1: ['EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
  ed25519: ['ED25519'],
  ed448: ['ED448'],
};

/** A certificate and its key, as text and as files. */
export interface Issued {
  readonly key: string;
  readonly certificate: string;
  readonly der: Uint8Array;
  readonly keyPath: string;
  readonly path: string;
  readonly kind: TestKey;
}

export interface Order {
  /** In openssl's notation: `/C=CH/O=Example/CN=hq`. */
  readonly subject: string;
  /** Whose key signs it; its own by default. */
  readonly issuer?: Issued;
  readonly key?: TestKey;
  /** Another one's key, in place of a new one. */
  readonly keyOf?: Issued;
  /** Lines of an extension section, for example `keyUsage=critical,keyCertSign`. */
  readonly extensions?: readonly string[];
  /** More sections of that file. */
  readonly sections?: string;
  /** `YYYYMMDDHHMMSSZ`; by default from 2020 to the end of 2049. */
  readonly from?: string;
  readonly to?: string;
  readonly digest?: string;
  readonly pss?: boolean;
}

export const CA_EXTENSIONS: readonly string[] = [
  'basicConstraints=critical,CA:true',
  'keyUsage=critical,keyCertSign,cRLSign',
  'subjectKeyIdentifier=hash',
];

/** Extensions of an end entity with alternative names, for example `DNS:hq.example.com`. */
export function endEntity(...names: readonly string[]): string[] {
  return [
    'basicConstraints=CA:false',
    'keyUsage=digitalSignature',
    'subjectKeyIdentifier=hash',
    'authorityKeyIdentifier=keyid',
    ...(names.length === 0 ? [] : [`subjectAltName=${names.join(',')}`]),
  ];
}

/** Whether the command is there. */
export function hasOpenssl(): boolean {
  return spawnSync('openssl', ['version'], { stdio: 'ignore' }).status === 0;
}

/** A Pki for all of a test file. Without openssl the file ends here, and says so. */
export function makePki(): Pki {
  if (hasOpenssl()) return new Pki();
  process.stderr.write(
    `SKIPPED, NOT PROVED: all of ${process.argv[1]}: missing openssl: apt-get install openssl\n`,
  );
  process.exit(0);
}

export class Pki {
  readonly folder = mkdtempSync(join(tmpdir(), 'ike-pki-'));
  #count = 0;

  constructor() {
    process.on('exit', () => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** A CA that signs itself, or that `order.issuer` signs. */
  ca(subject: string, order: Partial<Order> = {}): Issued {
    return this.issue({ extensions: CA_EXTENSIONS, ...order, subject });
  }

  issue(order: Order): Issued {
    const name = String(this.#count++);
    const file = (suffix: string): string => join(this.folder, `${name}.${suffix}`);
    const kind = order.keyOf?.kind ?? order.key ?? 'p256';
    const keyPath = order.keyOf?.keyPath ?? file('key');
    if (order.keyOf === undefined) openssl('genpkey', '-algorithm', ...GENERATE[kind], '-out', keyPath);
    const signer = order.issuer?.kind ?? kind;
    const digest = signer.startsWith('ed') ? 'null' : (order.digest ?? 'sha256');
    writeFileSync(file('index'), '');
    writeFileSync(
      file('conf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${file('index')}\nnew_certs_dir=${this.folder}\nrand_serial=yes\npolicy=p\n` +
        `unique_subject=no\npreserve=yes\ndefault_md=${digest}\nstring_mask=utf8only\n[p]\n${POLICY}\n[req]\ndistinguished_name=n\n[n]\n` +
        `[e]\n${(order.extensions ?? []).join('\n')}\n${order.sections ?? ''}\n`,
    );
    const conf = ['-config', file('conf')];
    openssl('req', '-new', ...conf, '-utf8', '-key', keyPath, '-subj', order.subject, '-out', file('csr'));
    openssl(
      'ca',
      '-batch',
      '-notext',
      ...conf,
      ...['-in', file('csr'), '-out', file('pem'), '-extensions', 'e'],
      ...['-startdate', order.from ?? '20200101000000Z', '-enddate', order.to ?? '20491231235959Z'],
      ...(order.pss ? ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:-1'] : []),
      ...(order.issuer === undefined
        ? ['-selfsign', '-keyfile', keyPath]
        : ['-keyfile', order.issuer.keyPath, '-cert', order.issuer.path]),
    );
    const certificate = readFileSync(file('pem'), 'utf8');
    return {
      kind,
      keyPath,
      certificate,
      path: file('pem'),
      key: readFileSync(keyPath, 'utf8'),
      der: pemToDer(certificate),
    };
  }

  /** What `openssl verify` says: undefined for OK, else its words. Partial chains are fine: a trusted CA need not be a root. */
  verify(
    leaf: Issued,
    trusted: readonly Issued[],
    untrusted: readonly Issued[] = [],
    options: readonly string[] = [],
  ): string | undefined {
    const [anchors, others] = [join(this.folder, 'anchors.pem'), join(this.folder, 'others.pem')];
    writeFileSync(anchors, trusted.map(({ certificate }) => certificate).join('\n'));
    writeFileSync(others, untrusted.map(({ certificate }) => certificate).join('\n'));
    const given = ['-partial_chain', '-auth_level', '2', '-trusted', anchors];
    if (untrusted.length > 0) given.push('-untrusted', others);
    try {
      openssl('verify', ...given, ...options, leaf.path);
      return undefined;
    } catch (error) {
      return String((error as { stderr?: unknown }).stderr ?? error);
    }
  }
}

export function pemToDer(pem: string): Uint8Array {
  const body = /-----BEGIN [A-Z ]+-----([^-]+)-----END/.exec(pem)?.[1] ?? '';
  return new Uint8Array(Buffer.from(body, 'base64'));
}

const POLICY = [
  'countryName',
  'stateOrProvinceName',
  'localityName',
  'organizationName',
  'organizationalUnitName',
  'commonName',
  'emailAddress',
  'domainComponent',
]
  .map((name) => `${name}=optional`)
  .join('\n');

/** Runs the command; what it printed is in the error when it fails. */
export function openssl(...args: readonly string[]): Buffer {
  return execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 });
}
