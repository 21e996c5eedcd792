/**
 * The relay's client (RFC 5321): one connection, one transaction at a time, PIPELINING (RFC 2920) where offered, bytes
 * untouched but for dot-stuffing. nodemailer cannot do it: it rewrites bare CR and LF.
 *
 * A reply of the peer is a value. What goes wrong below that (refused, reset, timed out, 421) is a `SmtpConnectionError`: it
 * says something about the host, not about the message.
 */
import type { Socket } from 'node:net'
import {
  HandshakeError,
  isLoopback,
  openSocket,
  type SmtpClientTls,
  SmtpConnectionError,
  type SmtpHost,
  upgrade,
} from './connect.ts'
import { DotStuffer } from './content.ts'
import { originWords } from './origin.ts'
import { mailCommand, type OutgoingMessage, type OutgoingOrigin, rcptCommand } from './outgoing.ts'
import { isPositive, parseReply, type Reply, replyLine } from './reply.ts'

export type SmtpClientOptions = {
  /** Argument of EHLO. */
  readonly name: string
  readonly connectMs: number
  /** Waiting for a reply; RFC 5321 section 4.5.3.2 asks for minutes. */
  readonly replyMs: number
  /** Waiting for the reply to the end of data. */
  readonly dataEndMs: number
  /** Absent: no STARTTLS, and a certificate of implicit TLS is verified. */
  readonly tls?: SmtpClientTls
  /** Absent: no AUTH. Said under TLS, or to loopback. */
  readonly auth?: { readonly user: string; readonly password: string }
}

const replyLineMax = 4_096
const replyLinesMax = 200
/** Recipients in one go: each costs the peer a reply, and both sides' buffers are bounded. */
const pipelineMax = 100

/** A chunk so small goes out with MAIL and RCPT, before it is known whether they are taken. */
const eagerChunkBytes = 64 * 1024

const noBytes = Buffer.alloc(0)

type Waiter = { resolve: (reply: Reply) => void; reject: (error: Error) => void; timer: NodeJS.Timeout }

export class SmtpConnection {
  readonly host: SmtpHost
  readonly #options: SmtpClientOptions
  #socket: Socket
  #input: Buffer = Buffer.alloc(0)
  #lines: string[] = []
  readonly #waiters: Waiter[] = []
  #dead: SmtpConnectionError | null = null
  #extensions = new Map<string, string>()
  #dataSent = false
  /** While a chunk is streamed: a reply that nobody waits for yet. */
  #early: Reply[] | null = null
  #isTls: boolean
  /** What XCLIENT said last: it holds for the rest of the connection. */
  #toldClient = ''

  private constructor(host: SmtpHost, options: SmtpClientOptions, socket: Socket) {
    this.host = host
    this.#options = options
    this.#socket = socket
    this.#isTls = host.tls
  }

  /** Connects, hears the greeting, says EHLO (or HELO where that is not known), begins TLS, logs in. */
  static async open(host: SmtpHost, options: SmtpClientOptions): Promise<SmtpConnection> {
    try {
      return await SmtpConnection.#open(host, options)
    } catch (error) {
      // Opportunistic: a handshake that fails is worth no more than none (RFC 7435 section 3).
      if (options.tls?.startTls !== 'offered' || !(error instanceof HandshakeError)) throw error
      return SmtpConnection.#open(host, { ...options, tls: { ...options.tls, startTls: 'off' } })
    }
  }

  static async #open(host: SmtpHost, options: SmtpClientOptions): Promise<SmtpConnection> {
    const socket = await openSocket(host, options.connectMs, options.tls)
    const connection = new SmtpConnection(host, options, socket)
    socket.setNoDelay(true)
    connection.#listen(socket)
    try {
      const greeting = await connection.#reply()
      if (!isPositive(greeting)) throw connection.#refused('does not serve us', greeting)
      await connection.#hello()
      if (!host.tls && (options.tls?.startTls ?? 'off') !== 'off') await connection.#startTls()
      if (options.auth !== undefined) await connection.#logIn(options.auth)
    } catch (error) {
      connection.destroy()
      throw error
    }
    return connection
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', (error) => this.#die(new SmtpConnectionError(this.#text('broke off'), { cause: error })))
    socket.on('close', () => this.#die(new SmtpConnectionError(this.#text('closed the connection'))))
  }

  get isTls(): boolean {
    return this.#isTls
  }

