/**
 * What people change: flags and expunges of any mailbox, and the folders that they make. All of it is appended to the log, and shown
 * once the view has it, so that a session reads its own writes and two replicas say the same.
 *
 * A message in a folder is a copy of its own in the object store: one object each, below `folders/` or, in Hold, `hold/`, where no
 * lifecycle rule reaches. Order: put the object, append; and to expunge: append, then remove the object. So a crash leaves an
 * object too many, never an entry without its bytes.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Log, Position } from '#lib/log/log.ts'
import { partitionOf } from '#lib/log/partition.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { packSegment } from '#lib/segments/segment.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import { fewPartitions } from '#schemas/topics.ts'
import type { Folder, Index, Position as MessagePosition, Segment } from '#schemas/types.ts'
import { describe } from '../archive/entry.ts'
import type { Entry, Mailbox } from './view.ts'

/** What is copied here is kept past its expiry. It is always there. */
export const holdFolder = { name: 'Hold', id: 'hold', partition: partitionOf('hold', fewPartitions) } as const

export type FolderPorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  /** Who tells of what is held. */
  readonly service: string
  /** Resolves when the view has applied this record. */
  applied(position: Position): Promise<void>
  /** Whether the view has a copy of a message in a mailbox. */
  has(mailbox: number, copy: string): boolean
}

/** A message to put into a folder: one of ours, or one that a mail program brought. */
export type Arriving = {
  readonly messageId: string | null
  readonly bytes: Buffer
  readonly flags: readonly string[]
  readonly receivedAt: number
  /** Of the message in mail.raw; null: of none. */
  readonly position: MessagePosition | null
  /** Its name in the folder; absent: one of its own. */
  readonly copy?: string
}

export const blankIndex: Omit<Index, 'mailbox' | 'messageId' | 'type' | 'at'> = {
  flags: [],
  size: 0,
  receivedAt: 0,
  sha256: null,
  location: null,
  expiresAt: 0,
  header: Buffer.alloc(0),
  structure: '',
  envelope: '',
  preview: '',
}

export const blankFolder: Omit<Folder, 'type' | 'at'> = {
  mailbox: '',
  value: 0,
  folder: '',
  subscribed: true,
  copy: '',
  messageId: '',
  uid: 0,
  flags: [],
  size: 0,
  receivedAt: 0,
  sha256: null,
  location: null,
  header: Buffer.alloc(0),
  structure: '',
  envelope: '',
  preview: '',
}

const holdKey = (copy: string): string => `hold/${copy}.avro`
const nowhere: MessagePosition = { partition: -1, offset: -1 }
const noVerdict: Segment['verdict'] = {
  kind: 'unknown',
  variant: '',
  confidence: 0,
  version: '',
  recipients: [],
  evidence: [],
  original: {},
  reporter: '',
}
const noEnvelope: Segment['envelope'] = {
  reversePath: '',
  parameters: {},
  forwardPaths: [],
  client: { address: '', port: 0, name: '', tls: null },
}

export class Folders {
  readonly #ports: FolderPorts

  constructor(ports: FolderPorts) {
    this.#ports = ports
  }

  // ---- messages -----------------------------------------------------------------------------------------------------

