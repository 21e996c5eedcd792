import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isBatv, openBatv } from './batv.ts'

// Made with Python's hmac: hmac.new(b'secret', b'3900news@sender.example', 'sha1').hexdigest()[:6]
const made = 'prvs=39000dadba=news@sender.example'
const keys = new Map([['3', 'secret']])
const day = (number: number): number => number * 86_400_000

describe('BATV', () => {
  it('opens what the key signed, until its day', () => {
    assert.ok(isBatv(made))
    assert.equal(openBatv(made, keys, day(20_895)), 'news@sender.example')
    assert.equal(openBatv(made.replace('prvs', 'PRVS'), keys, day(20_900)), 'news@sender.example')
    assert.equal(openBatv(made, keys, day(20_901)), null)
    assert.equal(openBatv(made, keys, day(20_399)), null)
  })

  it('opens nothing else', () => {
    for (const other of [
      made.replace('news', 'other'),
      made.replace('=3', '=4'),
      made.replace('900', '901'),
      'prvs=news@sender.example',
      'news@sender.example',
      'prvs=3900zzzzzz=news@sender.example',
      '',
    ]) {
      assert.equal(openBatv(other, keys, day(20_895)), null, other)
    }
  })
})
