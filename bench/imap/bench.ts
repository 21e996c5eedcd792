/** The IMAP facade beside Dovecot: the same mail, the same client, in turns; and how long a replica takes to be there. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import { partitionOf } from '#lib/log/partition.ts'
import { openFiles } from '#lib/objects/files.ts'
import type { Objects } from '#lib/objects/objects.ts'
import { openS3 } from '#lib/objects/s3.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { packSegment } from '#lib/segments/segment.ts'
import { dovecotMissing, dovecotUser, startDovecot } from '#lib/testing/dovecot.ts'
import { rawRecord } from '#lib/testing/embedded.ts'
import { listenSettings, startMailweir } from '#lib/testing/mailweir.ts'
import { startMinio } from '#lib/testing/minio.ts'
import { freePort } from '#lib/testing/ports.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { openCodec } from '#schemas/codec.ts'
import { topicSpecs } from '#schemas/topics.ts'
import type { Segment } from '#schemas/types.ts'
import { classify } from '#services/classify/classify.ts'
import { indexEntry } from '#services/quarantine/archive/entry.ts'
import { listens, median, type Running, rssOf } from '../measure.ts'
import { Client } from './client.ts'
import { messageOf } from './mail.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const count = Number(process.env['BENCH_MESSAGES'] ?? 100_000)
const wanted = new RegExp(process.env['BENCH_SCENARIOS'] ?? '')
const many = Number(process.env['BENCH_MANY'] ?? 1_000_000)
const partitions = 4
const mailbox = 'Bounces/Soft/2026-11-24'
const receivedAt = Date.UTC(2026, 10, 24, 12)

/** Fills a log and a store with so many messages; segments of 4,000, as quarantine makes them. */
async function fill(folder: string, messages: number, bodies: number, also: Objects | null = null): Promise<void> {
  const log = openEmbeddedLog({
    path: join(folder, 'log.sqlite'),
    logger: silentLogger,
    recordBytesMax: 1_048_576,
  })
  const objects = openFiles({ folder: join(folder, 'objects'), logger: silentLogger })
  await objects.prepare()
  await log.admin.ensureTopics(topicSpecs(partitions))
  const codec = await openCodec({ registryUrl: null })
  const partition = partitionOf(mailbox, partitions)
  const expiresAt = Date.now() + 90 * 86_400_000
  let template: ReturnType<typeof indexEntry> | null = null
  for (let from = 0; from < messages; from += 4_000) {
    const ids = Array.from({ length: Math.min(4_000, messages - from) }, (_, n) => from + n)
    const stored = from < bodies
    const records: Segment[] = stored
      ? ids.map((n) => {
          const content = messageOf(n)
          const raw = rawRecord({ id: `m${n}`, content, receivedAt: receivedAt + n })
          return {
            ...raw,
            mailbox,
            position: { partition: 0, offset: n },
            source: n,
            verdict: classify(content, raw.envelope),
          }
        })
      : []
    const key = `quarantine/bounces/2026-11-24/0-${from}.avro`
    const { bytes, locations } = await packSegment(key, records)
    if (stored) await objects.put(key, bytes)
    if (stored) await also?.put(key, bytes)
    const values = ids.map((n, index) => {
      const record = records[index]
      const location = locations[index]
      if (record !== undefined && location !== undefined) {
        template = indexEntry(record, record.bytes ?? Buffer.alloc(0), location, { at: 0, expiresAt })
        return template
      }
      if (template === null) throw new Error('there is no message to go by')
      return { ...template, messageId: `m${n}`, receivedAt: receivedAt + n }
    })
    await Promise.all(
      values.map((value) =>
        log.append('mail.index', {
          key: `${mailbox} ${value.messageId}`,
          partition,
          value: codec.encode('index', value),
        }),
      ),
    )
  }
  await log.close()
  await objects.close()
}

