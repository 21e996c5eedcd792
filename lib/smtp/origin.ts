/** Telling the next host who gave us a message (Postfix, XFORWARD_README and XCLIENT_README), and in `Received`. Pure. */

export type Origin = {
  readonly address: string
  readonly port: number
  /** Argument of HELO or EHLO. */
  readonly name: string
}

const xtext = (value: string): string =>
  value.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/g, (character) =>
    [...Buffer.from(character)].map((byte) => `+${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )

/** The arguments of XFORWARD or XCLIENT: those attributes that the host says it takes, in xtext (RFC 3461 section 4). */
export function originWords({ address, port, name }: Origin, offered: string): string[] {
  const wanted = offered.toUpperCase().split(/\s+/)
  const known: Readonly<Record<string, string>> = {
    NAME: '[UNAVAILABLE]',
    ADDR: address.includes(':') ? `IPv6:${address}` : address,
    PORT: String(port),
    PROTO: 'ESMTP',
    HELO: name,
    SOURCE: 'REMOTE',
  }
  return Object.entries(known).flatMap(([attribute, value]) =>
    wanted.includes(attribute) && value !== '' ? [`${attribute}=${xtext(value)}`] : [],
  )
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (number: number): string => String(number).padStart(2, '0')

/** An instant as in a header field, in UTC (RFC 5322 section 3.3). */
export function headerDate(at: number): string {
  const date = new Date(at)
  return `${days[date.getUTCDay()]}, ${date.getUTCDate()} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`
}

/** A `Received` field with its line ends (RFC 5321 section 4.4, RFC 3848). */
export function receivedField(given: {
  readonly origin: Origin
  readonly tls: boolean
  readonly utf8: boolean
  readonly by: string
  readonly id: string
  readonly at: number
}): Buffer {
  const { origin, by, id, at } = given
  const name = /^[\w.:[\]-]+$/.test(origin.name) ? origin.name : 'unknown'
  const address = origin.address.includes(':') ? `IPv6:${origin.address}` : origin.address
  const protocol = `${given.utf8 ? 'UTF8SMTP' : 'ESMTP'}${given.tls ? 'S' : ''}`
  return Buffer.from(
    `Received: from ${name} ([${address}])\r\n\tby ${by} with ${protocol} id ${id};\r\n\t${headerDate(at)}\r\n`,
  )
}
