// The kernel's side of a tunnel, by `ip xfrm`: the same SAs as our engine's, with its names for algorithms.

import type { SaParameters } from '../../lib/ipsec/data-plane.ts';
import type { Lab } from '../engine/lab.ts';

/** What the kernel calls our ciphers; the number is that of ICV bits. */
const AEADS: Readonly<Record<string, readonly [name: string, icvBits: number]>> = {
  'aes-gcm': ['rfc4106(gcm(aes))', 128],
  'aes-ccm': ['rfc4309(ccm(aes))', 128],
  'aes-gmac': ['rfc4543(gcm(aes))', 128],
  'chacha20-poly1305': ['rfc7539esp(chacha20,poly1305)', 128],
};
const CIPHERS: Readonly<Record<string, string>> = {
  'aes-cbc': 'cbc(aes)',
  'aes-ctr': 'rfc3686(ctr(aes))',
  '3des-cbc': 'cbc(des3_ede)',
  null: 'ecb(cipher_null)',
};
const MACS: Readonly<Record<string, readonly [name: string, icvBits: number]>> = {
  sha1: ['hmac(sha1)', 96],
  sha256: ['hmac(sha256)', 128],
  sha384: ['hmac(sha384)', 192],
  sha512: ['hmac(sha512)', 256],
  aesxcbc: ['xcbc(aes)', 96],
  aescmac: ['cmac(aes)', 96],
};

const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;

function algorithms(sa: SaParameters): string[] {
  const { encryption, integrity } = sa;
  const aead = AEADS[encryption?.mode ?? ''];
  if (aead !== undefined && sa.encryptionKey !== undefined) {
    const icvBits = (encryption?.icvBytes ?? 16) * 8;
    return ['aead', aead[0], hex(sa.encryptionKey), String(icvBits)];
  }
  const mac = MACS[integrity?.name ?? ''];
  if (mac === undefined || sa.integrityKey === undefined)
    throw new Error('the kernel has no such algorithms');
  const authentication = ['auth-trunc', mac[0], hex(sa.integrityKey), String(mac[1])];
  if (encryption === undefined) return authentication;
  const key = sa.encryptionKey === undefined || sa.encryptionKey.length === 0 ? '' : hex(sa.encryptionKey);
  return ['enc', CIPHERS[encryption.mode], key, ...authentication];
}

/** Installs SAs as the host with those addresses has them, and its policies for the first selector of one family. */
export function installPeer(lab: Lab, namespace: string, sas: readonly SaParameters[]): void {
  for (const sa of sas) {
    const [from, to] = sa.direction === 'out' ? [sa.local, sa.remote] : [sa.remote, sa.local];
    const ends = ['src', from.address, 'dst', to.address];
    const wrapped = sa.udpEncapsulation
      ? ['encap', 'espinudp', String(from.port), String(to.port), '0.0.0.0']
      : [];
    const window = sa.direction === 'in' ? ['replay-window', String(sa.replayWindow)] : [];
    // Without the second flag a tunnel carries the family of its outer addresses only.
    // Without the third one AH is padded to 8 bytes in IPv4 too, and nothing else is taken; 4 is right (RFC 4302 §3.3.3.2.1).
    const padsTo4 = sa.protocol === 'ah' && !sa.local.address.includes(':');
    const known = [
      ...(sa.esn ? ['esn'] : []),
      ...(sa.mode === 'tunnel' ? ['af-unspec'] : []),
      ...(padsTo4 ? ['align4'] : []),
    ];
    const flags = known.length === 0 ? [] : ['flag', ...known];
    if (sa.esn && window.length === 0) window.push('replay-window', '32');
    const what = ['proto', sa.protocol, 'spi', String(sa.spi), 'reqid', String(sa.policyId), 'mode', sa.mode];
    lab.ip(
      namespace,
      'xfrm',
      'state',
      'add',
      ...ends,
      ...what,
      ...window,
      ...flags,
      ...algorithms(sa),
      ...wrapped,
    );
  }
}

/** A policy of the kernel for packets between two prefixes, with the tunnel's or the host's own addresses outside. */
export function installPolicy(
  lab: Lab,
  namespace: string,
  sas: readonly SaParameters[],
  near: string,
  far: string,
): void {
  const [{ local, remote }] = sas;
  for (const direction of ['out', 'in', 'fwd']) {
    const outward = direction === 'out';
    // A datagram with ESP in it meets the policies before its socket does: between hosts it would need ESP around it.
    if (direction === 'in' && sas.some((sa) => sa.udpEncapsulation)) {
      const datagrams = ['src', remote.address, 'dst', local.address, 'proto', 'udp', 'dport', '4500'];
      lab.ip(namespace, 'xfrm', 'policy', 'add', ...datagrams, 'dir', 'in', 'priority', '1');
    }
    const prefixes = ['src', outward ? near : far, 'dst', outward ? far : near, 'dir', direction];
    // One template an SA, the innermost first.
    const templates = sas.flatMap((sa) => [
      'tmpl',
      ...['src', (outward ? local : remote).address, 'dst', (outward ? remote : local).address],
      ...['proto', sa.protocol, 'reqid', String(sa.policyId), 'mode', sa.mode],
    ]);
    lab.ip(namespace, 'xfrm', 'policy', 'add', ...prefixes, 'priority', '2', ...templates);
  }
}

/** Removes what the two functions above made. */
export function removePeer(lab: Lab, namespace: string): void {
  lab.ip(namespace, 'xfrm', 'policy', 'flush');
  lab.ip(namespace, 'xfrm', 'state', 'flush');
}

/** What the kernel has counted as wrong: the lines of /proc/net/xfrm_stat that are not 0. */
export function peerErrors(lab: Lab, namespace: string): string {
  return lab
    .exec(namespace, 'cat', '/proc/net/xfrm_stat')
    .split('\n')
    .filter((line) => /\s[1-9]\d*$/.test(line))
    .join('; ');
}
