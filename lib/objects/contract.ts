/** The suite that every adapter of the object store passes. */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import type { Objects } from './objects.ts'

export type ContractSetup = {
  /** A store on the same data each time it is called. */
  open(): Objects
  readonly skip?: string | false
}

export function objectsContract(name: string, setup: ContractSetup): void {
  describe(`objects contract: ${name}`, { skip: setup.skip ?? false }, () => {
    async function withObjects(work: (objects: Objects, folder: string) => Promise<void>): Promise<void> {
      const objects = setup.open()
      try {
        await objects.prepare()
        await objects.check()
        await work(objects, `contract/${randomUUID()}`)
      } finally {
        await objects.close()
      }
    }

    it('puts what is absent and never changes what is there', () =>
      withObjects(async (objects, folder) => {
        const bytes = randomBytes(70_000)
        assert.equal(await objects.put(`${folder}/a.avro`, bytes), 'stored')
        assert.equal(await objects.put(`${folder}/a.avro`, Buffer.from('other')), 'exists')
        assert.deepEqual(await objects.get(`${folder}/a.avro`), bytes)
      }))

    it('lets one of many that put at once win', () =>
      withObjects(async (objects, folder) => {
        const outcomes = await Promise.all(
          Array.from({ length: 8 }, (_, index) => objects.put(`${folder}/race`, Buffer.from(String(index)))),
        )
        const winner = outcomes.indexOf('stored')
        assert.equal(outcomes.filter((outcome) => outcome === 'stored').length, 1)
        assert.equal((await objects.get(`${folder}/race`))?.toString(), String(winner))
      }))

    it('gets ranges, also over and behind the end, and empty objects', () =>
      withObjects(async (objects, folder) => {
        await objects.put(`${folder}/r`, Buffer.from('0123456789'))
        const range = async (offset: number, length: number) =>
          (await objects.get(`${folder}/r`, { offset, length }))?.toString()
        assert.equal(await range(2, 3), '234')
        assert.equal(await range(8, 100), '89')
        assert.equal(await range(10, 5), '')
        assert.equal(await range(0, 0), '')
        await objects.put(`${folder}/empty`, Buffer.alloc(0))
        assert.equal((await objects.get(`${folder}/empty`))?.length, 0)
      }))

    it('says null for a key that is not there', () =>
      withObjects(async (objects, folder) => {
        assert.equal(await objects.get(`${folder}/none`), null)
        assert.equal(await objects.get(`${folder}/none`, { offset: 0, length: 1 }), null)
        assert.equal(await objects.getStream(`${folder}/none`), null)
        await objects.remove(`${folder}/none`)
      }))

    it('lists in the order of keys, in pages', () =>
      withObjects(async (objects, folder) => {
        const keys = ['a-b', 'a/1', 'a/2', 'a0', 'b/c/d', 'c'].map((key) => `${folder}/${key}`)
        for (const key of keys) await objects.put(key, Buffer.from(key))
        await objects.put(`${folder}2`, Buffer.from('neighbour'))
        const found: string[] = []
        for (let after: string | undefined; ; ) {
          const page = await objects.list(`${folder}/`, { after, limit: 2 })
          if (page.length === 0) break
          assert.ok(page.length <= 2)
          for (const info of page) assert.equal(info.size, info.key.length)
          found.push(...page.map((info) => info.key))
          after = found.at(-1)
        }
        assert.deepEqual(found, [...keys].sort())
        const below = await objects.list(`${folder}/a/`, { limit: 100 })
        assert.deepEqual(
          below.map((info) => info.key),
          [`${folder}/a/1`, `${folder}/a/2`],
        )
        assert.ok(Math.abs((below[0]?.modifiedAt ?? 0) - Date.now()) < 60_000)
      }))

    it('stores a stream of unknown length in bounded memory', () =>
      withObjects(async (objects, folder) => {
        const chunk = randomBytes(1024 * 1024)
        const chunks = 150
        let most = 0
        global.gc?.()
        const before = process.memoryUsage().rss
        const stream = Readable.from(
          (async function* () {
            for (let index = 0; index < chunks; index++) {
              yield chunk
              most = Math.max(most, process.memoryUsage().rss - before)
            }
          })(),
          { objectMode: false },
        )
        assert.equal(await objects.putStream(`${folder}/stream`, stream), chunks * chunk.length)
        assert.ok(most < 100 * 1024 * 1024, `grew by ${most} bytes`)
        let length = 0
        for await (const part of (await objects.getStream(`${folder}/stream`)) ?? []) length += part.length
        assert.equal(length, chunks * chunk.length)
        await objects.remove(`${folder}/stream`)
        assert.equal(await objects.get(`${folder}/stream`), null)
      }))

    it('leaves nothing of a stream that broke', () =>
      withObjects(async (objects, folder) => {
        const broken = Readable.from(
          (async function* () {
            yield Buffer.from('half')
            throw new Error('the client went away')
          })(),
        )
        await assert.rejects(objects.putStream(`${folder}/broken`, broken))
        assert.equal(await objects.get(`${folder}/broken`), null)
      }))

    it('puts its lifecycle rules in place of its former ones', () =>
      withObjects(async (objects) => {
        const rule = (id: string, days: number) => ({ id: `mailweir-${id}`, prefix: `${id}/`, days })
        await objects.setLifecycle([rule('one', 10), rule('two', 20)])
        await objects.setLifecycle([rule('one', 15), rule('three', 30)])
        const rules = [...(await objects.lifecycle())].sort((a, b) => a.days - b.days)
        assert.deepEqual(rules, [rule('one', 15), rule('three', 30)])
      }))

    it('refuses keys that could leave its folder or confuse another store', () =>
      withObjects(async (objects) => {
        for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/./b', 'a b', 'ä', 'a\0', 'x'.repeat(600)]) {
          await assert.rejects(objects.put(key, Buffer.from('x')), { code: 'OBJECTS_KEY_WRONG' }, key)
        }
      }))
  })
}
