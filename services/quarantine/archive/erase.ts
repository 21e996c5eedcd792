/**
 * Erasure of one person's mail (Regulation (EU) 2016/679, article 17): every stored copy that names an address, in segments, claims,
 * folders and holds.
 *
 * A segment that holds others' mail too is written anew without the erased messages, under another key; the index is told where
 * the others stand now (`moved`) and that the erased are gone (`expunged`); then the old object is removed. So a crash leaves an object
 * too many, and the next run finds it. A segment that quarantine may still have to write again is left for a later run.
 */
import { createHash } from 'node:crypto'
import type { Log } from '#lib/log/log.ts'
import { partitionOf } from '#lib/log/partition.ts'
import { readAll } from '#lib/log/read-all.ts'
import { listAll, type Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { packSegment, unpackSegment } from '#lib/segments/segment.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import { pseudonymOf } from '#schemas/pseudonym.ts'
import { fewPartitions } from '#schemas/topics.ts'
import type { Segment } from '#schemas/types.ts'
import { blankIndex, holdFolder } from '../mailbox/folders.ts'
import { quarantineGroup } from '../service.ts'

export type ErasePorts = { readonly log: Log; readonly objects: Objects; readonly codec: Codec; readonly clock: Clock }

export type Erased = {
  /** Ids of the messages whose copies were found. */
  readonly messages: readonly string[]
  readonly segmentsRewritten: number
  readonly objectsRemoved: number
  /** Whether its state in mail.suppressions stands under a pseudonym now. */
  readonly suppressionPseudonymised: boolean
  /** Segments that quarantine has not committed yet: they have to be looked at once more. */
  readonly busy: readonly string[]
}

const prefixes = ['quarantine/', 'hold/', 'folders/'] as const

/**
 * @param options.address compared without case, wherever it stands: envelope, verdict, header, text
 * @param options.dryRun only says what would go
 * @param options.pseudonymise also its state in mail.suppressions: it is still not written to, and nobody reads who it is
 */
export async function erase(
  ports: ErasePorts,
  options: { readonly address: string; readonly dryRun: boolean; readonly pseudonymise?: boolean },
): Promise<Erased> {
  const wanted = options.address.toLowerCase()
  const committed = new Map(
    (await ports.log.admin.committed(quarantineGroup, 'mail.classified')).map(({ partition, offset }) => [
      partition,
      offset ?? 0n,
    ]),
  )
  const messages = new Set<string>()
  const busy: string[] = []
  let [segmentsRewritten, objectsRemoved] = [0, 0]
  for (const prefix of prefixes) {
    for await (const { key } of listAll(ports.objects, prefix)) {
      const bytes = key.endsWith('.avro') ? await ports.objects.get(key) : null
      if (bytes === null) continue
      const records = (await unpackSegment(key, bytes)).map(({ record }) => record)
      const gone: Segment[] = []
      for (const record of records) if (await names(record, wanted, ports.objects)) gone.push(record)
      if (gone.length === 0) continue
      const isBusy =
        prefix === 'quarantine/' &&
        records.some(({ source }) => BigInt(source) >= (committed.get(partitionIn(key)) ?? 0n))
      if (isBusy) {
        busy.push(key)
        continue
      }
      for (const { id } of gone) messages.add(id)
      const rest = records.filter((record) => !gone.includes(record))
      if (rest.length > 0) segmentsRewritten++
      objectsRemoved += 1 + gone.filter(({ claim }) => claim !== null).length
      if (options.dryRun) continue
      if (prefix === 'quarantine/') await rewrite(ports, key, rest, gone)
      else await forget(ports, key)
      for (const { claim } of gone) if (claim !== null) await ports.objects.remove(claim.key)
      await ports.objects.remove(key)
      await tell(ports, gone)
    }
  }
  objectsRemoved += await forgetSamples(ports.objects, wanted, options.dryRun)
  const suppressionPseudonymised = options.pseudonymise === true && (await pseudonymise(ports, wanted, options.dryRun))
  return { messages: [...messages], segmentsRewritten, objectsRemoved, suppressionPseudonymised, busy }
}

/** The state of an address goes on under its pseudonym; a tombstone takes the address away. False: there is no state. */
async function pseudonymise({ log, codec }: ErasePorts, address: string, dryRun: boolean): Promise<boolean> {
  let known: Buffer | null = null
  for await (const { key, value } of readAll(log, 'mail.suppressions')) if (key === address) known = value
  if (known === null) return false
  if (dryRun) return true
  const pseudonym = pseudonymOf(address)
  await log.append('mail.suppressions', {
    key: pseudonym,
    partition: partitionOf(pseudonym, fewPartitions),
    value: codec.encode('suppression', { ...codec.decode('suppression', known), address: pseudonym, note: '' }),
  })
  const partition = partitionOf(address, fewPartitions)
  await log.append('mail.suppressions', { key: address, partition, value: null })
  return true
}

/** What people kept as samples of wrong verdicts: `samples/<id>.eml`, and labels `samples/<id>-<time>.json`. Gives how many objects go. */
async function forgetSamples(objects: Objects, address: string, dryRun: boolean): Promise<number> {
  let removed = 0
  for await (const { key } of listAll(objects, 'samples/')) {
    const bytes = await objects.get(key)
    if (bytes === null || !holds(bytes, address)) continue
    const gone = [key]
    if (key.endsWith('.eml')) for await (const label of listAll(objects, `${key.slice(0, -4)}-`)) gone.push(label.key)
    removed += gone.length
    if (!dryRun) for (const each of gone) await objects.remove(each)
  }
  return removed
}

/** `quarantine/<class>/<day>/<partition>-<offset>….avro` */
const partitionIn = (key: string): number => Number(/\/(\d+)-\d+[^/]*$/.exec(key)?.[1] ?? -1)

/** Whether a record names the address. */
async function names(record: Segment, address: string, objects: Objects): Promise<boolean> {
  const { verdict, envelope } = record
  const named = [
    ...verdict.recipients.flatMap((recipient) => [recipient.address, recipient.originalAddress, recipient.diagnostic]),
    ...Object.values(verdict.original),
    envelope.reversePath,
    ...envelope.forwardPaths.map((path) => path.address),
  ]
  if (named.some((text) => text.toLowerCase().includes(address))) return true
  if (record.bytes !== null) return holds(record.bytes, address)
  const stream = record.claim === null ? null : await objects.getStream(record.claim.key)
  if (stream === null) return false
  let tail = Buffer.alloc(0)
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const text = Buffer.concat([tail, chunk])
    if (holds(text, address)) {
      stream.destroy()
      return true
    }
    tail = text.subarray(Math.max(0, text.length - address.length * 2))
  }
  return false
}

