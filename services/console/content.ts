/** What a person reads of a message: header fields, text, and what is attached. HTML is for a frame of its own. */
import { type ParsedMail, type SimpleParserOptions, simpleParser } from 'mailparser'
import { fieldText, parseMime, partText, walkParts } from '#lib/mail/mime.ts'

export type Content = {
  /** Whether there is HTML to show in a frame. */
  readonly hasHtml: boolean
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly text: string
  readonly attachments: readonly { readonly name: string; readonly type: string; readonly size: number }[]
  /** True: there is more in the message than was read of it. */
  readonly cut: boolean
}

/** Of a larger message so much is read. */
const bytesMax = 2 * 1024 * 1024
const textMax = 200_000
const headersMax = 200
const valueMax = 2_000
const attachmentsMax = 100
const htmlMax = 1024 * 1024

/** Null: it is built so that mailparser gives up on it, of thousands of parts for example. */
const parse = (message: Buffer, options: SimpleParserOptions): Promise<ParsedMail | null> =>
  simpleParser(message, { skipTextToHtml: true, skipImageLinks: true, ...options }).catch(() => null)

export async function readContent(message: Buffer): Promise<Content> {
  const bytes = message.subarray(0, bytesMax)
  const parsed = await parse(bytes, { skipTextLinks: true, maxHtmlLengthToParse: textMax })
  if (parsed === null) return readPlainly(bytes)
  return {
    headers: parsed.headerLines.slice(0, headersMax).map(({ key, line }) => ({
      name: key,
      value: line
        .slice(line.indexOf(':') + 1)
        .trim()
        .slice(0, valueMax),
    })),
    hasHtml: parsed.html !== false,
    text: (parsed.text ?? '').slice(0, textMax),
    attachments: parsed.attachments.slice(0, attachmentsMax).map(({ filename, contentType, size }) => ({
      name: (filename ?? '').slice(0, valueMax),
      type: contentType,
      size,
    })),
    cut: message.length > bytesMax,
  }
}

/** The header and the first text. */
function readPlainly(bytes: Buffer): Content {
  const root = parseMime(bytes)
  const first = walkParts(root).find((part) => part.children.length === 0 && part.type === 'text/plain')
  return {
    headers: root.fields.slice(0, headersMax).map((field) => ({
      name: field.name,
      value: fieldText(bytes, field).slice(0, valueMax),
    })),
    hasHtml: false,
    text: first === undefined ? '' : partText(bytes, first, textMax),
    attachments: [],
    cut: true,
  }
}

/** The HTML part as it stands; empty: there is none. It must only be shown where nothing of it can run or load. */
export async function readHtml(message: Buffer): Promise<string> {
  const parsed = await parse(message.subarray(0, bytesMax), { skipHtmlToText: true })
  return (parsed?.html || '').slice(0, htmlMax)
}

/** The attachment with this number, of the whole message; null: there is none. */
export async function readAttachment(
  message: Buffer,
  index: number,
): Promise<{ readonly name: string; readonly content: Buffer } | null> {
  const parsed = await parse(message, { skipHtmlToText: true })
  const found = parsed?.attachments.slice(0, attachmentsMax)[index]
  return found === undefined ? null : { name: (found.filename ?? '').slice(0, 200), content: found.content }
}
