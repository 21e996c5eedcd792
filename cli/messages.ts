/** Messages from files, mboxes and the standard input. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** Of a larger message so much is read. */
export const messageBytesMax = 64 * 1024 * 1024
const [chunkBytesMin, chunkBytesMax] = [64 * 1024, 8 * 1024 * 1024]

export type FileMessage = {
  readonly name: string
  readonly bytes: Buffer
  /** It is larger than what is read of a message. */
  readonly isCut: boolean
}

/** @param path - is the standard input */
export function* messagesOf(path: string): Generator<FileMessage> {
  const file = path === '-' ? 0 : openSync(path, 'r')
  try {
    yield* messagesIn(path, chunksOf(file))
  } finally {
    if (path !== '-') closeSync(file)
  }
}

/** The first message of a file. */
export function readMessage(path: string): Buffer {
  for (const { bytes } of messagesOf(path)) return bytes
  return Buffer.alloc(0)
}

function* chunksOf(file: number): Generator<Buffer> {
  // Most files are read at once.
  const chunkBytes = Math.min(chunkBytesMax, Math.max(chunkBytesMin, fstatSync(file).size + 1))
  for (;;) {
    const chunk = Buffer.allocUnsafe(chunkBytes)
    const length = readSync(file, chunk)
    if (length === 0) return
    yield chunk.subarray(0, length)
  }
}

const separator = Buffer.from('From ')
/** As writers of mbox make it (RFC 4155): an address, and a time as asctime gives it. */
const separatorLine = /^From \S+ +[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d/
/** Bytes of it that are looked at. */
const separatorMax = 200

/**
 * The messages of a file as it is read: the one that it is, or those of an mbox, numbered where they are several. Quoted From lines lose one
 * `>` (mboxrd).
 */
export function* messagesIn(
  name: string,
  chunks: Iterable<Buffer>,
  bytesMax = messageBytesMax,
): Generator<FileMessage> {
  const source = chunks[Symbol.iterator]()
  let rest: Buffer = Buffer.alloc(0)
  const readMore = (): boolean => {
    const { done, value } = source.next()
    if (done !== true) rest = Buffer.concat([rest, value])
    return done !== true
  }
  while (rest.length < separator.length && readMore());
  if (!rest.subarray(0, separator.length).equals(separator)) {
    while (rest.length <= bytesMax && readMore());
    yield { name, bytes: rest.subarray(0, bytesMax), isCut: rest.length > bytesMax }
    return
  }
  /** Of a message that is too large, what is read of it; the rest is passed over. */
  let front: Buffer | null = null
  let from = 0
  let isEnd = false
  for (let count = 1; ; ) {
    const next = nextStart(rest, from, isEnd)
    if (next < 0 && !isEnd) {
      if (rest.length > bytesMax) front ??= rest.subarray(0, bytesMax)
      if (front !== null) rest = rest.subarray(-2 * separatorMax)
      from = Math.max(0, rest.length - 2 * separatorMax)
      isEnd = !readMore()
      continue
    }
    const bytes = unquoted(front ?? (next < 0 ? rest : rest.subarray(0, next)))
    yield { name: count === 1 && next < 0 ? name : `${name}:${count}`, bytes, isCut: front !== null }
    if (next < 0) return
    count++
    rest = rest.subarray(next)
    front = null
    from = 0
  }
}

/** Where the next message of an mbox begins; -1: nowhere, as far as can be told. */
function nextStart(bytes: Buffer, from: number, isEnd: boolean): number {
  for (let at = bytes.indexOf('\nFrom ', from); at >= 0; at = bytes.indexOf('\nFrom ', at + 1)) {
    if (!isEnd && at + 1 + separatorMax > bytes.length) return -1
    if (separatorLine.test(bytes.toString('latin1', at + 1, at + 1 + separatorMax))) return at + 1
  }
  return -1
}

/** Without the separator's line. */
function unquoted(message: Buffer): Buffer {
  const end = message.indexOf(0x0a)
  const body = end < 0 ? '' : message.toString('latin1', end + 1)
  return Buffer.from(body.replace(/^>(>*From )/gm, '$1'), 'latin1')
}
