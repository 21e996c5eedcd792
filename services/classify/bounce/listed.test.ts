/** Bounces of several recipients in words: what is said of which, however they are listed, in the order of any of them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { listedForms as forms, type Recipient } from '#lib/testing/listed.ts'
import { classify } from '../classify.ts'

/** Of an unknown user, and of a full mailbox. */
const languages: Readonly<Record<string, readonly [string, string]>> = {
  de: ['Empfänger unbekannt', 'Postfach ist voll'],
  fr: ["L'utilisateur n'existe pas", 'La boîte aux lettres est pleine'],
  es: ['El usuario no existe', 'El buzón está lleno'],
  it: ['Utente sconosciuto', 'La casella è piena'],
  pt: ['Usuário desconhecido', 'Caixa de correio cheia'],
  nl: ['Gebruiker onbekend', 'Mailbox is vol'],
  sv: ['Okänd mottagare', 'Brevlådan är full'],
  da: ['Ukendt modtager', 'Postkassen er fuld'],
  no: ['Ukjent mottaker', 'Postkassen er full'],
  fi: ['Tuntematon vastaanottaja', 'Postilaatikko on täynnä'],
  pl: ['Nieznany użytkownik', 'Skrzynka jest przepełniona'],
  cs: ['Uživatel neexistuje', 'Schránka je plná'],
  sk: ['Používateľ neexistuje', 'Schránka je plná'],
  hu: ['Ismeretlen felhasználó', 'A postafiók megtelt'],
  ro: ['Utilizator necunoscut', 'Căsuța poștală este plină'],
  tr: ['Kullanıcı bulunamadı', 'Posta kutusu dolu'],
  ru: ['Пользователь не найден', 'Почтовый ящик переполнен'],
  uk: ['Користувача не знайдено', 'Скринька переповнена'],
  bg: ['Потребителят не съществува', 'Пощенската кутия е пълна'],
  el: ['Άγνωστος χρήστης', 'Το γραμματοκιβώτιο είναι γεμάτο'],
  ja: ['ユーザーが見つかりません', 'メールボックスがいっぱいです'],
  zh: ['用户不存在', '邮箱已满'],
  ko: ['사용자를 찾을 수 없습니다', '메일함이 가득 찼습니다'],
  vi: ['Người dùng không tồn tại', 'Hộp thư đã đầy'],
  id: ['Pengguna tidak ditemukan', 'Kotak surat penuh'],
  th: ['ไม่พบผู้ใช้', 'กล่องจดหมายเต็ม'],
  he: ['המשתמש לא נמצא', 'תיבת הדואר מלאה'],
  ar: ['المستخدم غير موجود', 'صندوق البريد ممتلئ'],
}

const people = ['ann@one.example', 'bob@two.example', 'eve@three.example'] as const
const orders: readonly (readonly (0 | 1 | 2)[])[] = [[0, 1], [1, 0], [0, 1, 2], [2, 1, 0], [1]]
type Answers = readonly [answer: readonly [string, string], readonly [string, string], readonly [string, string]]
const coded: Answers = [
  ['550 5.1.1 User unknown', 'userunknown'],
  ['552 5.2.2 Mailbox full', 'mailboxfull'],
  ['554 5.7.1 Relaying denied', 'norelaying'],
]
const mixed: Answers = [
  ['450 4.2.1 Mailbox busy, over quota', 'mailboxfull'],
  ['550 5.1.1 No such user here', 'userunknown'],
  ['550 5.7.26 Unauthenticated email is not accepted', 'authfailure'],
]
const english: Answers = [
  ['User unknown', 'userunknown'],
  ['Mailbox full', 'mailboxfull'],
  ['Relaying denied', 'norelaying'],
]
const german: Answers = [
  ['Benutzer unbekannt', 'userunknown'],
  ['Postfach voll', 'mailboxfull'],
  ['Absender abgelehnt', 'rejected'],
]

describe('several recipients, each with what was answered', () => {
  for (const [name, answers] of Object.entries({ coded, mixed, english, german })) {
    for (const [form, write] of Object.entries(forms)) {
      it(`${name}: ${form}`, () => {
        for (const order of orders) {
          const recipients = order.map((index): Recipient => [people[index], ...answers[index]])
          const verdict = classify(Buffer.from(write(recipients).replaceAll('\n', '\r\n')))
          assert.deepEqual(
            verdict.recipients.map(({ address, reason }) => `${address} ${reason}`).toSorted(),
            recipients.map(([address, , reason]) => `${address} ${reason}`).toSorted(),
          )
        }
      })
    }
  }

  for (const [language, [unknown, full]] of Object.entries(languages)) {
    it(`in words of ${language}, in any form`, () => {
      const recipients: readonly Recipient[] = [
        [people[0], unknown, 'userunknown'],
        [people[1], full, 'mailboxfull'],
      ]
      for (const [form, write] of Object.entries(forms))
        for (const listed of [recipients, recipients.toReversed()]) {
          const message = write(listed)
          const isTyped = /^content-type:/im.test(message.slice(0, message.indexOf('\n\n')))
          const typed = isTyped ? message : message.replace('\n\n', '\nContent-Type: text/plain; charset=utf-8\n\n')
          assert.deepEqual(
            classify(Buffer.from(typed))
              .recipients.map(({ address, reason }) => `${address} ${reason}`)
              .toSorted(),
            recipients.map(([address, , reason]) => `${address} ${reason}`),
            form,
          )
        }
    })
  }

  // What names them tells no reason: each has that of the words.
  const reported = (message: string, recipients: readonly Recipient[]): readonly string[] => {
    const at = message.indexOf('\n\n')
    const header = message.slice(0, at)
    const type = /\nContent-Type:.*/.exec(header)?.[0] ?? '\nContent-Type: text/plain'
    const rest = header.replace(type, '')
    const fields = recipients.map(([address]) => `Final-Recipient: rfc822; ${address}\nAction: failed\nStatus: 5.0.0\n`)
    return [
      `${rest}\nX-Failed-Recipients: ${recipients.map(([address]) => address).join(', ')}${type}${message.slice(at)}`,
      `${rest}\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b${type}${message.slice(at)}\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; st.example\n\n${fields.join('\n')}\n--b--\n`,
    ]
  }
  for (const [form, write] of Object.entries(forms).filter(([name]) => name !== 'one delivered')) {
    it(`with a report, or in X-Failed-Recipients: ${form}`, () => {
      for (const order of orders.filter(({ length }) => length > 1)) {
        const recipients = order.map((index): Recipient => [people[index], ...coded[index]])
        for (const message of reported(write(recipients), recipients)) {
          const verdict = classify(Buffer.from(message.replaceAll('\n', '\r\n')))
          assert.deepEqual(
            verdict.recipients.map(({ address, reason }) => `${address} ${reason}`).toSorted(),
            recipients.map(([address, , reason]) => `${address} ${reason}`).toSorted(),
          )
        }
      }
    })
  }
})
