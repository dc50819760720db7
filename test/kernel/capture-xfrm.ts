// Makes test/vectors/xfrm.json: what iproute2 sends to a real kernel's XFRM, what that answers, and the events that it tells, as strace
// writes them down. `node dist/test/kernel/capture-xfrm.js` boots the machine, runs this file in it, and writes the file.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { concat, uint32 } from '../../lib/bytes.ts';
import { runInMachine } from './machine.ts';

const SELF = fileURLToPath(import.meta.url);
const TARGET = fileURLToPath(new URL('../../../test/vectors/xfrm.json', import.meta.url));

const KEY16 = '0x000102030405060708090a0b0c0d0e0f';
const KEY20 = `0x${'a5'.repeat(20)}`;
const KEY32 = `0x${'5a'.repeat(32)}`;
const GCM = `aead rfc4106(gcm(aes)) ${KEY20} 128`;
const CBC = `auth-trunc hmac(sha256) ${KEY32} 128 enc cbc(aes) ${KEY16}`;
const CHACHA = `aead rfc7539esp(chacha20,poly1305) ${KEY32}01020304 128`;
const SHA1 = `auth-trunc hmac(sha1) ${KEY20} 96`;
const ESP = 'src 192.0.2.1 dst 192.0.2.2 proto esp';
const BACK = 'src 192.0.2.2 dst 192.0.2.1 proto esp';
const INNER = 'src 10.1.0.0/16 dst 10.2.0.0/16';
const INWARDS = 'src 10.2.0.0/16 dst 10.1.0.0/16';
const HOSTS = 'src 192.0.2.1/32 dst 192.0.2.2/32';
const TUNNEL = `tmpl ${ESP} reqid 7 mode tunnel`;
const TUNNEL_BACK = `tmpl ${BACK} reqid 7 mode tunnel`;
const MARKS = 'mark 0x10 mask 0xff';

