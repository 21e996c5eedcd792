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
import type { Objects } from '#lib/objects/objects.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { unpackZstd } from '#lib/runtime/zstd.ts'
import { endOf, readValue } from '#schemas/bounds.ts'
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
      'avro.schema': Buffer.from(JSON.stringify(JSON.parse(schemaText('segment')))),
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

  constructor(raw: Buffer, count: number) {
    this.raw = raw
    this.#count = count
  }

  record(index: number): Segment {
    if (index < 0 || index >= this.#count) throw new Error('the block has fewer records')
    const type = typeOf('segment')
    while (this.#starts.length <= index) this.#starts.push(endOf(type, this.raw, this.#starts.at(-1) ?? 0))
    return readValue(type, this.raw, this.#starts[index] ?? 0).value as Segment // What the schema of segments reads.
  }
}

const corrupt = (key: string, cause: unknown): MailweirError =>
  new MailweirError('SEGMENT_CORRUPT', `The object ${key} is not a segment as it was written`, {
    cause,
    fields: { key },
  })

/** Reads single messages out of segments, with a cache of blocks bounded by bytes. */
export class SegmentReader {
  readonly #objects: Objects
  readonly #bytesMax: number
  readonly #blocks = new Map<string, { block: Promise<Block | null>; bytes: number }>()
  #bytes = 0

  constructor(objects: Objects, bytesMax: number) {
    this.#objects = objects
    this.#bytesMax = bytesMax
  }

  /** The record at a location; null: the object is not there any more. */
  async record(location: Location): Promise<Segment | null> {
    const key = `${location.object} ${location.blockOffset}`
    let entry = this.#blocks.get(key)
    if (entry !== undefined) {
      // The most recently used are last.
      this.#blocks.delete(key)
      this.#blocks.set(key, entry)
    } else {
      entry = { block: this.#load(location, key), bytes: 0 }
      this.#blocks.set(key, entry)
    }
    const block = await entry.block
    try {
      return block === null ? null : block.record(location.recordIndex)
    } catch (error) {
      throw corrupt(location.object, error)
    }
  }

  async #load(location: Location, key: string): Promise<Block | null> {
    try {
      const block = await this.#objects.get(location.object, {
        offset: location.blockOffset,
        length: location.blockLength,
      })
      if (block === null) {
        this.#blocks.delete(key)
        return null
      }
      const { raw, count } = await unpackBlock(block).catch((error: unknown) => {
        throw corrupt(location.object, error)
      })
      const bytes = raw.length + 512
      const entry = this.#blocks.get(key)
      if (entry !== undefined) {
        entry.bytes = bytes
        this.#bytes += bytes
        for (const [old, { bytes: oldBytes }] of this.#blocks) {
          if (this.#bytes <= this.#bytesMax || old === key) break
          this.#blocks.delete(old)
          this.#bytes -= oldBytes
        }
      }
      return new Block(raw, count)
    } catch (error) {
      this.#blocks.delete(key)
      throw error
    }
  }

  /** The exact bytes of a message; null: no longer stored. */
  async message(location: Location): Promise<Buffer | null> {
    const record = await this.record(location)
    return record === null ? null : this.bytesOf(record)
  }

  /** The exact bytes of a record that was read; null: its claim is no longer stored. */
  async bytesOf({ bytes, claim }: Segment): Promise<Buffer | null> {
    return bytes ?? (claim === null ? null : this.#objects.get(claim.key))
  }
}
