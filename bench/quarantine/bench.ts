/** The archive: how fast quarantine stores a backlog of `mail.classified`, and what the store is asked to keep for it. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import { openFiles } from '#lib/objects/files.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { rawRecord } from '#lib/testing/embedded.ts'
import { startMailweir } from '#lib/testing/mailweir.ts'
import { corpusMessages } from '#lib/testing/messages.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { openCodec } from '#schemas/codec.ts'
import { topicSpecs } from '#schemas/topics.ts'
import { classify } from '#services/classify/classify.ts'
import { messageOf } from '../imap/mail.ts'
import { cpuSeconds, median, rssOf } from '../measure.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const count = Number(process.env['BENCH_MESSAGES'] ?? 60_000)
const partitions = 4
const appendsMax = 500

type Figures = { perSecond: number; cpu: number; rss: number; puts: number; share: number }

async function store(contents: readonly Buffer[]): Promise<Figures> {
  using folder = temporaryFolder()
  const log = openEmbeddedLog({
    path: join(folder.path, 'log.sqlite'),
    logger: silentLogger,
    recordBytesMax: 1_048_576,
  })
  await log.admin.ensureTopics(topicSpecs(partitions))
  const codec = await openCodec({ registryUrl: null })
  const verdicts = contents.map((content) => classify(content))
  let bytes = 0
  for (let at = 0; at < count; at += appendsMax) {
    await Promise.all(
      Array.from({ length: Math.min(appendsMax, count - at) }, (_, n) => {
        const which = (at + n) % contents.length
        const content = contents[which] ?? Buffer.alloc(0)
        bytes += content.length
        const partition = (at + n) % partitions
        const verdict = verdicts[which]
        if (verdict === undefined) throw new Error('no verdict')
        const value = codec.encode('classified', {
          ...rawRecord({ id: `m${at + n}`, content }),
          position: { partition, offset: Math.floor((at + n) / partitions) },
          verdict,
        })
        return log.append('mail.classified', { key: `m${at + n}`, partition, value })
      }),
    )
  }
  const service = startMailweir(['quarantine'], { DATA_DIR: folder.path, LOG_LEVEL: 'error', SEGMENT_MS: '1000' })
  let from: { at: number; done: number; cpu: number } | null = null
  let figures = { perSecond: 0, cpu: 0, rss: 0 }
  for (;;) {
    const done = (await log.admin.offsets('mail.index')).reduce((sum, { end }) => sum + Number(end), 0)
    if (from === null && done >= count / 8) from = { at: performance.now(), done, cpu: cpuSeconds(service.pid) }
    if (from !== null && done >= count) {
      figures = {
        perSecond: ((done - from.done) * 1000) / (performance.now() - from.at),
        cpu: ((cpuSeconds(service.pid) - from.cpu) * 1000) / (done - from.done),
        rss: rssOf({ port: 0, pids: () => [service.pid], stop: async () => {} }),
      }
      break
    }
    await sleep(25)
  }
  await service.end('SIGTERM')
  const objects = openFiles({ folder: join(folder.path, 'objects'), logger: silentLogger })
  const kept = await objects.list('quarantine/', { limit: 100_000 })
  await objects.close()
  await log.close()
  return { ...figures, puts: kept.length, share: kept.reduce((sum, { size }) => sum + size, 0) / bytes }
}

export async function run(): Promise<string> {
  const corpus = corpusMessages()
  const kinds: readonly (readonly [string, readonly Buffer[]])[] = [
    ['3.4 KB, all different', Array.from({ length: Math.min(count, 20_000) }, (_, n) => messageOf(n))],
    ...(corpus === null ? [] : [['the shared corpus, over and over', corpus.map(({ content }) => content)] as const]),
  ]
  const rows: string[] = []
  for (const [name, contents] of kinds) {
    const all: Figures[] = []
    for (let round = 0; round < rounds; round++) all.push(await store(contents))
    const of = (pick: (each: Figures) => number): number => median(all.map(pick))
    rows.push(
      `| ${name} | ${of((f) => f.perSecond).toFixed(0)} | ${of((f) => f.cpu).toFixed(3)} | ${of((f) => f.rss).toFixed(0)} | ${((of((f) => f.puts) * 1e6) / count).toFixed(0)} | ${(of((f) => f.share) * 100).toFixed(1)} % |`,
    )
  }
  return `A backlog of ${count} messages on the embedded log, into files\n\n| messages | messages/s | CPU-s per 1,000 | RSS MiB | PUTs for 1,000,000 messages | bytes stored of bytes received |\n| --- | --- | --- | --- | --- | --- |\n${rows.join('\n')}\n`
}
