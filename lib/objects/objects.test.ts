import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { listAll } from './objects.ts'

describe('all objects', () => {
  it('come page by page, each once, though those that came are removed', async () => {
    for (const count of [0, 1, 999, 1_000, 2_500]) {
      let keys = Array.from({ length: count }, (_, n) => `a/${String(n).padStart(5, '0')}`)
      const found: string[] = []
      const list = async (_prefix: string, { after = '', limit }: { after?: string; limit: number }) =>
        keys
          .filter((key) => key > after)
          .map((key) => ({ key, size: 1, modifiedAt: 0 }))
          .slice(0, limit)
      for await (const { key } of listAll({ list }, 'a/')) {
        found.push(key)
        keys = keys.filter((each) => each !== key)
      }
      assert.equal(new Set(found).size, count)
      assert.deepEqual(keys, [])
    }
  })
})
