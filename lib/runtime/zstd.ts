/** Zstandard (RFC 8878), unpacked within bounds. */
import { promisify } from 'node:util'
import { zstdDecompress, zstdDecompressSync } from 'node:zlib'

/**
 * Up to so many bytes are packed and unpacked where we are: 64 KiB takes 0.1 ms, and to hand it to a thread of the pool and wait
 * costs several times that where the cores are busy.
 */
export const hereBytesMax = 64 * 1024
/** So much room is made at once for what a piece of zstd holds: growing it by the 16 KiB of zlib's default doubles the time. */
const chunkBytes = (packed: Buffer): number => Math.min(192 * 1024, Math.max(16 * 1024, packed.length * 24))
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
      return zstdDecompressSync(packed, {
        maxOutputLength: Math.min(unpackedHereBytesMax, bytesMax),
        chunkSize: chunkBytes(packed),
      })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error // Larger than that.
    }
  }
  return decompress(packed, { maxOutputLength: bytesMax, chunkSize: chunkBytes(packed) })
}
