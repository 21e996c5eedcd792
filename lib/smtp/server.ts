/**
 * The listening side of SMTP (RFC 5321), on bare sockets: sessions, their commands and their limits. It decides nothing about mail:
 * its owner says of each client, path and message whether it is taken.
 *
 * Bytes of a message are handed over as slices of what the socket gave, never copied and never made a string. Replies of one turn
 * go out in one write. A line of a message ends with CR LF and nothing else (`data-parser.ts`).
 *
 * Extensions: PIPELINING (RFC 2920), SIZE (1870), 8BITMIME (6152), SMTPUTF8 (6531), DSN (3461), ENHANCEDSTATUSCODES (2034),
 * CHUNKING (3030), STARTTLS (3207), and the PROXY protocol in front of it.
 */
import { randomUUID } from 'node:crypto'
import { type BlockList, createServer, isIPv6, type Server, type Socket } from 'node:net'
import { type SecureContext, TLSSocket } from 'node:tls'
import type { Path } from '#lib/mail/path.ts'
import { plainAddress } from '#lib/runtime/network.ts'
import { parseProxy } from './proxy.ts'
import { replies } from './replies.ts'
import type { Reply } from './reply.ts'
import { Session } from './session.ts'

export type SmtpClient = {
  /** The same for all transactions of a connection. */
  readonly session: string
  readonly address: string
  readonly port: number
  /** Argument of HELO or EHLO. */
  readonly name: string
  readonly tls: { readonly protocol: string; readonly cipher: string } | null
}

export type Transaction = {
  readonly client: SmtpClient
  readonly reversePath: Path
  readonly forwardPaths: readonly Path[]
}

/** Takes the bytes of one message. */
export interface Receiver {
  /** False: nothing more before `ready` resolves. */
  write(chunk: Buffer): boolean
  ready(): Promise<void>
  /** The end of data: resolves to the reply; a rejection is answered as `replyFor` says. */
  end(): Promise<Reply>
  /** The message will not come to its end. */
  abort(error: Error): void
}

export type SmtpServerOptions = {
  readonly name: string
  readonly sizeMax: number
  readonly connectionsMax: number
  readonly limits: SessionLimits
  /** The certificate of now; null: STARTTLS is not offered. */
  tls(): SecureContext | null
  /** Balancers that say who the client is; null: none. */
  readonly proxies: BlockList | null
  /** Each gives the reply of a refusal, or null. A 421 ends the connection; one that is taken is told to `disconnected`. */
  connect(client: SmtpClient): Reply | null
  mail(path: Path, client: SmtpClient): Reply | null
  rcpt(path: Path, transaction: Transaction): Reply | null
  /** Room for a message, or the reply that there is none. */
  data(transaction: Transaction): Receiver | Reply | Promise<Receiver | Reply>
  disconnected(client: SmtpClient): void
  /** A session was ended by us, with this reply, for what its client did or did not do. */
  dismissed(reply: Reply, client: SmtpClient): void
  failed(error: unknown): void
}

export type SessionLimits = {
  /** A client that sends nothing for so long is dismissed. */
  readonly idleMs: number
  /** From the end of one transaction, or the greeting, to the end of the next. */
  readonly transactionMs: number
  /** Replies of 4xx and 5xx. */
  readonly errorsMax: number
  /** Commands between two messages that are none of MAIL, RCPT and DATA. */
  readonly idleCommandsMax: number
}

export interface SmtpServer {
  /** Listeners, for whoever binds them. */
  readonly plain: Server
  readonly secure: Server
  readonly sessions: ReadonlySet<Session>
  /** No new connections; those that are open stay. */
  close(): void
}

const proxyMs = 5_000
const handshakeMs = 30_000
const sweepMs = 1_000
const lingerMs = 2_000

