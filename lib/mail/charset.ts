/**
 * Bytes of mail → text. Never throws: an unknown charset is read as UTF-8 where that fits, otherwise as what the caller falls back to:
 * windows-1252, as mail programs do, or a guess.
 */

import { isAscii } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { analyse } from 'chardet'
import libmime from 'libmime'

const decoders = new Map<string, TextDecoder | null>()

function decoderOf(charset: string): TextDecoder | null {
  const name = charset.trim().toLowerCase()
  let decoder = decoders.get(name)
  if (decoder === undefined) {
    try {
      decoder = new TextDecoder(name)
    } catch {
      decoder = null
    }
    if (decoders.size < 200) decoders.set(name, decoder) // Names come from strangers.
  }
  return decoder
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })
/** Declared where another one is meant, too: what is UTF-8 by all its bytes is that. */
const westernName = /^(?:us-ascii|ascii|utf-?8|iso-8859-15?|latin-?1|windows-1252|cp1252)?$/
/** How ISO-2022-JP (RFC 1468) goes over to two bytes for a character; all its bytes are ASCII. */
const japaneseEscape = /\x1b\$[@B]/
const escapeByte = 0x1b

/** The charset of text that declares none and is not UTF-8. */
export type Fallback = (bytes: Uint8Array) => string
const westernDefault = 'windows-1252'
const western: Fallback = () => westernDefault

export function decodeText(bytes: Uint8Array, charset: string, fallback: Fallback = western): string {
  const name = charset.trim().toLowerCase()
  const declared = westernName.test(name) ? null : decoderOf(name)
  if (declared !== null) return declared.decode(bytes)
  const text = utf8(bytes)
  if (text === null) {
    const known = /^(?:us-)?ascii$|^utf|^$/.test(name) ? null : decoderOf(name)
    return (known ?? decoderOf(fallback(bytes)) ?? decoderOf(westernDefault))?.decode(bytes) ?? ''
  }
  return bytes.includes(escapeByte) && japaneseEscape.test(text)
    ? (decoderOf('iso-2022-jp')?.decode(bytes) ?? text)
    : text
}

/** Whether a charset is one that says more than that the text is in some western one. */
export const isTelling = (charset: string): boolean => {
  const name = charset.trim().toLowerCase()
  return !westernName.test(name) && decoderOf(name) !== null
}

/** null: it is not. */
function utf8(bytes: Uint8Array): string | null {
  // Most of mail is: it takes a tenth of the time.
  if (isAscii(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return null
  }
}

/** What tells charsets apart stands at the front, and a stranger's text is not looked at for long. */
const guessBytesMax = 4 * 1024
/** Of charsets with two bytes for a character short texts fit many. */
const leastConfidence = { double: 50, single: 30 } as const
const doubles = /^(?:GB18030|Big5|EUC-KR|EUC-JP|Shift_JIS)$/
const singles = /^(?:KOI8-R|windows-125[0-9]|ISO-8859-[1-9])$/

/** A guess at the charset of text, by which characters it would have; windows-1252 where nothing is surer; empty: it is ASCII. */
export function guessCharset(bytes: Uint8Array): string {
  let at = 0
  while (at < bytes.length && (bytes[at] ?? 0) < 0x80) at++
  const from = Math.max(0, at - guessBytesMax / 8)
  const [best] = at === bytes.length ? [] : analyse(bytes.subarray(from, from + guessBytesMax))
  if (best === undefined) return ''
  const isSure =
    (doubles.test(best.name) && best.confidence >= leastConfidence.double) ||
    (singles.test(best.name) && best.confidence >= leastConfidence.single)
  return isSure ? best.name : westernDefault
}

/** Of so many characters of a field words are decoded, unless the caller says how many; the rest stays as it is. */
const wordsTextMax = 8 * 1024
const encodedWord = /=\?[^?\s]+\?[bqBQ]\?[^?]*\?=/

/** Or ISO-2022-JP. */
const eightBit = /[\x80-\xff]|\x1b\$/

/**
 * A header field's text with RFC 2047 encoded words decoded, of its first `wordsMax` characters.
 * @param raw the field's body, unfolded, a character for each byte
 */
export function decodeHeaderText(raw: string, fallback?: Fallback, wordsMax = wordsTextMax): string {
  const text = eightBit.test(raw) ? decodeText(Buffer.from(raw, 'latin1'), '', fallback) : raw
  if (!text.includes('=?') || !encodedWord.test(text)) return text
  try {
    return libmime.decodeWords(text.slice(0, wordsMax)) + text.slice(wordsMax)
  } catch {
    return text
  }
}
