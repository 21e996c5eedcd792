import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { constants, zstdCompressSync } from 'node:zlib'
import { packZstd, unpackZstd } from './zstd.ts'

describe('zstd', () => {
  it('gives back what was packed, of each size that a frame tells in another way, here and on the pool', async () => {
    for (const length of [0, 1, 255, 256, 257, 65_791, 65_792, 262_144, 262_145, 3_000_000]) {
      for (const raw of [Buffer.alloc(length, 'ab'), randomBytes(length)]) {
        assert.ok((await unpackZstd(await packZstd(raw), 4_000_000)).equals(raw), `${length}`)
      }
    }
  })

  it('reads a frame that does not say how much it holds', async () => {
    const silent = zstdCompressSync(randomBytes(1_000), { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } })
    assert.equal((await unpackZstd(silent, 10_000)).length, 1_000)
  })

  it('unpacks no more than it may, whatever the frame says', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(100_000_000))
    await assert.rejects(unpackZstd(bomb, 1_000_000), RangeError)
    const lie = zstdCompressSync(Buffer.alloc(100_000))
    lie.writeUInt32LE(0xffff_fff0, lie.readUInt8(4) & 0x20 ? 5 : 6)
    await assert.rejects(unpackZstd(lie, 1_000_000))
    await assert.rejects(unpackZstd(Buffer.from('no zstd at all, and longer than a header'), 1_000_000))
    await assert.rejects(unpackZstd(bomb.subarray(0, 12), 1_000_000))
  })
})
