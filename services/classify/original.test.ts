/** By what a bounce tells which message it is about: the message itself or its header comes back in many forms, or is only named. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from './classify.ts'

const fields =
  'Received: from out.sender.example by mx.example; Mon, 2 Nov 2020 10:00:00 +0000\nMessage-ID: <m1@sender.example>\nFrom: News <news@sender.example>\nTo: ann@x.example\nSubject: May news\nList-Id: <may.sender.example>'
const said = '<ann@x.example>: user unknown\n'
const head =
  'Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nTo: news@sender.example\nSubject: Undelivered mail\nMIME-Version: 1.0\n'
const text = (body: string): string => `${head}Content-Type: text/plain; charset=utf-8\n\n${body}`
const parts = (...more: readonly string[]): string =>
  `${head}Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n${said}\n${more.map((part) => `--b\n${part}\n`).join('')}--b--\n`
const report = (perMessage: string, ...more: readonly string[]): string =>
  parts(
    `Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n${perMessage}\nFinal-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1\n`,
    ...more,
  )
const prefixed = (prefix: string): string => fields.replaceAll(/^/gm, prefix)

const whole = {
  messageId: '<m1@sender.example>',
  subject: 'May news',
  to: 'ann@x.example',
  listId: '<may.sender.example>',
}
const named = { messageId: '<m1@sender.example>', subject: 'May news' }

const forms: Readonly<Record<string, readonly [string, Readonly<Record<string, string>>]>> = {
  'text behind a line that says so': [
    text(`${said}\n--- Below this line is a copy of the message.\n\n${fields}\n\nHello`),
    whole,
  ],
  'quoted text': [text(`${said}\nOriginal message:\n\n${prefixed('> ')}\n>\n> Hello`), whole],
  'quoted text without a word in front': [text(`${said}\n${prefixed('> ')}\n>\n> Hello`), whole],
  'text behind bars': [text(`${said}\n----- Original message -----\n${prefixed('| ')}`), whole],
  'indented text': [text(`${said}\nOriginal message headers:\n\n${prefixed('    ')}`), whole],
  'a page': [
    `${head}Content-Type: text/html\n\n<p>Delivery failed to ann@x.example: user unknown</p><p>Original message headers:</p><pre>${fields.replaceAll('<', '&lt;')}</pre>`,
    whole,
  ],
  'a file of text': [
    parts(
      `Content-Type: text/plain; name="headers.txt"\nContent-Disposition: attachment; filename=headers.txt\n\n${fields}`,
    ),
    whole,
  ],
  'a file of a message': [
    parts(
      `Content-Type: application/octet-stream\nContent-Disposition: attachment; filename="May.eml"\n\n${fields}\n\nHello`,
    ),
    whole,
  ],
  'a message in base64, which must not be': [
    parts(
      `Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n${Buffer.from(`${fields}\n\nHello`).toString('base64')}`,
    ),
    whole,
  ],
  'a header of another type': [parts(`Content-Type: Message/RFC822-Headers\n\n${fields}`), whole],
  'a header in quoted-printable': [
    report('', `Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: quoted-printable\n\n${fields}`),
    whole,
  ],
  'the first piece of a message': [
    report('', `Content-Type: message/partial; id=1; number=1; total=2\n\n${fields}\n\nHel`),
    whole,
  ],
  'a part that is the message': [parts(`${fields}\nContent-Type: text/plain\n\nHello`), whole],
  'a header whose folded lines lost their spaces': [
    report(
      '',
      `Content-Type: message/rfc822\n\n${fields.replace(' by mx', '\nby mx').replace('; Mon', ';\nMon')}\n\nHello`,
    ),
    whole,
  ],
  'a part whose boundary is another': [
    report('\n', `Content-Type: x/y\n\n`).replace(
      /--b\nContent-Type: x\/y\n\n/,
      `--c\nContent-Type: text/rfc822-headers\n\n${fields}\n`,
    ),
    whole,
  ],
  'text without spaces behind colons': [text(`${said}\n\n${fields.replaceAll(/^([\w-]+): /gm, '$1:')}\n`), whole],
  'a summary': [
    text(
      'This report relates to a message you sent with the following header fields:\n\n  Message-id: <m1@sender.example>\n  To: ann@x.example\n  Subject: May news\n\nRecipient address: ann@x.example\nReason: user unknown\n',
    ),
    named,
  ],
  'a sentence': [
    text('Your message (Message-ID: <m1@sender.example>) to ann@x.example could not be delivered: user unknown'),
    { messageId: '<m1@sender.example>' },
  ],
  'fields of the report': [
    report('Original-Envelope-Id: batch+3D7\nX-Original-Message-ID: <m1@sender.example>\n'),
    { messageId: '<m1@sender.example>', envelopeId: 'batch=7' },
  ],
  'a reply to it': [
    `${head}In-Reply-To: <m1@sender.example>\nContent-Type: text/plain\n\n${said}`,
    { messageId: '<m1@sender.example>' },
  ],
}

describe('the message that a bounce is about', () => {
  for (const [form, [message, expected]] of Object.entries(forms)) {
    for (const [ends, lineEnd] of [
      ['LF', '\n'],
      ['CRLF', '\r\n'],
    ] as const) {
      it(`is told by ${form}, with ${ends}`, () => {
        const { kind, recipients, original } = classify(Buffer.from(message.replaceAll('\n', lineEnd)))
        assert.equal(kind, 'bounce')
        assert.deepEqual(
          recipients.map(({ address, reason }) => `${address} ${reason}`),
          ['ann@x.example userunknown'],
        )
        const { from: _, ...rest } = original
        assert.deepEqual(rest, expected)
      })
    }
  }
})