/** What is asked, by name: the arguments of `ip xfrm`. */
const REQUESTS: Readonly<Record<string, string>> = {
  'gcm tunnel': `state add ${ESP} spi 0x1001 reqid 7 mode tunnel replay-window 32 flag af-unspec ${GCM}`,
  'cbc tunnel': `state add ${ESP} spi 0x1002 reqid 8 mode tunnel flag af-unspec ${CBC}`,
  'chacha tunnel v6': `state add src 2001:db8::1 dst 2001:db8::2 proto esp spi 0x1003 reqid 9 mode tunnel flag af-unspec ${CHACHA}`,
  'ah transport': `state add src 192.0.2.1 dst 192.0.2.2 proto ah spi 0x1004 reqid 10 mode transport replay-window 32 flag align4 ${SHA1} sel ${HOSTS}`,
  'esn window': `state add ${ESP} spi 0x1005 reqid 11 mode tunnel replay-window 128 flag esn af-unspec ${GCM}`,
  'esn outbound': `state add ${ESP} spi 0x1015 reqid 11 mode tunnel replay-window 1 flag esn af-unspec ${GCM}`,
  'udp encapsulation': `state add ${BACK} spi 0x1006 reqid 7 mode tunnel replay-window 32 flag af-unspec ${GCM} encap espinudp 4500 34567 0.0.0.0`,
  'tcp encapsulation': `state add ${BACK} spi 0x1016 reqid 7 mode tunnel flag af-unspec ${GCM} encap espintcp 4500 34567 0.0.0.0`,
  beet: `state add ${ESP} spi 0x1007 reqid 7 mode beet ${GCM} sel src 10.1.0.1/32 dst 10.2.0.1/32`,
  everything: `state add ${ESP} spi 0x1008 reqid 12 mode tunnel replay-window 32 flag noecn decap-dscp af-unspec extra-flag dont-encap-dscp ${MARKS} ${GCM} output-mark 0x20 mask 0xf0 if_id 0x2a limit byte-soft 1000000 limit byte-hard 2000000 limit packet-soft 1000 limit packet-hard 2000 limit time-soft 3000 limit time-hard 3600`,
  offload: `state add ${ESP} spi 0x1009 reqid 7 mode transport ${GCM} offload dev lo dir in`,
  'null cipher': `state add ${ESP} spi 0x100a reqid 7 mode tunnel flag af-unspec ${SHA1} enc ecb(cipher_null) ''`,
  'unknown algorithm': `state add ${ESP} spi 0x100b mode tunnel aead rfc4106(gcm(unheard)) ${KEY20} 128`,
  'exists already': `state add ${ESP} spi 0x1001 reqid 7 mode tunnel replay-window 32 flag af-unspec ${GCM}`,
  'update state': `state update ${ESP} spi 0x1001 reqid 7 mode tunnel replay-window 32 flag af-unspec ${GCM}`,
  'get state': `state get ${ESP} spi 0x1001`,
  'get state with mark': `state get ${ESP} spi 0x1008 ${MARKS}`,
  'get esn state': `state get ${ESP} spi 0x1005`,
  'get no state': `state get ${ESP} spi 0x9999`,
  'allocate SPI': `state allocspi ${BACK} reqid 7 mode tunnel min 0xc0000000 max 0xc0000000`,
  'dump states': 'state list',
  'delete state': `state delete ${ESP} spi 0x1001`,
  'policy out': `policy add ${INNER} dir out priority 1000 ${TUNNEL}`,
  'policy in': `policy add ${INWARDS} dir in priority 1000 ${TUNNEL_BACK}`,
  'policy forward': `policy add ${INWARDS} dir fwd priority 1000 ${TUNNEL_BACK}`,
  'policy ports': `policy add ${HOSTS} proto tcp sport 80 dir out tmpl proto esp reqid 9 mode transport`,
  'policy block': 'policy add src 2001:db8:1::/48 dst 2001:db8:2::/48 dir out action block priority 5',
  'policy marks': `policy add ${INNER} dir out ${MARKS} if_id 0x2a priority 1001 ${TUNNEL}`,
  'policy bundle': `policy add src 10.3.0.0/16 dst 10.4.0.0/16 dir out priority 7 ${TUNNEL} tmpl proto ah reqid 8 mode transport`,
  'policy index': 'policy add src 10.5.0.0/16 dst 10.6.0.0/16 dir out index 0x494b0009 action block',
  'update policy': `policy update ${INNER} dir out priority 999 ${TUNNEL}`,
  'policy exists already': `policy add ${INNER} dir out priority 1000 ${TUNNEL}`,
  'get policy': `policy get ${INNER} dir out`,
  'dump policies': 'policy list',
  'delete policy': `policy delete ${INNER} dir out ${MARKS} if_id 0x2a`,
  'flush states': 'state flush',
  'flush policies': 'policy flush',
};

const FDS = '3,4,5,6';
const TRACE = `strace -e trace=sendmsg,sendto,recvmsg -e write=${FDS} -e read=${FDS} -e signal=none -s 0 ip xfrm`;

/** ESP in UDP is the kernel's on a socket with this option: 100 is UDP_ENCAP, 2 UDP_ENCAP_ESPINUDP. */
const RECEIVER = `import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 4500))
s.setsockopt(socket.IPPROTO_UDP, 100, 2)
print('ready', flush=True)
time.sleep(10)`;

if (process.env['HOME'] === '/tmp') await inside();
else {
  const printed = await runInMachine(SELF, 120_000);
  if (!/^lab ended 0$/m.test(printed)) throw new Error(printed);
  const [origin, ...messages] = printed
    .split('\n')
    .flatMap((line) => (line.startsWith('> ') ? [line.slice(2)] : []));
  writeFileSync(TARGET, `{\n "origin": ${origin},\n "messages": [\n  ${messages.join(',\n  ')}\n ]\n}\n`);
  console.log(`${messages.length} entries in ${TARGET}`);
}

