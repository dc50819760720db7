// What an IKE SA does by time: rekeying with jitter, its hard end, liveness checks (RFC 7296 §2.4) and keepalives for a
// NAT in front of us (RFC 3948 §4).

import type { AnyIkeSa } from './ike-sa.ts';
import { patienceMs, randomShare } from './retransmit.ts';

const KEEPALIVE = Uint8Array.of(0xff);
/** Added to the peer's patience, whose settings may not be ours. */
const GRACE_MS = 10_000;

/** Where the peer's lifetime is the shorter one, this share of it is over when a new SA is to be there. */
const SOFT_SHARE = 0.9;

/** Starts the timers of an IKE SA that has just come up. They end with it. `mostMs`: a hard end that was negotiated (IKEv1). */
export function startIkeTimers(ike: AnyIkeSa, mostMs?: number): void {
  limitLife(ike, mostMs);
  if (ike.connection.dpdDelayMs > 0) watch(ike, ike.connection.dpdDelayMs);
  if (ike.nat.local && ike.host.config.natKeepaliveMs > 0) keepMapping(ike);
}

/** Renews and ends it in time, counted from now. Where it is said again, the sooner end counts. */
export function limitLife(ike: AnyIkeSa, mostMs = Number.POSITIVE_INFINITY): void {
  const { runtime } = ike.host;
  const { rekeyTimeMs, rekeyJitterMs, overTimeMs } = ike.connection;
  const configured = rekeyTimeMs > 0 ? rekeyTimeMs + overTimeMs : Number.POSITIVE_INFINITY;
  const endMs = Math.min(configured, mostMs);
  if (endMs === Number.POSITIVE_INFINITY) return;
  const own = endMs === configured;
  const soft = own ? rekeyTimeMs : Math.min(rekeyTimeMs || endMs, endMs * SOFT_SHARE);
  // Drawn for a longer life it could take all of this one.
  const jitter = own ? rekeyJitterMs : Math.min(rekeyJitterMs, soft / 10);
  const wait = Math.max(0, soft - jitter * randomShare(runtime));
  ike.timers.push(
    runtime.setTimer(wait, () => ike.host.ikeDue(ike)),
    runtime.setTimer(endMs, () => ike.terminate('expired')),
  );
}

/**
 * The peer is to delete this SA, which it or we have replaced; should its delete not have come by the time when it has given
 * up sending it, we do. There is nothing else to do on it until then.
 */
export function endLater(ike: AnyIkeSa, delayMs = patienceMs(ike.host.config.retransmit) + GRACE_MS): void {
  for (const timer of ike.timers) timer.cancel();
  ike.timers = [ike.host.runtime.setTimer(delayMs, () => ike.terminate(ike.closeReason))];
}

/** Repeats `act` until the SA is over; `act` says how long until the next time. */
function repeat(ike: AnyIkeSa, firstMs: number, act: () => number): void {
  const slot = ike.timers.length;
  const arm = (delayMs: number): void => {
    ike.timers[slot] = ike.host.runtime.setTimer(delayMs, () => {
      const next = act();
      if (ike.state !== 'dead') arm(next);
    });
  };
  arm(firstMs);
}

function watch(ike: AnyIkeSa, delayMs: number): void {
  repeat(ike, delayMs, () => {
    const { runtime } = ike.host;
    let heard = ike.lastHeardMs;
    for (const child of ike.children)
      heard = Math.max(heard, runtime.dataPlane.querySa(child.inId)?.lastUsedMs ?? 0);
    const idle = runtime.nowMs() - heard;
    // A whole millisecond at least: a rest below the clock's own steps would come back at the same instant for ever.
    if (idle < delayMs) return Math.ceil(delayMs - idle);
    if (ike.alive) ike.checkLiveness();
    return delayMs;
  });
}

function keepMapping(ike: AnyIkeSa): void {
  const { runtime, config } = ike.host;
  repeat(ike, config.natKeepaliveMs, () => {
    runtime.send({ ...ike.path, data: KEEPALIVE });
    return config.natKeepaliveMs;
  });
}
