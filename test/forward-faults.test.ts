/** Forward on a real broker: members come, go and are killed, and the legacy system is away. Everything arrives. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { readAll } from '#lib/log/read-all.ts'
import { rawRecord } from '#lib/testing/embedded.ts'
import { startBroker } from '#lib/testing/kafka.ts'
import { openTestKafka } from '#lib/testing/kafka-log.ts'
import { type Running, runMailweir, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { sha256 } from '#lib/testing/messages.ts'
import { freePort } from '#lib/testing/ports.ts'
import { kafkaMissing, ownBroker } from '#lib/testing/services.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { openCodec } from '#schemas/codec.ts'
import type { Ledger } from '#services/console/ledger.ts'
import { forwardGroup } from '#services/forward/service.ts'
import { booksOf } from './flow.ts'

/** A run of its own takes more: FORWARD_MESSAGES=100000 npm test -- test/forward-faults.test.ts */
const messages = Number(process.env['FORWARD_MESSAGES'] ?? 12_000)
/** The same: OUTAGE_MESSAGES=100000. */
const outageMessages = Number(process.env['OUTAGE_MESSAGES'] ?? 4_000)
const partitions = 8

/** A broker, forward's topics, and processes of forward that come and go; `stack` ends all of it. */
async function start() {
  const stack = new AsyncDisposableStack()
  const folder = temporaryFolder()
  stack.defer(() => folder[Symbol.dispose]())
  const broker = await startBroker()
  stack.defer(() => broker.stop())
  const standInPort = await freePort()
  const environment: Record<string, string> = {
    DATA_DIR: folder.path,
    KAFKA_BROKERS: broker.brokers,
    KAFKA_REPLICATION: '1',
    KAFKA_SESSION_MS: '6000',
    PARTITIONS: String(partitions),
    LEGACY_SMTP: `smtp://127.0.0.1:${standInPort}`,
    STAND_IN_LISTEN: `127.0.0.1:${standInPort}`,
    LOG_LEVEL: 'error',
  }
  assert.equal((await runMailweir(['topics'], environment)).code, 0)
  const log = await openTestKafka(broker.brokers)
  stack.defer(() => log.close())
  const codec = await openCodec({ registryUrl: null })
  const wanted = new Set<string>()
  const load = async (from: number, to: number): Promise<void> => {
    let pending: Promise<unknown>[] = []
    for (let n = from; n < to; n++) {
      const content = Buffer.from(`Subject: ${n}\r\n\r\n${'x'.repeat(n % 2_000)}\r\n`)
      wanted.add(sha256(content))
      const value = codec.encode('raw', rawRecord({ id: `m${n}`, content }))
      pending.push(log.append('mail.raw', { key: `m${n}`, partition: n % partitions, value }))
      if (pending.length === 500) {
        await Promise.all(pending)
        pending = []
      }
    }
    await Promise.all(pending)
  }
  const received = (): string[] => {
    try {
      const lines = readFileSync(join(folder.path, 'legacy', 'received.jsonl'), 'utf8').split('\n')
      return lines.slice(0, -1).map((line) => (JSON.parse(line) as { sha256: string }).sha256)
    } catch {
      return []
    }
  }
  const members: Running[] = []
  const join_ = async (): Promise<void> => {
    const health = await freePort()
    const member = stack.use(startMailweir(['forward'], { ...environment, HEALTH_LISTEN: `127.0.0.1:${health}` }))
    members.push(member)
    await whenReady(member, health)
  }
  const leave = async (signal: NodeJS.Signals): Promise<void> => {
    const code = await members.shift()?.end(signal)
    if (signal === 'SIGTERM') assert.equal(code, 0)
  }
  const standIn = (): Running => stack.use(startMailweir(['stand-in'], environment))
  const allCommitted = (messages: number): Promise<boolean> =>
    until(
      'everything is committed',
      async () => {
        const committed = await log.admin.committed(forwardGroup, 'mail.raw')
        return committed.reduce((sum, { offset }) => sum + Number(offset ?? 0n), 0) === messages
      },
      60_000,
    )
  const ends = async (topic: string): Promise<number> =>
    (await log.admin.offsets(topic)).reduce((sum, { end }) => sum + Number(end), 0)
  const ledger = (): Promise<Ledger> => booksOf(environment)
  return { stack, ledger, members, wanted, load, received, join: join_, leave, standIn, allCommitted, ends, log, codec }
}

describe('forward', { skip: !ownBroker && kafkaMissing }, () => {
  it('delivers everything while members join, leave and are killed, and while the legacy system is away', {
    timeout: 600_000,
  }, async (context: TestContext) => {
    const all = await start()
    await using _stack = all.stack
    // The legacy system is away for the first half of the load: the log is the buffer.
    await all.join()
    await all.load(0, messages / 2)
    await all.leave('SIGKILL')
    await all.join()
    assert.equal(all.received().length, 0)
    let standIn = all.standIn()
    const rest = all.load(messages / 2, messages)
    for (let n = 0; n < 3; n++) await all.join()
    await standIn.end('SIGKILL')
    await all.leave('SIGKILL')
    await sleep(500)
    standIn = all.standIn()
    await all.leave('SIGTERM')
    await rest
    await until('everything is delivered', () => new Set(all.received()).size >= all.wanted.size, 300_000)
    await all.allCommitted(messages)
    for (const _ of [...all.members]) await all.leave('SIGTERM')
    const got = all.received()
    assert.deepEqual(new Set(got), all.wanted)
    const repeats = got.length - all.wanted.size
    context.diagnostic(`${messages} messages, ${repeats} repeats`)
    // Two members were killed, each with so many messages in the midst of being sent, and the legacy system with both.
    assert.ok(repeats <= 4 * 20 * 4, `${repeats}`)
    assert.equal(await all.ends('mail.dead'), 0)
  })

  it('delivers everything after an outage as long as the load, though it is killed twice', {
    timeout: 600_000,
  }, async (context: TestContext) => {
    const all = await start()
    await using _stack = all.stack
    await all.join()
    const half = all.load(0, outageMessages / 2)
    await sleep(500)
    await all.leave('SIGKILL')
    await all.join()
    await half
    await all.load(outageMessages / 2, outageMessages)
    await all.leave('SIGKILL')
    assert.equal(all.received().length, 0)
    all.standIn()
    await all.join()
    await until('everything is delivered', () => new Set(all.received()).size >= all.wanted.size, 300_000)
    await all.allCommitted(outageMessages)
    await all.leave('SIGTERM')
    const got = all.received()
    assert.deepEqual(new Set(got), all.wanted)
    context.diagnostic(`${outageMessages} messages, ${got.length - all.wanted.size} repeats`)
    // Nothing had been sent when it was killed, and an outage is no fault of a message.
    assert.equal(got.length, all.wanted.size)
    assert.equal(await all.ends('mail.dead'), 0)
    assert.equal(await all.ends('mail.retry'), 0)
    const outcomes = new Set<string>()
    for await (const record of readAll(all.log, 'mail.events')) {
      const { type, messageId } = all.codec.decode('event', record.value)
      if (type === 'forwarded') outcomes.add(messageId)
    }
    assert.equal(outcomes.size, outageMessages)
    const { accepted, forwarded, waiting, dead } = await all.ledger()
    assert.deepEqual(
      { accepted, forwarded, waiting, dead },
      { accepted: outageMessages, forwarded: outageMessages, waiting: 0, dead: 0 },
    )
  })
})
