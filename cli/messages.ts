/** Messages from files, mboxes and the standard input. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** Of a larger message so much is read. */
const bytesMax = 64 * 1024 * 1024

/** @param path - is the standard input */
export function readMessage(path: string): Buffer {
  const file = path === '-' ? 0 : openSync(path, 'r')
  try {
    const chunks: Buffer[] = []
    let size = 0
    while (size < bytesMax) {
      const chunk = Buffer.allocUnsafe(Math.min(bytesMax - size, Math.max(65_536, fstatSync(file).size + 1)))
      const length = readSync(file, chunk)
      if (length === 0) break
      chunks.push(chunk.subarray(0, length))
      size += length
    }
    return Buffer.concat(chunks)
  } finally {
    if (path !== '-') closeSync(file)
  }
}

const separator = Buffer.from('From ')
/** As writers of mbox make it (RFC 4155): an address, and a time as asctime gives it. */
const separatorLine = /^From \S+ +[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d/

/** The messages of a file: the one that it is, or those of an mbox, numbered. Quoted From lines lose one `>` (mboxrd). */
export function messagesIn(name: string, bytes: Buffer): { name: string; bytes: Buffer }[] {
  if (!bytes.subarray(0, separator.length).equals(separator)) return [{ name, bytes }]
  const starts: number[] = []
  for (let at = 0; at >= 0 && at < bytes.length; ) {
    if (separatorLine.test(bytes.toString('latin1', at, at + 200)) || at === 0) starts.push(at)
    const next = bytes.indexOf('\nFrom ', at)
    at = next < 0 ? -1 : next + 1
  }
  const messages = starts.map((start, index) => {
    const body = bytes.indexOf(0x0a, start) + 1
    const whole = bytes.subarray(body === 0 ? bytes.length : body, starts[index + 1] ?? bytes.length)
    return Buffer.from(whole.toString('latin1').replace(/^>(>*From )/gm, '$1'), 'latin1')
  })
  return messages.map((message, index) => ({
    name: messages.length === 1 ? name : `${name}:${index + 1}`,
    bytes: message,
  }))
}
