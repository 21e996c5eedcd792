/**
 * Segments: Avro object container files (Avro specification, "Object Container Files") with zstandard blocks.
 *
 *   "Obj" 01, file metadata (a map of bytes), 16 bytes sync marker
 *   block: number of records (long), bytes of the block (long), zstd of the records, sync marker; and so on
 *
 * Any Avro reader opens them. Ours remembers where each block starts, so that one message is one ranged read. The sync marker is
 * made from the key, so that the same records make the same bytes.
 */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress } from 'node:zlib'
import avro from 'avsc'
import { LRUCache } from 'lru-cache'
import type { Objects } from '#lib/objects/objects.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { unpackZstd } from '#lib/runtime/zstd.ts'
import { endOf, readField, readValue, viewBytes } from '#schemas/bounds.ts'
import { schemaText, typeOf } from '#schemas/codec.ts'
import type { Location, Segment } from '#schemas/types.ts'

const compress = promisify(zstdCompress)

const magic = Buffer.from([0x4f, 0x62, 0x6a, 0x01])
const headerType = avro.Type.forSchema({ type: 'map', values: 'bytes' })
const longType = avro.Type.forSchema('long')
const blockBytes = 128 * 1024
const zstdLevel = 3
/** A block holds blockBytes and one record more, which is as large as a record of the log may be. */
const blockBytesMax = 64 * 1024 * 1024

/** On one line; it is in every file. */
const schemaLine = Buffer.from(JSON.stringify(JSON.parse(schemaText('segment'))))

/** Packs records; gives the file and where each record is in it. */
export async function packSegment(
  key: string,
  records: readonly Segment[],
): Promise<{ bytes: Buffer; locations: Location[] }> {
  const type = typeOf('segment')
  const sync = createHash('sha256').update(key).digest().subarray(0, 16)
  const header = Buffer.concat([
    magic,
    headerType.toBuffer({
      'avro.schema': schemaLine,
      'avro.codec': Buffer.from('zstandard'),
    }),
    sync,
  ])
  const pieces: Buffer[] = [header]
  const locations: Location[] = []
  let offset = header.length
  for (let at = 0; at < records.length; ) {
    const encoded: Buffer[] = []
    let size = 0
    while (at + encoded.length < records.length && (encoded.length === 0 || size < blockBytes)) {
      const bytes = type.toBuffer(records[at + encoded.length])
      encoded.push(bytes)
      size += bytes.length
    }
    const packed = await compress(Buffer.concat(encoded), {
      params: { [constants.ZSTD_c_compressionLevel]: zstdLevel, [constants.ZSTD_c_checksumFlag]: 1 },
    })
    const block = Buffer.concat([longType.toBuffer(encoded.length), longType.toBuffer(packed.length), packed, sync])
    for (let index = 0; index < encoded.length; index++) {
      locations.push({ object: key, blockOffset: offset, blockLength: block.length, recordIndex: index })
    }
    pieces.push(block)
    offset += block.length
    at += encoded.length
  }
  return { bytes: Buffer.concat(pieces), locations }
}

/** All records of a segment with their locations. */
export async function unpackSegment(key: string, bytes: Buffer): Promise<{ record: Segment; location: Location }[]> {
  try {
    if (!bytes.subarray(0, 4).equals(magic)) throw new Error('it does not start like one')
    const headerEnd = endOf(headerType, bytes, 4)
    const found: { record: Segment; location: Location }[] = []
    let at = headerEnd + 16
    while (at < bytes.length) {
      const length = blockLength(bytes, at)
      const records = await readBlock(bytes.subarray(at, at + length))
      for (const [recordIndex, record] of records.entries()) {
        found.push({ record, location: { object: key, blockOffset: at, blockLength: length, recordIndex } })
      }
      at += length
    }
    return found
  } catch (error) {
    throw corrupt(key, error)
  }
}

function blockLength(bytes: Buffer, at: number): number {
  const count = longType.decode(bytes, at)
  const size = longType.decode(bytes, count.offset)
  const end = size.offset + Number(size.value) + 16
  if (count.offset < 0 || size.offset < 0 || Number(size.value) < 0 || end > bytes.length)
    throw new Error('a block is cut off')
  return end - at
}

