/** Mail that only looks like something: what a kind must not be given for, and automatic replies in the languages of the world. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { spellings } from '#lib/testing/spellings.ts'
import { classify } from './classify.ts'

type Letters = {
  /** A kind, and its variant where one is told. */
  readonly is: string
  readonly letters: readonly {
    readonly from: string
    readonly subject: string
    readonly fields?: readonly string[]
    readonly text: string
  }[]
}
const written = JSON.parse(readFileSync(join(import.meta.dirname, 'golden', 'letters.json'), 'utf8')) as Letters[] // Ours.

const mail = (from: string, subject: string, text: string, more = ''): Buffer =>
  Buffer.from(
    `From: ${from}\r\nTo: news@corp.example\r\nSubject: ${subject}\r\nMessage-ID: <1@x.example>\r\n${more}\r\n${text}\r\n`,
  )
const answer = 'In-Reply-To: <news@corp.example>\r\n'

describe('no bounce is', () => {
  for (const [from, subject, text, more, kind] of [
    [
      'DHL <noreply@mail.parcel.example>',
      'Delivery failed: your parcel could not be delivered',
      'It was not delivered because nobody was home. Call 555 123.',
      '',
      'unknown',
    ],
    [
      'shop@shop.example',
      'Your order: delivery delayed',
      'Your order has been delayed and will be delivered next week.',
      '',
      'unknown',
    ],
    [
      'Jane <jane@dom.example>',
      'Re: Undeliverable mail?',
      'I got an "Undelivered Mail Returned to Sender" with 550 5.1.1 user unknown for bob@x.example.',
      answer,
      'reply',
    ],
    [
      'status@saas.example',
      'Mail delivery status: all systems operational',
      'Mail was returned to normal.',
      '',
      'unknown',
    ],
    [
      'news@other.example',
      'How to reduce bounces',
      'Bounced mail: user unknown, mailbox full: read our blog.',
      'List-Id: <x.other.example>\r\n',
      'unknown',
    ],
    [
      'postmaster@dom.example',
      'DMARC policy change',
      'Dear colleague, we change our DMARC policy next week.',
      '',
      'unknown',
    ],
    ['billing@dom.example', 'Invoice 550', 'Amount: 550 USD.', '', 'unknown'],
  ] as const) {
    it(subject, () => assert.equal(classify(mail(from, subject, text, more)).kind, kind))
  }

  it('who says that he may not post to a list', () => {
    const text = 'Hello, I am not allowed to post to the group any more. Can you help?'
    assert.equal(classify(mail('jane@dom.example', 'A problem', text)).kind, 'unknown')
  })

  it('but one is whatever the message was called that came back', () => {
    const returned =
      'Received: by x\r\nFrom: news@corp.example\r\nTo: bob@x.example\r\nSubject: Our spam report\r\n\r\nhi'
    const verdict = classify(
      mail(
        'MAILER-DAEMON@x.example',
        'Undeliverable: Our spam report',
        `<bob@x.example>: 550 5.1.1 user unknown\r\n\r\n${returned}`,
        'Return-Path: <>\r\n',
      ),
    )
    assert.deepEqual([verdict.kind, verdict.recipients[0]?.reason], ['bounce', 'userunknown'])
    const report = `--b\r\n\r\nfailed\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; bob@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n${returned}\r\n--b--`
    const fields = 'Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n'
    assert.equal(
      classify(mail('postmaster@x.example', 'Undeliverable: Our spam report', report, fields)).kind,
      'bounce',
    )
  })

  it('but one that a person passes on is', () => {
    const verdict = classify(
      mail(
        'Jane <jane@dom.example>',
        'Fwd: Undelivered Mail Returned to Sender',
        'See below\r\n\r\n---------- Forwarded message ---------\r\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example>\r\nSubject: Undelivered Mail Returned to Sender\r\n\r\n<bob@x.example>: host mx said: 550 5.1.1 user unknown (in reply to RCPT TO command)',
      ),
    )
    assert.deepEqual(
      [verdict.kind, verdict.recipients.map(({ address, reason }) => `${address} ${reason}`)],
      ['bounce', ['bob@x.example userunknown']],
    )
  })
})

