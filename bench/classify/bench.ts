/** The classifier beside mailparser, which only takes a message apart: messages for each CPU-second of one core, in turns. */
import { simpleParser } from 'mailparser'
import { demoMessage } from '#cli/demo-mail.ts'
import { corpusMessages } from '#lib/testing/messages.ts'
import { classify } from '#services/classify/classify.ts'
import { median } from '../measure.ts'
import { measureService } from './service.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const passes = 4

export async function run(): Promise<string> {
  const corpus = corpusMessages()
  const messages =
    corpus?.map(({ content }) => content) ?? Array.from({ length: 281 }, (_, n) => Buffer.from(demoMessage(n).content))
  const what = corpus === null ? 'messages of our own' : 'the shared corpus'
  const rivals: readonly (readonly [string, (message: Buffer) => unknown])[] = [
    ['Mailweir, classify', (message) => classify(message)],
    ['mailparser, simpleParser', (message) => simpleParser(message)],
  ]
  const found = new Map<string, number[]>(rivals.map(([name]) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, work] of rivals) {
      const before = process.cpuUsage()
      for (let pass = 0; pass < passes; pass++) for (const message of messages) await work(message)
      const { user, system } = process.cpuUsage(before)
      // The first round compiles.
      if (round > 0) found.get(name)?.push((messages.length * passes * 1e6) / (user + system))
    }
  }
  const rows = [...found].map(
    ([name, rates]) => `| ${name} | ${median(rates).toFixed(0)} | ${(1000 / median(rates)).toFixed(3)} |`,
  )
  return `${messages.length} messages of ${what}\n\n| | messages per CPU-second | CPU-s per 1,000 |\n| --- | --- | --- |\n${rows.join('\n')}\n\n${await measureService(messages, Math.min(rounds, 3))}`
}
