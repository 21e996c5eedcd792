/**
 * The bytes of one IMAP connection: commands with their literals in, responses out, both bounded. A slow reader is waited for;
 * what it has not read is never more than one response and the socket's own buffer.
 */
import type { Socket } from 'node:net'
import type { Piece } from './grammar.ts'

export type WireLimits = { readonly lineBytes: number; readonly literalBytes: number; readonly commandBytes: number }

/** RFC 7162 section 4 asks for 8192 octets a line; long sequence sets need more. */
export const wireLimits: WireLimits = { lineBytes: 65_536, literalBytes: 1_048_576, commandBytes: 2_097_152 }

export type Input =
  | { readonly kind: 'command'; readonly pieces: readonly Piece[] }
  | { readonly kind: 'problem'; readonly text: string; readonly tag: string }

export class Wire {
  #socket: Socket
  #buffer: Buffer = Buffer.alloc(0)
  #pieces: Piece[] = []
  #pieceBytes = 0
  #literal = 0
  #ended = false
  #wake: (() => void) | null = null

  constructor(socket: Socket) {
    this.#socket = socket
    this.#attach(socket)
  }

  #attach(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      if (this.#socket !== socket) return
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
      // Read on only when this was taken: a client that sends without waiting is held by TCP.
      socket.pause()
      this.#wake?.()
    })
    const end = (): void => {
      if (this.#socket !== socket) return
      this.#ended = true
      this.#wake?.()
    }
    socket.on('close', end)
    socket.on('end', end)
    socket.on('error', end)
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
    this.#attach(socket)
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      this.#socket.resume()
    })
    this.#wake = null
    return !this.#ended || this.#buffer.length > 0
  }

  /** The next line without its end; null: the connection is over. For IDLE and SASL too. */
  async line(max = wireLimits.lineBytes): Promise<Buffer | 'too long' | null> {
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
      const literal = /\{(\d{1,10})(\+?)\}$/.exec(text)
      if (literal === null) {
        const pieces = this.#pieces
        this.#pieces = []
        return { kind: 'command', pieces }
      }
      this.#literal = Number(literal[1])
      const tooBig =
        this.#literal > wireLimits.literalBytes || this.#pieceBytes + this.#literal > wireLimits.commandBytes
      if (tooBig) {
        // A non-synchronising literal is on its way already: there is no way back to a line but to leave.
        return { kind: 'problem', text: '[TOOBIG] the literal is too large', tag: literal[2] === '+' ? '*' : tag() }
      }
      if (literal[2] !== '+') this.write('+ go ahead\r\n')
      while (this.#buffer.length < this.#literal) if (!(await this.#more())) return null
      this.#pieces.push(Buffer.from(this.#buffer.subarray(0, this.#literal)))
      this.#pieceBytes += this.#literal
      this.#buffer = this.#buffer.subarray(this.#literal)
    }
  }

  /** Text is latin1. */
  write(data: string | Buffer): void {
    if (!this.#socket.destroyed && this.#socket.writable) {
      this.#socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
    }
  }

  /** Resolves when the peer has taken enough of what was written. */
  async flush(): Promise<void> {
    const socket = this.#socket
    if (!socket.writableNeedDrain || socket.destroyed) return
    await new Promise<void>((resolve) => {
      const go = (): void => {
        socket.removeListener('drain', go)
        socket.removeListener('close', go)
        resolve()
      }
      socket.once('drain', go)
      socket.once('close', go)
    })
  }

  get isOpen(): boolean {
    return !this.#ended && !this.#socket.destroyed
  }

  end(): void {
    this.#socket.end()
    setTimeout(() => this.#socket.destroy(), 1_000).unref()
  }
}
