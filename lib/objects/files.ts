/**
 * Objects as files below one folder. A file is written under a temporary name, synced, then linked to its own name, which
 * fails where that exists (`put`), or renamed to it (`putStream`); then its folder is synced. A sweeper applies the
 * lifecycle rules by the time of modification, as a bucket would: at most once a day's worth late by `sweepMs`.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, createReadStream, createWriteStream, openSync, readSync } from 'node:fs'
import { link, mkdir, open, readdir, readFile, rename, rm, rmdir, stat, unlink } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Clock, systemClock } from '#lib/runtime/clock.ts'
import { MailweirError, systemCode } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { type ByteRange, checkKey, type LifecycleRule, type ObjectInfo, type Objects } from './objects.ts'

export type FilesOptions = {
  readonly folder: string
  readonly logger: Logger
  readonly clock?: Clock
}

const sweepMs = 10 * 60_000
const dayMs = 86_400_000
const temporaryFolder = '.tmp'
/**
 * So much of a file is read where we are, as SQLite does: from the system's cache that takes 10 µs, where four turns through the pool of
 * threads take 200.
 */
const hereBytesMax = 256 * 1024
const rulesFile = '.lifecycle.json'
/** A temporary file so old belongs to a process that died. */
const temporaryMs = 24 * 3_600_000

export function openFiles(options: FilesOptions): FilesObjects {
  return new FilesObjects(options)
}

function readHere(path: string, { offset, length }: ByteRange): Buffer {
  const file = openSync(path, 'r')
  try {
    const buffer = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      const read = readSync(file, buffer, filled, length - filled, offset + filled)
      if (read === 0) break
      filled += read
    }
    return buffer.subarray(0, filled)
  } finally {
    closeSync(file)
  }
}

export class FilesObjects implements Objects {
  readonly adapter = 'files'
  readonly #folder: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #timer: NodeJS.Timeout

