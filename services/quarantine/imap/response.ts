/** Strings of IMAP responses (RFC 9051 section 4.3). Text is latin1 here: a character is a byte. */

const quotable = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/** A quoted string, or a literal where a quoted string cannot hold the bytes. */
export function quoted(text: string): string {
  if (quotable.test(text)) return `"${text}"`
  if (/^[\x01-\x09\x0b\x0c\x0e-\x7f]*$/.test(text) && text.length < 1_000) return `"${text.replace(/["\\]/g, '\\$&')}"`
  return `{${text.length}}\r\n${text}`
}

export const nstring = (text: string | null): string => (text === null ? 'NIL' : quoted(text))

/** A mailbox name: an atom where it can be, else a quoted string. */
export const astring = (text: string): string =>
  /^[A-Za-z0-9/._+=@&,'-]+$/.test(text) && !/^NIL$/i.test(text) ? text : quoted(text)

/** A date-time (RFC 9051 section 9): `"24-Nov-2026 12:00:00 +0000"`. */
export function dateTime(at: number): string {
  const [, day = '', month = '', year = '', time = ''] =
    /^\w+, (\d\d) (\w+) (\d{4}) ([\d:]+)/.exec(new Date(at).toUTCString()) ?? []
  return `"${day}-${month}-${year} ${time} +0000"`
}
