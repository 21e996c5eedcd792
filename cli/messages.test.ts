import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messagesIn } from './messages.ts'

const from = 'From a@b.example Thu Jan  1 00:00:00 2026\n'
const split = (text: string): [string, string][] =>
  messagesIn('box', Buffer.from(text, 'latin1')).map(({ name, bytes }) => [name, bytes.toString('latin1')])

describe('messages of a file', () => {
  it('are the file itself, byte for byte, unless it is an mbox', () => {
    assert.deepEqual(split('Subject: x\n\n>From here\n'), [['box', 'Subject: x\n\n>From here\n']])
    assert.deepEqual(split(''), [['box', '']])
  })

  it('of an mbox are told apart, and quoted From lines lose one >', () => {
    assert.deepEqual(split(`${from}Subject: 1\n\n>From x\n>>From y\nFrom the start\n\n${from}Subject: 2\n\n\xff\n`), [
      ['box:1', 'Subject: 1\n\nFrom x\n>From y\nFrom the start\n\n'],
      ['box:2', 'Subject: 2\n\n\xff\n'],
    ])
    assert.deepEqual(split(`${from}Subject: 1\n\nx`), [['box', 'Subject: 1\n\nx']])
    assert.deepEqual(split('From '), [['box', '']])
  })
})
