/** Notices in the charsets of the world (`golden/charsets.json`), whether or not they say which it is. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeText } from '#lib/mail/charset.ts'
import { classify } from './classify.ts'
import notices from './golden/charsets.json' with { type: 'json' }
import { Sources } from './sources.ts'

const utf8 = { charset: 'utf-8', subject: 'Nicht zustellbar', text: 'Postfach von ann@x.example ist überfüllt: voll.' }
const given = [
  ...notices.map(({ subjectBytes, textBytes, ...notice }) => ({
    ...notice,
    subjectBytes: Buffer.from(subjectBytes, 'base64'),
    textBytes: Buffer.from(textBytes, 'base64'),
  })),
  { ...utf8, subjectBytes: Buffer.from(utf8.subject), textBytes: Buffer.from(utf8.text) },
]

describe('a notice', () => {
  for (const { charset, subject, text, subjectBytes, textBytes } of given) {
    for (const [declared, says] of [
      [charset, 'says so'],
      ['', 'does not say so'],
      ['us-ascii', 'says us-ascii'],
      ['x-unknown', 'says what nobody knows'],
    ] as const) {
      it(`in ${charset} that ${says}`, () => {
        const type = declared === '' ? '' : `\r\nContent-Type: text/plain; charset=${declared}`
        const message = Buffer.concat([
          Buffer.from('Return-Path: <>\r\nFrom: postmaster@mx.example\r\nTo: news@sender.example\r\nSubject: '),
          subjectBytes,
          Buffer.from(`${type}\r\n\r\n`),
          textBytes,
          Buffer.from('\r\n'),
        ])
        const sources = new Sources(message, null)
        assert.equal(sources.header('subject'), subject)
        assert.equal(sources.notice().text.trim(), text)
        const { kind, recipients } = classify(message)
        assert.deepEqual([kind, recipients.map(({ reason }) => reason)], ['bounce', ['mailboxfull']])
      })
    }
  }

  it('in a charset of which there is a trace alone is read as western', () => {
    assert.equal(decodeText(Buffer.from('Gr\xfc\xdfe', 'latin1'), ''), 'Grüße')
    const message = Buffer.from('From: a@x.example\r\nSubject: Gr\xfc\xdfe\r\n\r\nGr\xfc\xdfe aus Z\xfcrich', 'latin1')
    const sources = new Sources(message, null)
    assert.equal(`${sources.header('subject')}: ${sources.notice().text}`, 'Grüße: Grüße aus Zürich')
  })

  it('in UTF-8 that says ISO-8859-1 is in UTF-8, and one that is in ISO-8859-1 is not', () => {
    assert.equal(decodeText(Buffer.from('Grüße'), 'iso-8859-1'), 'Grüße')
    assert.equal(decodeText(Buffer.from('Gr\xfc\xdfe', 'latin1'), 'iso-8859-1'), 'Grüße')
    assert.equal(decodeText(Buffer.from('10 \xa4', 'latin1'), 'iso-8859-15'), '10 €')
  })
})