  constructor(options: FilesOptions) {
    this.#folder = options.folder
    this.#clock = options.clock ?? systemClock
    this.#logger = options.logger
    this.#timer = setInterval(() => {
      this.sweep().catch((error: unknown) => {
        this.#logger.warn({ event: 'objects.sweep.failed', err: error }, 'cannot drop expired files')
      })
    }, sweepMs)
    this.#timer.unref()
  }

  #path(key: string): string {
    checkKey(key)
    return join(this.#folder, ...key.split('/'))
  }

  #temporary(): string {
    return join(this.#folder, temporaryFolder, randomUUID())
  }

  async prepare(): Promise<void> {
    await guard(() => mkdir(join(this.#folder, temporaryFolder), { recursive: true }))
  }

  async check(): Promise<void> {
    await guard(() => stat(join(this.#folder, temporaryFolder))).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') {
        throw new MailweirError('OBJECTS_BUCKET_MISSING', `There is no folder ${this.#folder}`, { cause: error })
      }
      throw error
    })
  }

  async put(key: string, bytes: Buffer): Promise<'stored' | 'exists'> {
    const path = this.#path(key)
    const temporary = this.#temporary()
    return guard(async () => {
      try {
        await this.check()
        const file = await open(temporary, 'wx')
        try {
          await file.writeFile(bytes)
          await file.sync()
        } finally {
          await file.close()
        }
        await mkdir(dirname(path), { recursive: true })
        try {
          await link(temporary, path)
        } catch (error) {
          if (systemCode(error) === 'EEXIST') return 'exists'
          throw error
        }
        await syncFolder(dirname(path))
        return 'stored'
      } finally {
        await unlink(temporary).catch(() => {})
      }
    })
  }

  async putStream(key: string, stream: Readable): Promise<number> {
    const path = this.#path(key)
    const temporary = this.#temporary()
    return guard(async () => {
      try {
        await this.check()
        const sink = createWriteStream(temporary, { flags: 'wx', flush: true })
        await pipeline(stream, sink)
        await mkdir(dirname(path), { recursive: true })
        await rename(temporary, path)
        await syncFolder(dirname(path))
        return sink.bytesWritten
      } finally {
        await unlink(temporary).catch(() => {})
      }
    })
  }

  async get(key: string, range?: ByteRange): Promise<Buffer | null> {
    const path = this.#path(key)
    return guard(async () => {
      try {
        if (range === undefined) return await readFile(path)
        if (range.length <= hereBytesMax) return readHere(path, range)
        const file = await open(path, 'r')
        try {
          const { size } = await file.stat()
          const length = Math.max(0, Math.min(range.length, size - range.offset))
          const buffer = Buffer.allocUnsafe(length)
          let filled = 0
          while (filled < length) {
            const { bytesRead } = await file.read(buffer, filled, length - filled, range.offset + filled)
            if (bytesRead === 0) break
            filled += bytesRead
          }
          return buffer.subarray(0, filled)
        } finally {
          await file.close()
        }
      } catch (error) {
        if (isMissing(error)) return null
        throw error
      }
    })
  }

  async getStream(key: string): Promise<Readable | null> {
    const path = this.#path(key)
    return guard(async () => {
      try {
        const file = await open(path, 'r')
        return createReadStream('', { fd: file })
      } catch (error) {
        if (isMissing(error)) return null
        throw error
      }
    })
  }

  async list(prefix: string, options: { after?: string; limit: number }): Promise<readonly ObjectInfo[]> {
    const found: ObjectInfo[] = []
    for await (const info of this.#walk(prefix, options.after ?? '')) {
      found.push(info)
      if (found.length >= options.limit) break
    }
    return found
  }

  /** All objects below a prefix in the order of their keys; folders that cannot hold one behind `after` are not read. */
  async *#walk(prefix: string, after: string, folder = ''): AsyncGenerator<ObjectInfo> {
    let entries: { name: string; isFolder: boolean }[]
    try {
      entries = (await readdir(join(this.#folder, folder), { withFileTypes: true }))
        .filter((entry) => !entry.name.startsWith('.'))
        // A folder sorts as its name with the slash that follows it in every key below it.
        .map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }))
        .sort((a, b) => compare(a.name + (a.isFolder ? '/' : ''), b.name + (b.isFolder ? '/' : '')))
    } catch (error) {
      if (isMissing(error)) return
      throw storeError(error)
    }
    for (const entry of entries) {
      const key = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isFolder) {
        const below = `${key}/`
        if (!below.startsWith(prefix) && !prefix.startsWith(below)) continue
        if (after !== '' && compare(after, below) > 0 && !after.startsWith(below)) continue
        yield* this.#walk(prefix, after, key)
      } else if (key.startsWith(prefix) && compare(key, after) > 0) {
        try {
          const { size, mtimeMs } = await stat(join(this.#folder, key))
          yield { key, size, modifiedAt: Math.floor(mtimeMs) }
        } catch (error) {
          if (!isMissing(error)) throw storeError(error)
        }
      }
    }
  }

  async remove(key: string): Promise<void> {
    const path = this.#path(key)
    await guard(() => rm(path, { force: true }))
  }

  async setLifecycle(rules: readonly LifecycleRule[]): Promise<void> {
    await guard(async () => {
      await this.check()
      const temporary = this.#temporary()
      const file = await open(temporary, 'wx')
      try {
        await file.writeFile(`${JSON.stringify(rules, null, 2)}\n`)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, join(this.#folder, rulesFile))
    })
  }

  async lifecycle(): Promise<readonly LifecycleRule[]> {
    return guard(async () => {
      try {
        return JSON.parse(await readFile(join(this.#folder, rulesFile), 'utf8')) // Written by setLifecycle alone.
      } catch (error) {
        if (isMissing(error)) return []
        throw error
      }
    })
  }

  /** Drops what the lifecycle rules say, and temporary files that nobody finishes. */
  async sweep(): Promise<number> {
    let dropped = 0
    const now = this.#clock.now()
    for (const rule of await this.lifecycle()) {
      for await (const { key, modifiedAt } of this.#walk(rule.prefix, '')) {
        if (modifiedAt + rule.days * dayMs > now) continue
        const path = this.#path(key)
        await rm(path, { force: true })
        dropped++
        await this.#dropEmptyFolders(dirname(path))
      }
    }
    for (const name of await readdir(join(this.#folder, temporaryFolder)).catch(() => [])) {
      const path = join(this.#folder, temporaryFolder, name)
      const state = await stat(path).catch(() => null)
      if (state !== null && state.mtimeMs + temporaryMs < now) await rm(path, { force: true })
    }
    return dropped
  }

  async #dropEmptyFolders(folder: string): Promise<void> {
    for (let at = folder; relative(this.#folder, at).split(sep).length > 1; at = dirname(at)) {
      try {
        await rmdir(at)
      } catch {
        return // Not empty.
      }
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const isMissing = (error: unknown): boolean => {
  const code = systemCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR'
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function storeError(error: unknown): unknown {
  if (error instanceof MailweirError) return error
  const code = systemCode(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new MailweirError('OBJECTS_FULL', 'The disk under the files store is full', {
      cause: error,
      retriable: true,
    })
  }
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new MailweirError('OBJECTS_DENIED', `The files store may not be written (${code})`, { cause: error })
  }
  return new MailweirError('OBJECTS_UNAVAILABLE', `The files store failed${code ? ` (${code})` : ''}`, {
    cause: error,
    retriable: true,
  })
}

async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storeError(error)
  }
}
