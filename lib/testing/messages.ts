/**
 * 281 messages for whole-way tests: of every kind, and with everything that a careless relay would change. All end with CR LF,
 * since DATA cannot say a message that does not.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OutgoingPath } from '#lib/smtp/outgoing.ts'

export type TestMessage = {
  readonly name: string
  readonly reversePath: OutgoingPath
  readonly forwardPaths: readonly OutgoingPath[]
  readonly content: Buffer
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

const path = (address: string, parameters: Record<string, string> = {}): OutgoingPath => ({ address, parameters })
const header = (n: number, kind = 'text/plain'): string =>
  `From: someone@remote.example\r\nTo: bounces@bounces.example.com\r\nSubject: test ${n}\r\nMessage-ID: <test.${n}@remote.example>\r\nContent-Type: ${kind}\r\n\r\n`

const report = (n: number, status: string): string =>
  `${header(n, `multipart/report; report-type=delivery-status; boundary=x${n}`)}--x${n}\r\n\r\nIt could not be delivered.\r\n\r\n--x${n}\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.remote.example\r\n\r\nFinal-Recipient: rfc822; user${n}@remote.example\r\nAction: failed\r\nStatus: ${status}\r\nDiagnostic-Code: smtp; 550 ${status} no\r\n\r\n--x${n}--\r\n`

/** What a body may hold that is not plain lines of text. */
const bodies: readonly (readonly [string, (n: number) => Buffer])[] = [
  ['a bare LF', () => Buffer.from('one\ntwo\r\nthree\n\r\n')],
  ['a bare CR', () => Buffer.from('one\rtwo\r\n\rthree\r\n')],
  ['NULs', () => Buffer.from('a\0b\0\0c\r\n')],
  ['8-bit without declaration', () => Buffer.from([0xe4, 0xf6, 0xfc, 0xff, 0xfe, 0x80, 0x0d, 0x0a])],
  ['dots', () => Buffer.from('.\r\n..\r\n...x\r\n.leading\r\n')],
  ['a dot after a bare LF', () => Buffer.from('x\n.y\n..z\r\n')],
  ['a line of 100,000 bytes', () => Buffer.from(`${'x'.repeat(100_000)}\r\n`)],
  ['all bytes', () => Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, at) => at)), Buffer.from('\r\n')])],
  ['trailing blanks and empty lines', () => Buffer.from('a  \t\r\n\r\n\r\n \r\n')],
  ['nothing', () => Buffer.alloc(0)],
  ['a large body', (n) => Buffer.from(`${n} ${'0123456789abcdef'.repeat(4)}\r\n`.repeat(9_000))],
]

export function testMessages(count = 281): readonly TestMessage[] {
  return Array.from({ length: count }, (_, n) => {
    const [name, body] = bodies[n % (bodies.length * 2)] ?? ['a delivery report', null]
    const content =
      body === null
        ? Buffer.from(report(n, ['5.1.1', '5.2.2', '5.7.1'][n % 3] ?? '5.0.0'))
        : Buffer.concat([Buffer.from(header(n)), body(n)])
    return { name: `${n} ${name}`, ...envelope(n), content }
  })
}

/** A message of 50 MB, which goes by way of the object store. */
export function largeMessage(): TestMessage {
  const line = Buffer.from(`${'0123456789abcdef'.repeat(4)}\r\n.dot\r\n`)
  const content = Buffer.concat([Buffer.from(header(50)), Buffer.alloc(50_000_000 - (50_000_000 % line.length), line)])
  return { name: '50 MB', ...envelope(0), content }
}

function envelope(n: number): Pick<TestMessage, 'reversePath' | 'forwardPaths'> {
  if (n % 5 === 1) {
    return {
      reversePath: path(`sender${n}@remote.example`),
      forwardPaths: [path('news@bounces.example.com'), path(`b+${n}=x@bounces.example.com`)],
    }
  }
  if (n % 5 === 2) {
    return {
      reversePath: path(`"odd local"@remote.example`, { RET: 'HDRS', ENVID: `QQ${n}+3D`, BODY: '8BITMIME' }),
      forwardPaths: [
        path('b@bounces.example.com', { NOTIFY: 'FAILURE,DELAY', ORCPT: `rfc822;b${n}@bounces.example.com` }),
      ],
    }
  }
  if (n % 5 === 3) {
    return {
      reversePath: path(`grüße${n}@bücher.example`, { SMTPUTF8: '', BODY: '8BITMIME' }),
      forwardPaths: [path('dörte@bounces.example.com')],
    }
  }
  return { reversePath: path(''), forwardPaths: [path('bounces@bounces.example.com')] }
}

const corpusFolder = join(import.meta.dirname, '..', '..', '..', 'shared', 'corpus', 'bounces', 'mail')

/** Real mail that is not part of the product; null where it is absent. Line ends are made CR LF, as a mail client would. */
export function corpusMessages(): readonly TestMessage[] | null {
  if (!existsSync(corpusFolder)) return null
  return readdirSync(corpusFolder)
    .sort()
    .map((name, n) => {
      const content = readFileSync(join(corpusFolder, name))
        .toString('latin1')
        .replace(/\r?\n|\r/g, '\r\n')
      return {
        name,
        ...envelope(n),
        content: Buffer.from(content.endsWith('\r\n') ? content : `${content}\r\n`, 'latin1'),
      }
    })
}

export const corpusMissing = 'no shared corpus beside the checkout'
