// The structured log of the command line: pino underneath, one JSON object a line, the event's name as `event`.
// Libraries that embed a gateway pass a Log of their own; see lib/ike/runtime.ts.

import { type DestinationStream, type LevelWithSilent, pino } from 'pino';
import type { IkeEvent } from '../ike/events.ts';
import type { Log, LogFields } from '../ike/runtime.ts';
import { formatTrace } from './trace.ts';

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Makes a Log that writes JSON lines to `destination` (standard error by default), at once and in order. */
export function createLog(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Log {
  const logger = pino(
    {
      level: level satisfies LevelWithSilent,
      base: { pid: process.pid },
      messageKey: 'event',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    debug: (event, fields = {}) => logger.debug(printable(fields), event),
    info: (event, fields = {}) => logger.info(printable(fields), event),
    warn: (event, fields = {}) => logger.warn(printable(fields), event),
    error: (event, fields = {}) => logger.error(printable(fields), event),
  };
}

/** A Log that says nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Writes what the negotiation tells; key material is never written. */
export function logEvent(log: Log, event: IkeEvent): void {
  switch (event.type) {
    case 'ike-up':
      log.info('ike-up', { ike: event.ike });
      break;
    case 'ike-down':
      log.info('ike-down', { ike: event.ike, reason: event.reason });
      break;
    case 'child-up':
      log.info('child-up', { child: event.child });
      break;
    case 'child-down':
      log.info('child-down', { child: event.child, reason: event.reason });
      break;
    case 'ike-rekeyed':
      log.info('ike-rekeyed', { old: event.old.id, ike: event.ike });
      break;
    case 'child-rekeyed':
      log.info('child-rekeyed', { old: event.old.spis, child: event.child });
      break;
    case 'failed':
      log.warn('failed', { report: event.report });
      break;
    case 'message':
      log.debug('message', { text: formatTrace(event.message), initiatorSpi: event.message.initiatorSpi });
      break;
    case 'keys':
      break;
    default:
      event satisfies never;
  }
}

/** Values that JSON cannot hold, as text: big numbers, and byte strings by their length alone, for they may be keys. */
function printable(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => {
      if (typeof value === 'bigint') return [key, `0x${value.toString(16)}`];
      if (value instanceof Uint8Array) return [key, `${value.length} bytes`];
      if (value instanceof Error)
        return [key, { name: value.name, message: value.message, code: errorCode(value) }];
      return [key, value];
    }),
  );
}

function errorCode(error: Error): string | undefined {
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
