import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LiteralIndex, literalsOf } from './literals.ts'
import { textRules } from './reason.ts'
import receivers from './rules/receivers.json' with { type: 'json' }
import texts from './rules/texts.json' with { type: 'json' }

describe('the literals that a pattern needs', () => {
  const beyondAscii = '\u0080'
  for (const [pattern, literals] of [
    [/user unknown/i, [[['user unknown']]]],
    [/User Unknown|no such user/i, [[['User Unknown']], [['no such user']]]],
    [/mail ?box full/i, [[['box full'], ['mail']]]],
    [/(?:mail|in)box[^.\n]{0,40}quota/i, [[['quota'], ['box']]]],
    [
      /(?:mailbox|inbox)[^.\n]{0,40}(?:full|quota)/i,
      [
        [
          ['mailbox', 'inbox'],
          ['full', 'quota'],
        ],
      ],
    ],
    [/\bspam(?:haus)?\b/i, [[['spam']]]],
    [/(?!not )found\.$/i, [[['found.']]]],
    [/(?<!un)known|a{3}/i, [[['known']], []]],
    [/(?:listed|blocked)+ by/i, [[['listed', 'blocked'], [' by']]]],
    [/list(?:ed){0,1} here/i, [[[' here'], ['list']]]],
    [/list(?:ed){1,2}/i, [[['list']]]],
    [/quotaa*/i, [[['quota']]]],
    [/quotaa+b/i, [[['quotaa']]]],
    [/\d\d\d-\d/i, [[]]],
    [/ab|user unknown/i, [[], [['user unknown']]]],
    [/host\.example\/\(x\)/i, [[['host.example/(x)']]]],
    [/[)|\]]known\u0041/i, [[['known']]]],
    [/\x41known/i, [[['known']]]],
    [/pas été remis/i, [[['pas été remis']]]],
    [/почтов(?:ый|ого) ящик/i, [[['почтов'], [' ящик'], [beyondAscii, 'ого']]]],
    [/届け/i, [[['届け']]]],
    [/満杯|満|が無い 箱/i, [[['満杯']], [['\u3000']], [['が無い 箱']]]],
    [/\p{L}user/iu, [[['user', beyondAscii]]]],
    [/(?<name>abc)d/i, [[['abc']]]],
    [/.*/i, [[]]],
  ] as const) {
    it(`of ${pattern}`, () => assert.deepEqual(literalsOf(pattern), literals))
  }
})

describe('an index of patterns', () => {
  const examples = [...texts.rules, ...receivers.receivers.flatMap(({ rules }) => rules)].map(({ example }) => example)
  const mangled = examples.flatMap((text) => [
    text,
    text.toUpperCase(),
    text.toLowerCase(),
    `550 5.0.0 <user@host.example>: ${text} (in reply to end of DATA command)`,
    text.replace(/s/, 'ſ').replace(/k/, '\u212a'),
    text.slice(1, -1),
  ])

  it('tries no rule of reasons on every text, but the one that takes whatever is said', () => {
    const always = textRules.filter(({ pattern }) => literalsOf(pattern).some((needs) => needs.length === 0))
    assert.deepEqual(
      always.map(({ pattern }) => pattern.source),
      ['.'],
    )
  })

  it('leaves out none that matches', () => {
    const patterns = [
      ...textRules.map(({ pattern }) => pattern),
      /knows/iu,
      /(?:^|x)[a-z]/i,
      /user .* of (?:x|host) .* not .* here/i,
    ]
    const index = new LiteralIndex(patterns, (pattern) => pattern)
    let matches = 0
    for (const text of mangled) {
      const candidates = new Set(index.candidates(text))
      for (const pattern of patterns) {
        if (!pattern.test(text)) continue
        matches++
        assert.ok(candidates.has(pattern), `${pattern} matches ${text}`)
      }
    }
    assert.ok(matches > mangled.length, `${matches} matches`)
  })

  it('gives few, once each, in their order', () => {
    const index = new LiteralIndex(textRules, ({ pattern }) => pattern)
    const counts = examples.map((text) => {
      const places = index.candidates(text).map((rule) => textRules.indexOf(rule))
      assert.deepEqual(
        places,
        [...new Set(places)].sort((a, b) => a - b),
        text,
      )
      return places.length
    })
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length
    assert.ok(mean < textRules.length / 4, `${mean} of ${textRules.length}`)
    const words = new LiteralIndex(['unknown', 'user'], (word) => new RegExp(word, 'i'))
    assert.deepEqual(words.candidates(''), [])
    assert.deepEqual(words.candidates('a USER'), ['user'])
    const beyondBmp = new LiteralIndex(['𠮷野家'], (word) => new RegExp(word, 'i'))
    assert.deepEqual(beyondBmp.candidates('on 𠮷野家 it'), ['𠮷野家'])
    assert.deepEqual(new LiteralIndex([], () => /x/i).candidates('user unknown'), [])
  })
})
