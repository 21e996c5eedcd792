import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readAbsence } from './absence.ts'
import { classify } from './classify.ts'

const sentAt = Date.UTC(2026, 10, 25)

describe('an absence', () => {
  it('is over on no day that is quoted', () => {
    const told = 'I am out of the office, and will read your mail when I am back.'
    const quoted = 'On Mon, 2 Mar 2026 at 10:00, News <news@corp.example> wrote:\n> Our offer ends on 15 March 2026.'
    const head =
      'From: ann@x.example\nTo: news@corp.example\nSubject: Out of office: News\nAuto-Submitted: auto-replied\n'
    const { variant, original } = classify(Buffer.from(`${head}\n${told}\n\n${quoted}\n`))
    assert.deepEqual([variant, original['until']], ['out-of-office', undefined])
  })

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
      ['On leave 3 to 17 Sept 2027', '2027-09-17'],
      ['Je suis en congés du 3 au 17 aout.', '2027-08-17'],
      ['Del 3 al 17 de enero estaré de vacaciones.', '2027-01-17'],
      ['Sto fuori dal 3 al 17 gennaio', '2027-01-17'],
      ['Férias de 3 a 17 de janeiro', '2027-01-17'],
      ['Ich bin vom 1. bis 10. Jänner im Urlaub.', '2027-01-10'],
      ['Jeg er på ferie og er tilbake 10. desember.', '2026-12-10'],
      ['Olen lomalla 31.12. asti.', '2026-12-31'],
      ['Olen poissa 5. joulukuuta saakka', '2026-12-05'],
      ['Jestem na urlopie do 15 grudnia.', '2026-12-15'],
      ['Jsem na dovolené do 20. 12.', '2026-12-20'],
      ['Jsem na dovolené do 20. prosince', '2026-12-20'],
      ['Szabadságon vagyok december 20-ig.', '2026-12-20'],
      ['Sunt în concediu până la data de 12 decembrie.', '2026-12-12'],
      ['15 Aralık tarihine kadar yıllık izindeyim.', '2026-12-15'],
      ['Θα απουσιάζω έως τις 20 Δεκεμβρίου.', '2026-12-20'],
      ['Я у відпустці до 20 грудня.', '2026-12-20'],
      ['12月10日から16日まで休暇をいただいております。', '2026-12-16'],
      ['12月20日より出社いたします。', '2026-12-20'],
      ['我目前休假中,將於12月20日回到辦公室。', '2026-12-20'],
      ['12월 20일까지 휴가 중입니다.', '2026-12-20'],
      ['أنا في إجازة حتى 20 ديسمبر.', '2026-12-20'],
      ['אני בחופשה עד 20 בדצמבר.', '2026-12-20'],
      ['Tôi đang nghỉ phép đến ngày 20 tháng 12.', '2026-12-20'],
      ['Saya sedang cuti sampai tanggal 20 Desember.', '2026-12-20'],
      ['ฉันลาพักร้อนจนถึงวันที่ 20 ธันวาคม', '2026-12-20'],
      ['Na godišnjem sam odmoru do 10. prosinca.', '2026-12-10'],
      ['Olen puhkusel kuni 10. detsembrini.', '2026-12-10'],
      ['Esmu atvaļinājumā līdz 10. decembrim.', '2026-12-10'],
      ['Jag är inte på kontoret förrän den 10 december', '2026-12-10'],
      ['Ich bin ab dem 16.12. wieder für Sie da.', '2026-12-16'],
      ['Ich bin am 16.12. zurück.', '2026-12-16'],
      ['Our office is closed and will reopen on January 4.', '2027-01-04'],
      ['Rientrerò il 10 dicembre.', '2026-12-10'],
      ['Volto dia 10 de dezembro.', '2026-12-10'],
      ['Ik ben weer bereikbaar op 10 december.', '2026-12-10'],
      ['December 10-én térek vissza.', '2026-12-10'],
      ['В отпуске до 10.12', '2026-12-10'],
      ["10 Aralık'ta döneceğim.", '2026-12-10'],
      ['12/10まで不在です。', '2026-12-10'],
      ['我公司12月1日至7日放假。', '2026-12-07'],
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
