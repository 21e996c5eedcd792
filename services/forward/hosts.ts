/**
 * The legacy hosts: their connections, their health, which one gets the next message.
 *
 * A connection that fails says something about its host, not about the message: the host is down, is left alone for a
 * growing while, and then one probe at a time finds out whether it is back. While none is up, `take` waits: that holds up
 * the partitions, and the log is the buffer. A host that is back gets one message at a time at first, and one more with each
 * that it takes. The host with the least in flight for its weight gets the next message; backups only while no other is up.
 */
import { readFileSync } from 'node:fs'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { type Backoff, backoffDelay } from '#lib/runtime/retry.ts'
import { type SmtpClientOptions, SmtpConnection } from '#lib/smtp/client.ts'
import { SmtpConnectionError, type SmtpHost } from '#lib/smtp/connect.ts'
import type { RelayConfig } from './config.ts'

export type LegacyHost = SmtpHost & { readonly weight: number; readonly backup: boolean }

export type HostsOptions = {
  readonly hosts: readonly LegacyHost[]
  readonly connectionsMax: number
  readonly client: SmtpClientOptions
  readonly clock: Clock
  readonly logger: Logger
  failed(): void
  changed(up: number): void
}

const probeBackoff: Backoff = { firstMs: 200, maxMs: 30_000, factor: 2, jitter: 0.2 }
/** Servers close what is idle after five minutes; ours go first. */
const idleMs = 60_000

type Host = {
  readonly host: LegacyHost
  readonly name: string
  readonly idle: { connection: SmtpConnection; since: number }[]
  inUse: number
  up: boolean
  failures: number
  /** Connections that it may have, by its weight, and now. */
  readonly limitMax: number
  limit: number
}

export type Lease = {
  readonly connection: SmtpConnection
  readonly host: string
  /** Gives the connection back; a broken one is dropped. */
  release(): void
  /** The connection failed: so did the host. */
  fail(error: unknown): void
}

export function parseLegacyHost(url: string): LegacyHost {
  const { protocol, hostname, port, searchParams } = new URL(url)
  const tls = protocol === 'smtps:'
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (tls ? 465 : 25) : Number(port),
    tls,
    weight: Number(searchParams.get('weight') ?? 1),
    backup: searchParams.has('backup'),
  }
}

/** How every host is spoken to. @param auth absent: no AUTH */
export const clientOptionsOf = (
  config: RelayConfig,
  auth?: { readonly user: string; readonly password: string },
): SmtpClientOptions => ({
  name: config.forwardName,
  connectMs: config.forwardConnectMs,
  replyMs: config.forwardReplyMs,
  dataEndMs: config.forwardReplyMs * 5,
  tls: {
    startTls: config.forwardTls,
    verify: config.forwardTlsVerify,
    ...(config.forwardTlsCa === null ? {} : { ca: readFileSync(config.forwardTlsCa) }),
  },
  ...(auth === undefined || auth.user === '' ? {} : { auth }),
})

export class Hosts {
  readonly #options: HostsOptions
  readonly #hosts: Host[]
  readonly #waiting: (() => void)[] = []
  readonly #stopping = new AbortController()
  readonly #sweep: NodeJS.Timeout

