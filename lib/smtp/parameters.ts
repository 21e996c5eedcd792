/** ESMTP parameters of MAIL and RCPT (RFC 5321 section 4.1.1.11): those that we have offered, with values that they can have. Pure. */
import type { Path } from '#lib/mail/path.ts'
import { replies } from './replies.ts'
import type { Reply } from './reply.ts'

type Check = RegExp

/** By name; xtext and addresses are passed on as they are written (RFC 3461 section 4). */
const mailParameters: Readonly<Record<string, Check>> = {
  SIZE: /^\d{1,20}$/,
  BODY: /^(?:7BIT|8BITMIME)$/i,
  SMTPUTF8: /^$/,
  RET: /^(?:FULL|HDRS)$/i,
  ENVID: /^[\x21-\x7e]{1,100}$/,
  AUTH: /^[\x21-\x7e]{1,500}$/,
}
const rcptParameters: Readonly<Record<string, Check>> = {
  NOTIFY: /^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)$/i,
  // SMTPUTF8 lets the address be UTF-8 (RFC 6533 section 3).
  ORCPT: /^[\x21-\x7e\x80-\uffff]{1,500}$/,
}

function refuse(parameters: Path['parameters'], known: Readonly<Record<string, Check>>): Reply | null {
  for (const [name, value] of Object.entries(parameters)) {
    const check = Object.hasOwn(known, name) ? known[name] : undefined
    if (check === undefined) return replies.unknownParameter
    if (!check.test(value)) return replies.badParameter
  }
  return null
}

export function refuseMail({ parameters }: Path, sizeMax: number): Reply | null {
  const refusal = refuse(parameters, mailParameters)
  if (refusal !== null) return refusal
  return Number(parameters['SIZE'] ?? 0) > sizeMax ? replies.messageTooLarge : null
}

export const refuseRcpt = ({ parameters }: Path): Reply | null => refuse(parameters, rcptParameters)
