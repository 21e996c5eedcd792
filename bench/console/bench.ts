/** The console's view: how fast it takes events, and how long its questions take with so many messages in it. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger } from '#lib/runtime/logger.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { openCodec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import type { Event } from '#schemas/types.ts'
import { EventView } from '#services/console/view/view.ts'
import { median } from '../measure.ts'

const messages = Number(process.env['BENCH_MESSAGES'] ?? 1_000_000)
const batch = 500
const reasons = ['userunknown', 'mailboxfull', 'blocked', 'spamdetected', 'expired']
const start = Date.UTC(2026, 10, 1)

function* eventsOf(n: number): Generator<Event> {
  const position = { partition: n % 4, offset: Math.floor(n / 4) }
  const base = { messageId: `message-${n}`, position, at: start + n * 400 }
  const address = `user${n % 400_000}@domain${n % 997}.example`
  yield event({
    ...base,
    type: 'accepted',
    service: 'ingest',
    size: 4_000,
    clientAddress: `192.0.${n % 200}.1`,
    recipients: [],
  })
  yield event({
    ...base,
    type: 'forwarded',
    service: 'forward',
    state: 'forwarded',
    host: 'legacy:25',
    reply: '250 ok',
  })
  yield event({
    ...base,
    type: 'classified',
    service: 'classify',
    kind: n % 5 === 0 ? 'auto-reply' : 'bounce',
    variant: n % 2 === 0 ? 'hard' : 'soft',
    subject: `Undelivered mail ${n}`,
    original: { campaign: `campaign-${n % 50}` },
    recipients: [
      {
        address,
        status: '5.1.1',
        reason: reasons[n % reasons.length] ?? '',
        permanent: n % 2 === 0,
        reply: `550 5.1.1 mailbox of host${n % 5_000} unavailable`,
      },
    ],
  })
  yield event({
    ...base,
    type: 'stored',
    service: 'quarantine',
    mailbox: 'Bounces/Hard/2026-11-24',
    location: { object: 'x', blockOffset: 0, blockLength: 1, recordIndex: 0 },
  })
}

export async function run(): Promise<string> {
  using folder = temporaryFolder()
  const codec = await openCodec({ registryUrl: null })
  const path = join(folder.path, 'view.sqlite')
  const view = new EventView({ path, codec, logger: silentLogger, undecodable: () => {} })
  for (let partition = 0; partition < 4; partition++) view.setBase(partition, 0)
  const offsets = [0n, 0n, 0n, 0n]
  let applying = 0
  const rates: number[] = []
  for (let n = 0; n < messages; n += batch) {
    const records = Array.from({ length: Math.min(batch, messages - n) }, (_, k) => [...eventsOf(n + k)])
      .flat()
      .map((each) => {
        const { partition } = each.position
        const offset = offsets[partition] ?? 0n
        offsets[partition] = offset + 1n
        return {
          topic: 'mail.events',
          partition,
          offset,
          key: each.messageId,
          value: codec.encode('event', each),
          timestamp: each.at,
        }
      })
    const from = performance.now()
    view.apply(records)
    const ms = performance.now() - from
    applying += ms
    if (n + batch * 40 > messages) rates.push((records.length * 1000) / ms)
  }
  const end = start + messages * 400
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
  view.close()
  const rss = process.memoryUsage.rss() / 1024 / 1024
  return `${messages} messages, ${messages * 4} events: ${((messages * 4 * 1000) / applying).toFixed(0)} events/s over all, ${median(rates).toFixed(0)} at the end; ${(statSync(path).size / 1024 / 1024).toFixed(0)} MiB on disk, ${rss.toFixed(0)} MiB in memory\n\n| question | median ms | most ms |\n| --- | --- | --- |\n${rows.join('\n')}\n`
}
