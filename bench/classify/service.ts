/** The service: how fast it works off a backlog of `mail.raw`, and what that costs it beside the broker. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import type { Log } from '#lib/log/log.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { rawRecord } from '#lib/testing/embedded.ts'
import { startBroker } from '#lib/testing/kafka.ts'
import { openTestKafka } from '#lib/testing/kafka-log.ts'
import { startMailweir } from '#lib/testing/mailweir.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { openCodec } from '#schemas/codec.ts'
import { topicSpecs } from '#schemas/topics.ts'
import { cpuSeconds, median } from '../measure.ts'

const partitions = 4
const appendsMax = 500
/** Each look costs the broker as much as some messages. */
const lookMs = 200

/** Appends the messages in turn until there are `count` of them in mail.raw. */
async function fill(log: Log, messages: readonly Buffer[], count: number): Promise<void> {
  const codec = await openCodec({ registryUrl: null })
  const values = messages.map((content, n) => codec.encode('raw', rawRecord({ id: `message-${n}`, content })))
  for (let at = 0; at < count; at += appendsMax) {
    const length = Math.min(appendsMax, count - at)
    await Promise.all(
      Array.from({ length }, (_, n) =>
        log.append('mail.raw', {
          key: `${at + n}`,
          partition: (at + n) % partitions,
          value: values[(at + n) % values.length] ?? null,
        }),
      ),
    )
  }
}

const ends = async (log: Log, topic: string): Promise<number> =>
  (await log.admin.offsets(topic)).reduce((sum, { end }) => sum + Number(end), 0)

/** Starts the service over what waits; messages a second after the first eighth, when its code is compiled. */
async function drain(
  log: Log,
  count: number,
  environment: Readonly<Record<string, string>>,
): Promise<[number, number]> {
  const before = await ends(log, 'mail.classified')
  const service = startMailweir(['classify'], { LOG_LEVEL: 'error', ...environment })
  let from: { at: number; done: number; cpu: number } | null = null
  for (;;) {
    const done = (await ends(log, 'mail.classified')) - before
    if (from === null && done >= count / 8) from = { at: performance.now(), done, cpu: cpuSeconds(service.pid) }
    if (from !== null && done >= count) {
      const rate = ((done - from.done) * 1000) / (performance.now() - from.at)
      const cpu = ((cpuSeconds(service.pid) - from.cpu) * 1000) / (done - from.done)
      await service.end('SIGTERM')
      return [rate, cpu]
    }
    await sleep(lookMs)
  }
}

export async function measureService(messages: readonly Buffer[], rounds: number): Promise<string> {
  const count = Number(process.env['BENCH_MESSAGES'] ?? 160_000)
  const folder = temporaryFolder()
  const embedded = openEmbeddedLog({
    path: join(folder.path, 'log.sqlite'),
    logger: silentLogger,
    recordBytesMax: 1_048_576,
  })
  const broker = await startBroker()
  const kafka = await openTestKafka(broker.brokers)
  const rows: string[] = []
  for (const [name, log, environment] of [
    ['embedded log', embedded, { DATA_DIR: folder.path }],
    ['Kafka on the same cores', kafka, { DATA_DIR: folder.path, KAFKA_BROKERS: broker.brokers }],
  ] as const) {
    await log.admin.ensureTopics(topicSpecs(partitions))
    const found: Record<string, [number, number][]> = { 0: [], 1: [], 2: [] }
    for (let round = 0; round < rounds; round++) {
      for (const [threads, results] of Object.entries(found)) {
        await fill(log, messages, count)
        results.push(await drain(log, count, { ...environment, CLASSIFY_THREADS: threads }))
      }
    }
    for (const [threads, results] of Object.entries(found)) {
      const of = (which: 0 | 1): number => median(results.map((each) => each[which]))
      rows.push(`| ${name} | ${threads} | ${of(0).toFixed(0)} | ${of(1).toFixed(3)} |`)
    }
    await log.close()
  }
  await broker.stop()
  folder[Symbol.dispose]()
  return `The service, a backlog of ${count} messages\n\n| log | CLASSIFY_THREADS | messages/s | CPU-s per 1,000 |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`
}