  async #startTls(): Promise<void> {
    const { tls } = this.#options
    if (!this.offers('STARTTLS')) {
      if (tls?.startTls === 'required') throw new SmtpConnectionError(this.#text('does not offer STARTTLS'))
      return
    }
    const reply = await this.#command('STARTTLS')
    if (!isPositive(reply)) {
      if (tls?.startTls === 'required') throw this.#refused('refuses STARTTLS', reply)
      return
    }
    // Nothing that came in the clear is read after the handshake.
    this.#input = Buffer.alloc(0)
    this.#socket = await upgrade(this.#socket, this.host, this.#options.connectMs, tls)
    this.#isTls = true
    this.#listen(this.#socket)
    await this.#hello()
  }

  /** AUTH PLAIN (RFC 4954, RFC 4616). */
  async #logIn({ user, password }: { readonly user: string; readonly password: string }): Promise<void> {
    if (!this.#isTls && !isLoopback(this.#socket)) {
      throw new SmtpConnectionError(this.#text('would hear our password in the clear: it needs TLS'))
    }
    if (!/\bPLAIN\b/i.test(this.#extensions.get('AUTH') ?? '')) {
      throw new SmtpConnectionError(this.#text('does not offer AUTH PLAIN'))
    }
    const reply = await this.#command(`AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}`)
    if (!isPositive(reply)) throw this.#refused('refuses our credentials', reply)
  }

  get isUsable(): boolean {
    return this.#dead === null
  }

  offers(extension: string): boolean {
    return this.#extensions.has(extension)
  }

  #text(what: string): string {
    return `${this.host.host}:${this.host.port} ${what}`
  }

  #refused(what: string, reply: Reply): SmtpConnectionError {
    return new SmtpConnectionError(`${this.#text(what)}: ${replyLine(reply)}`, { reply })
  }

