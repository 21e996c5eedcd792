/** The suite that every adapter of the log passes. */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { MailweirError } from '#lib/runtime/errors.ts'
import { until } from '#lib/testing/wait.ts'
import type { ConsumeOptions, Consumer, Log, LogRecord, PartitionHandler } from './log.ts'

export type ContractSetup = {
  /** A log on the same data each time it is called. */
  open(): Log | Promise<Log>
  readonly recordBytesMax: number
  /** False: the suite is left out, and why. */
  readonly skip?: string | false
}

const smallWindow = { windowRecords: 50, windowBytes: 8 * 1024 * 1024 }

export function logContract(name: string, setup: ContractSetup): void {
  const topicSpec = (partitions: number) => ({
    name: `contract.${randomUUID()}`,
    partitions,
    cleanup: 'delete' as const,
    retentionMs: 86_400_000,
  })

  async function withLog(work: (log: Log) => Promise<void>): Promise<void> {
    const log = await setup.open()
    try {
      await work(log)
    } finally {
      await log.close()
    }
  }

  async function readAll(log: Log, topic: string): Promise<LogRecord[]> {
    const found: LogRecord[] = []
    const offsets = await log.admin.offsets(topic)
    const from = new Map(offsets.map(({ partition, earliest }) => [partition, earliest]))
    const to = new Map(offsets.map(({ partition, end }) => [partition, end]))
    for await (const records of log.read(topic, { from, to })) found.push(...records)
    return found
  }

  const collect =
    (into: LogRecord[], work: (record: LogRecord) => Promise<void> = async () => {}) =>
    (): PartitionHandler => ({
      process: async (record) => {
        into.push(record)
        await work(record)
      },
    })

  const consumer = (
    log: Log,
    topic: string,
    options: Partial<ConsumeOptions> & Pick<ConsumeOptions, 'assign' | 'group'>,
  ) => log.consume({ topics: [topic], ...smallWindow, ...options })

  describe(`log contract: ${name}`, { skip: setup.skip ?? false }, () => {
    it('gives back the bytes that were appended, tombstones included', () =>
      withLog(async (log) => {
        const spec = topicSpec(3)
        assert.deepEqual((await log.admin.ensureTopics([spec])).created, [spec.name])
        assert.deepEqual((await log.admin.ensureTopics([spec])).created, [])
        const values = [Buffer.alloc(0), Buffer.from([0, 255, 13, 10]), randomBytes(100_000), null]
        const positions = await Promise.all(
          values.map((value, index) => log.append(spec.name, { key: `key-${index}`, value, partition: index % 3 })),
        )
        const found = new Map((await readAll(log, spec.name)).map((record) => [record.key, record]))
        values.forEach((value, index) => {
          const record = found.get(`key-${index}`)
          assert.deepEqual(record?.value, value)
          assert.equal(record?.partition, index % 3)
          assert.equal(record?.offset, positions[index]?.offset)
          assert.ok(Math.abs((record?.timestamp ?? 0) - Date.now()) < 60_000)
        })
      }))

    it('keeps the order of the calls within a partition, and counts offsets without gaps', () =>
      withLog(async (log) => {
        const spec = topicSpec(2)
        await log.admin.ensureTopics([spec])
        const positions = await Promise.all(
          Array.from({ length: 1_000 }, (_, index) =>
            log.append(spec.name, { key: String(index), value: Buffer.from(String(index)), partition: index % 2 }),
          ),
        )
        positions.forEach((position, index) => {
          assert.equal(position.offset, BigInt(Math.floor(index / 2)))
        })
        for (const partition of [0, 1]) {
          const keys = (await readAll(log, spec.name))
            .filter((record) => record.partition === partition)
            .map((record) => Number(record.key))
          assert.deepEqual(
            keys,
            [...keys].sort((a, b) => a - b),
          )
          assert.equal(keys.length, 500)
        }
      }))

    it('picks partitions itself and uses all of them', () =>
      withLog(async (log) => {
        const spec = topicSpec(2)
        await log.admin.ensureTopics([spec])
        for (let index = 0; index < 8; index++) await log.append(spec.name, { key: null, value: Buffer.from('x') })
        assert.deepEqual(
          (await log.admin.offsets(spec.name)).map(({ end }) => end > 0n),
          [true, true],
        )
      }))

    it('refuses a record that is too large, and only that one', () =>
      withLog(async (log) => {
        const spec = topicSpec(1)
        await log.admin.ensureTopics([spec])
        const outcomes = await Promise.allSettled([
          log.append(spec.name, { key: 'a', value: Buffer.from('small') }),
          log.append(spec.name, { key: 'b', value: Buffer.alloc(setup.recordBytesMax + 1) }),
          log.append(spec.name, { key: 'c', value: randomBytes(setup.recordBytesMax - 10) }),
        ])
        assert.deepEqual(
          outcomes.map(({ status }) => status),
          ['fulfilled', 'rejected', 'fulfilled'],
        )
        const [, refused] = outcomes
        assert.ok(refused?.status === 'rejected' && refused.reason instanceof MailweirError)
        assert.equal(refused.reason.code, 'LOG_RECORD_TOO_LARGE')
        assert.equal(refused.reason.retriable, false)
        assert.equal((await readAll(log, spec.name)).length, 2)
      }))

    it('says that a topic is missing, or has another number of partitions', () =>
      withLog(async (log) => {
        const spec = topicSpec(2)
        await assert.rejects(log.append(spec.name, { key: null, value: Buffer.from('x'), partition: 0 }), {
          code: 'LOG_TOPIC_MISSING',
        })
        assert.deepEqual(await log.admin.describeTopics([spec.name]), [null])
        await log.admin.ensureTopics([spec])
        const [state] = await log.admin.describeTopics([spec.name])
        assert.equal(state?.partitions, 2)
        assert.equal(state?.cleanup, 'delete')
        assert.equal(state?.retentionMs, 86_400_000)
        await assert.rejects(log.admin.ensureTopics([{ ...spec, partitions: 3 }]), { code: 'LOG_TOPIC_MISSING' })
      }))

    it('finds offsets by time', () =>
      withLog(async (log) => {
        const spec = topicSpec(1)
        await log.admin.ensureTopics([spec])
        await log.append(spec.name, { key: 'before', value: Buffer.from('x'), partition: 0 })
        await sleep(30)
        const between = Date.now()
        await sleep(30)
        await log.append(spec.name, { key: 'after', value: Buffer.from('x'), partition: 0 })
        assert.equal((await log.admin.offsetsAt(spec.name, 0)).get(0), 0n)
        assert.equal((await log.admin.offsetsAt(spec.name, between)).get(0), 1n)
        assert.equal((await log.admin.offsetsAt(spec.name, Date.now() + 60_000)).get(0), 2n)
      }))

    it('reads a range and ends, without touching a group', () =>
      withLog(async (log) => {
        const spec = topicSpec(2)
        await log.admin.ensureTopics([spec])
        for (let index = 0; index < 20; index++) {
          await log.append(spec.name, { key: String(index), value: Buffer.from('x'), partition: index % 2 })
        }
        const keys: string[] = []
        const range = {
          from: new Map([
            [0, 2n],
            [1, 9n],
          ]),
          to: new Map([
            [0, 5n],
            [1, 100n],
          ]),
        }
        for await (const records of log.read(spec.name, range)) keys.push(...records.map((record) => record.key ?? ''))
        assert.deepEqual(keys.sort(), ['19', '4', '6', '8'])
      }))

    it('ends a range of a topic that grows all the while', () =>
      withLog(async (log) => {
        const spec = topicSpec(4)
        await log.admin.ensureTopics([spec])
        const append = (index: number) =>
          log.append(spec.name, { key: String(index), value: Buffer.from('x'), partition: index % 4 })
        for (let index = 0; index < 400; index++) await append(index)
        let growing = true
        const growth = (async () => {
          for (let index = 400; growing; index++) await append(index)
        })()
        for (let round = 0; round < 3; round++) {
          const ends = await log.admin.offsets(spec.name)
          const to = new Map(ends.map(({ partition, end }) => [partition, end]))
          let count = 0
          for await (const records of log.read(spec.name, { from: new Map(), to })) {
            count += records.length
            await new Promise((resolve) => setTimeout(resolve, 20))
          }
          assert.equal(
            count,
            ends.reduce((sum, { end }) => sum + Number(end), 0),
          )
        }
        growing = false
        await growth
      }))

    it('follows all partitions from given offsets, and what comes later', () =>
      withLog(async (log) => {
        const spec = topicSpec(2)
        await log.admin.ensureTopics([spec])
        for (let index = 0; index < 10; index++) {
          await log.append(spec.name, { key: String(index), value: Buffer.from('x'), partition: index % 2 })
        }
        const seen: string[] = []
        const follower = log.follow({
          topic: spec.name,
          from: new Map([[0, 3n]]),
          apply: (records) => {
            seen.push(...records.map((record) => record.key ?? ''))
          },
        })
        await follower.ready
        await until('seven records', () => seen.length >= 7)
        await log.append(spec.name, { key: 'late', value: Buffer.from('x'), partition: 0 })
        await until('the late record', () => seen.includes('late'))
        await follower.stop()
        assert.deepEqual([...seen].sort(), ['1', '3', '5', '6', '7', '8', '9', 'late'])
      }))

    it('commits in order, with metadata, though records finish out of order', () =>
      withLog(async (log) => {
        const spec = topicSpec(1)
        await log.admin.ensureTopics([spec])
        const group = randomUUID()
        for (let index = 0; index < 6; index++) {
          await log.append(spec.name, { key: String(index), value: Buffer.from('x'), partition: 0 })
        }
        const release = new Map<string, () => void>()
        const member = consumer(log, spec.name, {
          group,
          assign: () => ({
            process: (record) =>
              new Promise<string>((resolve) => release.set(record.key ?? '', () => resolve(`after ${record.key}`))),
          }),
        })
        await until('all six in flight', () => release.size === 6)
        for (const key of ['5', '4', '1', '0']) release.get(key)?.()
        const committed = await until('a commit', async () => {
          const [entry] = await log.admin.committed(group, spec.name)
          return entry?.offset === 2n ? entry : null
        })
        assert.equal(committed.metadata, 'after 1')
        for (const key of ['2', '3']) release.get(key)?.()
        await until('the last commit', async () => (await log.admin.committed(group, spec.name))[0]?.offset === 6n)
        await member.stop()
      }))

    it('bounds what is in flight', () =>
      withLog(async (log) => {
        const spec = topicSpec(1)
        await log.admin.ensureTopics([spec])
        await Promise.all(
          Array.from({ length: 300 }, (_, index) =>
            log.append(spec.name, { key: String(index), value: Buffer.from('x'), partition: 0 }),
          ),
        )
        let inFlight = 0
        let most = 0
        let done = 0
        const member = consumer(log, spec.name, {
          group: randomUUID(),
          windowRecords: 10,
          assign: () => ({
            process: async () => {
              most = Math.max(most, ++inFlight)
              await sleep(2)
              inFlight--
              done++
            },
          }),
        })
        await until('all done', () => done === 300)
        await member.stop()
        assert.ok(most <= 10, `${most} were in flight`)
      }))

    it('waits on a stuck partition without holding up the others, and goes on', () =>
      withLog(async (log) => {
        const spec = topicSpec(2)
        await log.admin.ensureTopics([spec])
        for (let index = 0; index < 100; index++) {
          await log.append(spec.name, { key: String(index), value: Buffer.from('x'), partition: index % 2 })
        }
        let open = (): void => {}
        const gate = new Promise<void>((resolve) => {
          open = resolve
        })
        const seen: LogRecord[] = []
        const member = consumer(log, spec.name, {
          group: randomUUID(),
          windowRecords: 5,
          assign: ({ partition }) => ({
            process: async (record) => {
              if (partition === 0) await gate
              seen.push(record)
            },
          }),
        })
        await until('the free partition', () => seen.filter((record) => record.partition === 1).length === 50)
        assert.equal(seen.filter((record) => record.partition === 0).length, 0)
        await sleep(1_000)
        open()
        await until('the other one', () => seen.filter((record) => record.partition === 0).length === 50)
        await member.stop()
      }))

    it('starts a partition again from its committed offset when a record fails', () =>
      withLog(async (log) => {
        const spec = topicSpec(1)
        await log.admin.ensureTopics([spec])
        for (let index = 0; index < 10; index++) {
          await log.append(spec.name, { key: String(index), value: Buffer.from('x'), partition: 0 })
        }
        const group = randomUUID()
        const seen: string[] = []
        let failures = 0
        let revoked = 0
        const member = consumer(log, spec.name, {
          group,
          assign: () => ({
            process: async (record) => {
              seen.push(record.key ?? '')
              if (record.key === '4' && failures < 2) {
                failures++
                throw new Error('on purpose')
              }
            },
            revoked: () => {
              revoked++
            },
          }),
        })
        await until('the last commit', async () => (await log.admin.committed(group, spec.name))[0]?.offset === 10n)
        assert.equal(failures, 2)
        assert.equal(revoked, 2)
        assert.ok(seen.filter((key) => key === '4').length === 3)
        await member.stop()
      }))

    it('reads a topic that is a set from its start at every assignment', () =>
      withLog(async (log) => {
        const spec = { ...topicSpec(1), cleanup: 'compact' as const, retentionMs: null }
        await log.admin.ensureTopics([spec])
        for (const key of ['a', 'b']) await log.append(spec.name, { key, value: Buffer.from('x'), partition: 0 })
        const group = randomUUID()
        for (let round = 0; round < 2; round++) {
          const seen: LogRecord[] = []
          const member = consumer(log, spec.name, { group, from: 'earliest', assign: collect(seen) })
          await until('both', () => seen.length === 2)
          await member.stop()
        }
      }))

    it('gives what was not committed again after a crash, and loses nothing', () =>
      withLog(async (first) => {
        const spec = topicSpec(2)
        await first.admin.ensureTopics([spec])
        const group = randomUUID()
        const count = 200
        await Promise.all(
          Array.from({ length: count }, (_, index) =>
            first.append(spec.name, { key: String(index), value: Buffer.from('x'), partition: index % 2 }),
          ),
        )
        const seen: LogRecord[] = []
        // Of each partition, records behind the 60th never finish: a crash in their middle.
        const stuck = consumer(first, spec.name, {
          group,
          windowRecords: 20,
          assign: collect(seen, (record) => (record.offset < 60n ? Promise.resolve() : new Promise<void>(() => {}))),
        })
        await until('both stuck', async () =>
          (await first.admin.committed(group, spec.name)).every(({ offset }) => offset === 60n),
        )
        await stuck.stop({ drainMs: 0 })
        const second = await setup.open()
        try {
          const member = consumer(second, spec.name, { group, assign: collect(seen) })
          await until('all of them', async () =>
            (await second.admin.committed(group, spec.name)).every(({ offset }) => offset === 100n),
          )
          await member.stop()
        } finally {
          await second.close()
        }
        assert.equal(new Set(seen.map((record) => record.key)).size, count)
        assert.ok(seen.filter((record) => record.offset < 60n).length === 120, 'what was committed did not come again')
      }))

    it('shares partitions between members that join and leave under load, loses nothing and repeats little', () =>
      withLog(async (first) => {
        const spec = topicSpec(4)
        await first.admin.ensureTopics([spec])
        const group = randomUUID()
        const seen: LogRecord[] = []
        const work = () => sleep(1)
        const second = await setup.open()
        let appended = 0
        let loading = true
        const load = (async () => {
          while (loading) {
            await Promise.all(
              Array.from({ length: 20 }, () =>
                first.append(spec.name, { key: String(appended++), value: Buffer.from('x'), partition: appended % 4 }),
              ),
            )
            await sleep(10)
          }
        })()
        const bySecond: LogRecord[] = []
        try {
          const one = consumer(first, spec.name, { group, assign: collect(seen, work) })
          await until('the first reads', () => seen.length > 100)
          const two: Consumer = consumer(second, spec.name, { group, assign: collect(bySecond, work) })
          await until('the second reads', () => bySecond.length > 100)
          assert.equal(one.assigned().length, 2)
          assert.equal(two.assigned().length, 2)
          const before = seen.length
          await until('the first goes on', () => seen.length > before + 100)
          await two.stop()
          await until('the first has all', () => one.assigned().length === 4)
          loading = false
          await load
          await until('nothing waits', async () => {
            const ends = await first.admin.offsets(spec.name)
            const committed = await first.admin.committed(group, spec.name)
            return ends.every(
              ({ partition, end }) => committed.find((entry) => entry.partition === partition)?.offset === end,
            )
          })
          await one.stop()
        } finally {
          loading = false
          await load
          await second.close()
        }
        const all = [...seen, ...bySecond].map((record) => record.key)
        assert.equal(new Set(all).size, appended)
        assert.ok(all.length - appended < 1_000, `${all.length - appended} of ${appended} came twice`)
      }))
  })
}
