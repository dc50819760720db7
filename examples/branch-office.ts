// The example of the README as a program: `BRANCH_PSK=... node dist/examples/branch-office.js`, as root with the engine.
// Brings a tunnel up, prints what happens to it, and closes it on Ctrl-C.

import { once } from 'node:events';
import { createGateway } from '../lib/index.ts';

const psk = process.env['BRANCH_PSK'];
if (psk === undefined) throw new Error('set BRANCH_PSK to the key that the branch has');

await using gateway = await createGateway({
  connections: {
    branch: {
      remote: { address: '203.0.113.9', id: 'branch.example.com', auth: { psk } },
      local: { id: 'hq.example.com' },
      children: { lan: { localTs: ['10.1.0.0/16'], remoteTs: ['10.2.0.0/16'], start: 'trap' } },
    },
  },
});
gateway.on('child-up', (child) => console.log('up', child.name, child.spis));
gateway.on('child-down', (child, reason) => console.log('down', child.name, reason));
gateway.on('failed', (report) => console.error(report.message, report.advice ?? ''));
await gateway.initiate('branch', 'lan').catch((error: Error) => console.error(error.message));
await once(process, 'SIGINT');
