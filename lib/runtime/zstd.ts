/** Zstandard (RFC 8878): packed quickly, unpacked within bounds. */
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib'

/**
 * Up to so many bytes are packed where we are, and up to so many packed ones unpacked: 256 KiB take 0.4 ms, and to hand them to a thread
 * of the pool and wait costs as much again of this thread's time, and more where the cores are busy.
 */
const packHereBytesMax = 256 * 1024
const unpackHereBytesMax = 64 * 1024
/** What a small piece may unpack to before that is left to the pool. */
const unpackedHereBytesMax = 1024 * 1024
/** Room is made at once for so much of what comes out; each further piece is a turn of its own. */
const chunkBytesMin = 16 * 1024
const packChunkBytesMax = 64 * 1024
const unpackChunkBytesMax = 1024 * 1024

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Packs by the quickest level; what comes out says how much it unpacks to. */
export async function packZstd(raw: Buffer): Promise<Buffer> {
  const options = {
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
    chunkSize: Math.min(packChunkBytesMax, Math.max(chunkBytesMin, raw.length)),
  }
  return raw.length <= packHereBytesMax ? zstdCompressSync(raw, options) : compress(raw, options)
}

/**
 * @param bytesMax what it may unpack to
 * @throws {RangeError} it is larger than that; another error where it is not zstd
 */
export async function unpackZstd(packed: Buffer, bytesMax: number): Promise<Buffer> {
  const chunkSize = Math.min(unpackChunkBytesMax, Math.max(chunkBytesMin, contentSize(packed) ?? packed.length * 24))
  if (packed.length <= unpackHereBytesMax) {
    try {
      return zstdDecompressSync(packed, { maxOutputLength: Math.min(unpackedHereBytesMax, bytesMax), chunkSize })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error // Larger than that.
    }
  }
  return decompress(packed, { maxOutputLength: bytesMax, chunkSize })
}

const frameMagic = 0xfd2fb528

/** What the first frame says that it unpacks to (RFC 8878, section 3.1.1.1); null: it does not say. */
function contentSize(packed: Buffer): number | null {
  if (packed.length < 18 || packed.readUInt32LE(0) !== frameMagic) return null
  const descriptor = packed.readUInt8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? packed.readUInt8(at) : null
    case 1:
      return packed.readUInt16LE(at) + 256
    case 2:
      return packed.readUInt32LE(at)
    default:
      return Number(packed.readBigUInt64LE(at))
  }
}
