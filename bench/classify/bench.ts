/**
 * The classifier beside Sisimai, where it is installed, and mailparser, which only takes a message apart: messages for each CPU-second of
 * one core, in turns, each in a process of its own.
 */
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { demoMessage } from '#cli/demo-mail.ts'
import { corpusMessages } from '#lib/testing/messages.ts'
import { programMissing } from '#lib/testing/programs.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { median } from '../measure.ts'
import { measureService } from './service.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const exec = promisify(execFile)
const inNode = (name: string) => [process.execPath, join(import.meta.dirname, 'rival.ts'), name]
const ours = inNode('mailweir')
/** Messages for a CPU-second. */
const rateOf = async ([program = '', ...args]: readonly string[]): Promise<number> =>
  Number((await exec(program, args)).stdout)

export async function run(): Promise<string> {
  const corpus = corpusMessages()
  const messages =
    corpus?.map(({ content }) => content) ?? Array.from({ length: 281 }, (_, n) => Buffer.from(demoMessage(n).content))
  const what = corpus === null ? 'messages of our own' : 'the shared corpus'
  using folder = temporaryFolder()
  for (const [n, message] of messages.entries()) writeFileSync(join(folder.path, `${n}.eml`), message)
  const rivals: Record<string, readonly string[]> = {
    'Mailweir, classify': ours,
    'mailparser, simpleParser': inNode('mailparser'),
  }
  if (programMissing('perl', '-MSisimai', 'libsisimai-perl') === false) {
    rivals['Sisimai (Perl)'] = ['perl', join(import.meta.dirname, 'sisimai.pl'), folder.path]
  }
  const found = new Map(Object.keys(rivals).map((title) => [title, [] as number[]]))
  for (let round = 0; round < rounds; round++) {
    for (const [title, command] of Object.entries(rivals)) found.get(title)?.push(await rateOf(command))
  }
  const rows = [...found].map(
    ([name, rates]) => `| ${name} | ${median(rates).toFixed(0)} | ${(1000 / median(rates)).toFixed(3)} |`,
  )
  return `${messages.length} messages of ${what}\n\n| | messages per CPU-second | CPU-s per 1,000 |\n| --- | --- | --- |\n${rows.join('\n')}\n\n${await measureService(messages, Math.min(rounds, 3), () => rateOf(ours))}`
}