  async #hello(name = this.#options.name): Promise<void> {
    let reply = await this.#command(`EHLO ${name}`)
    if (isPositive(reply)) {
      this.#extensions.clear()
      for (const line of this.#lastLines.slice(1)) {
        const [keyword = '', ...rest] = line.slice(4).trim().split(/\s+/)
        this.#extensions.set(keyword.toUpperCase(), rest.join(' '))
      }
      return
    }
    reply = await this.#command(`HELO ${name}`)
    if (!isPositive(reply)) throw this.#refused('refuses EHLO and HELO', reply)
  }

  /**
   * Sends one message. Gives one reply for each forward-path, in their order: the refusal of RCPT, or of MAIL, or the reply to
   * the end of data. Rejects with `SmtpConnectionError` where the connection failed or the host said 421.
   */
  async send(message: OutgoingMessage): Promise<readonly Reply[]> {
    if (this.#dead !== null) throw this.#dead
    this.#dataSent = false
    if ('SMTPUTF8' in message.reversePath.parameters && !this.offers('SMTPUTF8')) {
      return message.forwardPaths.map(() => ({
        code: 550,
        enhancedStatus: '5.6.7',
        text: 'the next host does not offer SMTPUTF8 (RFC 6531)',
      }))
    }
    const offers = (extension: string): boolean => this.offers(extension)
    const mail = mailCommand(message, offers)
    const rcpts = message.forwardPaths.map((path) => rcptCommand(path, offers))
    if (message.origin !== undefined) await this.#tellOrigin(message.origin)
    const pipelining = this.offers('PIPELINING') && rcpts.length <= pipelineMax
    if (this.offers('CHUNKING')) return this.#sendChunk(message, mail, rcpts, pipelining)
    const replies = pipelining
      ? await Promise.all(this.#write([mail, ...rcpts, 'DATA']))
      : await this.#oneByOne([mail, ...rcpts], 'DATA')
    for (const reply of replies) this.#check421(reply)
    const mailReply = replies[0]
    const rcptReplies = replies.slice(1, 1 + rcpts.length)
    const dataReply = replies[1 + rcpts.length]
    const goes = mailReply !== undefined && isPositive(mailReply) && rcptReplies.some(isPositive)
    if (dataReply !== undefined && dataReply.code === 354) {
      // All recipients refused, but the data is wanted all the same: an empty message goes to nobody (RFC 2920 section 3.1).
      const reply = goes ? await this.#data(message) : await this.#command('.')
      this.#check421(reply)
      if (goes) return rcptReplies.map((rcpt) => (isPositive(rcpt) ? reply : rcpt))
    } else if (goes && dataReply !== undefined) {
      await this.#reset()
      return rcptReplies.map((rcpt) => (isPositive(rcpt) ? dataReply : rcpt))
    }
    if (mailReply === undefined || isPositive(mailReply)) {
      await this.#reset()
      return rcptReplies
    }
    await this.#reset()
    return message.forwardPaths.map(() => mailReply)
  }

  /** One chunk, the last (RFC 3030): no dot-stuffing, and no bytes that could be taken for the end of data. */
  async #sendChunk(
    message: OutgoingMessage,
    mail: string,
    rcpts: readonly string[],
    pipelining: boolean,
  ): Promise<readonly Reply[]> {
    const { content } = message
    const small = pipelining && Buffer.isBuffer(content) && content.length <= eagerChunkBytes
    const waiting = small ? this.#write([mail, ...rcpts]) : []
    const chunk = small ? this.#chunk(message) : null
    chunk?.catch(() => {}) // Where MAIL fails first, that is what is told.
    const replies = small
      ? await Promise.all(waiting)
      : pipelining
        ? await Promise.all(this.#write([mail, ...rcpts]))
        : await this.#oneByOne([mail, ...rcpts], null)
    for (const reply of replies) this.#check421(reply)
    const [mailReply, ...rcptReplies] = replies
    const goes = mailReply !== undefined && isPositive(mailReply) && rcptReplies.some(isPositive)
    const reply = chunk !== null ? await chunk : goes ? await this.#chunk(message) : null
    if (reply !== null) this.#check421(reply)
    if (goes && reply !== null) {
      // A refused chunk leaves the transaction open (RFC 3030 section 4.2).
      if (!isPositive(reply)) await this.#reset()
      return rcptReplies.map((rcpt) => (isPositive(rcpt) ? reply : rcpt))
    }
    await this.#reset()
    if (mailReply === undefined || isPositive(mailReply)) return rcptReplies
    return message.forwardPaths.map(() => mailReply)
  }

  async #chunk({ content, size, prefix = noBytes }: OutgoingMessage): Promise<Reply> {
    const command = `BDAT ${size + prefix.length} LAST\r\n`
    if (Buffer.isBuffer(content)) {
      this.#socket.cork()
      this.#socket.write(command)
      this.#dataSent = true
      const reply = this.#reply(this.#options.dataEndMs)
      if (prefix.length > 0) this.#socket.write(prefix)
      this.#socket.write(content)
      this.#socket.uncork()
      return reply
    }
    this.#socket.write(command)
    // The reply may come before we know that all has been written, or in the midst of it.
    this.#early = []
    if (prefix.length > 0) this.#socket.write(prefix)
    let sent = 0
    try {
      for await (const piece of content) {
        sent += piece.length
        if (sent > size) throw new Error('the stream is longer than was said')
        if (!this.#socket.write(piece)) await this.#drained()
      }
      if (sent !== size) throw new Error('the stream is shorter than was said')
    } catch (error) {
      // Half a message must not be ended like a whole one.
      this.destroy()
      throw error
    }
    if (this.#dead !== null) throw this.#dead
    this.#dataSent = true
    const [early] = this.#early
    this.#early = null
    return early ?? this.#reply(this.#options.dataEndMs)
  }

  /** Where it is refused the message goes all the same: the host is only told less. */
  async #tellOrigin(origin: OutgoingOrigin): Promise<void> {
    if (origin.by === 'xclient' && this.offers('XCLIENT')) {
      const words = originWords(origin, this.#extensions.get('XCLIENT') ?? '').join(' ')
      if (words === '' || words === this.#toldClient) return
      const reply = await this.#command(`XCLIENT ${words}`)
      this.#check421(reply)
      if (!isPositive(reply)) return
      // The host begins anew, as it would with that client (Postfix, XCLIENT_README).
      this.#toldClient = words
      await this.#hello(origin.name === '' ? this.#options.name : origin.name)
    } else if (this.offers('XFORWARD')) {
      const words = originWords(origin, this.#extensions.get('XFORWARD') ?? '')
      if (words.length > 0) this.#check421(await this.#command(`XFORWARD ${words.join(' ')}`))
    }
  }

  async #oneByOne(commands: readonly string[], last: string | null): Promise<Reply[]> {
    const replies: Reply[] = []
    for (const command of commands) {
      const reply = await this.#command(command)
      replies.push(reply)
      if (replies.length === 1 && !isPositive(reply)) return replies
    }
    if (last !== null && replies.slice(1).some(isPositive)) replies.push(await this.#command(last))
    return replies
  }

  async #data({ content, prefix = noBytes }: OutgoingMessage): Promise<Reply> {
    const stuffer = new DotStuffer()
    if (Buffer.isBuffer(content)) {
      this.#socket.cork()
      for (const piece of stuffer.feed(prefix)) this.#socket.write(piece)
      for (const piece of stuffer.feed(content)) this.#socket.write(piece)
      this.#dataSent = true
      const reply = this.#reply(this.#options.dataEndMs)
      this.#socket.write(stuffer.end())
      this.#socket.uncork()
      return reply
    }
    for (const piece of stuffer.feed(prefix)) this.#socket.write(piece)
    try {
      for await (const chunk of content) {
        let room = true
        for (const piece of stuffer.feed(chunk)) room = this.#socket.write(piece)
        if (!room) await this.#drained()
      }
    } catch (error) {
      // Half a message must not be ended like a whole one.
      this.destroy()
      throw error
    }
    if (this.#dead !== null) throw this.#dead
    this.#dataSent = true
    const reply = this.#reply(this.#options.dataEndMs)
    this.#socket.write(stuffer.end())
    return reply
  }

  #drained(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#die(new SmtpConnectionError(this.#text('takes no data'))),
        this.#options.replyMs,
      )
      const end = (): void => {
        clearTimeout(timer)
        this.#socket.removeListener('drain', end)
        this.#socket.removeListener('close', end)
        if (this.#dead !== null) reject(this.#dead)
        else resolve()
      }
      this.#socket.once('drain', end)
      this.#socket.once('close', end)
    })
  }

  async #reset(): Promise<void> {
    const reply = await this.#command('RSET')
    if (!isPositive(reply)) this.destroy()
  }

  #check421(reply: Reply): void {
    if (reply.code !== 421) return
    const error = this.#refused('leaves', reply)
    this.#die(error)
    throw error
  }

  #command(line: string): Promise<Reply> {
    const [reply] = this.#write([line])
    return reply ?? Promise.reject(new Error('one command has one reply'))
  }

  #write(lines: readonly string[]): Promise<Reply>[] {
    for (const line of lines) {
      // Paths were checked when they came in; a line end here would be a command of a stranger.
      if (/[\r\n\0]/.test(line)) return [Promise.reject(new Error('a command holds a line end'))]
    }
    const replies = lines.map(() => this.#reply())
    this.#socket.write(`${lines.join('\r\n')}\r\n`)
    return replies
  }

  #reply(timeoutMs = this.#options.replyMs): Promise<Reply> {
    if (this.#dead !== null) return Promise.reject(this.#dead)
    const promise = new Promise<Reply>((resolve, reject) => {
      const timer = setTimeout(
        () => this.#die(new SmtpConnectionError(this.#text(`did not answer within ${timeoutMs} ms`))),
        timeoutMs,
      )
      this.#waiters.push({ resolve, reject, timer })
    })
    promise.catch(() => {}) // Of several that wait, the first to fail is heard.
    return promise
  }

  #lastLines: readonly string[] = []

  #read(chunk: Buffer): void {
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
    for (;;) {
      const end = this.#input.indexOf(0x0a)
      if (end < 0) {
        if (this.#input.length > replyLineMax)
          this.#die(new SmtpConnectionError(this.#text('sent a reply line too long')))
        return
      }
      const line = this.#input.toString('utf8', 0, end).replace(/\r$/, '')
      this.#input = this.#input.subarray(end + 1)
      if (!/^\d{3}([ -]|$)/.test(line)) {
        return this.#die(
          new SmtpConnectionError(this.#text(`sent what is no reply: ${JSON.stringify(line.slice(0, 80))}`)),
        )
      }
      this.#lines.push(line)
      if (line[3] === '-') {
        if (this.#lines.length > replyLinesMax) this.#die(new SmtpConnectionError(this.#text('sent a reply too long')))
        continue
      }
      const lines = this.#lines
      this.#lines = []
      this.#lastLines = lines
      const waiter = this.#waiters.shift()
      if (waiter === undefined) {
        const reply = parseReply(lines)
        if (this.#early !== null && this.#early.length === 0) {
          this.#early.push(reply)
          continue
        }
        return this.#die(
          new SmtpConnectionError(this.#text(`spoke without being asked: ${replyLine(reply)}`), { reply }),
        )
      }
      clearTimeout(waiter.timer)
      waiter.resolve(parseReply(lines))
    }
  }

  #die(error: SmtpConnectionError): void {
    if (this.#dead !== null) return
    this.#dead = this.#dataSent
      ? new SmtpConnectionError(error.message, { cause: error.cause, reply: error.reply ?? undefined, afterData: true })
      : error
    this.#socket.destroy()
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer)
      waiter.reject(this.#dead)
    }
  }

  /** Says goodbye and closes. */
  async quit(): Promise<void> {
    if (this.#dead === null) {
      await Promise.race([
        this.#command('QUIT').catch(() => {}),
        new Promise((resolve) => setTimeout(resolve, 1_000).unref()),
      ])
    }
    this.destroy()
  }

  destroy(): void {
    this.#dataSent = false
    this.#die(new SmtpConnectionError(this.#text('was left')))
  }
}
