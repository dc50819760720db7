// What an IKE SA does by time: rekeying with jitter, its hard end, liveness checks (RFC 7296 §2.4) and keepalives for a
// NAT in front of us (RFC 3948 §4).

import { patienceMs, randomShare } from '../retransmit.ts';
import type { IkeSa } from './ike-sa.ts';
import { LivenessCheck } from './informational.ts';

const KEEPALIVE = Uint8Array.of(0xff);
/** Added to the peer's patience, whose settings may not be ours. */
const GRACE_MS = 10_000;

/** Starts the timers of an IKE SA that has just come up. They end with it. */
export function startIkeTimers(ike: IkeSa): void {
  const { runtime } = ike.host;
  const { rekeyTimeMs, rekeyJitterMs, overTimeMs } = ike.connection;
  if (rekeyTimeMs > 0) {
    const wait = Math.max(0, rekeyTimeMs - rekeyJitterMs * randomShare(runtime));
    ike.timers.push(
      runtime.setTimer(wait, () => ike.host.ikeDue(ike)),
      runtime.setTimer(rekeyTimeMs + overTimeMs, () => ike.terminate('expired')),
    );
  }
  if (ike.connection.dpdDelayMs > 0) watch(ike, ike.connection.dpdDelayMs);
  if (ike.nat.local && ike.host.config.natKeepaliveMs > 0) keepMapping(ike);
}

/**
 * The peer is to delete this SA, which it or we have replaced; should its delete not have come by the time when it has given
 * up sending it, we do. There is nothing else to do on it until then.
 */
export function endLater(ike: IkeSa): void {
  const { runtime, config } = ike.host;
  for (const timer of ike.timers) timer.cancel();
  ike.timers = [
    runtime.setTimer(patienceMs(config.retransmit) + GRACE_MS, () => ike.terminate(ike.closeReason)),
  ];
}

/** Repeats `act` until the SA is over; `act` says how long until the next time. */
function repeat(ike: IkeSa, firstMs: number, act: () => number): void {
  const slot = ike.timers.length;
  const arm = (delayMs: number): void => {
    ike.timers[slot] = ike.host.runtime.setTimer(delayMs, () => {
      const next = act();
      if (ike.state !== 'dead') arm(next);
    });
  };
  arm(firstMs);
}

function watch(ike: IkeSa, delayMs: number): void {
  repeat(ike, delayMs, () => {
    const { runtime } = ike.host;
    let heard = ike.lastHeardMs;
    for (const child of ike.children)
      heard = Math.max(heard, runtime.dataPlane.querySa(child.inId)?.lastUsedMs ?? 0);
    const idle = runtime.nowMs() - heard;
    // A whole millisecond at least: a rest below the clock's own steps would come back at the same instant for ever.
    if (idle < delayMs) return Math.ceil(delayMs - idle);
    if (ike.alive && ike.inFlight === undefined) ike.enqueue(new LivenessCheck());
    return delayMs;
  });
}

function keepMapping(ike: IkeSa): void {
  const { runtime, config } = ike.host;
  repeat(ike, config.natKeepaliveMs, () => {
    runtime.send({ ...ike.path, data: KEEPALIVE });
    return config.natKeepaliveMs;
  });
}
