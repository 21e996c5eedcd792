/** A message of each format that the classifier knows, of our own making, with the verdict that it has to get: `golden/`. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { classify } from './classify.ts'

type Expected = {
  readonly kind: string
  readonly variant?: string
  readonly recipients: readonly Readonly<Record<string, unknown>>[]
}

const header = (message: string, change: (header: string) => string): string => {
  const end = message.indexOf('\n\n')
  return change(message.slice(0, end)) + message.slice(end)
}
const hops = Array.from(
  { length: 12 },
  (_, n) =>
    `Received: from a${n}.example (a${n}.example [192.0.2.${n}])\n\tby b${n}.example for <bounces@corp.example>;\n\tMon, 2 Nov 2020 10:00:00 +0000\nARC-Seal: i=${n}; a=rsa-sha256; b=${'A'.repeat(300)}\nX-Spam-Status: No, score=-1.0\n`,
).join('')

/** What hosts and programs on the way do to a message. */
const ways: Readonly<Record<string, (message: string) => string>> = {
  'with CRLF': (message) => message.replaceAll('\n', '\r\n'),
  'with LF': (message) => message,
  'over many hosts': (message) => hops + message,
  'with names in capitals': (message) =>
    header(message, (text) => text.replace(/^[A-Za-z-]+:/gm, (name) => name.toUpperCase())),
  'with tabs behind the names': (message) => header(message, (text) => text.replace(/^([A-Za-z-]+:) /gm, '$1\t')),
  'folded at every semicolon': (message) => header(message, (text) => text.replaceAll('; ', ';\n\t')),
  'from an mbox': (message) => `From MAILER-DAEMON Mon Nov  2 10:00:00 2020\n${message}`,
  'behind an empty line': (message) => `\n${message}`,
  'behind the mark of UTF-8': (message) => `\ufeff${message}`,
  'with a footer': (message) => `${message}\n\n--\nThis message was scanned by Example.\n`,
  'with a tag in the subject': (message) => message.replace(/^Subject: /m, 'Subject: [EXTERNAL] '),
  'with spaces at the ends of lines': (message) => message.replace(/(?<=\S)\n/g, ' \n'),
}

const folder = join(import.meta.dirname, 'golden')
const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Readonly<Record<string, Expected>>

describe('of each format', () => {
  for (const [name, { kind, variant = '', recipients }] of Object.entries(expected)) {
    const message = readFileSync(join(folder, `${name}.eml`), 'utf8')
    it(name, () => {
      const verdict = classify(Buffer.from(message.replaceAll('\n', '\r\n')))
      const fields = Object.keys(recipients[0] ?? {})
      const found = verdict.recipients.map((recipient) =>
        Object.fromEntries(Object.entries(recipient).filter(([field]) => fields.includes(field))),
      )
      assert.deepEqual(
        { kind: verdict.kind, variant: verdict.variant, recipients: recipients.length === 0 ? [] : found },
        { kind, variant, recipients },
      )
      // Offsets are those of these very bytes.
      for (const { start, end } of verdict.evidence) assert.ok(start <= end)
    })

    it(`${name}, whatever happened to it on the way`, () => {
      const told = (bytes: string): unknown[] => {
        const verdict = classify(Buffer.from(bytes))
        return [
          verdict.kind,
          ...verdict.recipients.map(({ address, status, reason }) => `${address} ${status} ${reason}`),
        ]
      }
      const plainly = told(message)
      for (const [way, change] of Object.entries(ways)) assert.deepEqual(told(change(message)), plainly, way)
    })
  }

  it('no sample is without its verdict', () => {
    const samples = readdirSync(folder).filter((file) => file.endsWith('.eml'))
    assert.deepEqual(
      samples.sort(),
      Object.keys(expected)
        .map((name) => `${name}.eml`)
        .sort(),
    )
  })
})
