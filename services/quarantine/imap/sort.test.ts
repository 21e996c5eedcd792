import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { baseSubject } from './sort.ts'

describe('the base of a subject (RFC 5256, section 2.1)', () => {
  it('is without what replies, forwards and lists put around it', () => {
    for (const [subject, base, isReply] of [
      ['Hello', 'HELLO', false],
      ['Re: Hello', 'HELLO', true],
      ['RE [2] : Fwd: re:  Hello  (fwd) (FWD)', 'HELLO', true],
      ['[list] Hello', 'HELLO', false],
      ['[list] Re: [other] Hello', 'HELLO', true],
      ['Re: [list]', '[LIST]', true],
      ['[list] [other]', '[OTHER]', false],
      ['[Fwd: Re: Hello]', 'HELLO', true],
      ['[fwd: [fwd: [list] Hello]]', 'HELLO', true],
      ['[about: re: it] Hello', 'HELLO', false],
      ['Hello (fwd)', 'HELLO', true],
      ['=?utf-8?q?Re:_Gr=C3=BC=C3=9Fe?=', 'GRÜSSE', true],
      ['', '', false],
    ] as const) {
      assert.deepEqual(baseSubject(subject), { base, isReply }, subject)
    }
  })

  it('costs no more than the subject is long', () => {
    const before = process.cpuUsage()
    for (const piece of ['[a]', '[fwd:', '(fwd) ', 're: ', '[a] re: ', 're[', '[', ']', '\t ']) {
      for (const end of ['x', '', ']']) {
        for (let n = 0; n < 20; n++) baseSubject(piece.repeat(8_000 / piece.length) + end)
      }
    }
    assert.ok(process.cpuUsage(before).user < 2_000_000)
  })
})
