// XAuth (draft-beaulieu-ike-xauth-02): after phase 1 and before anything else the server asks for a name and a password, and says whether they
// will do. Generic authentication alone: no challenges, no one-time passwords.
//
//   server                                          client
//   REQUEST(TYPE, USER_NAME, USER_PASSWORD)   ->
//                                             <-    REPLY(TYPE, USER_NAME, USER_PASSWORD)
//   SET(STATUS)                               ->
//                                             <-    ACK(STATUS)

import { checkPassword } from '../../auth/password.ts';
import { wipe } from '../../bytes.ts';
import type { XauthClient, XauthServer } from '../../config/types.ts';
import { type Attribute, numberOf } from '../wire/v1/message.ts';
import { ConfigType, XauthAttribute as X } from './config-attributes.ts';
import type { V1IkeSa } from './ike-sa.ts';
import type { Transactions } from './transaction.ts';

const GENERIC = 0;
const FAIL = 0;
const OK = 1;

/** How a conversation ended: undefined when the user is in, else why not. */
export type XauthEnd = (refusal?: string) => void;

/** Asks the client, and ends with its user's name as the IKE SA's `xauthId`. */
export function askForUser(
  ike: V1IkeSa,
  transactions: Transactions,
  server: XauthServer,
  done: XauthEnd,
): void {
  const silent = (): void => done('the peer did not answer XAuth');
  const status = (passed: boolean, refusal?: string): void => {
    const attributes = [{ type: X.STATUS, value: passed ? OK : FAIL }];
    transactions.ask(ConfigType.SET, attributes, () => done(refusal), passed ? silent : () => done(refusal));
  };
  const request = [
    { type: X.TYPE, value: GENERIC },
    { type: X.USER_NAME, value: new Uint8Array(0) },
    { type: X.USER_PASSWORD, value: new Uint8Array(0) },
  ];
  const replied = (reply: readonly Attribute[]): void => {
    const name = bytesOf(reply, X.USER_NAME);
    const password = bytesOf(reply, X.USER_PASSWORD);
    if (name === undefined || password === undefined || (numberOf(reply, X.TYPE) ?? GENERIC) !== GENERIC)
      return status(false, 'the peer has no user for XAuth');
    const username = new TextDecoder().decode(name);
    const judged = (passed: boolean): void => {
      wipe(password);
      if (ike.state !== 'connecting') return;
      if (!passed) return status(false, 'the name or the password of XAuth is wrong');
      ike.xauthId = username;
      status(true);
    };
    const known = checkPassword(server, username, password);
    if (known !== undefined || server.check === undefined) return judged(known === true);
    ike.host.runtime.checkUser(server.check, username, new TextDecoder().decode(password), judged);
  };
  transactions.ask(ConfigType.REQUEST, request, replied, silent);
}

/** What a client answers to attributes of XAuth; undefined: nothing. */
export function answerXauth(
  ike: V1IkeSa,
  client: XauthClient,
  configType: number,
  attributes: readonly Attribute[],
  done: XauthEnd,
): readonly Attribute[] | undefined {
  if (configType === ConfigType.SET) {
    const status = numberOf(attributes, X.STATUS);
    if (status === undefined) return undefined;
    done(status === OK ? undefined : 'the peer refuses the name or the password');
    return [{ type: X.STATUS, value: status }];
  }
  const type = numberOf(attributes, X.TYPE);
  const encoder = new TextEncoder();
  const answers: Readonly<Record<number, Uint8Array>> = {
    [X.USER_NAME]: encoder.encode(client.username),
    [X.USER_PASSWORD]: encoder.encode(client.password),
  };
  const asked = attributes.filter((one) => one.type !== X.TYPE && one.type !== X.MESSAGE);
  if ((type ?? GENERIC) !== GENERIC || asked.some((one) => answers[one.type] === undefined)) {
    done('the peer asks for more than a name and a password, which XAuth here does not have');
    return [{ type: X.STATUS, value: FAIL }];
  }
  ike.xauthId = client.username;
  return [
    ...(type === undefined ? [] : [{ type: X.TYPE, value: type }]),
    ...asked.map((one) => ({ type: one.type, value: answers[one.type] })),
  ];
}

function bytesOf(attributes: readonly Attribute[], type: number): Uint8Array | undefined {
  const value = attributes.find((one) => one.type === type)?.value;
  return typeof value === 'number' ? undefined : value;
}
