// The public API: what is exported here is all that users may rely on.

export type { SignCallback } from './auth/keys.ts';
export type { Capture, CaptureOptions } from './capture.ts';
export type { ManualSaInput } from './config/manual.ts';
export type { ConfigInput } from './config/parse.ts';
export { ConfigError, IkeError, NegotiationError, SystemError } from './errors.ts';
export type {
  Child,
  ChildSaStatus,
  Gateway,
  GatewayEvents,
  GatewayOptions,
  GatewayStats,
  IkeSaStatus,
} from './gateway.ts';
export { createGateway } from './gateway.ts';
export type { ChildSaInfo, DownReason, IkeSaInfo, KeyLogEntry, MessageTrace, Warning } from './ike/events.ts';
export type { FailureReport } from './ike/failure.ts';
export type { Log } from './ike/runtime.ts';
export type { CaptureCounts } from './ipsec/capture.ts';
export type { DataPlaneStats, SaCounters } from './ipsec/data-plane.ts';
export type { ManualSaStatus } from './manual-sas.ts';
