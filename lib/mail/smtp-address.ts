/** Addresses as they stand in text: `<user@example.com>`, `"John Doe"@example.com`, `user@[192.0.2.1]`. */

const domain = String.raw`@(?:\[[0-9A-Fa-f:.]{2,64}\]|[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]{0,252}[\p{L}\p{N}])?)`
const first = '[^\\s<>()[\\]:;,"@\\\\\\x00-\\x20\\x7f*\'`‘’“”„«]'
const others = '[^\\s<>()[\\]:;,"@\\\\\\x00-\\x20\\x7f]{0,63}'
/** From the @ to both sides: from every character it would take sixty times as long. */
const plain = new RegExp(`(?<=(${first}${others}))${domain}`, 'u')
const quoted = new RegExp(`(?<=("(?:[^"\\\\\r\n]|\\\\.){1,64}"))${domain}`, 'u')

/** The first address in a text; empty: none. Quotes and marks of bold type in front of it are not of it, though RFC 5322 lets some be. */
export function findAddress(text: string): string {
  if (!text.includes('@')) return ''
  const found = plain.exec(text)
  const other = text.includes('"@') ? quoted.exec(text) : null
  return startOf(other) < startOf(found) ? addressOf(other) : addressOf(found)
}
const startOf = (match: RegExpExecArray | null): number =>
  match === null ? Number.POSITIVE_INFINITY : match.index - (match[1] ?? '').length
const addressOf = (match: RegExpExecArray | null): string => (match === null ? '' : `${match[1]}${match[0]}`)

/** No address is longer, with what stands around it. */
const textMax = 1_000

/** An address without brackets, quotes or marks of bold type around it, a `mailto:`, a source route or a dot behind it. */
export function cleanAddress(text: string): string {
  if (/^[\w.+=-]+@[\w.-]*[a-z\d]$/i.test(text)) return text
  return text
    .slice(0, textMax)
    .trim()
    .replace(/^mailto:/i, '')
    .replace(/^<+(?:mailto:)?/i, '')
    .replace(/^@[^:]+:/, '')
    .replace(/(?<![>.,;:])[>.,;:]+$/, '')
    .replace(/^[*'`‘’“”„«]+(?=[^@]+@)|(?<![*'`‘’“”»])[*'`‘’“”»]+$/g, '')
    .trim()
}

export const domainOf = (address: string): string => {
  const at = address.lastIndexOf('@')
  return at < 0 ? '' : address.slice(at + 1).toLowerCase()
}
