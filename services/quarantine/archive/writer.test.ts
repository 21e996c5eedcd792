import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Log, LogRecord } from '#lib/log/log.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { Metrics } from '#lib/runtime/metrics.ts'
import { packSegment, SegmentReader, unpackSegment } from '#lib/segments/segment.ts'
import { openTestPorts, rawRecord, type TestPorts } from '#lib/testing/embedded.ts'
import { until } from '#lib/testing/wait.ts'
import type { Segment } from '#schemas/types.ts'
import { classify } from '#services/classify/classify.ts'
import { quarantineMetrics } from '../metrics.ts'
import { defaultRetention, expiresAt, lifecycleRules, parseRetention, retentionOf } from './retention.ts'
import { PartitionWriter } from './writer.ts'

const receivedAt = Date.UTC(2026, 10, 24, 12)

/** A record of mail.classified: message n, at position n of mail.raw. */
function classified(
  ports: TestPorts,
  offset: number,
  n: number,
  content = `Subject: ${n}\r\n\r\nbody ${n}\r\n`,
): LogRecord {
  const raw = rawRecord({ id: `m${n}`, content, receivedAt })
  const value = ports.codec.encode('classified', {
    ...raw,
    position: { partition: 0, offset: n },
    verdict: classify(Buffer.from(content), raw.envelope),
  })
  return { topic: 'mail.classified', partition: 0, offset: BigInt(offset), key: raw.id, value, timestamp: receivedAt }
}

function openWriter(
  ports: TestPorts,
  given: { log?: Log; metadata?: string; segmentMs?: number; segmentBytes?: number } = {},
): PartitionWriter {
  return new PartitionWriter(
    { topic: 'mail.classified', partition: 0, offset: 0n, metadata: given.metadata ?? '' },
    {
      ...ports,
      log: given.log ?? ports.log,
      metrics: quarantineMetrics(new Metrics()),
      retention: defaultRetention,
      holdRules: [],
      segmentBytes: given.segmentBytes ?? 16_777_216,
      segmentMs: given.segmentMs ?? 50,
      indexPartitions: 2,
    },
  )
}

