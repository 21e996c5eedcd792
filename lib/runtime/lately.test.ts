import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lately } from './lately.ts'

describe('an answer of lately', () => {
  it('is given until it is old, and not at all where it is none', async () => {
    let [now, asked] = [1_000, 0]
    const ask = lately(500, { now: () => now }, async () => {
      asked++
      if (asked === 2) throw new Error('none')
      return asked
    })
    assert.deepEqual(await Promise.all([ask(), ask()]), [1, 1])
    now += 499
    assert.equal(await ask(), 1)
    now += 1
    await assert.rejects(ask(), /none/)
    assert.equal(await ask(), 3)
  })
})
