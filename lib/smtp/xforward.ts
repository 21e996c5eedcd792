/** Telling the next host who gave us a message (Postfix, XFORWARD_README). Pure. */

export type Origin = { readonly address: string; readonly port: number; readonly name: string }

const xtext = (value: string): string =>
  value.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/g, (character) =>
    [...Buffer.from(character)].map((byte) => `+${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )

/** The arguments of XFORWARD: those attributes that the host says it takes, in xtext (RFC 3461 section 4). */
export function xforwardWords({ address, port, name }: Origin, offered: string): string[] {
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
