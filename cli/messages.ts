/** Messages from files and from the standard input. */
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