/** In the machine: prints one JSON value a line behind `> `. */
async function inside(): Promise<void> {
  const kernel = execFileSync('uname', ['-rm'], { encoding: 'utf8' }).trim();
  print(`${ip('-V').trim()}; Linux ${kernel}; written down by test/kernel/capture-xfrm.ts`);
  ip('link add veth0 type veth peer name veth1');
  ip('address add 192.0.2.1/24 dev veth0');
  for (const device of ['lo', 'veth0', 'veth1']) ip(`link set ${device} up`);
  ip('neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev veth0 nud permanent');
  for (const [name, command] of Object.entries(REQUESTS)) {
    const { stderr } = spawnSync('strace', words(`${TRACE} ${command}`).slice(1), { encoding: 'utf8' });
    print({ name, command, ...exchanged(stderr) });
  }
  const monitor = spawn('strace', words(`${TRACE} monitor all`).slice(1), {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  monitor.stderr.on('data', (text: Buffer) => {
    told += text.toString();
  });
  await pause(1500);
  await events();
  monitor.kill('SIGINT');
  await once(monitor, 'exit');
  print({ name: 'events', command: 'monitor all', ...exchanged(told) });
}

/** Lets the kernel tell of an acquire, of ends by packets and by time, of a mapping, and of what is added, changed and removed. */
async function events(): Promise<void> {
  const sender = createSocket('udp4').bind(7000, '192.0.2.1');
  await once(sender, 'listening');
  ip(`xfrm policy add ${HOSTS} proto udp dir out tmpl proto esp reqid 77 mode transport`);
  await send(sender, Buffer.alloc(100), 9, '192.0.2.2');
  const limits = 'limit packet-soft 2 limit packet-hard 4';
  ip(`xfrm state add ${ESP} spi 0x2001 reqid 77 mode transport ${GCM} ${limits}`);
  for (let i = 0; i < 6; i++) await send(sender, Buffer.alloc(100), 9, '192.0.2.2');
  ip(`xfrm policy delete ${HOSTS} proto udp dir out`);
  ip(
    `xfrm state add ${ESP} spi 0x2002 reqid 78 mode transport ${GCM} limit time-soft 1 limit time-hard 2 if_id 9`,
  );
  await pause(3500);
  ip('xfrm state flush');
  // The SA expects its packets from port 4501, and they come from 7000.
  ip(
    `xfrm state add src 192.0.2.1 dst 127.0.0.1 proto esp spi 0x2003 reqid 79 mode transport replay-window 32 ${GCM} encap espinudp 4501 4500 0.0.0.0`,
  );
  const receiver = spawn('/usr/bin/python3', ['-c', RECEIVER], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(receiver.stdout, 'data');
  await send(sender, ownEsp(0x2003), 4500, '127.0.0.1');
  await pause(500);
  receiver.kill();
  sender.close();
}

/** An ESP packet with the keys of GCM: an empty datagram of UDP, in transport mode (RFC 4106). */
function ownEsp(spi: number): Uint8Array {
  const keys = Buffer.from(KEY20.slice(2), 'hex');
  const head = concat(uint32(spi), uint32(1));
  const iv = Buffer.alloc(8, 1);
  const cipher = createCipheriv('aes-128-gcm', keys.subarray(0, 16), concat(keys.subarray(16), iv));
  cipher.setAAD(head);
  const datagram = Uint8Array.of(0x1b, 0x58, 0x1b, 0x58, 0, 8, 0, 0);
  const sealed = concat(cipher.update(concat(datagram, Uint8Array.of(1, 2, 2, 17))), cipher.final());
  return concat(head, iv, sealed, cipher.getAuthTag());
}

/** What the kernel refuses to send is no failure here: it waits for an SA. */
function send(from: Socket, data: Uint8Array, port: number, address: string): Promise<void> {
  return new Promise((resolve) => from.send(data, port, address, () => resolve()));
}

function ip(command: string): string {
  return execFileSync('ip', words(command), { encoding: 'utf8' });
}

function words(command: string): string[] {
  return command.split(' ').map((word) => (word === "''" ? '' : word));
}

function print(value: unknown): void {
  console.log(`> ${JSON.stringify(value)}`);
}

/** The bytes of each call that sent or received, in order; what was only peeked at is left out. */
function exchanged(trace: string): { sent: string[]; received: string[] } {
  const sent: string[] = [];
  const received: string[] = [];
  for (const [, call, dump] of trace.matchAll(/^(\w+\(.*)\n((?: [|*].*\n)*)/gm)) {
    const bytes = [...dump.matchAll(/^ \| [0-9a-f]{5} {2}((?:[0-9a-f]{2} ?| )+) {2}/gm)]
      .map(([, hex]) => hex.replaceAll(' ', ''))
      .join('');
    if (bytes === '' || call.includes('MSG_PEEK')) continue;
    (call.startsWith('recv') ? received : sent).push(bytes);
  }
  return { sent, received };
}
