/** The classifier beside mailparser, which only takes a message apart: messages for each CPU-second of one core, in turns, each in a process of its own. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { demoMessage } from '#cli/demo-mail.ts'
import { corpusMessages } from '#lib/testing/messages.ts'
import { median } from '../measure.ts'
import { measureService } from './service.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const exec = promisify(execFile)
const rivals = { mailweir: 'Mailweir, classify', mailparser: 'mailparser, simpleParser' } as const

export async function run(): Promise<string> {
  const corpus = corpusMessages()
  const messages =
    corpus?.map(({ content }) => content) ?? Array.from({ length: 281 }, (_, n) => Buffer.from(demoMessage(n).content))
  const what = corpus === null ? 'messages of our own' : 'the shared corpus'
  const found = new Map(Object.values(rivals).map((title) => [title, [] as number[]]))
  for (let round = 0; round < rounds; round++) {
    for (const [rival, title] of Object.entries(rivals)) {
      const { stdout } = await exec(process.execPath, [join(import.meta.dirname, 'rival.ts'), rival])
      found.get(title)?.push(Number(stdout))
    }
  }
  const rows = [...found].map(
    ([name, rates]) => `| ${name} | ${median(rates).toFixed(0)} | ${(1000 / median(rates)).toFixed(3)} |`,
  )
  return `${messages.length} messages of ${what}\n\n| | messages per CPU-second | CPU-s per 1,000 |\n| --- | --- | --- |\n${rows.join('\n')}\n\n${await measureService(messages, Math.min(rounds, 3))}`
}