describe('what a person attaches', () => {
  const attached = (from: string, more = '') =>
    `From: ${from}\r\nTo: news@corp.example\r\nSubject: Undelivered Mail Returned to Sender\r\nMessage-ID: <inner@x.example>\r\n\r\n<bob@x.example>: 550 5.1.1 user unknown\r\n\r\nReceived: by mx.example\r\nFrom: news@corp.example\r\nTo: bob@x.example\r\nSubject: March\r\nMessage-ID: <march@corp.example>\r\n${more}`
  const allOf = (inner: readonly string[], fields = '') =>
    classify(
      Buffer.from(
        `From: Jane <jane@dom.example>\r\nTo: desk@corp.example\r\nSubject: Fwd: look\r\n${fields}Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nlook\r\n${inner.map((each) => `--b\r\nContent-Type: message/rfc822\r\n\r\n${each}\r\n`).join('')}--b--\r\n`,
      ),
    )
  const wrapped = (inner: string, fields = '') => allOf([inner], fields)

  it('is a bounce where it is one, of the message that came back', () => {
    const verdict = wrapped(attached('MAILER-DAEMON@x.example'))
    assert.deepEqual(
      [verdict.kind, verdict.recipients.map(({ address }) => address), verdict.original['messageId']],
      ['bounce', ['bob@x.example'], '<march@corp.example>'],
    )
    // A rule that passes mail on may do so with a null reverse-path.
    const byRule = wrapped(attached('MAILER-DAEMON@x.example'), 'Return-Path: <>\r\n')
    assert.deepEqual([byRule.kind, byRule.recipients.map(({ address }) => address)], ['bounce', ['bob@x.example']])
  })

  it('is all of them where there are several, each recipient once, and not what is none', () => {
    const news = 'From: News <news@corp.example>\r\nTo: bob@x.example\r\nSubject: March\r\n\r\nHello\r\n'
    const report = (address: string, status: string, reply: string) =>
      `From: MAILER-DAEMON@y.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; y.example\r\n\r\nFinal-Recipient: rfc822; ${address}\r\nAction: failed\r\nStatus: ${status}\r\nDiagnostic-Code: smtp; ${reply}\r\n--r\r\nContent-Type: message/rfc822\r\n\r\nSubject: April\r\nTo: ${address}\r\n\r\n--r--`
    const said = ({ kind, variant, recipients }: ReturnType<typeof classify>) => [
      `${kind}/${variant}`,
      ...recipients.map(({ address, status, reason }) => `${address} ${status} ${reason}`),
    ]
    const full = report('eve@y.example', '5.2.2', '552 5.2.2 mailbox full')
    const bob = attached('MAILER-DAEMON@x.example')
    const all = allOf([news, bob, full, report('BOB@x.example', '4.4.1', 'timed out')])
    assert.deepEqual(said(all), ['bounce/hard', 'bob@x.example 5.1.1 userunknown', 'eve@y.example 5.2.2 mailboxfull'])
    assert.equal(all.original['subject'], 'March')
    assert.deepEqual(said(allOf([full])), ['bounce/soft', 'eve@y.example 5.2.2 mailboxfull'])
    assert.deepEqual(said(allOf([full, full])), ['bounce/soft', 'eve@y.example 5.2.2 mailboxfull'])
  })

  it('is told where it is more than is read', () => {
    const count = 2_000
    const page = `${'a line of the notice, and nobody is in it\r\n'.repeat(20)}`
    const bounce = (n: number) => attached('MAILER-DAEMON@x.example').replaceAll('bob@', `bob${n}@`) + page
    const { kind, recipients, evidence } = allOf(Array.from({ length: count }, (_, n) => bounce(n)))
    assert.equal(kind, 'bounce')
    const left = Number(/^\d+/.exec(evidence.find(({ rule }) => rule === 'limit:attached')?.text ?? '')?.[0])
    assert.ok(recipients.length > 100, `${recipients.length} recipients`)
    assert.ok(left > 0 && recipients.length + left <= count, `${left} of ${count} left out`)
    // Parts are bounded, too: the last ones are no longer parts of their own.
    assert.equal(evidence[0]?.rule, 'limit:parts')
  })

  it('is none where it is something else, and where a list sends a digest', () => {
    const news = 'From: News <news@corp.example>\r\nTo: bob@x.example\r\nSubject: March\r\n\r\nHello\r\n'
    assert.equal(wrapped(news).kind, 'unknown')
    // It says so in a word or two, and names nobody.
    const words = 'From: a@x.example\r\nReturn-Path: <>\r\nSubject: x\r\n\r\nYour message was rejected.\r\n'
    assert.equal(wrapped(words).kind, 'unknown')
    assert.equal(wrapped(attached('MAILER-DAEMON@x.example'), 'List-Id: <l.x.example>\r\n').kind, 'unknown')
  })
})

