/**
 * The IMAP service: a view built from `mail.index`, and the listeners. It does not serve before the view has caught up with what
 * the log held when it started.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { Follower, Log, LogRecord, Position } from '#lib/log/log.ts'
import { Progress } from '#lib/log/progress.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import { Gate } from '#lib/runtime/gate.ts'
import { listenOn } from '#lib/runtime/listen.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Metrics } from '#lib/runtime/metrics.ts'
import type { Service } from '#lib/runtime/service.ts'
import { SegmentReader } from '#lib/segments/segment.ts'
import { endOf } from '#lib/smtp/certificate.ts'
import type { Codec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import type { ImapConfig } from '../config.ts'
import { openEpoch } from '../mailbox/epoch.ts'
import { Folders } from '../mailbox/folders.ts'
import { MailboxView } from '../mailbox/view.ts'
import { imapMetrics } from '../metrics.ts'
import { Accounts } from './accounts.ts'
import { Session, type SessionPorts } from './session.ts'
import { openTokens } from './tokens.ts'
import { Wire } from './wire.ts'

export type ImapPorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Path of the view's database; empty: a temporary one. */
  readonly viewPath: string
  /** Certificate and key, PEM. */
  readonly tls: { readonly cert: Buffer; readonly key: Buffer }
}

export interface Imap extends Service {
  readonly port: number
  readonly tlsPort: number
}

const expireMs = 60_000
const appliedMs = 10_000
const handshakeMs = 30_000
const loginMs = 120_000
/** An event of no record of mail.raw that we know. */
const nowhere = { partition: -1, offset: -1 }

export function startImap(config: ImapConfig, ports: ImapPorts): Imap {
  return new ImapService(config, ports)
}

class ImapService implements Imap {
  readonly name = 'imap'
  readonly ready: Promise<void>
  readonly done: Promise<void>
  port = 0
  tlsPort = 0
  readonly #config: ImapConfig
  readonly #ports: ImapPorts
  readonly #metrics: ReturnType<typeof imapMetrics>
  readonly #view: MailboxView
  readonly #reader: SegmentReader
  readonly #context: SecureContext
  readonly #servers: Server[] = []
  readonly #sessions = new Set<Session>()
  /** Connections in the order they came; null: in their handshake. */
  readonly #connections = new Map<Socket, Session | null>()
  readonly #folders: Folders
  readonly #accounts: Accounts
  readonly #authenticateToken: SessionPorts['authenticateToken']
  /** By topic: how far the view has read it. */
  readonly #progress: Readonly<Record<string, Progress>>
  readonly #followers: Follower[] = []
  /** Events on their way. */
  readonly #audits = new Gate({ countMax: 1_000, bytesMax: 4 * 1024 * 1024 })
  #expiry: NodeJS.Timeout | null = null
  #serving = false
  readonly #stopping = new AbortController()
  #stopped: Promise<void> | null = null
  #uidValidity = 0
  #end: { resolve: () => void; reject: (error: unknown) => void } = { resolve: () => {}, reject: () => {} }