/** As it stands, or with = for @ as VERP has it. */
function holds(bytes: Buffer, address: string): boolean {
  const text = bytes.toString('latin1').toLowerCase()
  const latin = Buffer.from(address).toString('latin1')
  return text.includes(latin) || text.includes(latin.replace('@', '='))
}

async function rewrite(
  ports: ErasePorts,
  key: string,
  rest: readonly Segment[],
  gone: readonly Segment[],
): Promise<void> {
  const { log, objects, codec, clock } = ports
  const [index] = await log.admin.describeTopics(['mail.index'])
  const partitions = index?.partitions ?? 1
  const append = (record: Segment, change: Partial<ReturnType<typeof codec.decode<'index'>>> & { type: string }) =>
    log.append('mail.index', {
      key: `${record.mailbox} ${record.id}`,
      partition: partitionOf(record.mailbox, partitions),
      value: codec.encode('index', {
        ...blankIndex,
        mailbox: record.mailbox,
        messageId: record.id,
        at: clock.now(),
        ...change,
      }),
    })
  if (rest.length > 0) {
    const digest = createHash('sha256')
      .update(rest.map(({ id }) => id).join(' '))
      .digest('hex')
    const written = key.replace(/(?:-r[0-9a-f]{12})?\.avro$/, `-r${digest.slice(0, 12)}.avro`)
    const { bytes, locations } = await packSegment(written, rest)
    await objects.put(written, bytes)
    await Promise.all(rest.map((record, at) => append(record, { type: 'moved', location: locations[at] ?? null })))
  }
  await Promise.all(gone.map((record) => append(record, { type: 'expunged' })))
}

/** `hold/<copy>.avro`, `folders/<folder>/<copy>.avro` */
async function forget({ log }: ErasePorts, key: string): Promise<void> {
  const [, folder = holdFolder.id, copy = ''] = /^(?:hold|folders\/([^/]+))\/([^/]+)\.avro$/.exec(key) ?? []
  await log.append('mail.folders', {
    key: `${folder} ${copy}`,
    partition: partitionOf(folder, fewPartitions),
    value: null,
  })
}

/** The event names no address: it is what a replay and the console go by. */
async function tell({ log, codec, clock }: ErasePorts, gone: readonly Segment[]): Promise<void> {
  await Promise.all(
    gone.map(({ id, position }) =>
      log.append('mail.events', {
        key: id,
        ...(position.partition >= 0 && { partition: position.partition }),
        value: codec.encode(
          'event',
          event({ messageId: id, type: 'erased', at: clock.now(), service: 'quarantine', position }),
        ),
      }),
    ),
  )
}
