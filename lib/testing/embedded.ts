/** The ports of a service on one machine: a real embedded log and a real files store in a folder of their own. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import type { Log } from '#lib/log/log.ts'
import { readAll } from '#lib/log/read-all.ts'
import { openFiles } from '#lib/objects/files.ts'
import type { Objects } from '#lib/objects/objects.ts'
import { type Clock, systemClock } from '#lib/runtime/clock.ts'
import { type Logger, silentLogger } from '#lib/runtime/logger.ts'
import { Metrics } from '#lib/runtime/metrics.ts'
import { type Codec, openCodec, type RecordName, type RecordTypes } from '#schemas/codec.ts'
import { topicSpecs } from '#schemas/topics.ts'
import { temporaryFolder } from './temporary.ts'

export type TestPorts = {
  readonly folder: string
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** All values of a topic, in the order of their partitions. */
  read(topic: string): Promise<{ key: string | null; value: Buffer | null; partition: number; offset: bigint }[]>
  decoded<N extends RecordName>(topic: string, name: N): Promise<RecordTypes[N][]>
  [Symbol.asyncDispose](): Promise<void>
}

export async function openTestPorts(partitions = 2): Promise<TestPorts> {
  const folder = temporaryFolder()
  const log = openEmbeddedLog({
    path: join(folder.path, 'log.sqlite'),
    logger: silentLogger,
    recordBytesMax: 1_048_576,
  })
  const objects = openFiles({ folder: join(folder.path, 'objects'), logger: silentLogger })
  await objects.prepare()
  await log.admin.ensureTopics(topicSpecs(partitions))
  const codec = await openCodec({ registryUrl: null })
  const read: TestPorts['read'] = async (topic) => {
    const found = await Array.fromAsync(readAll(log, topic))
    return found.sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset))
  }
  return {
    folder: folder.path,
    log,
    objects,
    codec,
    clock: systemClock,
    logger: silentLogger,
    metrics: new Metrics(),
    read,
    decoded: async (topic, name) => (await read(topic)).map(({ value }) => codec.decode(name, value)),
    [Symbol.asyncDispose]: async () => {
      await log.close()
      await objects.close()
      folder[Symbol.dispose]()
    },
  }
}

/** A message as ingest writes it. */
export function rawRecord(given: {
  readonly id: string
  readonly content: Buffer | string
  readonly reversePath?: string
  readonly forwardPaths?: readonly string[]
  readonly parameters?: Readonly<Record<string, string>>
  readonly receivedAt?: number
}): RecordTypes['raw'] {
  const bytes = Buffer.from(given.content)
  return {
    id: given.id,
    receivedAt: given.receivedAt ?? Date.now(),
    envelope: {
      reversePath: given.reversePath ?? '',
      parameters: given.parameters ?? {},
      forwardPaths: (given.forwardPaths ?? ['bounces@bounces.example.com']).map((address) => ({
        address,
        parameters: {},
      })),
      client: { address: '192.0.2.1', port: 25_000, name: 'mx.remote.example', tls: null },
    },
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest(),
    bytes,
    claim: null,
  }
}
