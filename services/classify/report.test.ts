/** Complaints as receivers send them: whom each is about, and which campaign. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from './classify.ts'

const abuse = 'Feedback-Type: abuse\nUser-Agent: X/1\nVersion: 1\n'
const rest = 'Message-ID: <m1@sender.example>\nFrom: News <news@sender.example>\nSubject: May news\n'
const sentTo = `To: ann@x.example\n${rest}`
const ours = 'b-77-ann=x.example@bounce.sender.example'
const mail = (fields: string): string =>
  `From: fbl@isp.example\nTo: fbl@sender.example\nSubject: FW: May\nMIME-Version: 1.0\nContent-Type: ${fields}`
const report = (feedback: string, returned: string, encoding = '7bit', type = 'message/rfc822'): string =>
  mail(
    `multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nAn abuse report.\n--b\nContent-Type: message/feedback-report\nContent-Transfer-Encoding: ${encoding}\n\n${feedback}\n--b\nContent-Type: ${type}\n\n${returned}\nHello\n--b--\n`,
  )

const forms: Readonly<Record<string, readonly [message: string, verdict: string, campaign?: string]>> = {
  'Original-Rcpt-To': [
    report(`${abuse}Original-Rcpt-To: <ann@x.example>\n`, `To: list@x.example\n${rest}`),
    'complaint/abuse ann@x.example',
  ],
  'Original-Rcpt-To with its type': [
    report(`${abuse}Original-Rcpt-To: rfc822; ann@x.example\n`, rest),
    'complaint/abuse ann@x.example',
  ],
  'a report in base64': [
    report(
      Buffer.from(`${abuse}Original-Rcpt-To: ann@x.example\n`).toString('base64'),
      `To: list@x.example\n${rest}`,
      'base64',
    ),
    'complaint/abuse ann@x.example',
  ],
  'the address to unsubscribe at, where nothing else names anybody': [
    report(abuse, `${rest}List-Unsubscribe: <https://sender.example/u>, <mailto:${ours}?subject=u>\n`),
    'complaint/abuse ann@x.example',
    '77',
  ],
  'fields in capitals': [report('FEEDBACK-TYPE: Abuse\n', sentTo), 'complaint/abuse ann@x.example'],
  'To of the returned message': [report(abuse, sentTo), 'complaint/abuse ann@x.example'],
  'To of a returned header': [report(abuse, sentTo, '7bit', 'text/rfc822-headers'), 'complaint/abuse ann@x.example'],
  'the return address of the returned message, where To is struck out': [
    report(abuse, `Return-Path: <${ours}>\nTo: undisclosed-recipients:;\n${rest}`),
    'complaint/abuse ann@x.example',
    '77',
  ],
  'Original-Mail-From': [
    report(`${abuse}Original-Mail-From: <${ours}>\n`, `To: redacted@x.example\n${rest}`),
    'complaint/abuse ann@x.example',
    '77',
  ],
  'who took the returned message, and for whom': [
    report(abuse, `Received: by mx.x.example for <ann@x.example>; Mon, 2 Nov 2020\nTo: redacted@x.example\n${rest}`),
    'complaint/abuse ann@x.example',
  ],
  'Delivered-To': [
    report(abuse, `Delivered-To: ann@x.example\nTo: xxxxx@x.example\n${rest}`),
    'complaint/abuse ann@x.example',
  ],
  'nothing but what is struck out': [
    report(abuse, `To: redacted@x.example\n${rest}`),
    'complaint/abuse redacted@x.example',
  ],
  'a report without its fields': [
    mail(
      `multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nAn abuse report.\n--b\nContent-Type: message/rfc822\n\n${sentTo}\nHello\n--b--\n`,
    ),
    'complaint/abuse ann@x.example',
  ],
  'a request to leave': [
    report('Feedback-Type: opt-out\nRemoval-Recipient: ann@x.example\n', rest),
    'complaint/opt-out ann@x.example',
  ],
  'who says that it is no spam': [report('Feedback-Type: not-spam\n', sentTo), 'complaint/not-spam ann@x.example'],
  'a failure of authentication': [
    report('Feedback-Type: auth-failure\nAuth-Failure: dkim\n', sentTo),
    'report/auth-failure ann@x.example',
  ],
  "Microsoft's field, of a message that is all": [
    mail(`message/rfc822\nX-HmXmrOriginalRecipient: ann@x.example\n\n${sentTo}\nHello`),
    'complaint/abuse ann@x.example',
  ],
}

it('a feedback report whose parts were lost on the way is one by its fields', () => {
  const text =
    'From: fbl@isp.example\nTo: fbl@corp.example\nSubject: abuse report\n\nFeedback-Type: abuse\nUser-Agent: X/1\nVersion: 1\nOriginal-Mail-From: <news@corp.example>\nOriginal-Rcpt-To: <jane@isp.example>\nSource-IP: 192.0.2.4\n'
  const { kind, variant, recipients } = classify(Buffer.from(text))
  assert.deepEqual(
    [kind, variant, recipients.map(({ address }) => address)],
    ['complaint', 'abuse', ['jane@isp.example']],
  )
})

describe('a complaint', () => {
  for (const [form, [message, expected, campaign]] of Object.entries(forms)) {
    it(`is read by ${form}`, () => {
      const { kind, variant, recipients, original } = classify(Buffer.from(message), null, {
        addressPatterns: [/^b-(?<campaign>\d+)-(?<recipient>[^@]+=[^@]+)@/],
      })
      assert.equal([`${kind}/${variant}`, ...recipients.map(({ address }) => address)].join(' '), expected)
      assert.equal(original['campaign'], campaign)
      assert.equal(original['subject'], 'May news')
    })
  }

  it('is about our mail: of what a person passes on, another sender is not asked for our campaigns', () => {
    const { kind, original } = classify(
      Buffer.from(
        mail(
          `multipart/mixed; boundary=b\n\n--b\n\nlook\n--b\nContent-Type: message/rfc822\n\nReturn-Path: <${ours}>\n${sentTo}\n--b--`,
        ),
      ),
    )
    assert.deepEqual([kind, original['recipient']], ['unknown', undefined])
  })
})

describe('a receipt without its report', () => {
  for (const [subject, words, to] of [
    ['Return Receipt (displayed) - May news', 'This is a return receipt for the mail that you sent', 'To'],
    ['Empfangsbestätigung (gelesen): May news', 'Dies ist eine Empfangsbestätigung für Ihre Nachricht', 'An'],
    ['Уведомление о прочтении: May news', 'Это уведомление о прочтении вашего письма', 'Кому'],
    ['Ricevuta di lettura: May news', 'Questa è una ricevuta di lettura del tuo messaggio', 'A'],
  ] as const) {
    it(`is known by its words: ${subject}`, () => {
      const { kind, variant, recipients } = classify(
        Buffer.from(
          `From: Ann <ann@x.example>\nTo: news@corp.example\nSubject: ${subject}\nContent-Type: text/plain; charset=utf-8\n\n${words}:\n\n${to}: ann@x.example\nSubject: May news\n`,
        ),
      )
      assert.deepEqual([kind, variant, ...recipients.map(({ address }) => address)], ['report', 'mdn', 'ann@x.example'])
    })
  }
})
