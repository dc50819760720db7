// The structured log of the command line: pino underneath, one JSON object a line, the event's name as `event`.
// Libraries that embed a gateway pass a Log of their own; see lib/ike/runtime.ts.

import { type DestinationStream, type LevelWithSilent, pino } from 'pino';
import type { ChildSaInfo, DownReason, IkeSaInfo, MessageTrace, Warning } from '../ike/events.ts';
import type { FailureReport } from '../ike/failure.ts';
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

/** A gateway as the log sees it: named events. */
export interface EventSource {
  on(event: 'ike-up', listener: (ike: IkeSaInfo) => void): unknown;
  on(event: 'ike-down', listener: (ike: IkeSaInfo, reason: DownReason) => void): unknown;
  on(event: 'child-up', listener: (child: ChildSaInfo) => void): unknown;
  on(event: 'child-down', listener: (child: ChildSaInfo, reason: DownReason) => void): unknown;
  on(event: 'ike-rekeyed', listener: (ike: IkeSaInfo, old: IkeSaInfo) => void): unknown;
  on(event: 'child-rekeyed', listener: (child: ChildSaInfo, old: ChildSaInfo) => void): unknown;
  on(event: 'failed', listener: (report: FailureReport) => void): unknown;
  on(event: 'warning', listener: (warning: Warning) => void): unknown;
  on(event: 'message', listener: (message: MessageTrace) => void): unknown;
}

/** Writes what a gateway tells. Key material (`keys` events) is not listened to and so never written. */
export function logEvents(gateway: EventSource, log: Log): void {
  gateway.on('ike-up', (ike) => log.info('ike-up', { ike }));
  gateway.on('ike-down', (ike, reason) => log.info('ike-down', { ike, reason }));
  gateway.on('child-up', (child) => log.info('child-up', { child }));
  gateway.on('child-down', (child, reason) => log.info('child-down', { child, reason }));
  gateway.on('ike-rekeyed', (ike, old) => log.info('ike-rekeyed', { ike, old: old.id }));
  gateway.on('child-rekeyed', (child, old) => log.info('child-rekeyed', { child, old: old.id }));
  gateway.on('failed', (report) => log.warn('failed', { report }));
  gateway.on('warning', (warning) => log.warn('warning', { warning }));
  gateway.on('message', (message) => log.debug('message', { text: formatTrace(message) }));
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
