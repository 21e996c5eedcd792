/**
 * Messages as large as they are taken, built so that whoever looks at everything takes minutes: each ends in a verdict all the same. The
 * bound is twenty times what they take.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { rawRecord } from '#lib/testing/embedded.ts'
import { openCodec } from '#schemas/codec.ts'
import type { Verdict } from '#schemas/types.ts'
import { verdictBytesMax } from './bounded.ts'
import { classify } from './classify.ts'
import { textRules } from './reason.ts'
import words from './rules/words.json' with { type: 'json' }
import { type Purpose, wordsOf } from './words.ts'

const header = 'From: MAILER-DAEMON@x.example\r\nTo: b@y.example\r\nReturn-Path: <>\r\nSubject: Undelivered mail\r\n'
const cpuMsMax = 2_000
const body = 'line of the body, <user of it\r\n'.repeat(1_400_000)
const times = (count: number, of: (n: number) => string): string =>
  Array.from({ length: count }, (_, n) => of(n)).join('')
const multipart = (parts: string): Buffer =>
  Buffer.from(`${header}Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts}--b--\r\n`)

const base64 = Buffer.from(times(1_000, (n) => `<user${n}@x.example>: host mx said: 550 5.1.1 no such user\r\n`))
  .toString('base64')
  .replace(/.{76}/g, '$&\r\n')

const attachedTo = (notice: (n: number) => string, fields = '\r\n'): Buffer =>
  Buffer.from(
    `From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${times(600, (n) => `--b\r\nContent-Type: message/rfc822\r\n\r\n${header}${fields}${notice(n)}\r\n`)}`,
  )

const shapes: Readonly<Record<string, () => Buffer>> = {
  'a thousand recipients that the bytes do not show, in front of a long message': () =>
    multipart(`--b\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64}\r\n--b\r\n\r\n${body}\r\n`),
  'parts whose boundaries never come': () =>
    multipart(
      `${times(1_900, (n) => `--b\r\nContent-Type: multipart/mixed; boundary=never${n}\r\n\r\nx\r\n`)}--b\r\n\r\n${body}\r\n`,
    ),
  'lines that look like a boundary and are none': () => multipart('--b-\r\n'.repeat(6_000_000)),
  'lines that end with CR alone': () => Buffer.from(`${header}\r\n${body}`.replaceAll('\r\n', '\r')),
  'a reply of lines that are not folded': () =>
    multipart(
      `--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a@x.example\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 no\r\n${'550-no\r\n'.repeat(6_000_000)}`,
    ),
  'recipients with a hundred fields, each in front of hundreds more': () =>
    multipart(
      `--b\r\nContent-Type: message/delivery-status\r\n\r\n${`Final-Recipient: rfc822; a@x.example\r\n${times(98, (n) => `a${n}:\r\n`)}\r\n${'b:\n'.repeat(300)}\r\n`.repeat(2_500)}`,
    ),
  'addresses between hundreds of spaces': () =>
    Buffer.from(`${header}\r\n${`from${' '.repeat(900)}a@x.example${' '.repeat(900)}to b@y.example\r\n`.repeat(140)}`),
  'a command, and hundreds of spaces behind it': () =>
    Buffer.from(`${header}\r\n<ann@x.example>: 550 no\r\n${`smtp command${'\t '.repeat(450)}\r\n`.repeat(280)}`),
  'sentences that speak of others than a hundred recipients': () =>
    Buffer.from(
      `${header}\r\n${times(100, (n) => `<user${n}@x.example>: no user password\r\n\r\n`)}${'no user password\r\n\r\n'.repeat(300)}`,
    ),
  'names of fields between hundreds of spaces': () =>
    Buffer.from(`${header}\r\n${`from${' '.repeat(900)}x\r\nann@x.example\r\n`.repeat(280)}`),
  'fields of recipients without end': () => {
    const [dots, quotes, spaces] = ['.', "'", ' '].map((char) => `${char.repeat(120_000)}x`)
    return multipart(
      `--b\r\nContent-Type: message/delivery-status\r\n\r\nOriginal-Recipient: rfc822; a@${dots}\r\nFinal-Recipient: rfc822; ${quotes}\r\nAction: failed\r\nDiagnostic-Code: <#5.0.0 smtp;${spaces}\r\n`,
    )
  },
  'what came back in one line': () =>
    Buffer.from(`${header}\r\nno\r\n\r\nOriginal message follows\r\nSubject: x\r\n${'\0\r'.repeat(120_000)}`),
  'two thousand texts': () => multipart(times(2_000, () => `--b\r\n\r\n${body.slice(0, 20_000)}\r\n`)),
  'two thousand pages': () =>
    multipart(
      times(2_000, () => `--b\r\nContent-Type: text/html\r\n\r\n${'some <b>user</b> text\r\n'.repeat(900)}\r\n`),
    ),
  'a page of comments that never end': () =>
    multipart(`--b\r\nContent-Type: text/html\r\n\r\n${'<!--'.repeat(65_000)}\r\n`),
  'a page of styles that never end': () =>
    multipart(`--b\r\nContent-Type: text/html\r\n\r\n${'<style>'.repeat(37_000)}\r\n`),
  'a page of tags that never end': () => multipart(`--b\r\nContent-Type: text/html\r\n\r\n${'<a '.repeat(87_000)}\r\n`),
  'a page as deep as it is long': () =>
    multipart(`--b\r\nContent-Type: text/html\r\n\r\n${'<i>'.repeat(43_000)}${'</b>'.repeat(32_000)}\r\n`),
  'a bounce of two thousand parts that a person attaches': () =>
    Buffer.from(
      `From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n${header}Content-Type: multipart/mixed; boundary=i\r\n\r\n${times(2_000, () => `--i\r\n\r\n${body.slice(0, 20_000)}\r\n`)}`,
    ),
  'thousands of bounces that a person attaches, each with replies of a page': () =>
    attachedTo((n) => `${times(20, (m) => `<u${m}@n${n}.example>: 550 ${'user of '.repeat(120)}\r\n`)}`),
  'hundreds of bounces that a person attaches, each with a report of many': () =>
    attachedTo(
      (n) =>
        times(
          400,
          (m) =>
            `Final-Recipient: rfc822; u${n}-${m}@x.example\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 ${'no such '.repeat(20)}\r\n\r\n`,
        ),
      'Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\n',
    ),
  'a reply of brackets that never close': () =>
    multipart(
      `--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a@x.example\r\nAction: failed\r\nDiagnostic-Code: smtp; ${'['.repeat(64_000)}\r\n`,
    ),
  'an absence until, until, until': () =>
    Buffer.from(`From: a@x.example\r\nAuto-Submitted: auto-replied\r\n\r\n${'đến '.repeat(60_000)}`),
  'a dialogue with a thousand recipients': () =>
    Buffer.from(`${header}\r\n${times(1_000, (n) => `>>> RCPT TO:<u${n}@x.example>\r\n<<< 550 no ${n}\r\n`)}`),
  'hundreds of bounces that a person attaches, each of dozens': () =>
    attachedTo((n) => times(40, (m) => `<u${m}@n${n}.example>: said no ${m}\r\n\r\n`)),
  'reports that unpack to as much as is read': () => {
    const packed = [
      'x'.repeat(15_000_000),
      `<feedback>${'<row></row>'.repeat(1_300_000)}`,
      `{"policies":[${'{},'.repeat(5_000_000)}{}]}`,
    ]
      .map((text) => gzipSync(text).toString('base64').replace(/.{76}/g, '$&\r\n'))
      .map((text) => `--b\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n${text}\r\n`)
    return Buffer.from(
      `Subject: Report domain: a.example Submitter: b.example Report-ID: <1>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${packed.join('')}`,
    )
  },
  'a dialogue with hundreds of spaces behind the time of each step': () =>
    Buffer.from(
      `${header}\r\n>>> RCPT TO:<a@x.example>\r\n>>> RCPT TO:<b@x.example>\r\n${`Mon 2020-11-02 10:00:01:${'\t '.repeat(900)}\r\n`.repeat(130)}`,
    ),
  'a report in which the next part begins without end': () =>
    multipart(
      `--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a@x.example\r\nAction: failed\r\n\r\n${'Content-Type: message/rfc822\r'.repeat(9_000)}\r\n`,
    ),
  'a field of a message that is passed on, with colons without end': () =>
    Buffer.from(`From: a@x.example\r\nSubject: Fwd: x\r\n\r\nx: 1\r\ny: 2\r\nz: ${'ster@:'.repeat(40_000)}\r\n`),
  'a report of nothing': () =>
    multipart(`--b\r\nContent-Type: message/delivery-status\r\n\r\n${'x\r\n'.repeat(12_000_000)}`),
  'a report of a thousand recipients, each with a page of reply': () =>
    multipart(
      `--b\r\nContent-Type: message/delivery-status\r\n\r\n${times(
        1_000,
        (n) =>
          `Final-Recipient: rfc822; u${n}@x.example\r\nAction: failed\r\nStatus: 5.0.0\r\nDiagnostic-Code: smtp; 550 ${n} ${'a mailbox of nobody, said the policy '.repeat(110)}\r\n\r\n`,
      )}`,
    ),
  'a thousand addresses and no word on them': () =>
    Buffer.from(`${header}\r\n${times(1_000, (n) => `  user${n}@x.example\r\n`)}`),
  'a subject of one word that goes on as a failure begins': () =>
    Buffer.from(`From: MAILER-DAEMON@x.example\r\nSubject: ${'nondeliver'.repeat(20_000)}\r\n\r\nhello\r\n`),
  'two thousand reports with long headers': () =>
    multipart(
      times(
        2_000,
        () => `--b\r\nContent-Type: message/delivery-status\r\n${'X-Y: rfc822; a@b.example\r\n'.repeat(950)}\r\n\r\n`,
      ),
    ),
  'marks of a list on lines of their own': () =>
    Buffer.from(`${header}\r\n<ann@x.example>: no\r\n${'-- \r\n•'.repeat(15_000)}`),
  'a subject without end': () =>
    Buffer.from(`Subject: ${'=?utf-8?q?some_text?=\r\n '.repeat(400_000)}\r\n${header}\r\nx`),
}

/** Reports that make a verdict as large as they can. */
const boastful: Readonly<Record<string, () => Buffer>> = {
  'a thousand recipients with long addresses, hosts and replies': () =>
    multipart(
      `--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; ${'x.'.repeat(50_000)}example\r\n\r\n${times(
        1_000,
        (n) =>
          `Original-Recipient: rfc822; ${'ö'.repeat(64)}@${'y.'.repeat(120)}example\r\nFinal-Recipient: rfc822; u${n}@${'x.'.repeat(120)}example\r\nRemote-MTA: dns; ${'z.'.repeat(500)}example\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 ${n} ${'メール'.repeat(400)}\r\n\r\n`,
      )}`,
    ),
  'one recipient, with fields as long as a report': () =>
    multipart(
      `--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; ${'a'.repeat(200_000)}\r\nRemote-MTA: dns; ${'z.'.repeat(100_000)}\r\nAction: failed\r\nDiagnostic-Code: smtp; 550 ${'x'.repeat(200_000)}\r\n\r\n`,
    ),
  'a complaint of a kind without end': () =>
    multipart(
      `--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: ${'abuse'.repeat(40_000)}\r\nUser-Agent: x\r\nOriginal-Rcpt-To: ${'c'.repeat(200_000)}@x.example\r\nSource-IP: ${'1'.repeat(100_000)}\r\n\r\n`,
    ),
  'a notification with actions, states and hosts without end': () =>
    Buffer.from(
      `${header}\r\n${JSON.stringify({
        notificationType: 'Bounce',
        bounce: {
          bouncedRecipients: Array.from({ length: 30 }, (_, n) => ({
            emailAddress: `u${n}@x.example`,
            action: 'failed'.repeat(900),
            status: `5.1.1${'0'.repeat(500)}`,
            diagnosticCode: `smtp; 550 ${'x'.repeat(100)}`,
          })),
        },
        mail: { messageId: 'm'.repeat(2_000) },
      })}\r\n`,
    ),
  'a returned message with fields without end': () =>
    multipart(
      `--b\r\n\r\nundelivered\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: ${'s'.repeat(200_000)}\r\nMessage-ID: <${'m'.repeat(200_000)}>\r\nList-Id: ${'l'.repeat(200_000)}\r\n\r\n`,
    ),
}