  constructor(options: HostsOptions) {
    this.#options = options
    const heaviest = Math.max(...options.hosts.map(({ weight }) => weight))
    const limitOf = ({ weight }: LegacyHost): number => Math.ceil((options.connectionsMax * weight) / heaviest)
    this.#hosts = options.hosts.map((host) => ({
      host,
      name: `${host.host}:${host.port}`,
      idle: [],
      inUse: 0,
      up: true,
      failures: 0,
      limitMax: limitOf(host),
      limit: limitOf(host),
    }))
    options.changed(this.#hosts.length)
    this.#sweep = setInterval(() => this.#dropIdle(), idleMs / 4)
    this.#sweep.unref()
  }

  get anyUp(): boolean {
    return this.#hosts.some((host) => host.up)
  }

  /** Waits for a connection; null when we are stopping. */
  async take(): Promise<Lease | null> {
    for (;;) {
      if (this.#stopping.signal.aborted) return null
      const host = this.#next()
      if (host === null) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve))
        continue
      }
      host.inUse++
      try {
        const connection = await this.#connection(host)
        return this.#lease(host, connection)
      } catch (error) {
        host.inUse--
        this.#down(host, error)
      }
    }
  }

  /** The host that gets the next message; null: none has room. */
  #next(): Host | null {
    const primariesUp = this.#hosts.some(({ up, host }) => up && !host.backup)
    let next: Host | null = null
    for (const candidate of this.#hosts) {
      if (!candidate.up || candidate.inUse >= candidate.limit || (primariesUp && candidate.host.backup)) continue
      if (next === null || candidate.inUse / candidate.host.weight < next.inUse / next.host.weight) next = candidate
    }
    return next
  }

  async #connection(host: Host): Promise<SmtpConnection> {
    for (let last = host.idle.pop(); last !== undefined; last = host.idle.pop()) {
      if (last.connection.isUsable) return last.connection
    }
    return SmtpConnection.open(host.host, this.#options.client)
  }

  #lease(host: Host, connection: SmtpConnection): Lease {
    let open = true
    const end = (): void => {
      if (!open) return
      open = false
      host.inUse--
      if (connection.isUsable && !this.#stopping.signal.aborted) {
        host.idle.push({ connection, since: this.#options.clock.now() })
      } else connection.destroy()
      this.#wakeOne()
    }
    return {
      connection,
      host: host.name,
      release: () => {
        host.failures = 0
        if (host.limit < host.limitMax) {
          host.limit++
          this.#wakeOne()
        }
        end()
      },
      fail: (error) => {
        connection.destroy()
        end()
        // A kept connection that the host had closed meanwhile is no sign of illness.
        const stale = error instanceof SmtpConnectionError && error.reply === null && !error.afterData
        if (!stale || host.idle.length === 0) this.#down(host, error)
        for (const { connection: kept } of host.idle.splice(0)) kept.destroy()
      },
    }
  }

  #down(host: Host, error: unknown): void {
    this.#options.failed()
    if (!host.up || this.#stopping.signal.aborted) return
    host.up = false
    host.limit = 1
    for (const { connection } of host.idle.splice(0)) connection.destroy()
    this.#options.logger.warn(
      { event: 'host.down', host: host.name, err: error },
      'the legacy host takes no mail: it is left alone and probed',
    )
    this.#options.changed(this.#hosts.filter((candidate) => candidate.up).length)
    // Its messages may go to another, a backup among them.
    for (const wake of this.#waiting.splice(0)) wake()
    void this.#probe(host)
  }

  async #probe(host: Host): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      host.failures++
      await this.#options.clock.sleep(backoffDelay(probeBackoff, host.failures), this.#stopping.signal)
      if (this.#stopping.signal.aborted) return
      try {
        const connection = await SmtpConnection.open(host.host, this.#options.client)
        host.idle.push({ connection, since: this.#options.clock.now() })
        host.up = true
        this.#options.logger.info({ event: 'host.up', host: host.name }, 'the legacy host takes mail again')
        this.#options.changed(this.#hosts.filter((candidate) => candidate.up).length)
        this.#wakeOne()
        return
      } catch {
        this.#options.failed()
      }
    }
  }

  #wakeOne(): void {
    this.#waiting.shift()?.()
  }

  #dropIdle(): void {
    const now = this.#options.clock.now()
    for (const host of this.#hosts) {
      while (host.idle[0] !== undefined && host.idle[0].since + idleMs < now) void host.idle.shift()?.connection.quit()
    }
  }

  /** Nobody gets a connection any more; those in use may finish. */
  stop(): void {
    this.#stopping.abort()
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async close(): Promise<void> {
    this.stop()
    clearInterval(this.#sweep)
    await Promise.all(this.#hosts.flatMap((host) => host.idle.splice(0).map(({ connection }) => connection.quit())))
  }
}
