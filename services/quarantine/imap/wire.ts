/**
 * The bytes of one IMAP connection: commands with their literals in, responses out, both bounded. A slow reader is waited for;
 * what it has not read is never more than one response and the socket's own buffer.
 */
import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw } from 'node:zlib'
import type { Piece } from './grammar.ts'

export type WireLimits = {
  readonly lineBytes: number
  readonly literalBytes: number
  readonly commandBytes: number
  /** What the last literal of APPEND may have. */
  readonly appendBytes: number
}

/** Before a login: what a name with a password, or a token, needs. */
const strangerLimits: WireLimits = { lineBytes: 16_384, literalBytes: 4_096, commandBytes: 32_768, appendBytes: 4_096 }

/** What APPEND takes, bytes. */
export const appendBytesMax = 26_214_400

/** RFC 7162 section 4 asks for 8192 octets a line; long sequence sets need more. */
export const accountLimits: WireLimits = {
  lineBytes: 65_536,
  literalBytes: 1_048_576,
  commandBytes: 2_097_152,
  appendBytes: appendBytesMax,
}

export type Input =
  | { readonly kind: 'command'; readonly pieces: readonly Piece[] }
  | { readonly kind: 'problem'; readonly text: string; readonly tag: string }

export class Wire {
  limits = strangerLimits
  #socket: Socket
  /** Where commands come from and responses go to: the socket, or what stands between it and us (RFC 4978). */
  #source: Readable
  #sink: Writable
  #deflate: DeflateRaw | null = null
  #flushing = false
  #buffer: Buffer = Buffer.alloc(0)
  #pieces: Piece[] = []
  #pieceBytes = 0
  #ended = false
  #wake: (() => void) | null = null

  constructor(socket: Socket) {
    this.#socket = socket
    this.#source = socket
    this.#sink = socket
    this.#attach(socket)
  }

  #attach(socket: Socket): void {
    this.#read(socket)
    const end = (): void => {
      if (this.#socket !== socket) return
      this.#ended = true
      this.#wake?.()
    }
    socket.on('close', end)
    socket.on('end', end)
    socket.on('error', end)
  }

  #read(source: Readable): void {
    source.on('data', (chunk: Buffer) => {
      if (this.#source !== source) return
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
      // Read on only when this was taken: a client that sends without waiting is held by TCP.
      source.pause()
      this.#wake?.()
    })
  }

  get isCompressed(): boolean {
    return this.#deflate !== null
  }

  /** From here on both directions are deflated (RFC 4978). What is inflated is held back like what a socket brings. */
  compress(): void {
    const socket = this.#socket
    const inflate = createInflateRaw()
    const deflate = createDeflateRaw({ level: 1 })
    socket.removeAllListeners('data')
    const fail = (): void => void socket.destroy()
    inflate.on('error', fail)
    deflate.on('error', fail)
    if (this.#buffer.length > 0) inflate.write(this.#buffer)
    this.#buffer = Buffer.alloc(0)
    this.#source = inflate
    this.#sink = deflate
    this.#deflate = deflate
    this.#read(inflate)
    socket.pipe(inflate)
    deflate.pipe(socket)
  }

  get socket(): Socket {
    return this.#socket
  }

  /** After STARTTLS: nothing that came before the handshake is kept (RFC 3501 section 6.2.1, and against injection). */
  replaceSocket(socket: Socket): void {
    this.#socket.removeAllListeners('data')
    this.#buffer = Buffer.alloc(0)
    this.#pieces = []
    this.#pieceBytes = 0
    this.#socket = socket
    this.#source = socket
    this.#sink = socket
    this.#attach(socket)
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      this.#source.resume()
    })
    this.#wake = null
    return !this.#ended || this.#buffer.length > 0
  }

  /** The next line without its end; null: the connection is over. For IDLE and SASL too. */
  async line(max = this.limits.lineBytes): Promise<Buffer | 'too long' | null> {
    let searched = 0
    for (;;) {
      const end = this.#buffer.indexOf(0x0a, searched)
      if (end >= 0) {
        const line = this.#buffer.subarray(0, end > 0 && this.#buffer[end - 1] === 0x0d ? end - 1 : end)
        this.#buffer = this.#buffer.subarray(end + 1)
        return line.length > max ? 'too long' : line
      }
      searched = this.#buffer.length
      if (this.#buffer.length > max) return 'too long'
      if (!(await this.#more())) return null
    }
  }

  /** A whole command; the continuation of synchronising literals is asked for on the way. */
  async command(): Promise<Input | null> {
    const { lineBytes, literalBytes, commandBytes, appendBytes } = this.limits
    this.#pieces = []
    this.#pieceBytes = 0
    for (;;) {
      const line = await this.line()
      if (line === null) return null
      const tag = (): string => /^[^\s"(){}%*\\+]+/.exec(String(this.#pieces[0] ?? line))?.[0]?.slice(0, 64) ?? '*'
      if (line === 'too long') return { kind: 'problem', text: '[TOOBIG] the command line is too long', tag: '*' }
      const text = line.toString('latin1')
      this.#pieces.push(text)
      this.#pieceBytes += text.length
      const literal = /~?\{(\d{1,10})(\+?)\}$/.exec(text)
      if (literal === null) {
        const pieces = this.#pieces
        this.#pieces = []
        return { kind: 'command', pieces }
      }
      const size = Number(literal[1])
      const tooBig = /^\S+ APPEND /i.test(String(this.#pieces[0]))
        ? this.#pieceBytes + size > appendBytes + lineBytes
        : size > literalBytes || this.#pieceBytes + size > commandBytes
      if (tooBig) {
        // A non-synchronising literal is on its way already: there is no way back to a line but to leave.
        return { kind: 'problem', text: '[TOOBIG] the literal is too large', tag: literal[2] === '+' ? '*' : tag() }
      }
      if (literal[2] !== '+') this.write('+ go ahead\r\n')
      const bytes = await this.#literal(size)
      if (bytes === null) return null
      this.#pieces.push(bytes)
      this.#pieceBytes += size
    }
  }

  /** Filled piece by piece, so that each byte is copied once, however the peer cuts them. */
  async #literal(size: number): Promise<Buffer | null> {
    const bytes = Buffer.allocUnsafe(size)
    for (let filled = 0; ; ) {
      const copied = this.#buffer.copy(bytes, filled)
      filled += copied
      this.#buffer = this.#buffer.subarray(copied)
      if (filled === size) return bytes
      if (!(await this.#more())) return null
    }
  }

  /** Text is latin1. */
  write(data: string | Buffer): void {
    if (this.#socket.destroyed || !this.#socket.writable || !this.#sink.writable) return
    this.#sink.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
    if (this.#deflate === null || this.#flushing) return
    this.#flushing = true
    setImmediate(() => {
      this.#flushing = false
      if (!this.#socket.destroyed) this.#deflate?.flush(constants.Z_SYNC_FLUSH)
    })
  }

  /** Resolves when the peer has taken enough of what was written. */
  async flush(): Promise<void> {
    const [sink, socket] = [this.#sink, this.#socket]
    if (!sink.writableNeedDrain || socket.destroyed) return
    await new Promise<void>((resolve) => {
      const go = (): void => {
        sink.removeListener('drain', go)
        socket.removeListener('close', go)
        resolve()
      }
      sink.once('drain', go)
      socket.once('close', go)
    })
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#socket.destroyed
  }

  end(): void {
    if (this.#deflate === null) this.#socket.end()
    else this.#deflate.end()
    setTimeout(() => this.#socket.destroy(), 1_000).unref()
  }
}