/** The words of a pattern, each by itself. */
const wordsIn = ({ source }: RegExp): string[] => [...new Set(source.match(/\p{L}{3,}/gu) ?? [])]
const repeatedMax = 8_000

describe('a pattern over the words that it looks for, again and again', () => {
  const patterns = [
    ...textRules.map(({ name, pattern }) => [name, pattern] as const),
    ...(Object.keys(words) as Purpose[]).map((purpose) => [purpose, wordsOf(purpose)] as const),
  ]
  for (const [name, pattern] of patterns) {
    it(`${name}: does not take the square of their number`, () => {
      for (const word of wordsIn(pattern))
        for (const text of [word, `${word} `]) {
          const before = process.cpuUsage()
          pattern.test(text.repeat(repeatedMax / text.length))
          const { user } = process.cpuUsage(before)
          assert.ok(user / 1_000 < cpuMsMax / 4, `${text}: ${user / 1_000} ms`)
        }
    })
  }
})

describe('a verdict', () => {
  for (const [name, build] of Object.entries(boastful)) {
    it(`fits into a record with its message: ${name}`, async () => {
      const codec = await openCodec({ registryUrl: null })
      const record = rawRecord({ id: 'm', content: '' })
      const encoded = (verdict: Verdict): number =>
        codec.encode('classified', { ...record, position: { partition: 0, offset: 0 }, verdict }).length
      const verdict = classify(build(), null, { originalFields: ['subject', 'list-id'] })
      const blank = { ...verdict, variant: '', recipients: [], evidence: [], original: {}, reporter: '' }
      const bytes = encoded(verdict) - encoded(blank)
      assert.ok(bytes < verdictBytesMax, `${bytes}`)
      for (const { action, status } of verdict.recipients) assert.ok(action.length <= 60 && status.length <= 60)
    })
  }

  it('says how many recipients it leaves out', () => {
    const { recipients, evidence } = classify(
      boastful['a thousand recipients with long addresses, hosts and replies']?.() ?? Buffer.alloc(0),
    )
    assert.ok(recipients.length > 100 && recipients.length < 1_000, `${recipients.length}`)
    assert.match(evidence[0]?.text ?? '', /^[1-9]\d* recipients are left out$/)
  })
})

describe('a message of the largest size', () => {
  for (const [name, build] of Object.entries(shapes)) {
    it(`${name}: ends in a verdict`, () => {
      const bytes = build()
      const before = process.cpuUsage()
      const { kind, evidence, recipients } = classify(bytes)
      const { user } = process.cpuUsage(before)
      assert.ok(user / 1_000 < cpuMsMax, `${user / 1_000} ms`)
      assert.notEqual(kind, '')
      assert.ok(evidence.length <= 100 && recipients.length <= 1_000)
      assert.ok(evidence.every(({ rule }) => rule !== 'error'))
    })
  }
})
