/** Zstandard (RFC 8878), unpacked within bounds. */
import { promisify } from 'node:util'
import { zstdDecompress, zstdDecompressSync } from 'node:zlib'

/**
 * Up to so many bytes are packed and unpacked where we are: 64 KiB takes 0.1 ms, and to hand it to a thread of the pool and wait
 * costs several times that where the cores are busy.
 */
export const hereBytesMax = 64 * 1024
/** What a small piece may unpack to before that is left to the pool. */
const unpackedHereBytesMax = 1024 * 1024

const decompress = promisify(zstdDecompress)

/**
 * @param bytesMax what it may unpack to
 * @throws {RangeError} it is larger than that; another error where it is not zstd
 */
export async function unpackZstd(packed: Buffer, bytesMax: number): Promise<Buffer> {
  if (packed.length <= hereBytesMax) {
    try {
      return zstdDecompressSync(packed, { maxOutputLength: Math.min(unpackedHereBytesMax, bytesMax) })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error // Larger than that.
    }
  }
  return decompress(packed, { maxOutputLength: bytesMax })
}
