/**
 * One IMAP session (RFC 3501, RFC 9051): what the client knows of its mailbox, and the commands in the order they came.
 *
 * What is shown comes from the view; what is changed is appended to `mail.index` and shown once the view has it, so that a session
 * reads its own writes and two replicas say the same. Message numbers change only where RFC 9051 section 7.5.1 lets them.
 */
import { randomUUID } from 'node:crypto'
import type { Log } from '#lib/log/log.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { describeError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { SegmentReader } from '#lib/segments/segment.ts'
import type { Codec } from '#schemas/codec.ts'
import type { Index } from '#schemas/types.ts'
import type { Mailbox, MailboxView } from '../mailbox/view.ts'
import type { ImapMetrics } from '../metrics.ts'
import { commands } from './commands.ts'
import { Reader, SyntaxProblem } from './grammar.ts'
import { Refusal } from './refusal.ts'
import type { Wire } from './wire.ts'

export type SessionPorts = {
  readonly log: Log
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: ImapMetrics
  readonly view: MailboxView
  readonly reader: SegmentReader
  readonly uidValidity: number
  readonly idleMs: number
  /** Resolves when the view has applied this offset of mail.index. */
  applied(partition: number, offset: bigint): Promise<void>
  authenticate(user: string, password: string): Promise<boolean>
  /** Upgrades the connection; null: no certificate. */
  readonly startTls: ((wire: Wire) => Promise<void>) | null
}

export type Selected = {
  readonly mailbox: Mailbox
  readonly readOnly: boolean
  /** The UIDs that the client knows, by message number - 1. */
  uids: number[]
  /** Flag changes up to here were told. */
  modseq: number
}

const problemsMax = 20

export class Session {
  readonly id = randomUUID()
  readonly ports: SessionPorts
  readonly wire: Wire
  readonly address: string
  user: string | null = null
  isTls: boolean
  selected: Selected | null = null
  over = false
  #problems = 0
  #changed: (() => void) | null = null
  readonly #unsubscribe: () => void

