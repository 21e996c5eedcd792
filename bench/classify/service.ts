/** The service: how fast its members work off a backlog of `mail.raw`, and what that costs them beside the broker. */
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
/** Of the backlog: each thread compiles for itself, and goes on with it for a hundred thousand messages. */
const uncounted = 0.75
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

type Members = { readonly members: number; readonly threads: number }
type Drained = { readonly rate: number; readonly cpu: number }

/** Starts the service's members over what waits; messages a second of the last quarter, when their code is compiled. */
async function drain(
  log: Log,
  count: number,
  { members, threads }: Members,
  environment: Readonly<Record<string, string>>,
): Promise<Drained> {
  const before = await ends(log, 'mail.classified')
  const running = Array.from({ length: members }, () =>
    startMailweir(['classify'], {
      LOG_LEVEL: 'error',
      CLASSIFY_THREADS: `${threads}`,
      NODE_OPTIONS: '--max-semi-space-size=16', // As k8s/base/classify.yaml has it.
      ...environment,
    }),
  )
  const spent = (): number => running.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
  let from: { at: number; done: number; cpu: number } | null = null
  for (;;) {
    const done = (await ends(log, 'mail.classified')) - before
    if (from === null && done >= count * uncounted) from = { at: performance.now(), done, cpu: spent() }
    if (from !== null && done >= count) {
      if (from.done >= count) throw new RangeError(`BENCH_MESSAGES=${count} are done between two looks: take more`)
      const rate = ((done - from.done) * 1000) / (performance.now() - from.at)
      const cpu = ((spent() - from.cpu) * 1000) / (done - from.done)
      for (const member of running) await member.end('SIGTERM')
      return { rate, cpu }
    }
    await sleep(lookMs)
  }
}

/** @param core messages that the classifier alone does for a CPU-second, measured now */
export async function measureService(
  messages: readonly Buffer[],
  rounds: number,
  core: () => Promise<number>,
): Promise<string> {
  const count = Number(process.env['BENCH_MESSAGES'] ?? 320_000)
  const folder = temporaryFolder()
  const embedded = openEmbeddedLog({
    path: join(folder.path, 'log.sqlite'),
    logger: silentLogger,
    recordBytesMax: 1_048_576,
  })
  const broker = await startBroker()
  const kafka = await openTestKafka(broker.brokers)
  const onKafka = { log: kafka, environment: { DATA_DIR: folder.path, KAFKA_BROKERS: broker.brokers } }
  const inProcess = { log: embedded, environment: { DATA_DIR: folder.path } }
  const setups = [
    { name: 'embedded log', ...inProcess, members: 1, threads: 0 },
    { name: 'embedded log', ...inProcess, members: 1, threads: 2 },
    { name: 'Kafka on the same cores', ...onKafka, members: 1, threads: 0 },
    { name: 'Kafka on the same cores', ...onKafka, members: 1, threads: 2 },
    { name: 'Kafka on the same cores', ...onKafka, members: 2, threads: 0 },
  ].map((setup) => ({ ...setup, drained: [] as Drained[] }))
  const cores: number[] = []
  for (const { log } of [inProcess, onKafka]) await log.admin.ensureTopics(topicSpecs(partitions))
  for (let round = 0; round < rounds; round++) {
    for (const { log, environment, drained, ...members } of setups) {
      cores.push(await core())
      await fill(log, messages, count)
      drained.push(await drain(log, count, members, environment))
    }
  }
  for (const { log } of [inProcess, onKafka]) await log.close()
  await broker.stop()
  folder[Symbol.dispose]()
  const rows = setups.map(({ name, members, threads, drained }) => {
    const rate = median(drained.map((each) => each.rate))
    const cpu = median(drained.map((each) => each.cpu))
    return `| ${name} | ${members} | ${threads} | ${rate.toFixed(0)} | ${((100 * rate) / median(cores)).toFixed(0)} % | ${cpu.toFixed(3)} |`
  })
  return `The service, a backlog of ${count} messages; the classifier alone does ${median(cores).toFixed(0)} for a CPU-second in the same turns

| log | members | CLASSIFY_THREADS | messages/s | of the classifier alone | CPU-s per 1,000 |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}
