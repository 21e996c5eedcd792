/**
 * The arguments of MAIL and RCPT (RFC 5321 section 4.1.2):
 *
 *   "FROM:" or "TO:"  Path  *( SP esmtp-keyword [ "=" esmtp-value ] )
 *   Path = "<" [ A-d-l ":" ] Mailbox ">"  /  "<>"
 *
 * The mailbox is kept as it was written, but for the source route, which RFC 5321 appendix C says to drop. The
 * parameters are kept as they were written too, because they are passed on: xtext is not decoded.
 */
export type Path = {
  /** Without angle brackets; empty: the null path. */
  readonly address: string
  /** Names in upper case; an empty value: the parameter had none. */
  readonly parameters: Readonly<Record<string, string>>
}

/** RFC 5321 section 4.5.3.1.3 allows 256 octets with the brackets; a few senders go over it, so a little slack. */
const addressBytesMax = 320
const parametersMax = 20

const argument = /^\s*(?:FROM|TO)\s*:\s*<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>((?:\s+\S+)*)\s*$/i
const unsafe = /[\x00-\x1f\x7f-\x9f\u200b\u2060\ufeff\ufffd]/
const sourceRoute = /^@[^\s,:@]+(?:,@[^\s,:@]+)*:/
const localPart = /^(?:"(?:[^"\\]|\\.)*"|[^\s"(),:;<>@[\\\]]+)$/
const domain =
  /^(?:\[(?:IPv6:[0-9A-Fa-f:.]+|[0-9.]+)\]|[\p{L}\p{N}_](?:[\p{L}\p{M}\p{N}_.-]{0,253}[\p{L}\p{M}\p{N}])?\.?)$/iu

/** Reads what follows MAIL or RCPT; null: not of that form. */
export function parsePath(text: string): Path | null {
  const match = argument.exec(text)
  if (match === null) return null
  const address = (match[1] ?? '').replace(sourceRoute, '')
  if (unsafe.test(text) || Buffer.byteLength(address) > addressBytesMax) return null
  if (address !== '' && address.toLowerCase() !== 'postmaster' && !isMailbox(address)) return null
  const parameters: Record<string, string> = {}
  const words = (match[2] ?? '').split(/\s+/).filter((word) => word !== '')
  if (words.length > parametersMax) return null
  for (const word of words) {
    const equals = word.indexOf('=')
    const name = (equals < 0 ? word : word.slice(0, equals)).toUpperCase()
    if (!/^[A-Z0-9][A-Z0-9-]*$/.test(name) || Object.hasOwn(parameters, name)) return null
    parameters[name] = equals < 0 ? '' : word.slice(equals + 1)
  }
  return { address, parameters }
}

export function isMailbox(address: string): boolean {
  const at = address.lastIndexOf('@')
  return at > 0 && localPart.test(address.slice(0, at)) && domain.test(address.slice(at + 1))
}