export function createSmtpServer(options: SmtpServerOptions): SmtpServer {
  const sessions = new Set<Session>()
  /** Every open socket, also those that are not sessions yet. */
  let connections = 0

  const sweep = setInterval(() => {
    const now = Date.now()
    for (const session of sessions) session.checkTime(now)
  }, sweepMs)
  sweep.unref()

  function begin(socket: Socket, client: SmtpClient, secure: boolean, first: Buffer | null): void {
    const session = new Session(socket, client, options, { secure, upgrade })
    sessions.add(session)
    socket.once('close', () => sessions.delete(session))
    session.start(first)
  }

  /** Puts TLS on a socket; rejects where the handshake fails. */
  function upgrade(socket: Socket): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      const context = options.tls()
      if (context === null) return reject(new Error('there is no certificate'))
      const tls = new TLSSocket(socket, { isServer: true, secureContext: context })
      const timer = setTimeout(
        () => tls.destroy(new Error('the handshake took too long')),
        Math.min(handshakeMs, options.limits.idleMs),
      )
      tls.once('secure', () => {
        clearTimeout(timer)
        tls.removeListener('error', reject)
        resolve(tls)
      })
      tls.once('error', reject)
      tls.once('close', () => {
        clearTimeout(timer)
        reject(new Error('the connection was closed'))
      })
    })
  }

  function accept(socket: Socket, implicit: boolean): void {
    socket.on('error', () => {}) // Its close tells the session.
    if (++connections > options.connectionsMax) {
      connections--
      return refuse(socket, replies.tooManyConnections)
    }
    socket.once('close', () => connections--)
    socket.setNoDelay(true)
    const peer = { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 }
    const go = ({ address, port }: typeof peer, first: Buffer | null): void => {
      // Counted before a handshake: one that does not end holds a connection as well.
      const client: SmtpClient = { session: randomUUID(), address, port, name: '', tls: null }
      const refusal = options.connect(client)
      if (refusal !== null) {
        options.dismissed(refusal, client)
        return implicit ? void socket.destroy() : refuse(socket, refusal)
      }
      socket.once('close', () => options.disconnected(client))
      if (!implicit) return begin(socket, client, false, first)
      if (first !== null) socket.unshift(first)
      upgrade(socket).then(
        (tls) => begin(tls, client, true, null),
        (error: unknown) => {
          options.failed(error)
          socket.destroy()
        },
      )
    }
    const trusted = options.proxies?.check(peer.address, isIPv6(peer.address) ? 'ipv6' : 'ipv4') ?? false
    if (trusted) readProxy(socket, (client, rest) => go(client ?? peer, rest))
    else go(peer, null)
  }

  const plain = createServer((socket) => accept(socket, false))
  const secure = createServer((socket) => accept(socket, true))
  for (const server of [plain, secure]) server.on('error', (error) => options.failed(error))
  return {
    plain,
    secure,
    sessions,
    close: () => {
      clearInterval(sweep)
      for (const server of [plain, secure]) if (server.listening) server.close()
    },
  }
}

/** Says why, and hangs up. */
function refuse(socket: Socket, reply: Reply): void {
  socket.end(`${reply.code} ${reply.enhancedStatus} ${reply.text}\r\n`)
  setTimeout(() => socket.destroy(), lingerMs).unref()
}

/** Reads the header that a trusted balancer sends first. One that does not is hung up on: its client would be taken for it. */
function readProxy(
  socket: Socket,
  done: (client: { address: string; port: number } | null, rest: Buffer | null) => void,
): void {
  let held = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), proxyMs)
  socket.once('close', () => clearTimeout(timer))
  const listener = (chunk: Buffer): void => {
    held = Buffer.concat([held, chunk])
    const found = parseProxy(held)
    if (found.kind === 'more') return
    clearTimeout(timer)
    socket.removeListener('data', listener)
    if (found.kind === 'bad') {
      socket.destroy()
      return
    }
    socket.pause()
    const client = found.client === null ? null : { ...found.client, address: plainAddress(found.client.address) }
    done(client, held.length > found.length ? held.subarray(found.length) : null)
  }
  socket.on('data', listener)
}
