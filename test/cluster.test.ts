/** The whole way with every service a process of its own, on Kafka and S3, as it is deployed. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { listenSettings, type Running, runMailweir, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { corpusMessages, largeMessage, testMessages } from '#lib/testing/messages.ts'
import { freePort } from '#lib/testing/ports.ts'
import { sendAll } from '#lib/testing/send.ts'
import { kafkaMissing, objectServerMissing, ownBroker, testBrokers, testObjectServer } from '#lib/testing/services.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { checkFlow, checkTrace, type Flow } from './flow.ts'

const services = ['stand-in', 'ingest', 'forward', 'classify', 'quarantine', 'imap', 'console'] as const
type Name = (typeof services)[number]

const missing =
  testBrokers === undefined
    ? kafkaMissing
    : testObjectServer === undefined
      ? objectServerMissing
      : !ownBroker && 'the topics of the brokers in KAFKA_BROKERS are not ours to fill'

describe('the whole way, on Kafka and S3', { skip: missing }, () => {
  it('takes, forwards, classifies, stores and shows every message, though services are killed', async () => {
    using folder = temporaryFolder()
    const { ports, settings } = await listenSettings()
    const password = randomUUID()
    const environment: Record<string, string> = {
      ...settings,
      DATA_DIR: folder.path,
      KAFKA_BROKERS: testBrokers ?? '',
      KAFKA_REPLICATION: '1',
      KAFKA_SESSION_MS: '6000',
      S3_ENDPOINT: testObjectServer?.endpoint ?? '',
      S3_BUCKET: `cluster-${randomUUID()}`,
      AWS_ACCESS_KEY_ID: testObjectServer?.accessKeyId ?? '',
      AWS_SECRET_ACCESS_KEY: testObjectServer?.secretAccessKey ?? '',
      MAIL_DOMAINS: 'bounces.example.com',
      LEGACY_SMTP: `smtp://127.0.0.1:${ports.standIn}`,
      SEGMENT_MS: '500',
      IMAP_PASSWORD: password,
      LOG_LEVEL: 'warn',
    }
    const made = await runMailweir(['topics', '--bucket'], environment)
    assert.equal(made.code, 0, made.stderr)
    const checked = await runMailweir(['topics', '--check'], environment)
    assert.match(checked.stdout, /min\.insync\.replicas 1/)

    await using stack = new AsyncDisposableStack()
    const processes = new Map<Name, Running>()
    const health = new Map<Name, number>()
    const start = async (name: Name): Promise<void> => {
      const port = health.get(name) ?? (await freePort())
      health.set(name, port)
      const process = stack.use(startMailweir([name], { ...environment, HEALTH_LISTEN: `127.0.0.1:${port}` }))
      processes.set(name, process)
      await whenReady(process, port)
    }
    await Promise.all(services.map(start))
    const flow: Flow = { ports, dataDir: folder.path, user: 'mailweir', password }
    const messages = testMessages()
    const ids = await sendAll(ports.smtp, messages)
    const large = largeMessage()
    await sendAll(ports.smtp, [large])
    await checkFlow(flow, [...messages, large], { repeats: false, metricsPorts: [...health.values()] })
    await checkTrace(flow, ids[0] ?? '', messages[0] as (typeof messages)[0])

    // Every service but the stand-in dies once while mail comes in.
    const restarts: Promise<void>[] = []
    await sendAll(ports.smtp, messages, {
      sent: (count) => {
        const name = count % 40 === 20 ? services[1 + Math.floor(count / 40)] : undefined
        if (name !== undefined)
          restarts.push(Promise.resolve(processes.get(name)?.end('SIGKILL')).then(() => start(name)))
      },
    })
    assert.equal(restarts.length, 6)
    await Promise.all(restarts)
    await checkFlow(flow, [...messages, large, ...messages], { repeats: true, metricsPorts: [] })

    const corpus = corpusMessages()
    if (corpus !== null) {
      await sendAll(ports.smtp, corpus)
      await checkFlow(flow, [...messages, large, ...messages, ...corpus], { repeats: true, metricsPorts: [] })
    }
    for (const name of services.toReversed()) assert.equal(await processes.get(name)?.end('SIGTERM'), 0, name)
  })
})
