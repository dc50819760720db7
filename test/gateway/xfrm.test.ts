// `dataPlane: 'xfrm'` where it cannot be: one error that says what is missing and what would work. Where it can, test/kernel has it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { engineAddonMissing } from '../engine/lab.ts';

const LIBRARY = fileURLToPath(new URL('../../lib/index.js', import.meta.url));
const CONNECTION = {
  remote: { address: '192.0.2.9', auth: { psk: 'a key of the test' } },
  children: { net: {} },
};

/** What createGateway() says in a network namespace of its own, as that user. */
function start(config: object, ...as: readonly string[]): string {
  const program = `import { createGateway } from ${JSON.stringify(LIBRARY)};
    await createGateway(${JSON.stringify(config)}).then(
      async (gateway) => { console.log('up'); await gateway.close(); },
      ({ code, message }) => console.log(code, message),
    );`;
  const node = [process.execPath, '--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync('unshare', ['-n', ...as, ...node], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return stdout + stderr;
}

const needsRoot =
  process.getuid?.() === 0 ? engineAddonMissing() : 'needs root: it makes a network namespace';
const listen = { port: 0, nattPort: 0 };

test('a kernel without ESP: the module is named, and a plane that works', { skip: needsRoot }, (t) => {
  const said = start({ dataPlane: 'xfrm', listen, connections: { site: CONNECTION } });
  if (said === 'up\n') return t.skip('this kernel has ESP');
  assert.match(said, /^ERR_IKE_NO_(ESP|XFRM) .*dataPlane 'engine'/);
});

test('without CAP_NET_ADMIN: the capability is named', { skip: needsRoot }, () => {
  const said = start(
    { dataPlane: 'xfrm', listen, connections: { site: CONNECTION } },
    'setpriv',
    '--bounding-set=-all',
    '--inh-caps=-all',
    '--reuid=65534',
    '--clear-groups',
  );
  assert.match(said, /^ERR_IKE_/);
  assert.doesNotMatch(said, /^up/);
});

test('what only a kernel has is refused by name with other planes', () => {
  const child = { net: { markIn: '7' } };
  const connections = { site: { ...CONNECTION, children: child } };
  const program = start({ dataPlane: 'memory', listen, connections });
  assert.match(program, /^ERR_IKE_CONFIG .*markIn/);
});