  constructor(wire: Wire, ports: SessionPorts, options: { isTls: boolean }) {
    this.wire = wire
    this.ports = ports
    this.isTls = options.isTls
    this.address = wire.socket.remoteAddress ?? ''
    this.#unsubscribe = ports.view.onChange((mailboxes) => {
      if (this.selected !== null && mailboxes.has(this.selected.mailbox.id)) this.#changed?.()
    })
  }

  /** LOGIN and PLAIN are safe here: under TLS, or where nobody can listen. */
  get mayLogin(): boolean {
    return this.isTls || /^(?:::ffff:)?127\.|^::1$/.test(this.address)
  }

  capabilities(): string {
    const words = [
      'IMAP4rev1',
      'LITERAL+',
      'ID',
      'IDLE',
      'NAMESPACE',
      'UIDPLUS',
      'UNSELECT',
      'CHILDREN',
      'ENABLE',
      'SASL-IR',
    ]
    if (this.user === null) {
      if (!this.isTls && this.ports.startTls !== null) words.push('STARTTLS')
      words.push(this.mayLogin ? 'AUTH=PLAIN' : 'LOGINDISABLED')
    }
    return words.join(' ')
  }

  async run(): Promise<void> {
    this.wire.write(`* OK [CAPABILITY ${this.capabilities()}] Mailweir ready\r\n`)
    try {
      while (!this.over && this.wire.isOpen) {
        const input = await this.wire.command()
        if (input === null) break
        if (input.kind === 'problem') {
          this.wire.write(input.tag === '*' ? `* BYE ${input.text}\r\n` : `${input.tag} BAD ${input.text}\r\n`)
          if (input.tag === '*' || ++this.#problems > problemsMax) break
          continue
        }
        await this.#command(new Reader(input.pieces))
        await this.wire.flush()
      }
    } finally {
      this.#unsubscribe()
      this.wire.end()
    }
  }

  async #command(reader: Reader): Promise<void> {
    const tag = reader.match(/[^\x00-\x20\x7f(){%*"\\+\]]{1,64}/)
    if (tag === null || reader.match(/ /) === null) return this.#bad(tag ?? '*', 'expected a tag and a command')
    const name = (reader.match(/UID [A-Z]+|[A-Z]+/i) ?? '').toUpperCase()
    const command = commands.get(name)
    if (command === undefined) return this.#bad(tag, 'there is no such command')
    const needsLogin = command.state === 'authenticated' || command.state === 'selected'
    if (needsLogin && this.user === null) return this.#bad(tag, 'log in first')
    if (command.state === 'selected' && this.selected === null) return this.#bad(tag, 'no mailbox is selected')
    if (command.state === 'not authenticated' && this.user !== null) return this.#bad(tag, 'you are logged in')
    try {
      const text = await command.run(this, reader, tag)
      if (command.state !== 'any' || name === 'NOOP') this.sync(!command.keepsNumbers)
      if (text !== null) this.wire.write(`${tag} OK ${text}\r\n`)
      this.#problems = 0
      this.ports.metrics.commands.inc({ outcome: 'ok' })
    } catch (error) {
      if (error instanceof SyntaxProblem) return this.#bad(tag, error.message)
      if (error instanceof Refusal) {
        this.wire.write(`${tag} NO ${error.message}\r\n`)
        this.ports.metrics.commands.inc({ outcome: 'no' })
        return
      }
      this.ports.metrics.commands.inc({ outcome: 'failed' })
      this.ports.logger.error({ event: 'imap.failed', session: this.id, command: name, err: error }, 'a command failed')
      this.wire.write(`${tag} NO [UNAVAILABLE] cannot do that now, try again later\r\n`)
    }
  }

  #bad(tag: string, text: string): void {
    this.wire.write(`${tag} BAD ${text}\r\n`)
    this.ports.metrics.commands.inc({ outcome: 'bad' })
    if (++this.#problems > problemsMax) this.bye('too many bad commands')
  }

  bye(text: string): void {
    this.wire.write(`* BYE ${text}\r\n`)
    this.over = true
  }

  /** Resolves at the next change of the selected mailbox. */
  change(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = () => {
        this.#changed = null
        resolve()
      }
    })
  }

  /**
   * Tells what changed in the selected mailbox since the client last heard of it.
   * @param mayExpunge false within FETCH, STORE and SEARCH, whose message numbers must not move
   */
  sync(mayExpunge: boolean): void {
    const { selected } = this
    if (selected === null || selected.mailbox.id < 0) return
    const now = this.ports.view.mailbox(selected.mailbox.name)
    if (now === null || now.id !== selected.mailbox.id) {
      this.bye('the mailbox has expired')
      return
    }
    if (mayExpunge && now.messages < selected.uids.length + Number(now.uidNext - 1 > (selected.uids.at(-1) ?? 0))) {
      const present = new Set(this.ports.view.uids(now.id))
      for (let index = selected.uids.length - 1; index >= 0; index--) {
        if (!present.has(selected.uids[index] ?? 0)) {
          this.wire.write(`* ${index + 1} EXPUNGE\r\n`)
          selected.uids.splice(index, 1)
        }
      }
    }
    const last = selected.uids.at(-1) ?? 0
    if (now.uidNext - 1 > last) {
      const added = this.ports.view.uids(now.id).filter((uid) => uid > last)
      if (added.length > 0) {
        selected.uids.push(...added)
        this.wire.write(`* ${selected.uids.length} EXISTS\r\n* 0 RECENT\r\n`)
      }
    }
    if (now.highestModseq > selected.modseq) {
      const numbers = new Map(selected.uids.map((uid, index) => [uid, index + 1]))
      for (const { uid, flags, modseq } of this.ports.view.changedSince(now.id, selected.modseq)) {
        const number = numbers.get(uid)
        // A message's first entry gives it its UID and its MODSEQ: that is no change of flags.
        if (number !== undefined && modseq !== uid)
          this.wire.write(`* ${number} FETCH (UID ${uid} FLAGS (${flags.join(' ')}))\r\n`)
      }
      selected.modseq = now.highestModseq
    }
  }

  /** Appends changes to the selected mailbox, and waits until the view has them. */
  async append(changes: readonly Pick<Index, 'messageId' | 'type' | 'flags'>[]): Promise<void> {
    const { selected, ports } = this
    if (selected === null || changes.length === 0) return
    const { name, partition } = selected.mailbox
    try {
      const positions = await Promise.all(
        changes.map((change) =>
          ports.log.append('mail.index', {
            key: `${name} ${change.messageId}`,
            partition,
            value: ports.codec.encode('index', {
              mailbox: name,
              at: ports.clock.now(),
              size: 0,
              receivedAt: 0,
              sha256: null,
              location: null,
              expiresAt: 0,
              header: Buffer.alloc(0),
              structure: '',
              ...change,
            }),
          }),
        ),
      )
      const last = positions.at(-1)
      if (last !== undefined) await ports.applied(last.partition, last.offset)
    } catch (error) {
      ports.logger.error({ event: 'imap.append.failed', session: this.id, err: error }, 'a change was not appended')
      throw new Refusal(`[UNAVAILABLE] the change was not kept: ${describeError(error).slice(0, 100)}`)
    }
  }
}
