import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { replies } from './replies.ts'

describe('replies', () => {
  it('have an enhanced status of the class of their code (RFC 2034 section 4), and a text for strangers', () => {
    for (const [name, { code, enhancedStatus, text }] of Object.entries(replies)) {
      assert.match(enhancedStatus, /^[245]\.\d{1,3}\.\d{1,3}$/, name)
      assert.equal(enhancedStatus[0], String(code)[0], name)
      assert.match(text, /^[\x20-\x7e]{1,200}$/, name)
    }
  })
})
