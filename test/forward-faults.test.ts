/** Forward on a real broker: members come, go and are killed, and the legacy system is away. Everything arrives. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openKafkaLog } from '#lib/log/kafka.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { rawRecord } from '#lib/testing/embedded.ts'
import { startBroker } from '#lib/testing/kafka.ts'
import { type Running, runMailweir, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { sha256 } from '#lib/testing/messages.ts'
import { freePort } from '#lib/testing/ports.ts'
import { kafkaMissing, ownBroker } from '#lib/testing/services.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { openCodec } from '#schemas/codec.ts'
import { forwardGroup } from '#services/forward/service.ts'

/** A run of its own takes more: FORWARD_MESSAGES=100000 npm test -- test/forward-faults.test.ts */
const messages = Number(process.env['FORWARD_MESSAGES'] ?? 12_000)
const partitions = 8

describe('forward', { skip: !ownBroker && kafkaMissing }, () => {
  it('delivers everything while members join, leave and are killed, and while the legacy system is away', {
    timeout: 600_000,
  }, async (context: TestContext) => {
    using folder = temporaryFolder()
    const broker = await startBroker()
    await using stack = new AsyncDisposableStack()
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
    const log = await openKafkaLog({
      brokers: [broker.brokers],
      clientId: 'test',
      logger: silentLogger,
      recordBytesMax: 1_048_576,
      compression: 'none',
      tls: null,
      sasl: null,
      replicationFactor: 1,
      sessionTimeoutMs: 6_000,
      requestTimeoutMs: 5_000,
    })
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
    // The legacy system is away for the first half of the load: the log is the buffer.
    await join_()
    await load(0, messages / 2)
    await leave('SIGKILL')
    await join_()
    assert.equal(received().length, 0)
    let standIn = stack.use(startMailweir(['stand-in'], environment))
    const rest = load(messages / 2, messages)
    for (let n = 0; n < 3; n++) await join_()
    await standIn.end('SIGKILL')
    await leave('SIGKILL')
    await sleep(500)
    standIn = stack.use(startMailweir(['stand-in'], environment))
    await leave('SIGTERM')
    await rest
    await until('everything is delivered', () => new Set(received()).size >= wanted.size, 300_000)
    await until(
      'everything is committed',
      async () => {
        const committed = await log.admin.committed(forwardGroup, 'mail.raw')
        return committed.reduce((sum, { offset }) => sum + Number(offset ?? 0n), 0) === messages
      },
      60_000,
    )
    for (const _ of [...members]) await leave('SIGTERM')
    const got = received()
    assert.deepEqual(new Set(got), wanted)
    const repeats = got.length - wanted.size
    context.diagnostic(`${messages} messages, ${repeats} repeats`)
    // Two members and the legacy system were killed: what was in flight in each window may come twice, and no more.
    assert.ok(repeats <= 3 * partitions * 200, `${repeats}`)
    const dead = await log.admin.offsets('mail.dead')
    assert.equal(
      dead.reduce((sum, { end }) => sum + Number(end), 0),
      0,
    )
  })
})
