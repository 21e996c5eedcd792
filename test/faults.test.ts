/**
 * Ingest under load while it, the broker, or both are killed: everything that was answered 250 is in mail.raw, nothing is there twice under
 * one id, and the ledger of the rest of the pipeline balances over it.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import type { Log } from '#lib/log/log.ts'
import { readAll } from '#lib/log/read-all.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { startBroker } from '#lib/testing/kafka.ts'
import { openTestKafka } from '#lib/testing/kafka-log.ts'
import {
  listenSettings,
  type Ports,
  type Running,
  runMailweir,
  startMailweir,
  whenReady,
} from '#lib/testing/mailweir.ts'
import { type TestMessage, testMessages } from '#lib/testing/messages.ts'
import { freePort } from '#lib/testing/ports.ts'
import { seeded } from '#lib/testing/random.ts'
import { sendAll } from '#lib/testing/send.ts'
import { kafkaMissing, ownBroker } from '#lib/testing/services.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { ledgerOf } from './flow.ts'

/** A run of its own takes more: FAULT_ROUNDS=20 npm test -- test/faults.test.ts */
const rounds = Number(process.env['FAULT_ROUNDS'] ?? 6)

async function idsIn(log: Log): Promise<string[]> {
  const ids: string[] = []
  for await (const { key } of readAll(log, 'mail.raw')) ids.push(key ?? '')
  return ids
}

function checkIds(acknowledged: readonly string[], stored: readonly string[]): void {
  assert.equal(new Set(stored).size, stored.length, 'a message is there twice under one id')
  const known = new Set(stored)
  assert.deepEqual(
    acknowledged.filter((id) => !known.has(id)),
    [],
    'a message that was answered 250 is not there',
  )
}

/** The rest of the pipeline comes up over what ingest left: the ledger tells of each message, and balances. */
async function checkBooks(environment: Readonly<Record<string, string>>, ports: Ports, count: number): Promise<void> {
  await using all = startMailweir(['up'], { ...environment, SEGMENT_MS: '200', IMAP_PASSWORD: 'a password of a test' })
  await whenReady(all, ports.console)
  await until(
    'all to be forwarded and stored',
    async () => {
      const { forwarded, stored } = await ledgerOf(ports)
      return forwarded === count && stored === count
    },
    60_000,
  )
  const { accepted, classified, waiting, dead, balanced } = await ledgerOf(ports)
  assert.deepEqual(
    { accepted, classified, waiting, dead, balanced },
    { accepted: count, classified: count, waiting: 0, dead: 0, balanced: true },
  )
  assert.equal(await all.end('SIGTERM'), 0, all.stderr())
}

/** A message of each: small, and large enough for a claim. */
const load = (round: number): readonly TestMessage[] =>
  testMessages(60)
    .filter((_, n) => n % 3 === round % 3)
    .concat(testMessages(40))

describe('acknowledged mail survives', () => {
  it('kill -9 of ingest on the embedded log', async () => {
    using folder = temporaryFolder()
    const { ports, settings } = await listenSettings()
    const health = await freePort()
    const environment = {
      ...settings,
      DATA_DIR: folder.path,
      MAIL_DOMAINS: '*',
      LOG_LEVEL: 'error',
      HEALTH_LISTEN: `127.0.0.1:${health}`,
    }
    const random = seeded(9)
    const acknowledged: string[] = []
    await using stack = new AsyncDisposableStack()
    let process: Running = stack.use(startMailweir(['ingest'], environment))
    await whenReady(process, health)
    for (let round = 0; round < rounds; round++) {
      const killed = sleep(random.next(150)).then(async () => {
        await process.end('SIGKILL')
        process = stack.use(startMailweir(['ingest'], environment))
        await whenReady(process, health)
      })
      acknowledged.push(...(await sendAll(ports.smtp, load(round))))
      await killed
    }
    assert.equal(await process.end('SIGTERM'), 0, process.stderr())
    const log = openEmbeddedLog({ path: `${folder.path}/log.sqlite`, logger: silentLogger, recordBytesMax: 1_048_576 })
    const ids = await idsIn(log)
    checkIds(acknowledged, ids)
    await log.close()
    await checkBooks(environment, ports, ids.length)
  })

  it('kill -9 of ingest, of the broker, and of both', {
    skip: !ownBroker && kafkaMissing,
    timeout: 400_000,
  }, async () => {
    using folder = temporaryFolder()
    const { ports, settings } = await listenSettings()
    const health = await freePort()
    // A broker of its own: others test with the shared one.
    const broker = await startBroker()
    await using stack = new AsyncDisposableStack()
    stack.defer(() => broker.stop())
    const environment = {
      ...settings,
      DATA_DIR: folder.path,
      KAFKA_BROKERS: broker.brokers,
      KAFKA_REPLICATION: '1',
      MAIL_DOMAINS: '*',
      LOG_LEVEL: 'error',
      INGEST_APPEND_MS: '5000',
      HEALTH_LISTEN: `127.0.0.1:${health}`,
    }
    const made = await runMailweir(['topics'], environment)
    assert.equal(made.code, 0, made.stderr)
    const random = seeded(10)
    const acknowledged: string[] = []
    let process: Running = stack.use(startMailweir(['ingest'], environment))
    await whenReady(process, health)
    const killIngest = async (): Promise<void> => {
      await process.end('SIGKILL')
      process = stack.use(startMailweir(['ingest'], environment))
    }
    const killBroker = async (): Promise<void> => {
      await broker.kill()
      await sleep(random.next(500))
      await broker.start()
    }
    for (let round = 0; round < rounds; round++) {
      const faults = [
        killIngest,
        killBroker,
        async () => {
          await Promise.all([killIngest(), killBroker()])
        },
      ]
      const fault = faults[round % 3] ?? killIngest
      const killed = sleep(random.next(200)).then(() => fault())
      acknowledged.push(...(await sendAll(ports.smtp, load(round), { patienceMs: 120_000 })))
      await killed
      await whenReady(process, health)
    }
    assert.equal(await process.end('SIGTERM'), 0, process.stderr())
    const log = await openTestKafka(broker.brokers)
    const ids = await idsIn(log)
    checkIds(acknowledged, ids)
    await log.close()
    await checkBooks(environment, ports, ids.length)
  })
})