  async setFlags(mailbox: Mailbox, changes: readonly { readonly entry: Entry; readonly flags: readonly string[] }[]) {
    await this.#append(
      mailbox.partition,
      changes.map(({ entry, flags }) =>
        mailbox.folder === ''
          ? this.#index(mailbox, entry, 'flags', flags)
          : this.#message(mailbox.folder, {
              ...blankFolder,
              ...entry,
              flags,
              type: 'message',
              at: this.#ports.clock.now(),
            }),
      ),
    )
    if (mailbox.folder === '') return
    // Who expunged it meanwhile was first: the newest record of its key must not say that it is there.
    const gone = changes.filter(({ entry }) => !this.#ports.has(mailbox.id, entry.copy))
    await this.#append(
      mailbox.partition,
      gone.map(({ entry }) => ({ topic: 'mail.folders', key: `${mailbox.folder} ${entry.copy}`, value: null })),
    )
  }

  /** @param user who does it, for the event where a hold ends */
  async expunge(mailbox: Mailbox, entries: readonly Entry[], user: string): Promise<void> {
    if (mailbox.folder !== '') return this.#expungeCopies(mailbox, entries, user)
    await this.#append(
      mailbox.partition,
      entries.map((entry) => this.#index(mailbox, entry, 'expunged', [])),
    )
  }

  /** Ends the hold of a message whose copy has this name; where there is none, nothing happens but the tombstone. */
  release(messageId: string, copy: string, user: string): Promise<void> {
    const location = { object: holdKey(copy) }
    return this.#expungeCopies(
      { folder: holdFolder.id, partition: holdFolder.partition },
      [{ messageId, copy, location }],
      user,
    )
  }

  async #expungeCopies(
    { folder, partition }: Pick<Mailbox, 'folder' | 'partition'>,
    copies: readonly {
      readonly messageId: string
      readonly copy: string
      readonly location: { readonly object: string }
    }[],
    user: string,
  ): Promise<void> {
    await this.#append(
      partition,
      copies.map(({ copy }) => ({ topic: 'mail.folders', key: `${folder} ${copy}`, value: null })),
    )
    for (const { messageId, copy, location } of copies) {
      await this.#ports.objects.remove(location.object)
      if (folder === holdFolder.id) await this.#told(messageId, 'released', user, copy, nowhere)
    }
  }

  /** Copies messages into a folder; gives their UIDs, in the order of `arriving`. */
  async add(
    folder: Pick<Mailbox, 'folder' | 'name' | 'partition'>,
    arriving: readonly Arriving[],
    user: string,
  ): Promise<number[]> {
    const records: Appending[] = []
    for (const { messageId, bytes, flags, receivedAt, position, copy = randomUUID() } of arriving) {
      const isHeld = folder.folder === holdFolder.id
      const key = isHeld ? holdKey(copy) : `folders/${folder.folder}/${copy}.avro`
      const sha256 = createHash('sha256').update(bytes).digest()
      const packed = await packSegment(key, [
        {
          id: messageId ?? copy,
          mailbox: folder.name,
          position: position ?? nowhere,
          source: -1,
          receivedAt,
          envelope: noEnvelope,
          size: bytes.length,
          sha256,
          verdict: noVerdict,
          bytes,
          claim: null,
        },
      ])
      await this.#ports.objects.put(key, packed.bytes)
      records.push(
        this.#message(folder.folder, {
          ...blankFolder,
          ...describe(bytes, bytes.length),
          type: 'message',
          at: this.#ports.clock.now(),
          copy,
          messageId: messageId ?? copy,
          flags,
          size: bytes.length,
          receivedAt,
          sha256,
          location: packed.locations[0] ?? null,
        }),
      )
      if (isHeld && messageId !== null) await this.#told(messageId, 'held', user, copy, position ?? nowhere)
    }
    return (await this.#append(folder.partition, records)).map(({ offset }) => Number(offset) + 1)
  }

  // ---- folders ------------------------------------------------------------------------------------------------------

  async create(name: string): Promise<void> {
    const id = randomUUID()
    await this.#put(id, partitionOf(id, fewPartitions), name, true)
  }

  async rename(folder: Mailbox, name: string): Promise<void> {
    await this.#put(folder.folder, folder.partition, name, folder.subscribed)
  }

  async subscribe(folder: Mailbox, subscribed: boolean): Promise<void> {
    await this.#put(folder.folder, folder.partition, folder.name, subscribed)
  }

  async remove(folder: Mailbox, entries: readonly Entry[], user: string): Promise<void> {
    await this.expunge(folder, entries, user)
    await this.#append(folder.partition, [{ topic: 'mail.folders', key: `folder ${folder.folder}`, value: null }])
  }

  async #put(id: string, partition: number, mailbox: string, subscribed: boolean): Promise<void> {
    const value = this.#ports.codec.encode('folder', {
      ...blankFolder,
      type: 'folder',
      at: this.#ports.clock.now(),
      mailbox,
      folder: id,
      subscribed,
    })
    await this.#append(partition, [{ topic: 'mail.folders', key: `folder ${id}`, value }])
  }

  // ---- the log ------------------------------------------------------------------------------------------------------

  #index({ name }: Mailbox, { messageId }: Entry, type: 'flags' | 'expunged', flags: readonly string[]): Appending {
    const at = this.#ports.clock.now()
    const value = this.#ports.codec.encode('index', { ...blankIndex, mailbox: name, messageId, type, at, flags })
    return { topic: 'mail.index', key: `${name} ${messageId}`, value }
  }

  #message(folder: string, message: Folder): Appending {
    const value = this.#ports.codec.encode('folder', { ...message, folder })
    return { topic: 'mail.folders', key: `${folder} ${message.copy}`, value }
  }

  async #append(partition: number, records: readonly Appending[]): Promise<readonly Position[]> {
    const positions = await Promise.all(
      records.map(({ topic, key, value }) => this.#ports.log.append(topic, { key, partition, value })),
    )
    const last = positions.at(-1)
    if (last !== undefined) await this.#ports.applied(last)
    return positions
  }

  /** The copy is named last, so that who counts knows two holds of one message from one that is told twice. */
  async #told(
    messageId: string,
    type: 'held' | 'released',
    user: string,
    copy: string,
    position: MessagePosition,
  ): Promise<void> {
    await this.#ports.log.append('mail.events', {
      key: messageId,
      value: this.#ports.codec.encode(
        'event',
        event({
          messageId,
          type,
          at: this.#ports.clock.now(),
          service: this.#ports.service,
          position,
          detail: `${user} ${copy}`,
        }),
      ),
    })
  }
}

type Appending = { readonly topic: 'mail.index' | 'mail.folders'; readonly key: string; readonly value: Buffer | null }
