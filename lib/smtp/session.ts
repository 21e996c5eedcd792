/**
 * One SMTP session: the commands in the order they came, one transaction at a time.
 *
 *   state     what bytes are
 *   greeting  too early: a client has to wait for us (RFC 5321 section 3.1)
 *   command   lines
 *   data      a message up to CR LF . CR LF
 *   chunk     a message, so many bytes of it (BDAT)
 *   busy      kept until the owner has answered
 *   over      dropped
 */
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { type Path, parsePath } from '#lib/mail/path.ts'
import { replyFor } from './errors.ts'
import { Incoming } from './incoming.ts'
import { refuseMail, refuseRcpt } from './parameters.ts'
import { replies } from './replies.ts'
import type { Reply } from './reply.ts'
import type { Receiver, SmtpClient, SmtpServerOptions, Transaction } from './server.ts'

type State = 'greeting' | 'command' | 'data' | 'chunk' | 'busy' | 'over'

/** RFC 5321 section 4.5.3.1.4 asks for 512; parameters and addresses of SMTPUTF8 make lines longer. */
const lineBytesMax = 4_096
/** A line so long is not skipped any more. */
const skippedBytesMax = 65_536
const lingerMs = 2_000
/** A chunk of BDAT that we refuse is still read, if it is not larger than this (RFC 3030 section 4.2). */
const refusedChunkMax = 64 * 1024 * 1024
const CR = 0x0d
const LF = 0x0a
const none = Buffer.alloc(0)

type Hooks = {
  readonly secure: boolean
  upgrade(socket: Socket): Promise<TLSSocket>
}

export class Session {
  #socket: Socket
  readonly #options: SmtpServerOptions
  readonly #hooks: Hooks
  #client: SmtpClient
  #state: State = 'greeting'
  /** Bytes that came and were not looked at yet. */
  #input: Buffer = none
  #skipping = 0
  #out = ''
  #reversePath: Path | null = null
  #forwardPaths: Path[] = []
  #rcptRefused = false
  #incoming: Incoming | null = null
  #chunkLeft = 0
  #chunkLast = false
  #chunking = false
  #errors = 0
  #idleCommands = 0
  #activeAt = Date.now()
  #transactionAt = Date.now()

  constructor(socket: Socket, client: SmtpClient, options: SmtpServerOptions, hooks: Hooks) {
    this.#socket = socket
    this.#options = options
    this.#hooks = hooks
    this.#client = { ...client, tls: tlsOf(socket) }
  }

  get client(): SmtpClient {
    return this.#client
  }

  /** No transaction is under way. */
  get isIdle(): boolean {
    return this.#reversePath === null && this.#state !== 'busy'
  }

