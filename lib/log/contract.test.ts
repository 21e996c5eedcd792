import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, it } from 'node:test'
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { silentLogger } from '#lib/runtime/logger.ts'
import { ManualClock } from '#lib/testing/clock.ts'
import { startBroker } from '#lib/testing/kafka.ts'
import { testKafkaOptions } from '#lib/testing/kafka-log.ts'
import { kafkaMissing, ownBroker, testBrokers } from '#lib/testing/services.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { logContract } from './contract.ts'
import { openEmbeddedLog } from './embedded.ts'
import { type KafkaOptions, openKafkaLog } from './kafka.ts'
import type { Log } from './log.ts'

const recordBytesMax = 1_048_576
const kafkaOptions = (brokers: string): KafkaOptions => ({ ...testKafkaOptions(brokers), requestTimeoutMs: 3_000 })

const folder = temporaryFolder()
after(() => folder[Symbol.dispose]())

logContract('embedded', {
  open: () => openEmbeddedLog({ path: join(folder.path, 'log.sqlite'), logger: silentLogger, recordBytesMax }),
  recordBytesMax,
})

logContract('kafka', {
  open: () => openKafkaLog(kafkaOptions(testBrokers ?? '')),
  recordBytesMax,
  skip: testBrokers === undefined && kafkaMissing,
})

describe('kafka: many questions at once', { skip: testBrokers === undefined && kafkaMissing }, () => {
  it('about topics that nobody has asked about before', async () => {
    const names = Array.from({ length: 40 }, () => `asked.${randomUUID()}`)
    const [maker, asker] = [
      openKafkaLog(kafkaOptions(testBrokers ?? '')),
      openKafkaLog(kafkaOptions(testBrokers ?? '')),
    ]
    try {
      await maker.admin.ensureTopics(
        names.map((name) => ({ name, partitions: 2, cleanup: 'delete', retentionMs: null }) as const),
      )
      // While kafkajs asks where the one is, it is asked about the next.
      const asked: Promise<readonly unknown[]>[] = []
      for (const name of names) {
        asked.push(asker.admin.offsets(name))
        await sleep(1)
        asked.push(asker.admin.offsets(name))
      }
      const found = await Promise.all(asked)
      assert.ok(found.every(({ length }) => length === 2))
    } finally {
      await maker.close()
      await asker.close()
    }
  })
})

describe('kafka: trace context', { skip: testBrokers === undefined && kafkaMissing }, () => {
  it('records about messages carry a traceparent where it is asked for, others do not', async () => {
    const brokers = testBrokers ?? ''
    const topic = `trace.${randomUUID()}`
    const id = '0190b1a2-3c4d-7e5f-8a9b-0c1d2e3f4a5b'
    for (const hasTraceContext of [true, false]) {
      const log = openKafkaLog({ ...kafkaOptions(brokers), hasTraceContext })
      await log.admin.ensureTopics([{ name: topic, partitions: 1, cleanup: 'delete', retentionMs: null }])
      for (const key of [id, 'not-an-id', null]) await log.append(topic, { key, value: Buffer.from('x'), partition: 0 })
      await log.close()
    }
    const kafka = new kafkajs.Kafka({ brokers: brokers.split(','), logLevel: kafkajs.logLevel.NOTHING })
    const consumer = kafka.consumer({ groupId: randomUUID() })
    await consumer.subscribe({ topic, fromBeginning: true })
    const found: (string | undefined)[] = []
    await consumer.run({
      eachMessage: async ({ message }) => void found.push(message.headers?.['traceparent']?.toString()),
    })
    await until('all six', () => found.length === 6)
    await consumer.disconnect()
    const [first, ...others] = found
    assert.match(first ?? '', /^00-0190b1a23c4d7e5f8a9b0c1d2e3f4a5b-[0-9a-f]{16}-01$/)
    assert.deepEqual(others, [undefined, undefined, undefined, undefined, undefined])
  })
})

describe('kafka: the broker gone and back', { skip: !ownBroker && kafkaMissing }, () => {
  it('append rejects within a bounded time, readiness is false, and all recovers by itself; a consumer loses nothing', async () => {
    const broker = await startBroker()
    const log: Log = openKafkaLog(kafkaOptions(broker.brokers))
    try {
      const topic = `gone.${randomUUID()}`
      const group = randomUUID()
      await log.admin.ensureTopics([{ name: topic, partitions: 2, cleanup: 'delete', retentionMs: null }])
      const seen = new Set<string>()
      const member = log.consume({
        group,
        topics: [topic],
        windowRecords: 10,
        windowBytes: 1_000_000,
        assign: () => ({
          process: async (record) => {
            seen.add(record.key ?? '')
          },
        }),
      })
      await log.append(topic, { key: 'before', value: Buffer.from('x') })
      await until('the first record', () => seen.has('before'))
      await broker.kill()
      const started = Date.now()
      await assert.rejects(log.append(topic, { key: 'lost', value: Buffer.from('x') }), {
        code: 'LOG_UNAVAILABLE',
        retriable: true,
      })
      assert.ok(Date.now() - started < 30_000)
      assert.equal(log.isReady(), false)
      let behind = ''
      const lost = log.append(topic, { key: 'lost', value: Buffer.from('x'), partition: 0 })
      const next = lost.catch(() =>
        log.append(topic, { key: 'behind', value: Buffer.from('x'), partition: 0 }).catch(() => {
          behind = 'failed'
        }),
      )
      await assert.rejects(lost, { code: 'LOG_UNAVAILABLE' })
      await immediate()
      assert.equal(behind, 'failed', 'what is called in the turn of a failure is not tried')
      await next
      await broker.start()
      await until('readiness comes back by itself', () => log.isReady())
      await log.append(topic, { key: 'after', value: Buffer.from('x') })
      await until('the consumer goes on', () => seen.has('after'), 60_000)
      await member.stop()
    } finally {
      await log.close()
      await broker.stop()
    }
  })
})