async function readBlock(block: Buffer): Promise<Segment[]> {
  const { raw, count } = await unpackBlock(block)
  const type = typeOf('segment')
  const records: Segment[] = []
  let at = 0
  for (let index = 0; index < count; index++) {
    const { value, end } = readValue(type, raw, at)
    records.push(value as Segment) // What the schema of segments reads.
    at = end
  }
  if (at !== raw.length) throw new Error('bytes are left over in a block')
  return records
}

async function unpackBlock(block: Buffer): Promise<{ raw: Buffer; count: number }> {
  const count = longType.decode(block, 0)
  const size = longType.decode(block, count.offset)
  if (count.offset < 0 || size.offset < 0) throw new Error('a block is cut off')
  const packed = block.subarray(size.offset, size.offset + Number(size.value))
  return { raw: await unpackZstd(packed, blockBytesMax), count: Number(count.value) }
}

/** A block in memory: its records are found and read when they are asked for. */
class Block {
  readonly raw: Buffer
  readonly #count: number
  /** Where the records start, as far as anybody has looked. */
  readonly #starts = [0]
  /** Whose bytes were asked for. */
  readonly #read = new Set<number>()

  constructor(raw: Buffer, count: number) {
    this.raw = raw
    this.#count = count
  }

  #start(index: number): number {
    if (index < 0 || index >= this.#count) throw new Error('the block has fewer records')
    const type = typeOf('segment')
    while (this.#starts.length <= index) this.#starts.push(endOf(type, this.raw, this.#starts.at(-1) ?? 0))
    return this.#starts[index] ?? 0
  }

  record(index: number): Segment {
    return readValue(typeOf('segment'), this.raw, this.#start(index)).value as Segment // What the schema of segments reads.
  }

  /** What a message needs of its record, without the rest; its bytes are a view into the block. */
  content(index: number): Pick<Segment, 'bytes' | 'claim'> {
    const type = typeOf('segment')
    const bytes = viewBytes(type, 'bytes', this.raw, this.#start(index))
    const claim = bytes === null ? (readField(type, 'claim', this.raw, this.#start(index)) as Segment['claim']) : null
    this.#read.add(index)
    return { bytes, claim }
  }

  /** Those that were asked for. */
  *read(): Generator<[number, Buffer]> {
    for (const index of this.#read) {
      const { bytes } = this.content(index)
      if (bytes !== null && bytes.length <= keptBytesMax) yield [index, bytes]
    }
  }
}

const corrupt = (key: string, cause: unknown): MailweirError =>
  new MailweirError('SEGMENT_CORRUPT', `The object ${key} is not a segment as it was written`, {
    cause,
    fields: { key },
  })

/** A message so large is not kept alone. */
const keptBytesMax = 64 * 1024
/** Blocks that one ranged read brings, when they stand side by side. */
const runBlocksMax = 16

/** What an entry of a cache takes beside its bytes. */
const entryBytes = 512

const keyOf = ({ object, blockOffset }: Location): string => `${object} ${blockOffset}`

/**
 * Reads single messages out of segments, with a cache bounded by bytes: three quarters of it are blocks, the rest the messages that were
 * read of blocks which had to go, since whoever has read a message asks for it again.
 */
export class SegmentReader {
  readonly #objects: Objects
  readonly #blocks: LRUCache<string, { readonly block: Promise<Block | null>; readonly known: Block | null }>
  readonly #messages: LRUCache<string, Buffer>
  /** Packed bytes that are on their way, and how many may be before nothing more is loaded ahead. */
  #underWay = 0
  readonly #aheadBytesMax: number

  constructor(objects: Objects, bytesMax: number) {
    this.#objects = objects
    this.#aheadBytesMax = bytesMax / 4
    const messagesBytesMax = Math.ceil(bytesMax / 4)
    this.#messages = new LRUCache({
      maxSize: messagesBytesMax,
      sizeCalculation: ({ length }) => length + entryBytes,
    })
    this.#blocks = new LRUCache({
      maxSize: bytesMax - messagesBytesMax,
      // What is on its way is as large as a block is meant to be.
      sizeCalculation: ({ known }) => entryBytes + (known === null ? blockBytes : known.raw.length),
      dispose: ({ known }, key, why) => {
        if (why !== 'evict') return
        // A copy, so that the rest of the block goes.
        for (const [index, bytes] of known?.read() ?? []) this.#messages.set(`${key} ${index}`, Buffer.from(bytes))
      },
    })
  }

  /**
   * Loads the blocks of these, in the order in which they will be asked for, if they are not here; those that stand side by side come
   * by one ranged read. Whoever asks for the messages waits for them and hears of errors. Where much is on its way already, of whomever,
   * it does nothing: what is needed is loaded when it is asked for.
   */
  ahead(locations: readonly Location[]): void {
    let run: Location[] = []
    for (const location of locations) {
      if (this.#underWay > this.#aheadBytesMax) return
      const key = keyOf(location)
      const last = run.at(-1)
      if (this.#blocks.has(key) || this.#messages.has(`${key} ${location.recordIndex}`)) continue
      if (last !== undefined && keyOf(last) === key) continue
      const follows =
        last !== undefined &&
        last.object === location.object &&
        last.blockOffset + last.blockLength === location.blockOffset
      if (run.length > 0 && (!follows || run.length >= runBlocksMax)) {
        this.#load(run)
        run = []
      }
      run.push(location)
    }
    if (run.length > 0) this.#load(run)
  }

  /** Blocks of one object that stand side by side. */
  #load(run: readonly Location[]): void {
    const [first] = run
    if (first === undefined) return
    const length = run.reduce((sum, { blockLength }) => sum + blockLength, 0)
    this.#underWay += length
    const bytes = this.#objects.get(first.object, { offset: first.blockOffset, length }).finally(() => {
      this.#underWay -= length
    })
    for (const location of run) {
      const key = keyOf(location)
      const from = location.blockOffset - first.blockOffset
      const block = bytes.then(async (all) => {
        if (all === null) {
          this.#blocks.delete(key)
          return null
        }
        const { raw, count } = await unpackBlock(all.subarray(from, from + location.blockLength)).catch(
          (error: unknown) => {
            throw corrupt(location.object, error)
          },
        )
        const known = new Block(raw, count)
        // It may have been put aside meanwhile.
        if (this.#blocks.has(key)) this.#blocks.set(key, { block, known })
        return known
      })
      block.catch(() => this.#blocks.delete(key))
      this.#blocks.set(key, { block, known: null })
    }
  }

  async #block(location: Location): Promise<Block | null> {
    const key = keyOf(location)
    const entry = this.#blocks.get(key)
    if (entry !== undefined) return entry.known ?? entry.block
    this.#load([location])
    return this.#blocks.get(key)?.block ?? null
  }

  /** The record at a location; null: the object is not there any more. */
  async record(location: Location): Promise<Segment | null> {
    const block = await this.#block(location)
    try {
      return block === null ? null : block.record(location.recordIndex)
    } catch (error) {
      throw corrupt(location.object, error)
    }
  }

  /** The exact bytes of a message; null: no longer stored. */
  async message(location: Location): Promise<Buffer | null> {
    const kept = this.#messages.get(`${keyOf(location)} ${location.recordIndex}`)
    if (kept !== undefined) return kept
    const block = await this.#block(location)
    if (block === null) return null
    try {
      const { bytes, claim } = block.content(location.recordIndex)
      return bytes ?? (await this.bytesOf({ bytes, claim }))
    } catch (error) {
      if (error instanceof MailweirError) throw error
      throw corrupt(location.object, error)
    }
  }

  /** The exact bytes of a record that was read; null: its claim is no longer stored. */
  async bytesOf({ bytes, claim }: Pick<Segment, 'bytes' | 'claim'>): Promise<Buffer | null> {
    return bytes ?? (claim === null ? null : this.#objects.get(claim.key))
  }
}
