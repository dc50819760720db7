// Lifetimes in transforms and in RESPONDER-LIFETIME: pairs of a type and a duration (RFC 2407 §4.5, RFC 2409 Appendix A). Whoever asks for
// the sooner end gets it.

import { uint32 } from '../../bytes.ts';
import { decodeAttributes } from '../wire/v1/attributes.ts';
import { type Attribute, allV1, attributeNumber, type Received } from '../wire/v1/message.ts';
import { LifeType, V1Notify } from '../wire/v1/numbers.ts';

/** An end by time and one by volume; undefined where none was named. Kilobytes are 1,024 bytes. */
export interface Lifetime {
  readonly seconds?: number;
  readonly kilobytes?: number;
}

/** The two attribute types of a phase. */
export interface LifeAttributes {
  readonly LIFE_TYPE: number;
  readonly LIFE_DURATION: number;
}

const MOST = 0xffffffff;

/** Writes a lifetime's attributes; what is 0 or undefined is not named. */
export function writeLifetime(types: LifeAttributes, { seconds = 0, kilobytes = 0 }: Lifetime): Attribute[] {
  const pair = (type: number, duration: number): Attribute[] =>
    duration < 1
      ? []
      : [
          { type: types.LIFE_TYPE, value: type },
          { type: types.LIFE_DURATION, value: uint32(Math.min(MOST, Math.floor(duration))) },
        ];
  return [...pair(LifeType.SECONDS, seconds), ...pair(LifeType.KILOBYTES, kilobytes)];
}

/** Reads every pair out of a list of attributes; undefined where a duration has no type or makes no sense. */
export function readLifetime(types: LifeAttributes, attributes: readonly Attribute[]): Lifetime | undefined {
  const life: { seconds?: number; kilobytes?: number } = {};
  let type: number | undefined;
  for (const attribute of attributes) {
    if (attribute.type === types.LIFE_TYPE) type = attributeNumber(attribute);
    if (attribute.type !== types.LIFE_DURATION) continue;
    const duration = attributeNumber(attribute);
    if (duration === undefined) return undefined;
    if (type === LifeType.SECONDS) life.seconds = duration;
    else if (type === LifeType.KILOBYTES) life.kilobytes = duration;
    else return undefined;
    type = undefined;
  }
  return life;
}

/** The sooner end of each kind. */
export function sooner(a: Lifetime, b: Lifetime): Lifetime {
  const least = (x: number | undefined, y: number | undefined): number | undefined =>
    x === undefined || y === undefined ? (x ?? y) : Math.min(x, y);
  const seconds = least(a.seconds, b.seconds);
  const kilobytes = least(a.kilobytes, b.kilobytes);
  return { ...(seconds === undefined ? {} : { seconds }), ...(kilobytes === undefined ? {} : { kilobytes }) };
}

/** What RESPONDER-LIFETIME says among payloads (RFC 2407 §4.6.3.1): the responder's own end, where it is the sooner one. */
export function responderLife(types: LifeAttributes, payloads: readonly Received[]): Lifetime {
  const found = allV1(payloads, 'N').find(({ notify }) => notify === V1Notify.RESPONDER_LIFETIME);
  const attributes = found && decodeAttributes(found.data, 'RESPONDER-LIFETIME');
  return (attributes?.ok && readLifetime(types, attributes.value)) || {};
}
