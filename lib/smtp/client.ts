/**
 * The relay's client (RFC 5321): one connection, one transaction at a time, PIPELINING (RFC 2920) where offered, bytes
 * untouched but for dot-stuffing. nodemailer cannot do it: it rewrites bare CR and LF.
 *
 * A reply of the peer is a value. What goes wrong below that (refused, reset, timed out, 421) is a `SmtpConnectionError`: it
 * says something about the host, not about the message.
 */
import { connect as connectTcp, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { describeError, MailweirError, systemCode } from '#lib/runtime/errors.ts'
import { DotStuffer } from './content.ts'
import { isPositive, parseReply, type Reply, replyLine } from './reply.ts'

export type SmtpHost = { readonly host: string; readonly port: number; readonly tls: boolean }

export type SmtpClientOptions = {
  /** Argument of EHLO. */
  readonly name: string
  readonly connectMs: number
  /** Waiting for a reply; RFC 5321 section 4.5.3.2 asks for minutes. */
  readonly replyMs: number
  /** Waiting for the reply to the end of data. */
  readonly dataEndMs: number
}

export type OutgoingPath = { readonly address: string; readonly parameters: Readonly<Record<string, string>> }

export type OutgoingMessage = {
  readonly reversePath: OutgoingPath
  readonly forwardPaths: readonly OutgoingPath[]
  readonly size: number
  /** Bytes at hand, or a stream. */
  readonly content: Buffer | Readable
}

export class SmtpConnectionError extends MailweirError {
  readonly reply: Reply | null
  /** True: the peer may have taken the message, since it broke off after the end of data was sent. */
  readonly afterData: boolean
  constructor(message: string, options: { cause?: unknown; reply?: Reply; afterData?: boolean } = {}) {
    super('SMTP_CONNECTION', message, { cause: options.cause, retriable: true })
    this.reply = options.reply ?? null
    this.afterData = options.afterData ?? false
  }
}

const replyLineMax = 4_096
const replyLinesMax = 200
/** Recipients in one go: each costs the peer a reply, and both sides' buffers are bounded. */
const pipelineMax = 100

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

  private constructor(host: SmtpHost, options: SmtpClientOptions, socket: Socket) {
    this.host = host
    this.#options = options
    this.#socket = socket
  }

  /** Connects, hears the greeting, says EHLO (or HELO where that is not known). */
  static async open(host: SmtpHost, options: SmtpClientOptions): Promise<SmtpConnection> {
    const socket = await openSocket(host, options.connectMs)
    const connection = new SmtpConnection(host, options, socket)
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => connection.#read(chunk))
    socket.on('error', (error) =>
      connection.#die(new SmtpConnectionError(connection.#text('broke off'), { cause: error })),
    )
    socket.on('close', () => connection.#die(new SmtpConnectionError(connection.#text('closed the connection'))))
    try {
      const greeting = await connection.#reply()
      if (!isPositive(greeting)) throw connection.#refused('does not serve us', greeting)
      await connection.#hello()
    } catch (error) {
      connection.destroy()
      throw error
    }
    return connection
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

  async #hello(): Promise<void> {
    let reply = await this.#command(`EHLO ${this.#options.name}`)
    if (isPositive(reply)) {
      for (const line of this.#lastLines.slice(1)) {
        const [keyword = '', ...rest] = line.slice(4).trim().split(/\s+/)
        this.#extensions.set(keyword.toUpperCase(), rest.join(' '))
      }
      return
    }
    reply = await this.#command(`HELO ${this.#options.name}`)
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
    const mail = `MAIL FROM:<${message.reversePath.address}>${this.#mailParameters(message)}`
    const rcpts = message.forwardPaths.map((path) => `RCPT TO:<${path.address}>${this.#rcptParameters(path)}`)
    const pipelining = this.offers('PIPELINING') && rcpts.length <= pipelineMax
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
      const reply = goes ? await this.#data(message.content) : await this.#command('.')
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

  #mailParameters(message: OutgoingMessage): string {
    const { parameters } = message.reversePath
    let text = this.offers('SIZE') ? ` SIZE=${message.size}` : ''
    for (const [name, value] of Object.entries(parameters)) {
      const known =
        name === 'BODY'
          ? '8BITMIME'
          : name === 'SMTPUTF8'
            ? 'SMTPUTF8'
            : name === 'RET' || name === 'ENVID'
              ? 'DSN'
              : ''
      if (known !== '' && this.offers(known)) text += value === '' ? ` ${name}` : ` ${name}=${value}`
    }
    return text
  }

  #rcptParameters(path: OutgoingPath): string {
    if (!this.offers('DSN')) return ''
    return Object.entries(path.parameters)
      .filter(([name]) => name === 'NOTIFY' || name === 'ORCPT')
      .map(([name, value]) => ` ${name}=${value}`)
      .join('')
  }

  async #oneByOne(commands: readonly string[], last: string): Promise<Reply[]> {
    const replies: Reply[] = []
    for (const command of commands) {
      const reply = await this.#command(command)
      replies.push(reply)
      if (replies.length === 1 && !isPositive(reply)) return replies
    }
    if (replies.slice(1).some(isPositive)) replies.push(await this.#command(last))
    return replies
  }

  async #data(content: Buffer | Readable): Promise<Reply> {
    const stuffer = new DotStuffer()
    if (Buffer.isBuffer(content)) {
      this.#socket.cork()
      for (const piece of stuffer.feed(content)) this.#socket.write(piece)
      this.#dataSent = true
      const reply = this.#reply(this.#options.dataEndMs)
      this.#socket.write(stuffer.end())
      this.#socket.uncork()
      return reply
    }
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

function openSocket(host: SmtpHost, connectMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const where = `${host.host}:${host.port}`
    const socket: Socket = host.tls
      ? connectTls({ host: host.host, port: host.port, servername: host.host })
      : connectTcp({ host: host.host, port: host.port })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new SmtpConnectionError(`${where} did not answer within ${connectMs} ms`))
    }, connectMs)
    socket.once(host.tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(
        new SmtpConnectionError(`cannot connect to ${where} (${systemCode(error) ?? describeError(error)})`, {
          cause: error,
        }),
      )
    })
  })
}
