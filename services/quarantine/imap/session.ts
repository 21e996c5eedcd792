/**
 * One IMAP session (RFC 3501, RFC 9051): what the client knows of its mailbox, and the commands in the order they came.
 *
 * What is shown comes from the view; what is changed is appended to `mail.index` and shown once the view has it, so that a session
 * reads its own writes and two replicas say the same. Message numbers change only where RFC 9051 section 7.5.1 lets them.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '#lib/runtime/clock.ts'
import { describeError } from '#lib/runtime/errors.ts'
import { isLoopbackHost } from '#lib/runtime/listen.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { plainAddress } from '#lib/runtime/network.ts'
import type { SegmentReader } from '#lib/segments/segment.ts'
import type { Folders } from '../mailbox/folders.ts'
import { firstFrom, type Roster } from '../mailbox/roster.ts'
import type { Mailbox, MailboxView } from '../mailbox/view.ts'
import type { ImapMetrics } from '../metrics.ts'
import { type Account, mayRead } from './accounts.ts'
import { commands } from './commands.ts'
import { Reader, SyntaxProblem } from './grammar.ts'
import { Refusal } from './refusal.ts'
import { mailboxText } from './response.ts'
import { setText } from './sets.ts'
import { appendBytesMax, type Wire } from './wire.ts'

/** What is offered in every state. */
const capabilityWords = [
  'IMAP4rev1',
  'IMAP4rev2',
  'LITERAL+',
  'ID',
  'IDLE',
  'NAMESPACE',
  'UIDPLUS',
  'UNSELECT',
  'CHILDREN',
  'ENABLE',
  'SASL-IR',
  'MOVE',
  'CONDSTORE',
  'QRESYNC',
  'ESEARCH',
  'SEARCHRES',
  'LIST-EXTENDED',
  'LIST-STATUS',
  'SPECIAL-USE',
  'STATUS=SIZE',
  'OBJECTID',
  'PREVIEW',
  'PARTIAL',
  'SORT',
  'ESORT',
  'THREAD=ORDEREDSUBJECT',
  'THREAD=REFERENCES',
  'QUOTA',
  'QUOTA=RES-STORAGE',
  'UIDONLY',
  'BINARY',
]

export type SessionPorts = {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: ImapMetrics
  readonly view: MailboxView
  readonly folders: Folders
  readonly reader: SegmentReader
  readonly uidValidity: number
  readonly quotaBytes: number
  /** Null: wrong, or too many failures. Its delay is part of it. */
  authenticate(user: string, password: string, address: string): Promise<Account | null>
  /** By an OAUTHBEARER token; absent: not offered. */
  readonly authenticateToken: ((token: string) => Promise<Account | null>) | null
  /** Tells the log of the product who read what. */
  audit(account: Account, what: 'login' | 'read', messageId: string, detail: string): Promise<void>
  /** Upgrades the connection; null: no certificate. */
  readonly startTls: ((wire: Wire) => Promise<void>) | null
}

export type Selected = {
  readonly mailbox: Mailbox
  /** In memory now; after a failure of the view it may be made anew. */
  roster: Roster
  readonly readOnly: boolean
  /** The UIDs that the client knows, by message number - 1: the first `count`. */
  uids: Uint32Array
  count: number
  /** Flag changes up to here were told. */
  modseq: number
}

/** What ENABLE, or a first use, has switched on. */
export type Enabled = 'CONDSTORE' | 'QRESYNC' | 'IMAP4REV2' | 'UIDONLY'

const problemsMax = 20

export class Session {
  readonly id = randomUUID()
  readonly ports: SessionPorts
  readonly wire: Wire
  readonly address: string
  account: Account | null = null
  isTls: boolean
  selected: Selected | null = null
  readonly enabled = new Set<Enabled>()
  /** UIDs of the last SEARCH with SAVE (RFC 5182). */
  saved: readonly number[] = []
  over = false
  #problems = 0
  #changed: (() => void) | null = null
  readonly #unsubscribe: () => void

