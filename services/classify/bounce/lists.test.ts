/** Mailing lists that send back what they do not take, in the words of many languages; and what else their managers write. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

const returned =
  'Return-Path: <bounces@corp.example>\nMessage-ID: <m1@corp.example>\nFrom: News <news@corp.example>\nTo: club@lists.example\nSubject: May news\n\nHello\n'
const fromList = (office: string, subject: string, words: string): Buffer =>
  Buffer.from(
    `From: ${office}\nTo: news@corp.example\nSubject: ${subject}\nPrecedence: list\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n${words}\n--b\nContent-Type: message/rfc822\n\n${returned}\n--b--\n`,
  )

const refused = [
  'Your mail to club@lists.example was refused',
  'Beitrag an club@lists.example abgelehnt',
  'Message pour club@lists.example rejeté',
  'Mensaje para club@lists.example rechazado',
  'Messaggio per club@lists.example respinto',
  'Mensagem para club@lists.example recusada',
  'Bericht aan club@lists.example geweigerd',
  'Inlägg till club@lists.example avvisades',
  'Indlæg til club@lists.example afvist',
  'Viesti listalle club@lists.example hylätty',
  'Wiadomość do club@lists.example odrzucona',
  'Příspěvek do club@lists.example odmítnut',
  'Το μήνυμα προς club@lists.example απορρίφθηκε',
  'Сообщение для club@lists.example отклонено',
  'club@lists.example listesine iletiniz reddedildi',
  '发往 club@lists.example 的邮件被拒绝',
  'club@lists.example への投稿は拒否されました',
  'club@lists.example 게시가 거부되었습니다',
]
const held = [
  'Your mail to club@lists.example awaits the moderator',
  'Beitrag an club@lists.example wartet auf die Moderation',
  'Message pour club@lists.example en attente de modération',
  'Mensaje para club@lists.example en espera de moderación',
]

describe('a mailing list', () => {
  for (const subject of refused)
    for (const office of ['club+owner@lists.example', 'club-owner@lists.example', 'owner-club@lists.example'])
      it(`is the recipient of what it sends back, ${office}: ${subject}`, () => {
        const { kind, recipients } = classify(fromList(office, subject, 'Xyzzy.'))
        assert.deepEqual(
          [kind, ...recipients.map(({ address, reason }) => `${address} ${reason}`)],
          ['bounce', 'club@lists.example rejected'],
        )
      })

  it('may say so in the text alone, below the subject of what it sends back', () => {
    for (const words of refused) {
      const { kind, recipients } = classify(fromList('club-owner@lists.example', 'May news', `${words}.`))
      assert.deepEqual([kind, ...recipients.map(({ address }) => address)], ['bounce', 'club@lists.example'], words)
    }
  })

  it('sends nothing back to a moderator who has to let it pass', () => {
    const toModerator = fromList('club-owner@lists.example', 'Not passed yet', 'Rejected unless you let it pass.')
    const message = toModerator.toString().replace('To: news@corp.example', 'To: eve@lists.example')
    assert.notEqual(classify(Buffer.from(message)).kind, 'bounce')
  })

  for (const subject of held)
    it(`holds a message, which has not come back: ${subject}`, () => {
      assert.notEqual(classify(fromList('club-owner@lists.example', subject, 'Xyzzy.')).kind, 'bounce')
    })

  it('is there, whatever it says was not found', () => {
    const words = 'The address of the list was not found in To or Cc. The message could not be delivered to the list.'
    const { variant, recipients } = classify(fromList('club+owner@lists.example', 'Post to club refused', words))
    assert.deepEqual([variant, recipients.map(({ address }) => address)], ['soft', ['club@lists.example']])
  })

  it('does not opt out when it asks whether somebody does', () => {
    const message = `From: club+owner@lists.example\nTo: news@corp.example\nSubject: unsubscribe\n\nunsubscribe\n`
    assert.notEqual(classify(Buffer.from(message)).kind, 'opt-out')
  })
})
