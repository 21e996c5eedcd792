import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from './classify.ts'
import notices from './golden/notices.json' with { type: 'json' }
import words from './rules/words.json' with { type: 'json' }
import { type Purpose, wordsOf } from './words.ts'

const purposes = Object.keys(words) as Purpose[]

describe('the words by language', () => {
  for (const purpose of purposes) {
    it(`${purpose}: are patterns, of languages that there are, each once`, () => {
      const names = new Intl.DisplayNames('en', { type: 'language' })
      for (const language of Object.keys(words[purpose]).flatMap((key) => key.split(' '))) {
        assert.match(language, /^[a-z]{2}$/)
        assert.notEqual(names.of(language), language)
      }
      const all = Object.values<string[]>(words[purpose]).flat()
      assert.deepEqual(
        all.filter((each, index) => all.indexOf(each) !== index),
        [],
      )
      // Each stands alone: none opens a group that another closes, and none matches any text.
      for (const each of all) assert.equal(new RegExp(each, 'iu').test(' '), false, each)
    })
  }

  it('are found in any case, and in any of the languages', () => {
    const subject = wordsOf('bounceSubject')
    for (const text of [
      'Undeliverable: May',
      'NICHT ZUSTELLBAR: Mai',
      'НЕ ДОСТАВЛЕНО',
      '退信: 五月',
      'Ανεπίδοτο μήνυμα',
    ])
      assert.ok(subject.test(text), text)
    for (const text of ['May', 'Mai', 'Май', '五月']) assert.ok(!subject.test(text), text)
  })
})

describe('a notice in words, of a system that says what it is and of one that does not', () => {
  for (const { language, subject, address, unknown, full } of notices) {
    it(`is read in ${new Intl.DisplayNames('en', { type: 'language' }).of(language)}`, () => {
      for (const from of ['postmaster@mx.example', 'Mail <mail@mx.example>']) {
        for (const [text, reason] of [
          [unknown, 'userunknown'],
          [full, 'mailboxfull'],
        ]) {
          const { kind, recipients } = classify(
            Buffer.from(
              `Return-Path: <>\r\nFrom: ${from}\r\nTo: news@sender.example\r\nSubject: ${subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${text}\r\n`,
            ),
          )
          const named = recipients.map((recipient) => `${recipient.address} ${recipient.reason}`)
          assert.deepEqual([kind, named], ['bounce', [`${address} ${reason}`]], `${from}: ${text}`)
        }
      }
    })
  }
})
