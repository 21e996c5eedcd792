/** Quarantine killed at any moment: each message is stored once, can be read, has the bytes that came in, and the ledger balances. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import { readAll } from '#lib/log/read-all.ts'
import { openFiles } from '#lib/objects/files.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { unpackSegment } from '#lib/segments/segment.ts'
import { rawRecord } from '#lib/testing/embedded.ts'
import { startMailweir } from '#lib/testing/mailweir.ts'
import { seeded } from '#lib/testing/random.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { openCodec } from '#schemas/codec.ts'
import { topicSpecs } from '#schemas/topics.ts'
import { classify } from '#services/classify/classify.ts'
import { verify } from '#services/quarantine/archive/verify.ts'
import { quarantineGroup } from '#services/quarantine/service.ts'
import { booksOf } from './flow.ts'

/** A run of its own takes more: QUARANTINE_ROUNDS=50. */
const rounds = Number(process.env['QUARANTINE_ROUNDS'] ?? 8)
const partitions = 2

describe('quarantine', { timeout: 300_000 }, () => {
  it('killed at any moment stores each message once, and all can be read', async (context) => {
    using folder = temporaryFolder()
    const environment = {
      DATA_DIR: folder.path,
      PARTITIONS: String(partitions),
      LOG_LEVEL: 'error',
      SEGMENT_MS: '50',
      SEGMENT_BYTES: '65536',
    }
    const log = openEmbeddedLog({
      path: join(folder.path, 'log.sqlite'),
      logger: silentLogger,
      recordBytesMax: 1_048_576,
    })
    await log.admin.ensureTopics(topicSpecs(partitions))
    const codec = await openCodec({ registryUrl: null })
    const random = seeded(50)
    const offsets = [0, 0]
    let sent = 0
    const load = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        const id = `m${sent}`
        const partition = sent % partitions
        const content = `Subject: ${id}\r\n\r\n${'x'.repeat(random.next(3_000))}\r\n`
        const raw = rawRecord({ id, content })
        const offset = offsets[partition] ?? 0
        offsets[partition] = offset + 1
        sent++
        const verdict = classify(Buffer.from(content), raw.envelope)
        await log.append('mail.raw', { key: id, partition, value: codec.encode('raw', raw) })
        const value = codec.encode('classified', { ...raw, position: { partition, offset }, verdict })
        await log.append('mail.classified', { key: id, partition, value })
      }
    }
    let killedMidway = 0
    for (let round = 0; round < rounds; round++) {
      const service = startMailweir(['quarantine'], environment)
      let over = false
      const loading = (async (): Promise<void> => {
        while (!over) {
          await load(10)
          await sleep(5)
        }
      })()
      // From before it has read anything to well after it has begun to store.
      await sleep(350 + random.next(500))
      await service.end('SIGKILL')
      over = true
      await loading
      const committed = await log.admin.committed(quarantineGroup, 'mail.classified')
      if (committed.reduce((sum, { offset }) => sum + Number(offset ?? 0n), 0) < sent) killedMidway++
    }
    assert.ok(killedMidway > 0)
    await using service = startMailweir(['quarantine'], environment)
    await until(
      'all is stored',
      async () => {
        const committed = await log.admin.committed(quarantineGroup, 'mail.classified')
        return committed.reduce((sum, { offset }) => sum + Number(offset ?? 0n), 0) === sent
      },
      60_000,
    )
    await service.end('SIGTERM')
    const objects = openFiles({ folder: join(folder.path, 'objects'), logger: silentLogger })
    const stored = new Map<string, number>()
    for (const { key } of await objects.list('quarantine/', { limit: 100_000 })) {
      for (const { record } of await unpackSegment(key, (await objects.get(key)) ?? Buffer.alloc(0))) {
        stored.set(record.id, (stored.get(record.id) ?? 0) + 1)
      }
    }
    assert.equal(stored.size, sent)
    assert.deepEqual(
      [...stored].filter(([, times]) => times !== 1),
      [],
    )
    let entries = 0
    for await (const { value } of readAll(log, 'mail.index'))
      if (codec.decode('index', value).type === 'added') entries++
    assert.deepEqual(
      await verify({ log, objects, codec }, { share: 1, now: Date.now() }, (fault) =>
        assert.fail(JSON.stringify(fault)),
      ),
      {
        known: sent,
        checked: sent,
        faults: 0,
      },
    )
    const { accepted, storing, waiting, stored: booked, undecodable, balanced } = await booksOf(environment)
    assert.deepEqual(
      { accepted, booked, storing, waiting, undecodable, balanced },
      { accepted: sent, booked: sent, storing: 0, waiting: sent, undecodable: 0, balanced: true },
    )
    context.diagnostic(
      `${sent} messages, ${rounds} kills, ${killedMidway} of them in the midst; ${entries - sent} index entries appended again`,
    )
    await objects.close()
    await log.close()
  })
})
