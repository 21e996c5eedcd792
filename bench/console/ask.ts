/** Asks a view that was filled before, in a process of its own: how long it takes, what memory it needs, and how fast it takes further events. */
import { silentLogger } from '#lib/runtime/logger.ts'
import { openCodec } from '#schemas/codec.ts'
import { EventView } from '#services/console/view/view.ts'
import { median } from '../measure.ts'
import { eventsOf, gapMs, messages, start } from './bench.ts'

const codec = await openCodec({ registryUrl: null })
const view = new EventView({ path: process.argv[2] ?? '', codec, logger: silentLogger, undecodable: () => {} })
const end = start + messages * gapMs
const day = 86_400_000
const questions: readonly (readonly [string, (n: number) => unknown])[] = [
  [
    'overview: kinds, reasons, domains and campaigns of a day',
    () => [
      view.kindsSince(end - day),
      ...(['kind', 'reason', 'domain', 'campaign'] as const).map((by) =>
        view.rollups.series(by, { from: end - day, to: end, stepMs: 3_600_000, limit: 10 }),
      ),
    ],
  ],
  [
    'messages of an address',
    (n) => view.messages({ address: `user${n * 7}@domain${(n * 7) % 997}.example`, limit: 50 }),
  ],
  [
    'a message by id, with its trace',
    (n) => [view.message(`message-${n * 1_000}`), view.trace(`message-${n * 1_000}`)],
  ],
  ['newest messages', () => view.messages({ limit: 50 })],
  ['by words of the diagnostic', (n) => view.messages({ text: `host${n * 3} unavailable`, limit: 50 })],
  ['by a word that all have', () => view.messages({ text: 'unavailable', limit: 50 })],
  ['by reason and domain', (n) => view.messages({ reason: 'blocked', domain: `domain${n}.example`, limit: 50 })],
]
const rows = questions.map(([name, ask]) => {
  const times: number[] = []
  for (let n = 0; n < 20; n++) {
    const from = performance.now()
    ask(n)
    times.push(performance.now() - from)
  }
  return `| ${name} | ${median(times).toFixed(1)} | ${Math.max(...times).toFixed(1)} |`
})
// Goes on where the filling ended, to have applied something, too.
const more = Array.from({ length: 5_000 }, (_, n) => [...eventsOf(messages + n)]).flat()
for (let at = 0; at < more.length; at += 500) {
  view.apply(
    more.slice(at, at + 500).map((each, n) => ({
      topic: 'mail.events',
      partition: each.position.partition,
      offset: BigInt(messages * 4 + at + n),
      key: each.messageId,
      value: codec.encode('event', each),
      timestamp: each.at,
    })),
  )
}
const rss = process.memoryUsage.rss() / 1024 / 1024
view.close()
process.stdout.write(
  `| question | median ms | most ms |\n| --- | --- | --- |\n${rows.join('\n')}\n\nThe process that holds the view, answers and applies: ${rss.toFixed(0)} MiB\n`,
)
