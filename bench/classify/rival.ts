/** One rival in a process of its own, as it would run: prints its messages for each CPU-second, after it has warmed up. */
import { simpleParser } from 'mailparser'
import { demoMessage } from '#cli/demo-mail.ts'
import { corpusMessages } from '#lib/testing/messages.ts'
import { classify } from '#services/classify/classify.ts'

const rivals: Readonly<Record<string, (message: Buffer) => unknown>> = {
  mailweir: (message) => classify(message),
  mailparser: (message) => simpleParser(message),
}
/** A service compiles once and runs for days: in the first eight seconds a third of what is measured is the compiler, after twenty-five next to nothing. */
const warmUpMs = 25_000
const milliseconds = 3_000

const work = rivals[process.argv[2] ?? '']
if (work === undefined) throw new Error(`expected one of ${Object.keys(rivals).join(', ')}`)
const messages =
  corpusMessages()?.map(({ content }) => content) ??
  Array.from({ length: 281 }, (_, n) => Buffer.from(demoMessage(n).content))
const pass = async (): Promise<void> => {
  for (const message of messages) await work(message)
}
for (const started = performance.now(); performance.now() - started < warmUpMs; ) await pass()
const [start, before] = [performance.now(), process.cpuUsage()]
let count = 0
for (; performance.now() - start < milliseconds; count += messages.length) await pass()
const { user, system } = process.cpuUsage(before)
process.stdout.write(`${(count * 1e6) / (user + system)}\n`)