  constructor(config: ImapConfig, ports: ImapPorts) {
    this.#config = config
    this.#ports = ports
    this.#metrics = imapMetrics(ports.metrics)
    this.#metrics.certificate.set(endOf(ports.tls.cert) / 1000)
    this.#context = createSecureContext({ cert: ports.tls.cert, key: ports.tls.key, minVersion: 'TLSv1.2' })
    this.#reader = new SegmentReader(ports.objects, config.imapCacheBytes)
    this.#view = new MailboxView({
      path: ports.viewPath,
      codec: ports.codec,
      logger: ports.logger,
      undecodable: () => this.#metrics.undecodable.inc(),
    })
    this.#progress = { 'mail.index': new Progress(ports.clock), 'mail.folders': new Progress(ports.clock) }
    this.#folders = new Folders({
      ...ports,
      service: 'imap',
      applied: (position) => this.#applied(position),
      has: (mailbox, copy) => this.#view.has(mailbox, copy),
    })
    this.#accounts = new Accounts(
      { user: config.imapUser, password: config.imapPassword },
      config.imapAccounts,
      ports.clock,
    )
    this.#authenticateToken = openTokens(config)
    this.done = new Promise((resolve, reject) => {
      this.#end = { resolve, reject }
    })
    this.done.catch(() => {})
    this.ready = this.#start()
    this.ready.catch((error) => this.#end.reject(error))
  }

  async #start(): Promise<void> {
    const { log, codec, clock, logger } = this.#ports
    this.#uidValidity = await openEpoch(log, codec, clock)
    this.#view.useEpoch(this.#uidValidity)
    await this.#follow('mail.index', this.#view.progress(), (records) => this.#view.applyIndex(records))
    await this.#follow('mail.folders', new Map(), (records) => this.#view.applyFolders(records))
    if (this.#stopped !== null) return
    const expire = (): void => {
      try {
        this.#view.expire(clock.now())
      } catch (err) {
        logger.warn({ event: 'imap.expiry-failed', err }, 'the view drops nothing now: will try again')
      }
    }
    expire()
    this.#expiry = setInterval(expire, expireMs)
    this.port = await this.#listen(this.#config.imapListen, 'IMAP_LISTEN', false)
    this.tlsPort = await this.#listen(this.#config.imapsListen, 'IMAPS_LISTEN', true)
    this.#serving = true
    logger.info({ event: 'imap.listening', port: this.port, tlsPort: this.tlsPort }, 'serving mailboxes')
  }

  /** Resolves when the view has what the topic held at first. */
  async #follow(
    topic: string,
    from: ReadonlyMap<number, bigint>,
    apply: (records: readonly LogRecord[]) => void,
  ): Promise<void> {
    const { log, logger } = this.#ports
    const ends = await log.admin.offsets(topic)
    const progress = this.#progressOf(topic)
    for (const [partition, next] of from) progress.set(partition, next)
    for (const { partition, earliest } of ends) {
      if ((progress.next(partition) ?? 0n) < earliest) progress.set(partition, earliest)
    }
    const follower = progress.follow(log, {
      topic,
      from,
      apply: (records) => {
        apply(records)
        this.#metrics.applied.inc(records.length)
      },
      logger,
      signal: this.#stopping.signal,
    })
    this.#followers.push(follower)
    follower.done.then(() => {}, this.#end.reject)
    await progress.reached(new Map(ends.map(({ partition, end }) => [partition, end])), null)
  }

  #progressOf(topic: string): Progress {
    const progress = this.#progress[topic]
    if (progress === undefined) throw new Error(`the view does not read ${topic}`)
    return progress
  }

  async #listen(address: { host: string; port: number }, setting: string, tls: boolean): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => {}) // The wire hears it, too.
      if (!this.#hasPlace()) return void socket.end(tls ? '' : '* BYE [LIMIT] too many sessions, try again later\r\n')
      this.#connections.set(socket, null)
      socket.once('close', () => this.#connections.delete(socket))
      if (!tls) return void this.#serve(socket, socket)
      const secure = this.#secure(socket)
      const timer = setTimeout(() => socket.destroy(), handshakeMs)
      secure.once('secure', () => {
        clearTimeout(timer)
        void this.#serve(socket, secure)
      })
      socket.once('close', () => clearTimeout(timer))
    })
    server.maxConnections = this.#config.imapSessionsMax + 100
    this.#servers.push(server)
    return listenOn(server, address, setting)
  }

  #secure(socket: Socket): TLSSocket {
    const secure = new TLSSocket(socket, { isServer: true, secureContext: this.#context })
    secure.on('error', () => socket.destroy())
    return secure
  }

  /** Where all places are taken, the one that has been without a login for longest makes room: strangers keep nobody out. */
  #hasPlace(): boolean {
    if (this.#connections.size < this.#config.imapSessionsMax) return true
    for (const [socket, session] of this.#connections) {
      if (session !== null && session.account !== null) continue
      this.#connections.delete(socket)
      if (session === null) socket.destroy()
      else leave(session, '[LIMIT] too many sessions, try again later')
      return true
    }
    return false
  }

  /** @param accepted what `socket` is, or what its TLS runs on */
  async #serve(accepted: Socket, socket: Socket): Promise<void> {
    if (accepted.destroyed) return
    socket.setNoDelay(true)
    socket.setTimeout(this.#config.imapIdleMs)
    const wire = new Wire(socket)
    const session = new Session(wire, this.#sessionPorts(), { isTls: accepted !== socket })
    this.#connections.set(accepted, session)
    this.#sessions.add(session)
    this.#metrics.sessions.set(this.#sessions.size)
    socket.on('timeout', () => leave(session, 'idle for too long'))
    const login = setTimeout(() => {
      if (session.account === null) leave(session, 'no login for too long')
    }, loginMs)
    try {
      await session.run()
    } catch (error) {
      this.#ports.logger.error({ event: 'imap.session.failed', session: session.id, err: error }, 'a session failed')
      socket.destroy()
    } finally {
      clearTimeout(login)
      this.#sessions.delete(session)
      this.#metrics.sessions.set(this.#sessions.size)
    }
  }

  #hasRoom(account: string): boolean {
    let open = 0
    for (const session of this.#sessions) if (session.account?.name === account) open++
    return open < this.#config.imapSessionsPerAccountMax
  }

  /** Each login and each message that is read is an event; the log line says it, too. Where the log is slow, readers wait for it. */
  async #audit(account: string, what: 'login' | 'read', messageId: string, detail: string): Promise<void> {
    this.#ports.logger.info({ event: `imap.${what}`, user: account, messageId, detail }, 'an account did something')
    if (what === 'login') return
    const { log, codec, clock } = this.#ports
    const value = codec.encode(
      'event',
      event({
        messageId,
        type: 'read',
        at: clock.now(),
        service: 'imap',
        position: nowhere,
        detail: `${account} ${detail}`,
      }),
    )
    await this.#audits.take(value.length)
    log
      .append('mail.events', { key: messageId, value })
      .catch((err: unknown) => {
        this.#ports.logger.warn({ event: 'imap.audit.failed', messageId, err }, 'an event was not appended')
      })
      .finally(() => this.#audits.release(value.length))
  }

  #sessionPorts(): SessionPorts {
    return {
      clock: this.#ports.clock,
      logger: this.#ports.logger,
      metrics: this.#metrics,
      view: this.#view,
      reader: this.#reader,
      uidValidity: this.#uidValidity,
      folders: this.#folders,
      quotaBytes: this.#config.imapQuotaBytes,
      authenticate: async (user, password, address) => {
        const account = await this.#accounts.authenticate(user, password, address)
        return account !== null && this.#hasRoom(account.name) ? account : null
      },
      authenticateToken: this.#authenticateToken,
      audit: (account, what, messageId, detail) => this.#audit(account.name, what, messageId, detail),
      startTls: async (wire) => {
        const socket = wire.socket
        socket.removeAllListeners('data')
        const secure = this.#secure(socket)
        wire.replaceSocket(secure)
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error('the handshake took too long')), handshakeMs)
          secure.once('secure', () => {
            clearTimeout(timer)
            resolve()
          })
          secure.once('error', reject)
          secure.once('close', () => reject(new Error('the connection was closed')))
        })
      },
    }
  }

  /** Waits until the view has applied an offset; `ms` null: however long it takes. */
  async #applied({ topic, partition, offset }: Position): Promise<void> {
    const isThere = await this.#progressOf(topic).reached(new Map([[partition, offset + 1n]]), appliedMs)
    if (!isThere && this.#stopped === null) throw new Error('the view has not caught up in time')
  }

  isReady(): boolean {
    return this.#serving && this.#stopped === null
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#serving = false
    for (const progress of Object.values(this.#progress)) progress.stop()
    if (this.#expiry !== null) clearInterval(this.#expiry)
    for (const server of this.#servers) server.close()
    for (const session of this.#sessions) {
      session.bye('shutting down')
      session.wire.end()
    }
    await this.ready.catch(() => {})
    for (const follower of this.#followers) await follower.stop()
    const until = this.#ports.clock.now() + 2_000
    while (this.#sessions.size > 0 && this.#ports.clock.now() < until) await this.#ports.clock.sleep(10)
    this.#view.end()
    this.#end.resolve()
  }
}

function leave(session: Session, text: string): void {
  session.bye(text)
  session.wire.socket.destroySoon()
}
