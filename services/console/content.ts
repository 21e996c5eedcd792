/** What a person reads of a message: header fields, text, and what is attached. Text only: nothing of it is ever HTML. */
import { simpleParser } from 'mailparser'

export type Content = {
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
    text: (parsed.text ?? '').slice(0, textMax),
    attachments: parsed.attachments.slice(0, attachmentsMax).map(({ filename, contentType, size }) => ({
      name: (filename ?? '').slice(0, valueMax),
      type: contentType,
      size,
    })),
    cut: message.length > bytesMax,
  }
}
