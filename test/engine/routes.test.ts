// What the engine does to the host's routing, and what the host may do to the engine meanwhile.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { selector } from './esp-model.ts';
import { Host, Lab, labMissing, pause } from './lab.ts';

describe('routes of the engine', { skip: labMissing() }, () => {
  let lab: Lab;
  let name: string;
  let host: Host;

  before(async () => {
    lab = new Lab();
    name = lab.namespace('routes');
    lab.address(name, '10.1.0.7/32', 'lo');
    lab.address(name, 'fd01::7/128', 'lo');
    host = new Host(name);
    await host.call('open', {
      connections: {},
      tun: { name: 'ike-test', mtu: 1300 },
      routes: { table: 77, priority: 88, mark: 99 },
    });
  });

  after(async () => {
    await host?.kill();
    lab?.remove();
  });

  /** The routes of our table, without what is the same in all, sorted. */
  function routes(family: '-4' | '-6'): string[] {
    const shown = spawnSync('ip', ['-n', name, family, 'route', 'show', 'table', '77'], { encoding: 'utf8' });
    // A table that never had a route is an error to ip.
    return shown.stdout
      .split('\n')
      .map((line) => line.replace(/ (dev ike-test|proto static|metric 1024|pref medium)/g, '').trim())
      .filter((line) => line !== '')
      .sort();
  }

  function policy(id: number, localTs: string[], remoteTs: string[]): Promise<unknown> {
    return host.call('addPolicy', {
      id,
      kind: 'protect',
      priority: 1,
      localTs: localTs.map(selector),
      remoteTs: remoteTs.map(selector),
    });
  }

  test('the device has the name and size that were asked for, and no address of its own', () => {
    assert.match(lab.ip(name, '-o', 'link', 'show', 'ike-test'), /UP.* mtu 1300 /);
    assert.equal(lab.ip(name, '-o', 'address', 'show', 'dev', 'ike-test').trim(), '');
  });

  test('the rule leads everything without the mark to the table, for both families', () => {
    for (const family of ['-4', '-6'])
      assert.match(lab.ip(name, family, 'rule'), /^88:\s+not from all fwmark 0x63 lookup 77/m);
  });

  test('a range becomes the prefixes that cover it exactly, with our address inside the local selectors as source', async () => {
    await policy(1, ['10.1.0.0/24', 'fd01::/64'], ['10.2.0.3-10.2.0.9[tcp/80]', 'fd02::/63']);
    assert.deepEqual(routes('-4'), [
      '10.2.0.3 src 10.1.0.7',
      '10.2.0.4/30 src 10.1.0.7',
      '10.2.0.8/31 src 10.1.0.7',
    ]);
    assert.deepEqual(routes('-6'), ['fd02::/63 src fd01::7']);
    await host.call('deletePolicy', 1);
    assert.deepEqual([...routes('-4'), ...routes('-6')], []);
  });

  test('without an address inside the local selectors the kernel chooses the source', async () => {
    await policy(2, ['10.9.0.0/24'], ['10.2.0.0/16']);
    assert.deepEqual(routes('-4'), ['10.2.0.0/16']);
    await host.call('deletePolicy', 2);
  });

  test('a route stays as long as one policy wants it', async () => {
    await policy(3, ['10.9.0.0/24'], ['10.2.0.0/16', '0.0.0.0/0']);
    await policy(4, ['10.1.0.0/24'], ['10.2.0.0/16']);
    assert.deepEqual(routes('-4'), ['10.2.0.0/16 src 10.1.0.7', 'default']);
    await host.call('deletePolicy', 4);
    assert.deepEqual(routes('-4'), ['10.2.0.0/16', 'default']);
    await host.call('deletePolicy', 3);
    assert.deepEqual(routes('-4'), []);
  });

  test('an id that is taken is refused, and the policy that has it stays', async () => {
    await policy(5, ['10.1.0.0/24'], ['10.3.0.0/16']);
    await assert.rejects(policy(5, ['10.1.0.0/24'], ['10.4.0.0/16']), { code: 'ERR_IKE_EXISTS' });
    assert.deepEqual(routes('-4'), ['10.3.0.0/16 src 10.1.0.7']);
    await host.call('deletePolicy', 5);
  });

  test('with routes.install false there is neither rule nor route', async () => {
    const other = new Host(name);
    await other.call('open', {
      connections: {},
      listen: { port: 0, nattPort: 0 },
      tun: { name: 'ike-bare' },
      routes: { install: false, table: 55, priority: 56, mark: 57 },
    });
    await other.call('addPolicy', {
      id: 1,
      kind: 'protect',
      priority: 1,
      localTs: [selector('10.1.0.0/24')],
      remoteTs: [selector('10.5.0.0/16')],
    });
    assert.doesNotMatch(lab.ip(name, 'rule'), /lookup 55/);
    assert.doesNotMatch(lab.ip(name, '-4', 'route', 'show', 'table', 'all'), /ike-bare/);
    await other.tell('close');
  });

  test('IKE datagrams that JavaScript is too busy for are dropped and counted, and the queue has a bound', async () => {
    assert.equal(await host.call('flood', 3000), 3000 - 1024);
    for (let i = 0; i < 100 && host.events.length < 1024; i++) await pause(20);
    assert.equal(host.events.filter(({ type }) => type === 'datagram').length, 1024);
  });

  test('somebody removes the device: it is told once, and the process neither spins nor falls', async () => {
    lab.ip(name, 'link', 'delete', 'ike-test');
    const told = await host.event('log');
    assert.equal(told.event, 'engine-tun-lost');
    const before = (await host.call('cpu')) as number;
    await pause(500);
    const used = ((await host.call('cpu')) as number) - before;
    assert.ok(used < 250_000, `${used} us of processor time in half a second`);
    assert.equal(host.events.filter(({ type }) => type === 'log').length, 1);
  });
});
