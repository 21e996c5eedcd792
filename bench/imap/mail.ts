/** The mail of the benchmark: bounces of about 3.4 KB, each with its own words, the same for every server. */
import { demoMessage } from '#cli/demo-mail.ts'

const filler = 'The quick brown fox jumps over the lazy dog, and the mail goes through.\r\n'.repeat(36)

export function messageOf(n: number): Buffer {
  const { content } = demoMessage(n % 500)
  const text = Buffer.from(content).toString('latin1')
  const at = text.indexOf('\r\n\r\n')
  const header = text
    .slice(0, at)
    .replace(/^Message-ID:[^\r]*\r\n/im, '')
    .replace(/^Subject: /im, `Subject: n${n} `)
  return Buffer.from(`Message-ID: <bench.${n}@corp.example>\r\n${header}${text.slice(at)}${filler}`, 'latin1')
}
