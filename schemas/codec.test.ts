import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import avro from 'avsc'
import { startRegistry } from '#lib/testing/registry.ts'
import { canonicalForm, fingerprint, openCodec, schemaText, typeOf } from './codec.ts'
import { generateTypes, readSchemas } from './generate.ts'
import { topics } from './topics.ts'
import type { Folder, Suppression } from './types.ts'

const here = import.meta.dirname
/** avsc gives records classes of their own; what counts is what they hold. */
const plain = (value: object) => ({ ...value })

/** Its types are right by construction. */
const anyFolder = typeOf('folder').random() as unknown as Folder

const suppression: Suppression = {
  address: 'a@example.com',
  state: 'suppressed',
  cause: 'hard-bounce',
  since: 1_790_000_000_000,
  until: 0,
  count: 2,
  evidence: ['one', 'two'],
  note: '',
}

describe('codec', () => {
  it('fingerprints schemas as the Avro specification says', () => {
    // From the specification's own reference implementation: the fingerprint of "null" and "int".
    const hex = (schema: string) =>
      fingerprint(avro.Type.forSchema(JSON.parse(schema)))
        .reverse()
        .toString('hex')
    assert.equal(hex('"null"'), '63dd24e7cc258f8a')
    assert.equal(hex('"int"'), '7275d51a3f395c8f')
    assert.ok(!canonicalForm(typeOf('raw')).includes('"doc"'))
  })

  it('frames records as single objects and reads them back', async () => {
    const codec = await openCodec()
    const bytes = codec.encode('suppression', suppression)
    assert.equal(bytes.readUInt16BE(0), 0xc301)
    assert.deepEqual(plain(codec.decode('suppression', bytes)), suppression)
  })

  it('has a schema for every topic', () => {
    for (const topic of topics) assert.ok(schemaText(topic.record).includes('"record"'))
  })

  it('reads a record written with an older schema, filling in defaults', async () => {
    const schema = JSON.parse(schemaText('suppression'))
    const older = { ...schema, fields: schema.fields.filter((field: { name: string }) => field.name !== 'note') }
    const { note, ...rest } = suppression
    const writer = avro.Type.forSchema(older)
    const bytes = Buffer.concat([Buffer.from([0xc3, 0x01]), fingerprint(writer), writer.toBuffer(rest)])
    const codec = await openCodec({ older: [{ name: 'suppression', schema: older }] })
    assert.deepEqual(plain(codec.decode('suppression', bytes)), { ...suppression, note: '' })
    const ignorant = await openCodec()
    assert.throws(() => ignorant.decode('suppression', bytes), { code: 'RECORD_UNDECODABLE' })
  })

  it('gives a typed error for garbage, whatever it is', async () => {
    const codec = await openCodec()
    const good = codec.encode('suppression', suppression)
    const garbage = [
      null,
      Buffer.alloc(0),
      Buffer.from('hello'),
      Buffer.from([0xc3, 0x01]),
      Buffer.from([0, 0, 0, 0, 9, 1]),
      good.subarray(0, -1),
      Buffer.concat([good, Buffer.from([0])]),
      codec.encode('folder', { ...anyFolder, mailbox: '', type: 'epoch', at: 1, value: 1 }),
    ]
    for (const bytes of garbage) assert.throws(() => codec.decode('suppression', bytes), { code: 'RECORD_UNDECODABLE' })
    for (let at = 10; at < good.length; at++) {
      const flipped = Buffer.from(good)
      flipped[at] = 0xff
      try {
        codec.decode('suppression', flipped)
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'RECORD_UNDECODABLE')
      }
    }
  })

  it('decodes the golden records of every release', async () => {
    const codec = await openCodec()
    const files = readdirSync(join(here, 'golden'))
    assert.ok(files.length >= topics.length)
    for (const file of files) {
      const name = file.split('.')[0] as Parameters<typeof codec.decode>[0] // Files are named after records.
      codec.decode(name, readFileSync(join(here, 'golden', file)))
    }
  })

  it('generates types.ts as it is committed', () => {
    assert.equal(readFileSync(join(here, 'types.ts'), 'utf8'), generateTypes(readSchemas()))
  })
})

describe('codec with a registry', () => {
  it('writes the Confluent wire format, reads both framings, and fetches schemas that it does not know', async () => {
    using server = await startRegistry()
    const codec = await openCodec({ registryUrl: server.url })
    const bytes = codec.encode('suppression', suppression)
    assert.equal(bytes[0], 0)
    assert.deepEqual(plain(codec.decode('suppression', bytes)), suppression)
    const single = await openCodec()
    assert.deepEqual(plain(codec.decode('suppression', single.encode('suppression', suppression))), suppression)
    assert.throws(() => single.decode('suppression', bytes), { code: 'RECORD_UNDECODABLE' })

    const schema = JSON.parse(schemaText('suppression'))
    const older = { ...schema, fields: schema.fields.filter((field: { name: string }) => field.name !== 'note') }
    server.schemas.push(JSON.stringify(older))
    const header = Buffer.from([0, 0, 0, 0, server.schemas.length])
    const old = Buffer.concat([header, avro.Type.forSchema(older).toBuffer(suppression)])
    assert.throws(() => codec.decode('suppression', old), { code: 'RECORD_SCHEMA_UNKNOWN', retriable: true })
    await sleep(200)
    assert.deepEqual(plain(codec.decode('suppression', old)), suppression)

    const unknown = Buffer.concat([Buffer.from([0, 0, 0, 3, 9]), old.subarray(5)])
    assert.throws(() => codec.decode('suppression', unknown), { code: 'RECORD_SCHEMA_UNKNOWN', retriable: true })
    await sleep(200)
    assert.throws(() => codec.decode('suppression', unknown), { code: 'RECORD_SCHEMA_UNKNOWN', retriable: false })
  })

  it('says that the registry does not answer', async () => {
    await assert.rejects(openCodec({ registryUrl: 'http://127.0.0.1:1' }), { code: 'REGISTRY_UNAVAILABLE' })
  })
})