async function facade(
  folder: string,
  more: Readonly<Record<string, string>> = {},
): Promise<Running & { readonly ms: number }> {
  const { ports, settings } = await listenSettings()
  const started = performance.now()
  const process = startMailweir(['imap'], {
    ...settings,
    DATA_DIR: folder,
    LOG_LEVEL: 'error',
    IMAP_USER: dovecotUser.name,
    IMAP_PASSWORD: dovecotUser.password,
    IMAP_SESSIONS_MAX: '2000',
    IMAP_SESSIONS_PER_ACCOUNT_MAX: '2000',
    ...more,
  })
  await listens(ports.imap)
  return {
    port: ports.imap,
    ms: performance.now() - started,
    pids: () => [process.pid],
    stop: async () => {
      await process.end('SIGTERM')
    },
  }
}

const loggedIn = async (port: number): Promise<Client> => {
  const client = await Client.open(port)
  await client.ask(`LOGIN ${dovecotUser.name} ${dovecotUser.password}`)
  return client
}

/** Random but the same numbers for each server. */
const random1000 = (from: number): string =>
  Array.from({ length: 1_000 }, (_, n) => 1 + ((n * 7_919 + from * 104_729) % count)).join(',')

const questions: readonly (readonly [string, (round: number) => string])[] = [
  ['FETCH FLAGS of all', () => 'FETCH 1:* (FLAGS)'],
  ['UID FETCH (UID FLAGS) of all', () => 'UID FETCH 1:* (UID FLAGS)'],
  ['FETCH ENVELOPE of all', () => 'FETCH 1:* (ENVELOPE)'],
  ['1,000 bodies in a row', (round) => `FETCH ${1 + round * 1_000}:${(round + 1) * 1_000} (BODY.PEEK[])`],
  ['1,000 bodies at random', (round) => `FETCH ${random1000(round)} (BODY.PEEK[])`],
  ['SEARCH FROM', () => 'SEARCH FROM "mailer-daemon"'],
  ['SEARCH SUBJECT', () => 'SEARCH SUBJECT "n77777 "'],
  ['SEARCH SINCE', () => 'SEARCH SINCE 24-Nov-2026'],
  ['SEARCH KEYWORD', () => 'SEARCH KEYWORD mailboxfull'],
]

