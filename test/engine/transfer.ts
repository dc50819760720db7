// A large transfer by TCP between two namespaces in which every word says where it belongs, and what their kernels count meanwhile.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Lab } from './lab.ts';

/** Sends the numbers of its words, so that anything lost, doubled or moved is seen. */
const SENDER = `
  const [address, total] = [process.argv[1], Number(process.argv[2])];
  const socket = require('node:net').connect(7000, address);
  let sent = 0;
  const more = () => {
    while (sent < total) {
      const chunk = Buffer.alloc(Math.min(1 << 18, total - sent));
      for (let i = 0; i < chunk.length; i += 4) chunk.writeUInt32LE((sent + i) / 4, i);
      sent += chunk.length;
      if (!socket.write(chunk)) return socket.once('drain', more);
    }
    socket.end();
  };
  more();`;
const RECEIVER = `
  const server = require('node:net').createServer((socket) => {
    let [seen, bad, rest] = [0, 0, Buffer.alloc(0)];
    socket.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      const whole = rest.length & ~3;
      for (let i = 0; i < whole; i += 4) if (rest.readUInt32LE(i) !== (seen + i) / 4) bad++;
      seen += whole;
      rest = rest.subarray(whole);
    });
    socket.on('end', () => { console.log(seen + ' bytes, ' + bad + ' words wrong'); socket.end(); server.close(); });
  });
  server.listen(7000, process.argv[1], () => console.log('ready'));`;

/** Fails unless that many bytes arrive whole at `address`, which is the receiver's. */
export async function transfer(
  lab: Lab,
  sender: string,
  receiver: string,
  address: string,
  lengthBytes: number,
): Promise<void> {
  const receiving = lab.start(receiver, [process.execPath, '-e', RECEIVER, address]);
  assert.ok(receiving.stdout);
  receiving.stdout.setEncoding('utf8');
  let output = '';
  receiving.stdout.on('data', (text: string) => {
    output += text;
  });
  const ended = once(receiving, 'exit');
  await once(receiving.stdout, 'data');
  try {
    lab.exec(sender, process.execPath, '-e', SENDER, address, String(lengthBytes));
  } catch (error) {
    receiving.kill('SIGKILL');
    throw error;
  }
  await ended;
  assert.equal(output.trim().split('\n').at(-1), `${lengthBytes} bytes, 0 words wrong`);
}

/** What the kernel of a host has counted: `InCsumErrors` of `Tcp`, `FragCreates` of `Ip`. */
export function kernelCounter(lab: Lab, name: string, protocol: 'Tcp' | 'Ip', counter: string): number {
  const [titles, values] = lab
    .exec(name, 'cat', '/proc/net/snmp')
    .split('\n')
    .filter((line) => line.startsWith(`${protocol}:`))
    .map((line) => line.split(' '));
  return Number(values[titles.indexOf(counter)]);
}
