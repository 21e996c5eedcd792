/** What a person reads of a message: header fields, text, and what is attached. HTML is for a frame of its own. */
import { simpleParser } from 'mailparser'

export type Content = {
  /** Whether there is HTML to show in a frame. */
  readonly hasHtml: boolean
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly text: string
  readonly attachments: readonly { readonly name: string; readonly type: string; readonly size: number }[]
  /** True: the message is larger than what was read of it. */
  readonly cut: boolean
}

/** Of a larger message so much is read. */
const bytesMax = 2 * 1024 * 1024
const textMax = 200_000
const headersMax = 200
const valueMax = 2_000
const attachmentsMax = 100
const htmlMax = 1024 * 1024

export async function readContent(message: Buffer): Promise<Content> {
  const parsed = await simpleParser(message.subarray(0, bytesMax), {
    skipTextToHtml: true,
    skipTextLinks: true,
    skipImageLinks: true,
    maxHtmlLengthToParse: textMax,
  })
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

/** The HTML part as it stands; empty: there is none. It must only be shown where nothing of it can run or load. */
export async function readHtml(message: Buffer): Promise<string> {
  const { html } = await simpleParser(message.subarray(0, bytesMax), {
    skipTextToHtml: true,
    skipHtmlToText: true,
    skipImageLinks: true,
  })
  return (html || '').slice(0, htmlMax)
}

/** The attachment with this number, of the whole message; null: there is none. */
export async function readAttachment(
  message: Buffer,
  index: number,
): Promise<{ readonly name: string; readonly content: Buffer } | null> {
  const how = { skipTextToHtml: true, skipHtmlToText: true, skipImageLinks: true }
  const found = (await simpleParser(message, how)).attachments.slice(0, attachmentsMax)[index]
  return found === undefined ? null : { name: (found.filename ?? '').slice(0, 200), content: found.content }
}