  start(first: Buffer | null): void {
    this.#socket.once('close', () => this.#closed())
    this.#listen(this.#socket)
    if (first !== null) this.#take(first)
    // One turn of the event loop shows a client that does not wait for the greeting.
    setImmediate(() => {
      if (this.#state !== 'greeting') return
      this.#state = 'command'
      this.#out += `220 ${this.#options.name} ESMTP Mailweir\r\n`
      this.#flush()
    })
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.resume()
  }

  #take(chunk: Buffer): void {
    if (this.#state === 'over') return
    this.#activeAt = Date.now()
    if (this.#state === 'greeting') return this.#dismiss(replies.earlyTalker)
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
    if (this.#state === 'busy') this.#socket.pause()
    else this.#turn()
  }

  /** Looks at what came, until there is nothing more or an answer has to be waited for. */
  #turn(): void {
    try {
      let going = true
      while (going && this.#input.length > 0) {
        if (this.#state === 'command') going = this.#command()
        else if (this.#state === 'data') this.#data()
        else if (this.#state === 'chunk') this.#chunk()
        else going = false
      }
      this.#flush()
    } catch (error) {
      this.#options.failed(error)
      this.#dismiss(replies.localError421)
    }
  }

  #flush(): void {
    if (this.#out === '') return
    if (this.#socket.writable) {
      // A client that does not read its replies is not read from.
      if (!this.#socket.write(this.#out, 'latin1')) {
        this.#socket.pause()
        this.#socket.once('drain', () => {
          if (this.#state !== 'busy') this.#socket.resume()
        })
      }
    }
    this.#out = ''
  }

  #say(reply: Reply): void {
    this.#out += `${reply.code} ${reply.enhancedStatus} ${reply.text}\r\n`
    if (reply.code === 421) return this.#dismiss(null, reply)
    if (reply.code >= 400 && ++this.#errors >= this.#options.limits.errorsMax) this.#dismiss(replies.tooManyErrors)
  }

  /** Says a last reply, and hangs up. */
  #dismiss(reply: Reply | null, said: Reply | null = reply): void {
    if (this.#state === 'over') return
    if (reply !== null) this.#out += `${reply.code} ${reply.enhancedStatus} ${reply.text}\r\n`
    if (said !== null) this.#options.dismissed(said, this.#client)
    this.#flush()
    this.#state = 'over'
    this.#abort('the session was ended')
    this.#input = none
    this.#socket.end()
    this.#socket.resume() // What still comes is dropped, so that the reply is not lost to a reset.
    const socket = this.#socket
    setTimeout(() => socket.destroy(), lingerMs).unref()
  }

  /** For whoever stops the server. */
  dismiss(reply: Reply): void {
    this.#dismiss(reply)
  }

  checkTime(now: number): void {
    const { idleMs, transactionMs } = this.#options.limits
    if (this.#state === 'busy' || this.#state === 'over') return
    if (now - this.#activeAt > idleMs || now - this.#transactionAt > transactionMs) this.#dismiss(replies.idleTooLong)
  }

  #closed(): void {
    this.#state = 'over'
    this.#abort('the client went away')
  }

  #abort(why: string): void {
    if (this.#incoming === null) return
    this.#incoming.abort(new Error(why))
    this.#incoming = null
  }

  #reset(): void {
    this.#abort('the transaction was given up')
    this.#reversePath = null
    this.#forwardPaths = []
    this.#rcptRefused = false
    this.#chunking = false
  }

  // ---- commands -----------------------------------------------------------------------------------------------------

  /** Takes one line; false: none is there yet, or it has to be waited for. */
  #command(): boolean {
    const end = this.#input.indexOf(LF)
    if (this.#skipping > 0 || end < 0 || end >= lineBytesMax) return this.#longLine(end)
    const line = this.#input.toString('utf8', 0, end > 0 && this.#input[end - 1] === CR ? end - 1 : end)
    this.#input = this.#input.subarray(end + 1)
    const verb = line.slice(0, 4).toUpperCase()
    const boundary = line.length === 4 || line[4] === ' '
    if (verb === 'RCPT' && boundary) this.#rcpt(line.slice(4))
    else if (verb === 'MAIL' && boundary) this.#mail(line.slice(4))
    else if (verb === 'DATA' && line.trimEnd().length === 4) return this.#startData()
    else if (verb === 'BDAT' && boundary) return this.#startChunk(line.slice(5).trim())
    else return this.#idleCommand(verb, line, boundary)
    return this.#state === 'command'
  }

  #idleCommand(verb: string, line: string, boundary: boolean): boolean {
    if (++this.#idleCommands > this.#options.limits.idleCommandsMax) {
      this.#dismiss(replies.tooManyCommands)
      return false
    }
    if (verb === 'EHLO' && boundary) this.#hello(line.slice(5), true)
    else if (verb === 'HELO' && boundary) this.#hello(line.slice(5), false)
    else if (verb === 'RSET' && boundary) {
      this.#reset()
      this.#say(replies.reset)
    } else if (verb === 'NOOP' && boundary) this.#say(replies.noop)
    else if (verb === 'VRFY' && boundary) this.#say(replies.noVerify)
    else if (verb === 'EXPN' && boundary) this.#say(replies.noExpand)
    else if (verb === 'HELP' && boundary) this.#say(replies.help)
    else if (verb === 'QUIT' && boundary) {
      this.#dismiss(replies.goodbye, null)
    } else if (/^STARTTLS\s*$/i.test(line)) return this.#startTls()
    else this.#say(replies.unknownCommand)
    return this.#state === 'command'
  }

  /** What is longer than a line may be is skipped to its end and refused; without end it ends the session. */
  #longLine(end: number): boolean {
    if (this.#skipping === 0 && end < 0 && this.#input.length < lineBytesMax) return false
    if (end < 0) {
      this.#skipping += this.#input.length
      this.#input = none
      if (this.#skipping > skippedBytesMax) this.#dismiss(replies.lineTooLong421)
      return false
    }
    this.#skipping = 0
    this.#input = this.#input.subarray(end + 1)
    this.#say(replies.lineTooLong)
    return this.#state === 'command'
  }

  #hello(argument: string, extended: boolean): void {
    const name = argument.trim()
    if (!/^[\x21-\x7e\x80-\uffff]{1,255}$/.test(name)) return this.#say(replies.badHello)
    this.#reset()
    this.#client = { ...this.#client, name }
    if (!extended) {
      this.#out += `250 ${this.#options.name}\r\n`
      return
    }
    const lines = [
      this.#options.name,
      'PIPELINING',
      `SIZE ${this.#options.sizeMax}`,
      '8BITMIME',
      'SMTPUTF8',
      'DSN',
      'ENHANCEDSTATUSCODES',
      'CHUNKING',
    ]
    if (this.#client.tls === null && this.#options.tls() !== null) lines.push('STARTTLS')
    const last = lines.pop()
    this.#out += `${lines.map((line) => `250-${line}\r\n`).join('')}250 ${last}\r\n`
  }

  #mail(argument: string): void {
    if (this.#client.name === '') return this.#say(replies.helloFirst)
    if (this.#reversePath !== null) return this.#say(replies.nestedMail)
    const path = /^\s*FROM\s*:/i.test(argument) ? parsePath(argument) : null
    if (path === null) return this.#say(replies.badReversePath)
    const refusal = refuseMail(path, this.#options.sizeMax) ?? this.#options.mail(path, this.#client)
    if (refusal !== null) return this.#say(refusal)
    this.#reversePath = path
    this.#say(replies.mailOk)
  }

  #rcpt(argument: string): void {
    if (this.#reversePath === null) return this.#say(replies.mailFirst)
    const path = /^\s*TO\s*:/i.test(argument) ? parsePath(argument) : null
    if (path === null || path.address === '') return this.#say(replies.badAddress)
    const wrong = refuseRcpt(path)
    if (wrong !== null) return this.#say(wrong)
    const refusal = this.#options.rcpt(path, this.#transaction())
    if (refusal !== null) {
      this.#rcptRefused = true
      return this.#say(refusal)
    }
    this.#forwardPaths.push(path)
    this.#say(replies.rcptOk)
  }

  #transaction(): Transaction {
    const reversePath = this.#reversePath ?? { address: '', parameters: {} }
    return { client: this.#client, reversePath, forwardPaths: this.#forwardPaths }
  }

  #startTls(): boolean {
    if (this.#client.tls !== null || this.#options.tls() === null) {
      this.#say(replies.noTls)
      return this.#state === 'command'
    }
    this.#reset()
    this.#say(replies.startTls)
    this.#flush()
    // Nothing that came in the clear is read after the handshake (RFC 3207 section 4.2, CVE-2011-0411).
    this.#input = none
    this.#state = 'busy'
    this.#socket.removeAllListeners('data')
    const socket = this.#socket
    this.#hooks.upgrade(socket).then(
      (tls) => {
        this.#socket = tls
        tls.on('error', () => {})
        this.#client = { ...this.#client, name: '', tls: tlsOf(tls) }
        this.#state = 'command'
        this.#activeAt = Date.now()
        this.#listen(tls)
      },
      (error: unknown) => {
        this.#options.failed(error)
        socket.destroy()
      },
    )
    return false
  }

  // ---- messages -----------------------------------------------------------------------------------------------------

  /** Whether a message may begin; says why not. */
  #mayBegin(): boolean {
    if (this.#reversePath === null) this.#say(replies.mailFirst)
    else if (this.#forwardPaths.length === 0) this.#say(this.#rcptRefused ? replies.noRecipients : replies.rcptFirst)
    else return true
    return false
  }

  #startData(): boolean {
    if (this.#chunking) {
      this.#say(replies.mixedData)
      return this.#state === 'command'
    }
    if (!this.#mayBegin()) return this.#state === 'command'
    return this.#open(() => {
      this.#state = 'data'
      this.#out += '354 End data with <CR><LF>.<CR><LF>\r\n'
    })
  }

  /** Asks the owner for a receiver; `go` runs when it is there. True: at once. */
  #open(go: () => void): boolean {
    const opened = this.#options.data(this.#transaction())
    const use = (room: Receiver | Reply): void => {
      if ('code' in room) {
        this.#reset()
        this.#state = 'command'
        this.#say(room)
      } else {
        this.#incoming = new Incoming(room, this.#options.sizeMax)
        go()
      }
    }
    if (!(opened instanceof Promise)) {
      use(opened)
      return this.#isOpen()
    }
    this.#wait(opened, use, (room) => {
      if ('abort' in room) room.abort(new Error('the client went away'))
    })
    return false
  }

