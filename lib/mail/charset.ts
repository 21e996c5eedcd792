/**
 * Bytes of mail → text. Never throws: an unknown charset is read as UTF-8 where that fits and as windows-1252 otherwise,
 * as mail programs do.
 */

import { TextDecoder } from 'node:util'
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
const windows1252 = new TextDecoder('windows-1252')

export function decodeText(bytes: Uint8Array, charset: string): string {
  const name = charset.trim().toLowerCase()
  if (name !== '' && name !== 'us-ascii' && name !== 'utf-8') {
    const decoder = decoderOf(name)
    if (decoder !== null) return decoder.decode(bytes)
  }
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return windows1252.decode(bytes)
  }
}

/** Of so many characters of a field words are decoded; the rest stays as it is. */
const wordsTextMax = 8 * 1024
const encodedWord = /=\?[^?\s]+\?[bqBQ]\?[^?]*\?=/

const eightBit = /[\x80-\xff]/

/** A header field's text with RFC 2047 encoded words decoded; `raw` is the field's body, unfolded, a character for each byte. */
export function decodeHeaderText(raw: string): string {
  const text = eightBit.test(raw) ? decodeText(Buffer.from(raw, 'latin1'), '') : raw
  if (!text.includes('=?') || !encodedWord.test(text)) return text
  try {
    return libmime.decodeWords(text.slice(0, wordsTextMax)) + text.slice(wordsTextMax)
  } catch {
    return text
  }
}
