/**
 * The legacy hosts: their connections, their health, which one gets the next message.
 *
 * A connection that fails says something about its host, not about the message: the host is down, is left alone for a
 * growing while, and then one probe at a time finds out whether it is back. While none is up, `take` waits: that holds up
 * the partitions, and the log is the buffer. The host with the least in flight gets the next message.
 */
import { readFileSync } from 'node:fs'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { type Backoff, backoffDelay } from '#lib/runtime/retry.ts'
import { type SmtpClientOptions, SmtpConnection } from '#lib/smtp/client.ts'
import { SmtpConnectionError, type SmtpHost } from '#lib/smtp/connect.ts'
import type { ForwardConfig } from './config.ts'

export type HostsOptions = {
  readonly hosts: readonly SmtpHost[]
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
  readonly host: SmtpHost
  readonly name: string
  readonly idle: { connection: SmtpConnection; since: number }[]
  inUse: number
  up: boolean
  failures: number
}

export type Lease = {
  readonly connection: SmtpConnection
  readonly host: string
  /** Gives the connection back; a broken one is dropped. */
  release(): void
  /** The connection failed: so did the host. */
  fail(error: unknown): void
}

export function parseLegacyHost(url: string): SmtpHost {
  const { protocol, hostname, port } = new URL(url)
  const tls = protocol === 'smtps:'
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (tls ? 465 : 25) : Number(port), tls }
}

/** How forward speaks to every legacy host. */
export const clientOptionsOf = (config: ForwardConfig): SmtpClientOptions => ({
  name: config.forwardName,
  connectMs: config.forwardConnectMs,
  replyMs: config.forwardReplyMs,
  dataEndMs: config.forwardReplyMs * 5,
  tls: {
    startTls: config.forwardTls,
    verify: config.forwardTlsVerify,
    ...(config.forwardTlsCa === null ? {} : { ca: readFileSync(config.forwardTlsCa) }),
  },
  ...(config.forwardUser === '' ? {} : { auth: { user: config.forwardUser, password: config.forwardPassword } }),
})

export class Hosts {
  readonly #options: HostsOptions
  readonly #hosts: Host[]
  readonly #waiting: (() => void)[] = []
  readonly #stopping = new AbortController()
  readonly #sweep: NodeJS.Timeout

  constructor(options: HostsOptions) {
    this.#options = options
    this.#hosts = options.hosts.map((host) => ({
      host,
      name: `${host.host}:${host.port}`,
      idle: [],
      inUse: 0,
      up: true,
      failures: 0,
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
      const host = this.#hosts
        .filter((candidate) => candidate.up && candidate.inUse < this.#options.connectionsMax)
        .sort((a, b) => a.inUse - b.inUse)[0]
      if (host === undefined) {
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
    for (const { connection } of host.idle.splice(0)) connection.destroy()
    this.#options.logger.warn(
      { event: 'host.down', host: host.name, err: error },
      'the legacy host takes no mail: it is left alone and probed',
    )
    this.#options.changed(this.#hosts.filter((candidate) => candidate.up).length)
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
        for (const wake of this.#waiting.splice(0)) wake()
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
