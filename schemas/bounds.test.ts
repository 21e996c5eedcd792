import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import avro from 'avsc'
import { seeded } from '#lib/testing/random.ts'
import { endOf, readValue } from './bounds.ts'
import { openCodec, type RecordName } from './codec.ts'

describe('bounds of Avro values', () => {
  it('end where avsc ends, for every type', () => {
    const type = avro.Type.forSchema({
      type: 'record',
      name: 'All',
      fields: [
        { name: 'a', type: 'null' },
        { name: 'b', type: 'boolean' },
        { name: 'c', type: 'int' },
        { name: 'd', type: 'long' },
        { name: 'e', type: 'float' },
        { name: 'f', type: 'double' },
        { name: 'g', type: { type: 'fixed', name: 'F', size: 3 } },
        { name: 'h', type: { type: 'enum', name: 'E', symbols: ['X', 'Y'] } },
        { name: 'i', type: { type: 'array', items: 'string' } },
        { name: 'j', type: { type: 'map', values: 'bytes' } },
        { name: 'k', type: ['null', 'string'] },
      ],
    })
    const value = {
      a: null,
      b: true,
      c: -70_000,
      d: 2 ** 52,
      e: 1.5,
      f: -2.25,
      g: Buffer.from('abc'),
      h: 'Y',
      i: ['', 'ü'],
      j: { x: Buffer.alloc(300) },
      k: 'z',
    }
    const bytes = Buffer.concat([Buffer.from('..'), type.toBuffer(value), Buffer.from('behind')])
    assert.equal(endOf(type, bytes, 2), bytes.length - 6)
    assert.equal(readValue(type, bytes, 2).end, bytes.length - 6)
    for (let cut = 3; cut < bytes.length - 6; cut++)
      assert.throws(() => endOf(type, bytes.subarray(0, cut), 2), RangeError)
  })

  it('refuse counts that the bytes cannot hold, at once', () => {
    const strings = avro.Type.forSchema({ type: 'array', items: 'string' })
    const nulls = avro.Type.forSchema({ type: 'array', items: 'null' })
    const huge = avro.Type.forSchema('long').toBuffer(2 ** 50)
    for (const type of [strings, nulls]) {
      for (const head of [huge, Buffer.concat([avro.Type.forSchema('long').toBuffer(-(2 ** 50)), huge])]) {
        assert.throws(() => endOf(type, Buffer.concat([head, Buffer.alloc(100)]), 0), RangeError)
      }
    }
    assert.throws(() => endOf(strings, Buffer.alloc(20, 0xff), 0), RangeError)
  })

  it('keep the codec from hanging on records that were changed anywhere', async () => {
    const codec = await openCodec()
    const random = seeded(3)
    const folder = join(import.meta.dirname, 'golden')
    for (const file of readdirSync(folder)) {
      const name = file.split('.')[0] as RecordName // Files are named after records.
      const golden = readFileSync(join(folder, file))
      for (let round = 0; round < 2_000; round++) {
        const bytes = Buffer.from(golden)
        for (let change = 0; change <= random.next(6); change++)
          bytes[10 + random.next(bytes.length - 10)] = [0xff, 0x80, 0x7f, 0, random.next(256)][random.next(5)] ?? 0
        try {
          codec.decode(name, bytes)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'RECORD_UNDECODABLE')
        }
      }
    }
  })
})
