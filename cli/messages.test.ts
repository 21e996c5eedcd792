import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messagesIn } from './messages.ts'

const from = 'From a@b.example Thu Jan  1 00:00:00 2026\n'
/** In one piece, and byte by byte. */
const split = (text: string): [string, string][] => {
  const bytes = Buffer.from(text, 'latin1')
  const [whole, inBytes] = [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))].map((chunks) =>
    [...messagesIn('box', chunks)].map((message): [string, string] => [message.name, message.bytes.toString('latin1')]),
  )
  assert.deepEqual(inBytes, whole)
  return whole ?? []
}

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

  it('are cut where they are too large, and the next is read', () => {
    const mbox = Buffer.from(`${from}Subject: 1\n\n${'x'.repeat(900)}\n${from}Subject: 2\n\ny\n`)
    const chunks = Array.from({ length: Math.ceil(mbox.length / 50) }, (_, n) => mbox.subarray(n * 50, n * 50 + 50))
    const read = [...messagesIn('box', chunks, 500)].map(({ name, bytes, isCut }) => [name, bytes.length, isCut])
    assert.deepEqual(read, [
      ['box:1', 500 - from.length, true],
      ['box:2', 14, false],
    ])
    const file = [...messagesIn('file', [Buffer.alloc(400, 'x'), Buffer.alloc(400, 'x')], 500)]
    assert.deepEqual(
      file.map(({ name, bytes, isCut }) => [name, bytes.length, isCut]),
      [['file', 500, true]],
    )
  })
})