export async function run(): Promise<string> {
  using folder = temporaryFolder()
  using dovecotFolder = temporaryFolder()
  using bucketFolder = temporaryFolder()
  const minio = await startMinio()
  const bucket = 'bench'
  const inBucket = openS3({
    ...minio,
    credentials: minio,
    bucket,
    region: 'us-east-1',
    encryption: null,
    requestTimeoutMs: 30_000,
  })
  await inBucket.prepare()
  await fill(folder.path, count, count, inBucket)
  await inBucket.close()
  cpSync(join(folder.path, 'log.sqlite'), join(bucketFolder.path, 'log.sqlite'))
  const ours = await facade(folder.path)
  const fromBucket = await facade(bucketFolder.path, {
    S3_ENDPOINT: minio.endpoint,
    S3_BUCKET: bucket,
    AWS_ACCESS_KEY_ID: minio.accessKeyId,
    AWS_SECRET_ACCESS_KEY: minio.secretAccessKey,
  })
  const select = `EXAMINE ${mailbox}`
  const servers: { name: string; client: Client; select: string }[] = [
    { name: 'Mailweir', client: await loggedIn(ours.port), select },
    { name: 'from MinIO', client: await loggedIn(fromBucket.port), select },
  ]
  const missing = dovecotMissing()
  const port = await freePort()
  const dovecot = missing === false ? startDovecot(dovecotFolder.path, port) : null
  if (dovecot !== null) {
    await listens(port)
    const client = await loggedIn(port)
    await client.ask('CREATE box')
    for (let from = 0; from < count; from += 500) {
      const pieces: (string | Buffer)[] = []
      for (let n = from; n < Math.min(count, from + 500); n++) {
        const content = messageOf(n)
        pieces.push(
          n === from ? 'APPEND box' : '',
          ` (${n % 3 === 0 ? 'mailboxfull' : 'userunknown'}) {${content.length}+}\r\n`,
          content,
        )
      }
      await client.ask(pieces)
    }
    servers.push({ name: 'Dovecot', client, select: 'EXAMINE box' })
  }
  const found = new Map<string, Map<string, number[]>>()
  const note = (question: string, server: string, ms: number): void => {
    const of = found.get(question) ?? new Map<string, number[]>()
    found.set(question, of.set(server, [...(of.get(server) ?? []), ms]))
  }
  for (const { client, select } of servers) await client.ask(select)
  for (let round = 0; round < rounds; round++) {
    for (const { name, client, select } of servers)
      if (name !== 'from MinIO') note('EXAMINE', name, (await client.ask(select)).ms)
    for (const [question, command] of questions) {
      if (!wanted.test(question)) continue
      for (const { name, client } of servers) {
        // Where bodies lie makes no other difference.
        if (name === 'from MinIO' && !question.includes('bodies')) continue
        // Each round asks for other bodies: the first time they are read from the disk or, compressed, from its cache.
        if (round === 0 || question.includes('bodies')) {
          note(`${question}, the first time`, name, (await client.ask(command(round))).ms)
        }
        note(question, name, (await client.ask(command(round))).ms)
      }
    }
  }
  const idle = await idleMemory(ours, dovecot?.pid ?? null, port)
  for (const { client } of servers) client.end()
  await ours.stop()
  await fromBucket.stop()
  await minio.stop()
  await dovecot?.stop()
  const rows = [...found].map(([question, of]) => {
    const cell = (name: string): string => (of.has(name) ? median(of.get(name) ?? []).toFixed(1) : '')
    return `| ${question} | ${cell('Mailweir')} | ${cell('from MinIO')} | ${cell('Dovecot')} |`
  })
  return `A mailbox of ${count} messages, milliseconds\n\n| | Mailweir | from MinIO | Dovecot |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n\n${idle}\n\n${await million()}`
}

/** 500 more sessions that have the mailbox open and are silent. */
async function idleMemory(ours: Running, dovecotPid: number | null, dovecotPort: number): Promise<string> {
  const of = async (port: number, running: Running, select: string): Promise<number> => {
    const before = rssOf(running)
    const clients = await Promise.all(Array.from({ length: 500 }, () => loggedIn(port)))
    await Promise.all(clients.map((client) => client.ask(select)))
    const each = ((rssOf(running) - before) * 1024) / clients.length
    for (const client of clients) client.end()
    return each
  }
  const mine = await of(ours.port, ours, `EXAMINE ${mailbox}`)
  if (dovecotPid === null) return `Idle sessions: ${mine.toFixed(0)} KiB each`
  const { family } = await import('../measure.ts')
  const theirs = await of(
    dovecotPort,
    { port: dovecotPort, pids: () => family(dovecotPid), stop: async () => {} },
    'EXAMINE box',
  )
  return `Idle sessions with the mailbox open: ${mine.toFixed(0)} KiB each, Dovecot ${theirs.toFixed(0)} KiB (a process each)`
}

async function million(): Promise<string> {
  using folder = temporaryFolder()
  await fill(folder.path, many, 4_000)
  const first = await facade(folder.path)
  const client = await loggedIn(first.port)
  const cold = await client.ask(`EXAMINE ${mailbox}`)
  const warm: number[] = []
  for (let round = 0; round < rounds; round++) warm.push((await client.ask(`EXAMINE ${mailbox}`)).ms)
  const flags = await client.ask('FETCH 1:* (FLAGS)')
  const memory = rssOf(first)
  client.end()
  await first.stop()
  return `${many} messages: a replica that starts empty serves after ${(first.ms / 1000).toFixed(1)} s; EXAMINE ${cold.ms.toFixed(0)} ms the first time, ${median(warm).toFixed(1)} ms after; FETCH FLAGS of all ${flags.ms.toFixed(0)} ms; ${memory.toFixed(0)} MiB\n`
}