  #isOpen(): boolean {
    return this.#state !== 'over'
  }

  /** Nothing is looked at until the promise has settled; `late` where the session has ended meanwhile. */
  #wait<T>(promise: Promise<T>, then: (value: T) => void, late: (value: T) => void = () => {}): void {
    this.#state = 'busy'
    this.#flush()
    promise
      .then((value) => (this.#state === 'busy' ? then(value) : late(value)))
      .catch((error: unknown) => {
        this.#options.failed(error)
        if (this.#state === 'busy') this.#ended(replyFor(error))
      })
      .finally(() => {
        if (!this.#isOpen()) return
        this.#activeAt = Date.now()
        this.#turn()
        if (this.#isOpen()) this.#socket.resume()
      })
  }

  #data(): void {
    const chunk = this.#input
    const { room, end } = this.#message().feed(chunk)
    this.#input = end < 0 ? none : chunk.subarray(end)
    if (end >= 0) this.#endOfMessage()
    else if (!room) this.#waitForRoom('data')
  }

  #message(): Incoming {
    this.#incoming ??= new Incoming(null, this.#options.sizeMax, replies.localError)
    return this.#incoming
  }

  #waitForRoom(state: 'data' | 'chunk'): void {
    this.#socket.pause()
    this.#wait(this.#message().ready(), () => {
      this.#state = state
      if (state === 'chunk') this.#afterChunk()
    })
  }

  #startChunk(argument: string): boolean {
    const match = /^(\d{1,15})(?:\s+(LAST))?$/i.exec(argument)
    if (match === null) {
      this.#say(replies.badParameter)
      return this.#state === 'command'
    }
    this.#chunkLeft = Number(match[1])
    this.#chunkLast = match[2] !== undefined
    const go = (): void => {
      this.#state = 'chunk'
      this.#chunking = true
      this.#afterChunk()
    }
    if (!this.#chunking && this.#reversePath !== null && this.#forwardPaths.length > 0) return this.#open(go)
    if (!this.#chunking) {
      // The bytes follow all the same (RFC 3030 section 4.2): they are read, and refused.
      if (this.#chunkLeft > refusedChunkMax) {
        this.#dismiss(replies.tooManyErrors)
        return false
      }
      const verdict = this.#reversePath === null ? replies.mailFirst : replies.noRecipients
      this.#incoming = new Incoming(null, this.#options.sizeMax, verdict)
    }
    go()
    return this.#isOpen()
  }

  #chunk(): void {
    const piece = this.#input.subarray(0, this.#chunkLeft)
    this.#input = this.#input.subarray(piece.length)
    this.#chunkLeft -= piece.length
    if (this.#message().write(piece)) this.#afterChunk()
    else this.#waitForRoom('chunk')
  }

  #afterChunk(): void {
    if (this.#chunkLeft > 0) return
    if (this.#chunkLast) return this.#endOfMessage()
    this.#state = 'command'
    // A refused chunk refuses the message; the client begins again with RSET.
    this.#say(this.#message().verdict ?? replies.chunkOk)
  }

  #endOfMessage(): void {
    this.#idleCommands = 0
    const reply = this.#message().end()
    this.#incoming = null
    if (reply instanceof Promise) this.#wait(reply, (settled) => this.#ended(settled))
    else this.#ended(reply)
  }

  #ended(reply: Reply): void {
    this.#reset()
    this.#transactionAt = Date.now()
    this.#state = 'command'
    this.#say(reply)
  }
}

function tlsOf(socket: Socket): SmtpClient['tls'] {
  if (!('getProtocol' in socket)) return null
  const tls = socket as TLSSocket // What has getProtocol is one.
  return { protocol: tls.getProtocol() ?? '', cipher: tls.getCipher()?.standardName ?? '' }
}
