/**
 * smtp-server, with the faults that concern exact bytes and exact envelopes mended in one place:
 * - its end-of-data parser takes a bare LF for a line end when it undoes dot-stuffing; ours (`data-parser.ts`) does not;
 * - its address parser rewrites domains, refuses local-parts that exist and decodes parameters; ours (`../mail/path.ts`) keeps them;
 * - it puts an enhanced status of its own in front of every reply; ours carry the right one already.
 *
 * It promises to call `data` with a stream of the exact bytes, and to answer what `data` resolves to. It never decides
 * whether a message is taken.
 */
import type { PassThrough, Readable } from 'node:stream'
import type { SecureContextOptions } from 'node:tls'
import { SMTPServer } from 'smtp-server'
import { SMTPConnection } from 'smtp-server/lib/smtp-connection.js'
import { SMTPStream } from 'smtp-server/lib/smtp-stream.js'
import { type Path, parsePath } from '#lib/mail/path.ts'
import { DataParser } from './data-parser.ts'
import { replyFor, SmtpError } from './errors.ts'
import { type Reply, replyLine } from './reply.ts'

export type SmtpClient = {
  /** Of the engine's session; the same for all transactions of a connection. */
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

export type DataStream = Readable & { readonly sizeExceeded: boolean }

export type EngineOptions = {
  readonly name: string
  readonly sizeMax: number
  readonly connectionsMax: number
  /** A client that sends nothing for so long is cut off. */
  readonly idleMs: number
  readonly tls: SecureContextOptions | null
  /** Each gives the reply of a refusal, or null. */
  connect(client: SmtpClient): Reply | null
  mail(path: Path, client: SmtpClient): Reply | null
  rcpt(path: Path, transaction: Transaction): Reply | null
  /** Takes the message; has to read the stream to its end. Rejections with an `SmtpError` carry their reply. */
  data(transaction: Transaction, stream: DataStream): Promise<Reply>
  disconnected(client: SmtpClient): void
  failed(error: unknown): void
}

// What the engine keeps, as far as we touch it. Its own declarations leave these out or call them private.
type EngineStream = {
  _dataStream: (PassThrough & { sizeExceeded?: boolean }) | null
  _dataMode: boolean
  _countDataBytes(length: number): void
  _endDataMode(chunk: Buffer | false, remainder: Buffer, done: (error?: Error) => void): void
  mailweirParser?: { stream: PassThrough; parser: DataParser }
}
type EngineEnvelope = { mailFrom: { mailweirPath?: Path } | false; mailweirPaths?: Path[] }
type EngineSession = {
  id: string
  remoteAddress: string
  remotePort: number
  hostNameAppearsAs: string | false
  secure: boolean
  tlsOptions?: { name?: string; standardName?: string; version?: string } | false
  envelope: EngineEnvelope
}

let mended = false

function mendEngine(): void {
  if (mended) return
  mended = true
  // Private methods are replaced on purpose; the version of the package is pinned and the tests cover each.
  const stream = SMTPStream.prototype as unknown as Record<string, unknown>
  stream['_feedDataStream'] = feedDataStream
  const connection = SMTPConnection.prototype as unknown as Record<string, (...given: never[]) => unknown>
  connection['_parseAddressCommand'] = (name: string, command: Buffer) => {
    const text = command.toString('utf8')
    const keyword = name.slice(0, 4).toUpperCase()
    if (text.slice(0, 4).toUpperCase() !== keyword) return false
    const path = parsePath(text.slice(4))
    if (path === null) return false
    const args = Object.fromEntries(
      Object.entries(path.parameters).map(([key, value]) => [key, value === '' ? true : value]),
    )
    return { address: path.address, args: Object.keys(args).length > 0 ? args : false, mailweirPath: path }
  }
  const send = SMTPConnection.prototype.send as (code: number, data: unknown, context?: unknown) => void
  connection['send'] = function (this: unknown, code: number, data: unknown, context?: unknown) {
    const own = typeof data === 'string' && /^[245]\.\d{1,3}\.\d{1,3}(?: |$)/.test(data)
    send.call(this, code, data, own ? false : context)
  } as never
}

function feedDataStream(this: EngineStream, chunk: Buffer, done: (error?: Error) => void): void {
  const stream = this._dataStream
  if (stream === null) return done()
  if (this.mailweirParser?.stream !== stream) this.mailweirParser = { stream, parser: new DataParser() }
  const { content, end } = this.mailweirParser.parser.feed(chunk)
  let room = true
  for (const piece of content) {
    this._countDataBytes(piece.length)
    if (stream.writable) room = stream.write(piece)
  }
  if (end >= 0) return this._endDataMode(false, chunk.subarray(end), done)
  if (room || stream.destroyed || !stream.writable) return done()
  const go = (): void => {
    stream.removeListener('drain', go)
    stream.removeListener('close', go)
    done()
  }
  stream.once('drain', go)
  stream.once('close', go)
}

const clientOf = (session: EngineSession): SmtpClient => ({
  session: session.id,
  address: session.remoteAddress,
  port: session.remotePort,
  name: session.hostNameAppearsAs || '',
  tls: session.tlsOptions
    ? {
        protocol: session.tlsOptions.version ?? '',
        cipher: session.tlsOptions.standardName ?? session.tlsOptions.name ?? '',
      }
    : null,
})

const transactionOf = (session: EngineSession): Transaction => ({
  client: clientOf(session),
  reversePath: (session.envelope.mailFrom === false ? undefined : session.envelope.mailFrom.mailweirPath) ?? {
    address: '',
    parameters: {},
  },
  forwardPaths: session.envelope.mailweirPaths ?? [],
})

/** The engine takes errors for refusals: the code from `responseCode`, the rest from the message. */
const refusal = (reply: Reply): Error =>
  Object.assign(new Error(replyLine(reply).slice(4)), { responseCode: reply.code })

export function createEngine(options: EngineOptions): SMTPServer {
  mendEngine()
  const decide = (reply: Reply | null, callback: (error?: Error | null) => void): void =>
    callback(reply === null ? null : refusal(reply))
  // The handlers get the engine's sessions; EngineSession names the part of them that is read.
  const session = (given: unknown): EngineSession => given as EngineSession
  const server = new SMTPServer({
    name: options.name,
    banner: 'Mailweir',
    size: options.sizeMax,
    maxClients: options.connectionsMax,
    socketTimeout: options.idleMs,
    authOptional: true,
    disabledCommands: options.tls === null ? ['AUTH', 'STARTTLS'] : ['AUTH'],
    disableReverseLookup: true,
    hideENHANCEDSTATUSCODES: false,
    hideDSN: false,
    logger: false,
    closeTimeout: 10_000,
    ...(options.tls ?? {}),
    onConnect: (given, callback) => decide(options.connect(clientOf(session(given))), callback),
    onMailFrom: (address, given, callback) => {
      const path = (address as { mailweirPath?: Path }).mailweirPath // Put there by our _parseAddressCommand.
      if (path === undefined) return callback(new Error('path is missing'))
      decide(options.mail(path, clientOf(session(given))), callback)
    },
    onRcptTo: (address, given, callback) => {
      const path = (address as { mailweirPath?: Path }).mailweirPath // As above.
      if (path === undefined) return callback(new Error('path is missing'))
      const at = session(given)
      const reply = options.rcpt(path, transactionOf(at))
      if (reply === null) {
        // The engine joins addresses that differ in case only; ours are kept as they came.
        at.envelope.mailweirPaths ??= []
        at.envelope.mailweirPaths.push(path)
      }
      decide(reply, callback)
    },
    onData: (stream, given, callback) => {
      options.data(transactionOf(session(given)), stream as unknown as DataStream).then(
        (reply) => callback(null, replyLine(reply).slice(4)),
        (error: unknown) => {
          if (!(error instanceof SmtpError)) options.failed(error)
          callback(refusal(replyFor(error)))
        },
      )
    },
    onClose: (given) => options.disconnected(clientOf(session(given))),
  })
  server.on('error', (error) => options.failed(error))
  return server
}
