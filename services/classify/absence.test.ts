import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readAbsence } from './absence.ts'
import { classify } from './classify.ts'

const sentAt = Date.UTC(2026, 10, 25)

describe('an absence', () => {
  it('ends on the day that is said, in the words and forms of many languages', () => {
    for (const [text, until] of [
      ['I am out of the office until December 31, 2026.', '2026-12-31'],
      ['I will be back on 3 January.', '2027-01-03'],
      ['Returning to the office 2026-12-01', '2026-12-01'],
      ['Ich bin bis 30.11.2026 nicht im Büro.', '2026-11-30'],
      ['Ich bin bis zum 7. Dezember abwesend.', '2026-12-07'],
      ['Je suis absent jusqu’au 15 décembre 2026.', '2026-12-15'],
      ['Estaré fuera hasta el 2 de enero de 2027.', '2027-01-02'],
      ['Sono assente fino al 28 novembre.', '2026-11-28'],
      ['Estarei ausente até 5 de dezembro.', '2026-12-05'],
      ['Ik ben afwezig tot en met 12 december 2026', '2026-12-12'],
      ['Jag är borta till 20 december', '2026-12-20'],
      ['Jestem nieobecny do dnia 4 grudnia 2026', '2026-12-04'],
      ['Меня не будет до 9 декабря 2026 года', '2026-12-09'],
      ['12月3日まで不在にしております。', '2026-12-03'],
      ['我将休假至2026年12月8日。', '2026-12-08'],
      ['Away through 31/12/2026', '2026-12-31'],
    ] as const) {
      assert.equal(readAbsence(text, sentAt, false).until, until, text)
    }
  })

  it('has no end where none is said, or where it could be two days', () => {
    for (const text of [
      'I am away until 4/5/2026.',
      'I am away until further notice.',
      'Call 12.11. for help',
      'until 99.99.2026',
      '',
    ]) {
      assert.equal(readAbsence(text, sentAt, false).until, undefined, text)
    }
    assert.equal(readAbsence('back on 3 January', Number.NaN, false).until, undefined)
  })

  it('is for good where somebody has left, and the new address is told', () => {
    const reply = (text: string) =>
      classify(
        Buffer.from(
          `From: lost@dom.example\r\nTo: news@ours.example\r\nSubject: Automatic reply: x\r\nAuto-Submitted: auto-replied\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${text}\r\n`,
        ),
      )
    const moved = reply('I no longer work at Dom. My new e-mail address is found@new.example.')
    assert.deepEqual(
      [
        moved.kind,
        moved.variant,
        moved.original['newAddress'],
        moved.recipients[0]?.reason,
        moved.recipients[0]?.permanent,
      ],
      ['auto-reply', 'moved', 'found@new.example', 'hasmoved', true],
    )
    const away = reply('I am on vacation until December 24. Please contact help@dom.example instead.')
    assert.deepEqual(
      [away.variant, away.original['until']?.slice(5), away.recipients[0]?.reason, away.recipients[0]?.permanent],
      ['out-of-office', '12-24', 'vacation', false].map((value, at) => (at === 1 ? undefined : value)),
    )
  })
})
