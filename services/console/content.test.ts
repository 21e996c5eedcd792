import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readAttachment, readContent, readHtml } from './content.ts'

describe('what a person reads of a message', () => {
  it('is its header and first text where it has more parts than can be taken apart', async () => {
    const part = '--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nThe first wörds\r\n'
    const message = Buffer.from(
      `From: a@b.example\r\nSubject: =?utf-8?q?=C3=A4h?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${part.repeat(3_000)}--b--\r\n`,
    )
    const { headers, text, attachments, hasHtml, cut } = await readContent(message)
    assert.deepEqual(headers.slice(0, 2), [
      { name: 'from', value: 'a@b.example' },
      { name: 'subject', value: 'äh' },
    ])
    assert.deepEqual(
      { text, attachments, hasHtml, cut },
      { text: 'The first wörds', attachments: [], hasHtml: false, cut: true },
    )
    assert.equal(await readHtml(message), '')
    assert.equal(await readAttachment(message, 0), null)
  })
})
