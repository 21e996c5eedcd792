import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { openFiles } from '#lib/objects/files.ts'
import type { ByteRange, Objects } from '#lib/objects/objects.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { rawRecord } from '#lib/testing/embedded.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import type { Location, Segment } from '#schemas/types.ts'
import { packSegment, SegmentReader, unpackSegment } from './segment.ts'

const key = 'quarantine/x/2026-01-01/0-0.avro'
const contents = Array.from({ length: 130 }, (_, n) =>
  Buffer.from(`Subject: n${n}\r\n\r\n${randomBytes(15_000).toString('base64')}`),
)
const segment = (content: Buffer, n: number): Segment => ({
  ...rawRecord({ id: `m${n}`, content }),
  mailbox: 'X/2026-01-01',
  position: { partition: 0, offset: n },
  source: n,
  verdict: {
    kind: 'unknown',
    variant: '',
    confidence: 0.5,
    version: '',
    recipients: [],
    evidence: [],
    original: {},
    reporter: '',
  },
})

describe('a reader of segments', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let files: Objects
  let locations: Location[]
  let ranges: ByteRange[]
  /** The files, and what was asked of them. */
  let objects: Objects

  beforeEach(async () => {
    folder = temporaryFolder()
    files = openFiles({ folder: folder.path, logger: silentLogger })
    await files.prepare()
    const packed = await packSegment(key, contents.map(segment))
    locations = packed.locations
    await files.put(key, packed.bytes)
    ranges = []
    objects = new Proxy(files, {
      get: (target, name) =>
        name === 'get'
          ? (object: string, range: ByteRange) => {
              ranges.push(range)
              return target.get(object, range)
            }
          : Reflect.get(target, name),
    })
  })
  afterEach(async () => {
    await files.close()
    folder[Symbol.dispose]()
  })

  it('brings blocks that stand side by side by one read each sixteen, and once', async () => {
    const reader = new SegmentReader(objects, 64 * 1024 * 1024)
    assert.equal(new Set(locations.map(({ blockOffset }) => blockOffset)).size, 19)
    reader.ahead(locations)
    reader.ahead(locations)
    for (const [n, location] of locations.entries()) {
      assert.deepEqual(await reader.message(location), contents[n])
      assert.equal((await reader.record(location))?.id, `m${n}`)
    }
    assert.equal(ranges.length, 2)
  })

  it('has no more on its way ahead than its cache is for, whoever asks', async () => {
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    let asked = 0
    const slow: Objects = new Proxy(files, {
      get: (target, name) =>
        name === 'get'
          ? async (_object: string, range: ByteRange) => {
              asked += range.length
              await released
              return target.get(key, range)
            }
          : Reflect.get(target, name),
    })
    const reader = new SegmentReader(slow, 16 * 1024 * 1024)
    const of = (session: number): Location[] => locations.map((location) => ({ ...location, object: `copy${session}` }))
    for (let session = 0; session < 100; session++) reader.ahead(of(session))
    const run = 16 * 160 * 1024
    assert.ok(asked > 0 && asked <= 4 * 1024 * 1024 + run, `${asked}`)
    const found = [0, 1, 2, 50].map((session) => Promise.all(of(session).map((location) => reader.message(location))))
    release()
    assert.deepEqual(await Promise.all(found), [contents, contents, contents, contents])
    asked = 0
    reader.ahead(of(7))
    assert.ok(asked > 0)
  })

  it('keeps a message that was read when its block has to go', async () => {
    const reader = new SegmentReader(objects, 1024 * 1024)
    const [first] = locations
    assert.ok(first)
    await reader.message(first)
    for (const location of locations) await reader.record(location)
    const before = ranges.length
    assert.deepEqual(await reader.message(first), contents[0])
    assert.equal(ranges.length, before)
    assert.equal((await reader.record(first))?.id, 'm0') // The whole record has to be read again.
    assert.equal(ranges.length, before + 1)
  })

  it('reads a block that is larger than its cache, and many at once', async () => {
    const large = Buffer.from(randomBytes(3 * 1024 * 1024).toString('base64'))
    const packed = await packSegment('large.avro', [segment(large, 0)])
    await files.put('large.avro', packed.bytes)
    const reader = new SegmentReader(objects, 1024 * 1024)
    const found = await Promise.all([...packed.locations, ...locations].map((location) => reader.message(location)))
    assert.deepEqual(found, [large, ...contents])
  })

  it('an object that is not there is null, and is asked for again', async () => {
    const reader = new SegmentReader(objects, 1024 * 1024)
    const gone = locations.map((location) => ({ ...location, object: 'gone.avro' }))
    const [first] = gone
    assert.ok(first)
    reader.ahead(gone)
    assert.equal(await reader.message(first), null)
    // The same bytes: packed again, the records have another time, and a block may be a byte longer.
    await files.put('gone.avro', (await files.get(key)) ?? Buffer.alloc(0))
    assert.deepEqual(await reader.message(first), contents[0])
  })

  it('a block that was changed is an error of its messages alone', async () => {
    const whole = await files.get(key)
    assert.ok(whole)
    const [first, last] = [locations[0], locations.at(-1)]
    assert.ok(first && last)
    const at = first.blockOffset + first.blockLength - 100
    whole[at] = (whole[at] ?? 0) ^ 1
    await files.put('changed.avro', whole)
    const reader = new SegmentReader(objects, 64 * 1024 * 1024)
    reader.ahead(locations.map((location) => ({ ...location, object: 'changed.avro' })))
    await assert.rejects(
      reader.message({ ...first, object: 'changed.avro' }),
      (error) => error instanceof MailweirError && error.code === 'SEGMENT_CORRUPT',
    )
    assert.deepEqual(await reader.message({ ...last, object: 'changed.avro' }), contents.at(-1))
    await assert.rejects(unpackSegment('changed.avro', whole))
  })

  it('an index that no record has is an error', async () => {
    const reader = new SegmentReader(objects, 1024 * 1024)
    const [first] = locations
    assert.ok(first)
    await assert.rejects(reader.message({ ...first, recordIndex: 99 }), { code: 'SEGMENT_CORRUPT' })
  })
})