  constructor(wire: Wire, ports: SessionPorts, options: { isTls: boolean }) {
    this.wire = wire
    this.ports = ports
    this.isTls = options.isTls
    this.address = plainAddress(wire.socket.remoteAddress ?? '')
    this.#unsubscribe = ports.view.onChange((mailboxes) => {
      if (this.selected !== null && mailboxes.has(this.selected.mailbox.id)) this.#changed?.()
    })
  }

  /** LOGIN and PLAIN are safe here: under TLS, or where nobody can listen. */
  get mayLogin(): boolean {
    return this.isTls || isLoopbackHost(this.address)
  }

  capabilities(): string {
    const words = [...capabilityWords, `APPENDLIMIT=${appendBytesMax}`]
    if (this.account === null) {
      if (!this.isTls && this.ports.startTls !== null) words.push('STARTTLS')
      words.push(this.mayLogin ? 'AUTH=PLAIN' : 'LOGINDISABLED')
      if (this.mayLogin && this.ports.authenticateToken !== null) words.push('AUTH=OAUTHBEARER')
    }
    if (this.account !== null && !this.wire.isCompressed) words.push('COMPRESS=DEFLATE')
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
      this.deselect()
      this.wire.end()
    }
  }

  async #command(reader: Reader): Promise<void> {
    const tag = reader.match(/[^\x00-\x20\x7f(){%*"\\+\]]{1,64}/)
    if (tag === null || reader.match(/ /) === null) return this.#bad(tag ?? '*', 'expected a tag and a command')
    const name = (reader.match(/UID [A-Z]+|[A-Z0-9]+/i) ?? '').toUpperCase()
    const command = commands.get(name)
    if (command === undefined) return this.#bad(tag, 'there is no such command')
    const needsLogin = command.state === 'authenticated' || command.state === 'selected'
    if (needsLogin && this.account === null) return this.#bad(tag, 'log in first')
    if (command.state === 'selected' && this.selected === null) return this.#bad(tag, 'no mailbox is selected')
    if (command.state === 'not authenticated' && this.account !== null) return this.#bad(tag, 'you are logged in')
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
  nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#changed = () => {
        this.#changed = null
        resolve()
      }
    })
  }

  /** The mailbox is closed; nothing is expunged. */
  deselect(): void {
    if (this.selected === null) return
    if (this.selected.mailbox.id >= 0) this.ports.view.close(this.selected.mailbox.id, this.selected.roster)
    this.selected = null
    this.saved = []
  }

  /** Whether this account may see a mailbox. */
  maySee(name: string): boolean {
    return this.account !== null && mayRead(this.account, name)
  }

  /** A mailbox name as this client reads it. */
  mailboxText(name: string): string {
    return mailboxText(name, this.enabled.has('IMAP4REV2'))
  }

  mailbox(name: string): Mailbox | null {
    return this.maySee(name) ? this.ports.view.mailbox(name) : null
  }

  /** The flags of one message, as far as this client follows it. */
  tellFlags(index: number, uid: number, flags: string, modseq: number): void {
    const more = this.enabled.has('CONDSTORE') ? ` MODSEQ (${modseq})` : ''
    this.wire.write(
      this.enabled.has('UIDONLY')
        ? `* ${uid} UIDFETCH (FLAGS (${flags})${more})\r\n`
        : `* ${index + 1} FETCH (UID ${uid} FLAGS (${flags})${more})\r\n`,
    )
  }

  /**
   * Tells what changed in the selected mailbox since the client last heard of it.
   * @param mayExpunge false within FETCH, STORE and SEARCH, whose message numbers must not move
   */
  sync(mayExpunge: boolean): void {
    const { selected } = this
    if (selected === null || selected.mailbox.id < 0) return
    const now = this.ports.view.mailboxById(selected.mailbox.id)
    if (now === null) {
      this.bye('the mailbox has expired')
      return
    }
    const roster = this.ports.view.roster(now.id)
    selected.roster = roster
    if (selected.uids !== roster.uids && mayExpunge) this.#tellExpunged(selected, roster)
    this.#tellNew(selected, roster)
    if (now.highestModseq > selected.modseq) {
      for (let index = 0; index < selected.count; index++) {
        const uid = selected.uids[index] ?? 0
        const at = selected.uids === roster.uids ? index : roster.find(uid)
        const modseq = at < 0 ? 0 : (roster.modseqs[at] ?? 0)
        // A message's first entry gives it its UID and its MODSEQ: that is no change of flags.
        if (modseq > selected.modseq && modseq !== uid) this.tellFlags(index, uid, roster.flagTextAt(at), modseq)
      }
      selected.modseq = now.highestModseq
    }
  }

  #tellExpunged(selected: Selected, roster: Roster): void {
    const gone: number[] = []
    for (let index = 0; index < selected.count; index++) {
      if (roster.find(selected.uids[index] ?? 0) < 0) gone.push(index)
    }
    if (gone.length > 0) {
      if (this.enabled.has('QRESYNC') || this.enabled.has('UIDONLY')) {
        this.wire.write(`* VANISHED ${setText(gone.map((index) => selected.uids[index] ?? 0))}\r\n`)
      } else for (const index of gone.reverse()) this.wire.write(`* ${index + 1} EXPUNGE\r\n`)
    }
    const last = selected.uids[selected.count - 1] ?? 0
    selected.uids = roster.uids
    selected.count = firstFrom(roster.uids, roster.length, last + 1)
  }

  #tellNew(selected: Selected, roster: Roster): void {
    const last = selected.count === 0 ? 0 : (selected.uids[selected.count - 1] ?? 0)
    const from = firstFrom(roster.uids, roster.length, last + 1)
    const added = roster.length - from
    if (added === 0) return
    if (selected.uids !== roster.uids) {
      if (selected.count === 0) selected.uids = roster.uids
      else {
        // Expunges that may not be told yet: the client's numbers go on behind what it knows.
        const uids = new Uint32Array(selected.count + added)
        uids.set(selected.uids.subarray(0, selected.count))
        uids.set(roster.uids.subarray(from, roster.length), selected.count)
        selected.uids = uids
      }
    }
    selected.count += added
    this.wire.write(`* ${selected.count} EXISTS\r\n${this.enabled.has('IMAP4REV2') ? '' : '* 0 RECENT\r\n'}`)
  }

  /** A change that the log did not take is the client's to try again. */
  async change<T>(work: () => Promise<T>): Promise<T> {
    if (this.account?.readOnly === true) throw new Refusal('[NOPERM] this account may only read')
    try {
      return await work()
    } catch (error) {
      if (error instanceof Refusal || error instanceof SyntaxProblem) throw error
      this.ports.logger.error(
        { event: 'imap.append.failed', session: this.id, err: error },
        'a change was not appended',
      )
      throw new Refusal(`[UNAVAILABLE] the change was not kept: ${describeError(error).slice(0, 100)}`)
    }
  }
}
