import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import words from './rules/words.json' with { type: 'json' }
import { expression, type Purpose, wordsOf } from './words.ts'

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

  it('are found without their marks, with digraphs, and where a gateway lost letters', () => {
    const found = (pattern: string, texts: readonly string[]): string[] =>
      texts.filter((text) => expression(`^(?:${pattern})$`).test(text))
    const given = ['geloescht', 'gelöscht', 'geloscht', 'gel?scht', 'gel??scht', 'GELÖSCHT']
    assert.deepEqual(found('gelöscht', given), given)
    assert.deepEqual(found('r[éè]ponse', ['réponse', 'reponse', 'r?ponse', 'rponse']), [
      'réponse',
      'reponse',
      'r?ponse',
    ])
    assert.deepEqual(found('αυτόματη', ['αυτόματη', 'ΑΥΤΟΜΑΤΗ']), ['αυτόματη', 'ΑΥΤΟΜΑΤΗ'])
    assert.deepEqual(found('удалён', ['удалён', 'удален', 'удалeн']), ['удалён', 'удален'])
    assert.deepEqual(found('إجازة', ['إجازة', 'اجازة']), ['إجازة', 'اجازة'])
    assert.deepEqual(found('が', ['が', 'か']), ['が'])
    assert.deepEqual(found('[^é]\\p{L}', ['eé', 'éé', 'xx']), ['eé', 'xx'])
  })
})