describe('what people and their programs write', () => {
  const spelled = { 'as they are': (text: string) => text, ...spellings }
  for (const [how, spell] of Object.entries(spelled)) {
    for (const { is, letters } of written) {
      it(`is ${is}, ${how}`, () => {
        const found = letters.map(({ from, subject, fields = [], text }) => {
          const more = [...fields, 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit']
          const verdict = classify(mail(from, spell(subject), spell(text), `${more.join('\r\n')}\r\n`))
          return `${subject}: ${is.includes('/') ? `${verdict.kind}/${verdict.variant}` : verdict.kind}`
        })
        assert.deepEqual(
          found,
          letters.map(({ subject }) => `${subject}: ${is}`),
        )
      })
    }
  }

  it('is no receipt where a newsletter is about reading', () => {
    const text = 'Our book of the week: it was read by thousands.\r\nOrder now.'
    assert.equal(classify(mail('shop@x.example', 'Read: ten books for winter', text)).kind, 'unknown')
  })
})

describe('opt-outs', () => {
  it('are commands at the top of the text, not in what is quoted, and not a word in a sentence', () => {
    for (const [text, kind] of [
      ['STOP\r\n\r\n> hello', 'opt-out'],
      ['Please remove me from this list', 'opt-out'],
      ['Great, thanks!\r\n\r\nOn Monday, Corp wrote:\r\n> unsubscribe', 'reply'],
      ['Please stop by our office on Monday.', 'reply'],
    ] as const) {
      assert.equal(classify(mail('user@dom.example', 'Re: Our offer', text, answer)).kind, kind, text)
    }
  })
})

describe('automatic replies', () => {
  it('are known by their subject in the languages of the world', () => {
    for (const subject of [
      'Automatic reply: x',
      'Out of Office: Re: x',
      'Automatische Antwort: x',
      'Abwesenheitsnotiz: x',
      'Réponse automatique : x',
      'Absence du bureau',
      'Respuesta automática: x',
      'Fuera de la oficina',
      'Risposta automatica: x',
      'Fuori ufficio',
      'Resposta automática: x',
      'Ausência temporária',
      'Automatisch antwoord: x',
      'Afwezig',
      'Automatisk svar: x',
      'Autosvar: x',
      'Automatyczna odpowiedź: x',
      'Otomatik yanıt: x',
      'Автоматический ответ: x',
      'Автоответ: x',
      'Automatická odpověď: x',
      'Automatikus válasz: x',
      'Automaattinen vastaus: x',
      'Răspuns automat: x',
      'Αυτόματη απάντηση: x',
      'Trả lời tự động: x',
      '自动答复: x',
      '自動返信: x',
      '자동 회신: x',
    ]) {
      assert.equal(classify(mail('user@dom.example', subject, 'x')).kind, 'auto-reply', subject)
    }
  })

  it('are not every mail that speaks of offices and holidays', () => {
    for (const subject of ['Out of office planning', 'Vacation offers for you', 'Absent friends', 'Urlaubsangebote']) {
      assert.notEqual(classify(mail('user@dom.example', subject, 'x')).kind, 'auto-reply', subject)
    }
  })
})
