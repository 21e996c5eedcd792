/** Strings of IMAP responses (RFC 9051 section 4.3). Text is latin1 here: a character is a byte. */

const quotable = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/** Mail programs bound the lines that they read, and a stranger writes what stands here. */
const quotedMax = 1_000

/** A quoted string, or a literal where a quoted string cannot hold the bytes, or would be long. */
export function quoted(text: string): string {
  if (text.length <= quotedMax) {
    if (quotable.test(text)) return `"${text}"`
    if (/^[\x01-\x09\x0b\x0c\x0e-\x7f]*$/.test(text)) return `"${text.replace(/["\\]/g, '\\$&')}"`
  }
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

/**
 * A mailbox name.
 * @param utf8 for those who enabled rev2 (RFC 9051 section 5.1); else modified UTF-7 (RFC 3501 section 5.1.3)
 */
export function mailboxText(name: string, utf8: boolean): string {
  if (/^[\x20-\x25\x27-\x7e]*$/.test(name)) return astring(name)
  return utf8 ? quoted(Buffer.from(name).toString('latin1')) : astring(toUtf7(name))
}

const toUtf7 = (name: string): string =>
  name.replace(/&|[^\x20-\x7e]+/g, (run) => {
    if (run === '&') return '&-'
    const utf16 = Buffer.from(run, 'utf16le').swap16()
    return `&${utf16.toString('base64').replace(/=+$/, '').replaceAll('/', ',')}-`
  })
