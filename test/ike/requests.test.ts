// The queue of an IKE SA's own requests, without the SA around it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IkeSa } from '../../lib/ike/v2/ike-sa.ts';
import { type Exchange, Requests } from '../../lib/ike/v2/requests.ts';
import { testRuntime } from './runtime.ts';

const RETRANSMIT = { timeoutMs: 1000, base: 2, tries: 2, jitter: 0 };

/** A queue on a stand-in for the SA: what was sent, and how the SA ended. */
function queue(firstId?: number) {
  const runtime = testRuntime();
  const sent: string[] = [];
  const ike = {
    state: 'established',
    host: { runtime, config: { retransmit: RETRANSMIT } },
    die(reason: string) {
      ike.state = 'dead';
      sent.push(`ended: ${reason}`);
      requests.stop();
    },
  };
  const requests: Requests = new Requests(
    ike as unknown as IkeSa,
    {
      seal: (_exchange, messageId) => Uint8Array.of(messageId & 0xff),
      send: (_exchange, messageId, message, _payloads, again) =>
        sent.push(`${messageId}${again ? ' again' : ''}: ${message[0]}`),
      unanswered: (_exchange, messageId) => sent.push(`${messageId} unanswered`),
    },
    firstId,
  );
  return { requests, runtime, sent };
}

const exchange = (more: Partial<Exchange> = {}): Exchange => ({
  type: 37,
  start: (_ike, send) => send([]),
  answer: (_ike, _payloads, done) => done(),
  ...more,
});

test('RFC 7296 §2.3: one request is in flight at a time, the others wait for their turn', () => {
  const { requests, sent } = queue();
  for (let i = 0; i < 3; i++) requests.add(exchange());
  assert.deepEqual(sent, ['0: 0']);
  assert.equal(requests.takesAnswer(37, 0), 'yes');
  requests.answer([]);
  assert.deepEqual(sent, ['0: 0', '1: 1']);
  assert.equal(requests.takesAnswer(37, 0), 'other-id');
  assert.equal(requests.takesAnswer(36, 1), 'other-exchange');
});

test('RFC 7296 §2.1: an answer is taken once, also while the work after it goes on', () => {
  const { requests, runtime, sent } = queue();
  let finish = (): void => {};
  requests.add(
    exchange({
      answer: (_ike, _payloads, done) => {
        finish = done;
      },
    }),
  );
  requests.add(exchange());
  assert.equal(requests.takesAnswer(37, 0), 'yes');
  requests.answer([]);
  assert.equal(requests.takesAnswer(37, 0), 'other-id');
  runtime.pass(100_000);
  assert.deepEqual(sent, ['0: 0'], 'nothing is sent again, and the next one waits');
  finish();
  finish();
  assert.deepEqual(sent, ['0: 0', '1: 1']);
});

test('RFC 7296 §2.1: what is sent again is what was sent first', () => {
  const { requests, runtime, sent } = queue();
  requests.add(exchange());
  runtime.pass(100_000);
  assert.deepEqual(sent, ['0: 0', '0 again: 0', '0 again: 0', '0 unanswered']);
});

test('RFC 7296 §2.2: after the last message id the SA ends, no id is used again', () => {
  const { requests, sent } = queue(0xffffffff);
  requests.add(exchange());
  requests.add(exchange());
  assert.equal(requests.takesAnswer(37, 0xffffffff), 'yes');
  requests.answer([]);
  assert.deepEqual(sent, ['4294967295: 255', 'ended: expired']);
});

test('an exchange that finds itself needless leaves its turn to the next and uses no id', () => {
  const { requests, sent } = queue();
  requests.add(exchange({ start: (_ike, _send, cancel) => cancel() }));
  requests.add(exchange());
  assert.deepEqual(sent, ['0: 0']);
});

test('stopping gives back what was in flight and what waited, and sends nothing more', () => {
  const { requests, runtime, sent } = queue();
  const [one, two] = [exchange(), exchange()];
  requests.add(one);
  requests.add(two);
  assert.deepEqual(requests.stop(), [one, two]);
  runtime.pass(100_000);
  assert.deepEqual(sent, ['0: 0']);
  assert.equal(requests.inFlight, undefined);
});
