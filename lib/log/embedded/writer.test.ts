import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { openRecords } from './database.ts'
import { type Batch, Records } from './records.ts'
import { Writer } from './writer.ts'

const batchOf = (text: string): Batch => ({
  now: 1_000,
  topics: ['t'],
  topic: Uint16Array.of(0),
  partition: Int32Array.of(0),
  keys: [null],
  lengths: Int32Array.of(text.length),
  values: new Uint8Array(Buffer.from(text)),
})

it('fails all that waits for a thread that died, and starts another with the next request', async () => {
  using folder = temporaryFolder()
  const parent = join(folder.path, 'data')
  const path = join(parent, 'log.sqlite')
  writeFileSync(parent, 'a file where the folder should be')
  const writer = new Writer(path)
  for (let death = 0; death < 2; death++) {
    const appends = await Promise.allSettled(Array.from({ length: 20 }, () => writer.append(batchOf('lost'))))
    for (const append of appends) {
      assert.equal(append.status, 'rejected')
      assert.equal(append.reason.code, 'LOG_UNAVAILABLE')
      assert.equal(append.reason.retriable, true)
    }
  }

  rmSync(parent)
  const records = new Records(openRecords(path))
  records.ensureTopics([{ name: 't', partitions: 1, cleanup: 'delete', retentionMs: null }])
  records.close()
  const placed = await Promise.all(Array.from({ length: 20 }, (_, index) => writer.append(batchOf(`kept ${index}`))))
  assert.deepEqual(
    placed.map(({ offset }) => offset[0]),
    Array.from({ length: 20 }, (_, index) => BigInt(index)),
  )
  await writer.close()
})