/** A log that takes nothing for some topics. */
const withoutTopic = (log: Log, topic: string): Log =>
  new Proxy(log, {
    get: (target, name) => {
      if (name === 'append') {
        return (to: string, ...rest: [never]) =>
          to === topic
            ? Promise.reject(new MailweirError('LOG_UNAVAILABLE', 'gone', { retriable: true }))
            : target.append(to, ...rest)
      }
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

const segments = async (ports: TestPorts): Promise<Segment[]> => {
  const found: Segment[] = []
  for (const { key } of await ports.objects.list('quarantine/', { limit: 1_000 })) {
    const bytes = await ports.objects.get(key)
    assert.ok(bytes)
    found.push(...(await unpackSegment(key, bytes)).map(({ record }) => record))
  }
  return found
}

describe('the writer of segments', () => {
  it('stores each message once, indexes it, tells of it, and commits the highest position', async () => {
    await using ports = await openTestPorts()
    const writer = openWriter(ports)
    const commits = await Promise.all([0, 1, 2].map((n) => writer.process(classified(ports, n, n))))
    assert.equal(commits.at(-1), '2')
    const index = await ports.decoded('mail.index', 'index')
    assert.deepEqual(index.map((entry) => entry.messageId).sort(), ['m0', 'm1', 'm2'])
    const reader = new SegmentReader(ports.objects, 1_000_000)
    for (const entry of index) {
      assert.equal(entry.expiresAt, expiresAt(receivedAt, 180))
      assert.ok(entry.location)
      assert.equal(
        (await reader.message(entry.location))?.toString(),
        `Subject: ${entry.messageId.slice(1)}\r\n\r\nbody ${entry.messageId.slice(1)}\r\n`,
      )
    }
    assert.equal((await segments(ports)).length, 3)
    assert.deepEqual(
      (await ports.decoded('mail.events', 'event')).map(({ type, mailbox }) => [type, mailbox]),
      Array(3).fill(['stored', 'Unknown/2026-11-24']),
    )
  })

  it('passes over repeats: those of this run, and those at or below what the last commit said', async () => {
    await using ports = await openTestPorts()
    const writer = openWriter(ports, { metadata: '4' })
    await Promise.all([3, 4, 5, 6, 5, 6, 7].map((n, offset) => writer.process(classified(ports, offset, n))))
    assert.deepEqual((await segments(ports)).map(({ id }) => id).sort(), ['m5', 'm6', 'm7'])
  })

  it('keeps what arrives while it stores', async () => {
    await using ports = await openTestPorts()
    const writer = openWriter(ports, { segmentMs: 1, segmentBytes: 65_536 })
    const pending: Promise<string>[] = []
    for (let n = 0; n < 400; n++) {
      pending.push(writer.process(classified(ports, n, n)))
      if (n % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    await Promise.all(pending)
    assert.equal(new Set((await segments(ports)).map(({ id }) => id)).size, 400)
    assert.equal((await ports.read('mail.index')).length, 400)
  })

  it('after a crash between the segment and the index finds the segment, and indexes what it holds', async () => {
    await using ports = await openTestPorts()
    const first = openWriter(ports, { log: withoutTopic(ports.log, 'mail.index') })
    for (const n of [0, 1, 2]) void first.process(classified(ports, n, n))
    await until('the segment', async () => (await segments(ports)).length === 3)
    first.revoked()
    assert.equal((await ports.read('mail.index')).length, 0)
    const second = openWriter(ports)
    // More has come meanwhile: it gets a segment of its own.
    await Promise.all([0, 1, 2, 3, 4].map((n) => second.process(classified(ports, n, n))))
    const stored = await segments(ports)
    assert.deepEqual(stored.map(({ id }) => id).sort(), ['m0', 'm1', 'm2', 'm3', 'm4'])
    const index = await ports.decoded('mail.index', 'index')
    assert.deepEqual(index.map(({ messageId }) => messageId).sort(), ['m0', 'm1', 'm2', 'm3', 'm4'])
  })

  it('after a crash waits for all that the segment covers before it goes on', async () => {
    await using ports = await openTestPorts()
    const first = openWriter(ports, { log: withoutTopic(ports.log, 'mail.index') })
    for (const n of [0, 1, 2, 3]) void first.process(classified(ports, n, n))
    await until('the segment', async () => (await segments(ports)).length === 4)
    first.revoked()
    const second = openWriter(ports, { segmentMs: 20 })
    const early = [0, 1].map((n) => second.process(classified(ports, n, n)))
    await new Promise((resolve) => setTimeout(resolve, 150))
    const late = [2, 3].map((n) => second.process(classified(ports, n, n)))
    await Promise.all([...early, ...late])
    assert.equal((await segments(ports)).length, 4)
    assert.equal((await ports.read('mail.index')).length, 4)
  })

  it('keeps retention classes and days apart', async () => {
    await using ports = await openTestPorts()
    const writer = openWriter(ports)
    const autoReply =
      'From: a@b.example\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n'
    await Promise.all([writer.process(classified(ports, 0, 0)), writer.process(classified(ports, 1, 1, autoReply))])
    const keys = (await ports.objects.list('quarantine/', { limit: 10 })).map(({ key }) => key)
    assert.deepEqual(
      keys.map((key) => key.split('/').slice(0, 3).join('/')),
      ['quarantine/other/2026-11-24', 'quarantine/short/2026-11-24'],
    )
  })
})

describe('segments', () => {
  it('say which object is corrupt, whatever was done to it', async () => {
    await using ports = await openTestPorts()
    const writer = openWriter(ports)
    await Promise.all([0, 1, 2].map((n) => writer.process(classified(ports, n, n))))
    const records = await segments(ports)
    const { bytes } = await packSegment('k', records)
    assert.equal((await unpackSegment('k', bytes)).length, 3)
    for (const broken of [
      bytes.subarray(0, bytes.length - 20),
      Buffer.alloc(0),
      Buffer.from('Obj'),
      Buffer.alloc(500, 1),
      Buffer.concat([bytes.subarray(0, -200), Buffer.alloc(100, 255), bytes.subarray(-100)]),
    ]) {
      await assert.rejects(unpackSegment('k', broken), { code: 'SEGMENT_CORRUPT' })
    }
  })
})

describe('retention', () => {
  it('takes the first entry that fits, and makes a rule for each class and one for claims', () => {
    const retention = parseRetention([
      { kind: 'bounce', variant: 'hard', class: 'long', days: 100 },
      { kind: 'bounce', variant: '*', class: 'brief', days: 10 },
      { kind: '*', variant: '*', class: 'brief', days: 10 },
    ])
    assert.ok(retention)
    assert.equal(retentionOf(retention, { kind: 'bounce', variant: 'hard' }).class, 'long')
    assert.equal(retentionOf(retention, { kind: 'reply', variant: 'person' }).class, 'brief')
    assert.deepEqual(lifecycleRules(retention), [
      { id: 'mailweir-long', prefix: 'quarantine/long/', days: 100 },
      { id: 'mailweir-brief', prefix: 'quarantine/brief/', days: 10 },
      { id: 'mailweir-claims', prefix: 'claims/', days: 101 },
    ])
  })

  it('refuses tables that say two things of a class, or do not fit every message', () => {
    const any = { kind: '*', variant: '*', class: 'a', days: 10 }
    for (const wrong of [
      [],
      [{ ...any, kind: 'bounce' }],
      [{ ...any, days: 0 }],
      [{ ...any, class: '../x' }],
      [{ ...any, days: 11, kind: 'x' }, any],
      {},
      null,
    ]) {
      assert.equal(parseRetention(wrong), null, JSON.stringify(wrong))
    }
  })
})
