/** Addresses as they stand in text: `<user@example.com>`, `"John Doe"@example.com`, `user@[192.0.2.1]`. */

const pattern =
  /(?:"(?:[^"\\\r\n]|\\.){1,64}"|[^\s<>()[\]:;,"@\\\x00-\x20\x7f*'`‘’“”„«][^\s<>()[\]:;,"@\\\x00-\x20\x7f]{0,63})@(?:\[[0-9A-Fa-f:.]{2,64}\]|[\p{L}\p{N}_](?:[\p{L}\p{N}_.-]{0,252}[\p{L}\p{N}])?)/gu

/** The most usual form, between spaces, brackets or signs that end an address: as the pattern above finds it, in a third of the time. */
const usual = /(?<=^|[\s<>()[\]:;,"])[\w.+=-]{1,64}@[a-zA-Z\d](?:[\w.-]{0,252}[a-zA-Z\d])?(?=$|[\s<>()\]:;,"'])/g

/** The first address in a text; empty: none. Quotes and marks of bold type in front of it are not of it, though RFC 5322 lets some be. */
export function findAddress(text: string): string {
  const at = text.indexOf('@')
  if (at < 0) return ''
  // Only a quoted local part has spaces: another one starts behind the last of them, and what is in front need not be tried.
  const isQuoted = text.includes('"@')
  pattern.lastIndex = isQuoted ? 0 : text.lastIndexOf(' ', at) + 1
  usual.lastIndex = pattern.lastIndex
  const first = isQuoted ? null : usual.exec(text)
  if (first !== null && first.index + first[0].indexOf('@') === at) return first[0]
  return pattern.exec(text)?.[0] ?? ''
}

/** An address without brackets, quotes or marks of bold type around it, a `mailto:`, a source route or a dot behind it. */
export function cleanAddress(text: string): string {
  if (/^[\w.+=-]+@[\w.-]*[a-z\d]$/i.test(text)) return text
  return text
    .trim()
    .replace(/^mailto:/i, '')
    .replace(/^<+(?:mailto:)?/i, '')
    .replace(/^@[^:]+:/, '')
    .replace(/[>.,;:]+$/, '')
    .replace(/^[*'`‘’“”„«]+(?=[^@]+@)|[*'`‘’“”»]+$/g, '')
    .trim()
}

export const domainOf = (address: string): string => {
  const at = address.lastIndexOf('@')
  return at < 0 ? '' : address.slice(at + 1).toLowerCase()
}
