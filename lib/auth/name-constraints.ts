// Name constraints of a CA (RFC 5280 §4.2.1.10): whether the names of a certificate below it are inside what is permitted and outside
// what is excluded. Constraints on kinds of names that are not understood refuse every name of such a kind.

import { formatAddress } from '../net/address.ts';
import type { Certificate, CertificateName, Constraints } from './certificate.ts';
import { isWithin } from './distinguished-name.ts';

/** The first name that the constraints forbid, as text; undefined when all are in order. */
export function forbiddenName(
  certificate: Certificate,
  { permitted, excluded }: Constraints,
): string | undefined {
  const names: CertificateName[] = [
    ...certificate.names,
    ...certificate.subjectMail.map((value) => ({ kind: 'email', value }) as const),
    ...(certificate.subject.length === 0 ? [] : [{ kind: 'dn', value: certificate.subject } as const]),
  ];
  const found = names.find((name) => {
    const rules = permitted.filter(({ kind }) => kind === name.kind);
    if (rules.length > 0 && !rules.some((rule) => inside(name, rule) === true)) return true;
    return excluded.some((rule) => rule.kind === name.kind && inside(name, rule) !== false);
  });
  return found && describe(found, certificate);
}

/** Undefined: it cannot be told, and neither permission nor freedom from exclusion follows. */
function inside(name: CertificateName, rule: CertificateName): boolean | undefined {
  if (name.kind === 'dns' && rule.kind === 'dns') return isBelow(name.value, rule.value);
  if (name.kind === 'dn' && rule.kind === 'dn') return isWithin(name.value, rule.value);
  if (name.kind === 'ip' && rule.kind === 'ip') {
    const half = rule.value.length / 2;
    return (
      name.value.length === half &&
      name.value.every((octet, i) => ((octet ^ rule.value[i]) & rule.value[half + i]) === 0)
    );
  }
  if (name.kind === 'email' && rule.kind === 'email') return isMailInside(name.value, rule.value);
  return undefined;
}

/** The host itself and all below it; with a dot in front those below alone, as openssl reads it. */
function isBelow(host: string, rule: string): boolean {
  const [own, base] = [host.toLowerCase(), rule.toLowerCase()];
  if (base === '') return true;
  return own === base || own.endsWith(base.startsWith('.') ? base : `.${base}`);
}

/** One mailbox, a host, or with a dot in front all hosts of a domain. */
function isMailInside(address: string, rule: string): boolean | undefined {
  const at = address.lastIndexOf('@');
  if (at < 1) return undefined;
  const host = address.slice(at + 1).toLowerCase();
  const mark = rule.lastIndexOf('@');
  if (mark > 0)
    return address.slice(0, at) === rule.slice(0, mark) && host === rule.slice(mark + 1).toLowerCase();
  const base = (mark === 0 ? rule.slice(1) : rule).toLowerCase();
  if (base === '') return true;
  return base.startsWith('.') ? host.endsWith(base) : host === base;
}

function describe(name: CertificateName, certificate: Certificate): string {
  switch (name.kind) {
    case 'dns':
    case 'email':
      return name.value;
    case 'dn':
      return certificate.subjectText;
    case 'ip':
      return formatAddress(name.value);
    default:
      return `a name of kind ${name.kind}`;
  }
}