describe('embedded', () => {
  it('after one that failed, takes none of the same turn: others of its partition may not have seen it', async () => {
    using own = temporaryFolder()
    const path = join(own.path, 'log.sqlite')
    const log = openEmbeddedLog({ path, logger: silentLogger, recordBytesMax })
    await log.admin.ensureTopics([{ name: 't', partitions: 1, cleanup: 'delete', retentionMs: null }])
    const database = new DatabaseSync(path)
    const append = (key: string) => log.append('t', { key, value: null, partition: 0 })
    try {
      await append('before')
      database.exec('ALTER TABLE ends RENAME TO away')
      const lost = append('lost')
      const behind = lost.catch(() => {
        database.exec('ALTER TABLE away RENAME TO ends')
        return append('behind')
      })
      await assert.rejects(lost)
      await assert.rejects(behind)
      await immediate()
      assert.equal((await append('after')).offset, 1n)
    } finally {
      database.close()
      await log.close()
    }
  })

  it('drops what is past its retention and keeps offsets; compacts a set to its newest records', async () => {
    using own = temporaryFolder()
    const clock = new ManualClock()
    const log = openEmbeddedLog({ path: join(own.path, 'log.sqlite'), logger: silentLogger, recordBytesMax, clock })
    await log.admin.ensureTopics([
      { name: 'aging', partitions: 1, cleanup: 'delete', retentionMs: 1_000 },
      { name: 'set', partitions: 1, cleanup: 'compact', retentionMs: null },
    ])
    const append = (topic: string, key: string, value: string | null) =>
      log.append(topic, { key, value: value === null ? null : Buffer.from(value) })
    await append('aging', 'a', '1')
    clock.advance(900)
    await append('aging', 'b', '2')
    for (const [key, value] of [
      ['x', '1'],
      ['y', '1'],
      ['x', '2'],
      ['y', null],
    ] as const)
      await append('set', key, value)
    clock.advance(200)
    assert.ok('sweep' in log && typeof log.sweep === 'function')
    await log.sweep()
    assert.deepEqual(await log.admin.offsets('aging'), [{ partition: 0, earliest: 1n, end: 2n }])
    const read = async (topic: string) => {
      const found: (string | undefined)[] = []
      const range = { from: new Map([[0, 0n]]), to: new Map([[0, 100n]]) }
      for await (const records of log.read(topic, range)) {
        found.push(...records.map((record) => `${record.key}=${record.value}`))
      }
      return found
    }
    assert.deepEqual(await read('aging'), ['b=2'])
    assert.deepEqual(await read('set'), ['x=2', 'y=null'])
    clock.advance(25 * 3_600_000)
    await log.sweep()
    assert.deepEqual(await read('set'), ['x=2', 'y=null'], 'the last record of all stays')
    await append('set', 'x', '3')
    await log.sweep()
    assert.deepEqual(await read('set'), ['x=3'])
    clock.advance(10_000)
    await log.sweep()
    assert.deepEqual((await append('aging', 'c', '3')).offset, 2n)
    await log.close()
  })

  it('takes over the offsets of a folder of an earlier form, once', async () => {
    using own = temporaryFolder()
    const path = join(own.path, 'log.sqlite')
    const open = () => openEmbeddedLog({ path, logger: silentLogger, recordBytesMax })
    const first = open()
    await first.admin.ensureTopics([{ name: 't', partitions: 1, cleanup: 'delete', retentionMs: null }])
    await first.close()
    const old = new DatabaseSync(path)
    old.exec(`CREATE TABLE offsets (grp TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,
      metadata TEXT NOT NULL, PRIMARY KEY (grp, topic, partition)) STRICT, WITHOUT ROWID;
      INSERT INTO offsets VALUES ('g', 't', 0, 7, 'm')`)
    old.close()
    const log = open()
    assert.deepEqual(await log.admin.committed('g', 't'), [{ partition: 0, offset: 7n, metadata: 'm' }])
    await log.close()
  })
})
