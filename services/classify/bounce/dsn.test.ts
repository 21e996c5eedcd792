/** Delivery reports as systems write them, and as RFC 3464 does not have it: what is read of each. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

const perMessage = 'Reporting-MTA: dns; mx.example'
const report = (message: string, recipients: string, notice = 'Sorry.'): string =>
  `From: MAILER-DAEMON@mx.example\nTo: b@s.example\nSubject: Undelivered\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: text/plain\n\n${notice}\n--b\nContent-Type: message/delivery-status\n\n${message}\n\n${recipients}\n--b\nContent-Type: text/rfc822-headers\n\nSubject: May\nTo: ann@x.example\n--b--\n`

const reports: readonly (readonly [form: string, message: string, recipients: string])[] = [
  [
    'as RFC 3464 has it',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'an address in brackets',
    report(
      perMessage,
      'Final-Recipient: rfc822;<ann@x.example>\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'no types',
    report(
      perMessage,
      'Final-Recipient: ann@x.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: 550 5.1.1 User unknown',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'names and values in capitals',
    report(
      perMessage,
      'FINAL-RECIPIENT: RFC822; ann@x.example\nACTION: FAILED\nSTATUS: 5.1.1\nDIAGNOSTIC-CODE: SMTP; 550 5.1.1 User unknown',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'folded fields',
    report(
      perMessage,
      'Final-Recipient: rfc822;\n ann@x.example\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp;\n\t550 5.1.1\n\tUser unknown',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'comments',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example (Ann A.)\nAction: failed (delivery)\nStatus: 5.1.1 (bad destination mailbox address)\nDiagnostic-Code: smtp; 550 5.1.1 User unknown',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'no action',
    report(perMessage, 'Final-Recipient: rfc822; ann@x.example\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 full'),
    'ann@x.example failed 5.2.2 552 mailboxfull',
  ],
  [
    'no status',
    report(perMessage, 'Final-Recipient: rfc822; ann@x.example\nAction: failed\nDiagnostic-Code: smtp; 552 5.2.2 full'),
    'ann@x.example failed 5.2.2 552 mailboxfull',
  ],
  [
    'no reply',
    report(perMessage, 'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1'),
    'ann@x.example failed 5.1.1  userunknown',
  ],
  [
    'a reply in the notice alone',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.0.0',
      '<ann@x.example>: host mx said: 550 5.1.1 no such user',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'given up after temporary failures',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 4.4.7\nDiagnostic-Code: smtp; 451 4.4.1 timeout',
    ),
    'ann@x.example failed 4.4.1 451 expired',
  ],
  [
    'a delay',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: delayed\nStatus: 4.4.1\nWill-Retry-Until: Tue, 3 Nov 2020 10:00:00 +0000',
    ),
    'ann@x.example delayed 4.4.1  expired',
  ],
  [
    'a reply of three lines',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550-5.7.1 Our system has detected that this message is\n 550-5.7.1 likely unsolicited mail. To reduce spam\n 550 5.7.1 it was blocked.',
    ),
    'ann@x.example failed 5.7.1 550 spamdetected',
  ],
  [
    'two recipients',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1\n\nFinal-Recipient: rfc822; bob@y.example\nAction: delayed\nStatus: 4.2.2\nDiagnostic-Code: smtp; 452 4.2.2 full',
    ),
    'ann@x.example failed 5.1.1  userunknown,bob@y.example delayed 4.2.2 452 mailboxfull',
  ],
  [
    'two recipients without a blank line',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1\nFinal-Recipient: rfc822; bob@y.example\nAction: failed\nStatus: 5.2.2',
    ),
    'ann@x.example failed 5.1.1  userunknown,bob@y.example failed 5.2.2  mailboxfull',
  ],
  [
    'a recipient in the fields of the message',
    report(`${perMessage}\nFinal-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1`, ''),
    'ann@x.example failed 5.1.1  userunknown',
  ],
  [
    'an original recipient alone',
    report(perMessage, 'Original-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1'),
    'ann@x.example failed 5.1.1  userunknown',
  ],
  [
    'an original recipient in xtext',
    report(
      perMessage,
      'Original-Recipient: rfc822; ann+2Bnews@x.example\nFinal-Recipient: rfc822; ann+news@x.example\nAction: failed\nStatus: 5.1.1',
    ),
    'ann+news@x.example failed 5.1.1  userunknown',
  ],
  [
    'an alias',
    report(
      perMessage,
      'Original-Recipient: rfc822; ann@x.example\nFinal-Recipient: rfc822; ann@internal.x.example\nAction: failed\nStatus: 5.1.1',
    ),
    'ann@internal.x.example failed 5.1.1  userunknown',
  ],
  [
    'a local name',
    report(
      perMessage,
      'Original-Recipient: rfc822; ann@x.example\nFinal-Recipient: rfc822; ann\nAction: failed\nStatus: 5.1.1',
    ),
    'ann@x.example failed 5.1.1  userunknown',
  ],
  [
    'an address of X.400',
    report(
      perMessage,
      'Original-Recipient: rfc822; ann@x.example\nFinal-Recipient: x400; /C=US/A= /P=ORG/S=ann\nAction: failed\nStatus: 5.1.1',
    ),
    'ann@x.example failed 5.1.1  userunknown',
  ],
  [
    'an address of SMTP in one of X.400',
    report(
      perMessage,
      'Final-Recipient: x400; /C=US/A= /P=ORG/DD.RFC-822=ann(u)b(a)x.example/\nAction: failed\nStatus: 5.1.1',
    ),
    'ann_b@x.example failed 5.1.1  userunknown',
  ],
  [
    'somebody who has such an attribute in his own name',
    report(perMessage, 'Final-Recipient: rfc822; a/smtp=bob@x.example\nAction: failed\nStatus: 5.1.1'),
    'a/smtp=bob@x.example failed 5.1.1  userunknown',
  ],
  [
    'a delivery',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: delivered\nStatus: 2.0.0\nDiagnostic-Code: smtp; 250 2.0.0 OK',
    ),
    'ann@x.example delivered 2.0.0 250 delivered',
  ],
  [
    'a quoted local part',
    report(perMessage, 'Final-Recipient: rfc822; "ann a"@x.example\nAction: failed\nStatus: 5.1.1'),
    '"ann a"@x.example failed 5.1.1  userunknown',
  ],
  [
    'an international address',
    report(perMessage, 'Final-Recipient: utf-8; анна@x.example\nAction: failed\nStatus: 5.1.1'),
    'анна@x.example failed 5.1.1  userunknown',
  ],
  [
    'a dot behind the status',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1.\nDiagnostic-Code: smtp; 550',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'a status of two numbers',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1\nDiagnostic-Code: smtp; 550 5.1.1 unknown',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'a reply as status',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 550\nDiagnostic-Code: smtp; 550 5.1.1 unknown user',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'a reply behind the status',
    report(perMessage, 'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1 550 user unknown'),
    'ann@x.example failed 5.1.1  userunknown',
  ],
  [
    'a list',
    report(perMessage, 'Final-Recipient: rfc822; list@x.example\nAction: expanded\nStatus: 2.0.0'),
    'list@x.example expanded 2.0.0  delivered',
  ],
  [
    'a reply in quotation marks',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; "550 5.1.1 <ann@x.example>: Recipient address rejected: User unknown"',
    ),
    'ann@x.example failed 5.1.1 550 userunknown',
  ],
  [
    'no reply, but words',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.4.4\nDiagnostic-Code: X-Postfix; Host or domain name not found. Name service error for name=x.example type=A: Host not found',
    ),
    'ann@x.example failed 5.4.4  hostunknown',
  ],
  [
    'several blank lines',
    report(
      `${perMessage}\nArrival-Date: x\n\n\n`,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1',
    ),
    'ann@x.example failed 5.1.1  userunknown',
  ],
  [
    'a line that is no field',
    report(perMessage, 'Final-Recipient: rfc822; ann@x.example\nthis is no field\nAction: failed\nStatus: 5.1.1'),
    'ann@x.example failed 5.1.1  userunknown',
  ],
  [
    'spaces in front of the colons',
    report(perMessage, 'Final-Recipient : rfc822; ann@x.example\nAction : failed\nStatus : 5.1.1'),
    'ann@x.example failed 5.1.1  userunknown',
  ],
  [
    'a blank line between all fields',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\n\nAction: failed\n\nStatus: 5.2.2\n\nDiagnostic-Code: smtp; 552 5.2.2 full',
    ),
    'ann@x.example failed 5.2.2 552 mailboxfull',
  ],
  [
    'a reply in lines of its own, not folded',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 554 5.7.1 Your message\nwas rejected as spam\nLast-Attempt-Date: x',
    ),
    'ann@x.example failed 5.7.1 554 spamdetected',
  ],
  [
    'spaces in front of all fields',
    report(
      perMessage,
      '  Final-Recipient: rfc822; ann@x.example\n  Action: failed\n  Status: 5.2.2\n  Diagnostic-Code: smtp;\n    552 5.2.2 full',
    ),
    'ann@x.example failed 5.2.2 552 mailboxfull',
  ],
  [
    'no parts, all of it quoted',
    `From: MAILER-DAEMON@mx.example\nTo: b@s.example\nSubject: Undelivered\n\n> ${report(perMessage, 'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.2.2').replaceAll('\n', '\n> ')}`,
    'ann@x.example failed 5.2.2  mailboxfull',
  ],
  [
    'a recipient twice',
    report(
      perMessage,
      'Final-Recipient: rfc822; ann@x.example\nAction: failed\nStatus: 5.1.1\n\nFinal-Recipient: rfc822; ANN@x.example\nAction: failed\nStatus: 5.1.1',
    ),
    'ann@x.example failed 5.1.1  userunknown',
  ],
]

describe('a delivery report', () => {
  for (const [form, message, expected] of reports) {
    for (const [ends, bytes] of [
      ['LF', message],
      ['CRLF', message.replaceAll('\n', '\r\n')],
      ['CR, as on the old Mac OS', message.replaceAll('\n', '\r')],
      ['CRCRLF, as text becomes that is converted twice', message.replaceAll('\n', '\r\r\n')],
    ] as const) {
      it(`is read with ${form}, with ${ends}`, () => {
        const { kind, recipients } = classify(Buffer.from(bytes))
        const found = recipients.map(
          ({ address, action, status, reply, reason }) => `${address} ${action} ${status} ${reply} ${reason}`,
        )
        assert.deepEqual([kind, found.join()], ['bounce', expected])
      })
    }
  }
})
