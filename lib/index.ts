// The public API: what is exported here is all that users may rely on.

export { ConfigError, IkeError, NegotiationError, SystemError } from './errors.ts';
