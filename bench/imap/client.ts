/** A client that reads as fast as it can and parses nothing: the time from a command to its tagged answer. */
import { connect, type Socket } from 'node:net'

export class Client {
  readonly #socket: Socket
  #tag = 0
  #tail = ''
  #bytes = 0
  #wanted = ''
  #done: (ok: boolean) => void = () => {}

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length
      this.#tail = (this.#tail + chunk.toString('latin1', Math.max(0, chunk.length - 2_000))).slice(-2_000)
      const at = this.#tail.lastIndexOf(`${this.#wanted} `)
      if (this.#wanted !== '' && at >= 0 && this.#tail.endsWith('\r\n'))
        this.#done(this.#tail.startsWith('OK', at + this.#wanted.length + 1))
    })
  }

  static open(port: number): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('error', reject)
      socket.once('data', () => resolve(new Client(socket)))
    })
  }

  /** Milliseconds, and the bytes of the answer. */
  ask(command: string | readonly (string | Buffer)[]): Promise<{ ms: number; bytes: number }> {
    const tag = `q${++this.#tag}`
    const started = performance.now()
    this.#bytes = 0
    this.#tail = ''
    this.#wanted = tag
    return new Promise((resolve, reject) => {
      this.#done = (ok) => {
        this.#wanted = ''
        if (ok) resolve({ ms: performance.now() - started, bytes: this.#bytes })
        else reject(new Error(`refused: ${this.#tail.slice(-200)}`))
      }
      const pieces = typeof command === 'string' ? [command] : command
      this.#socket.write(Buffer.concat([`${tag} `, ...pieces, '\r\n'].map((piece) => Buffer.from(piece as string))))
    })
  }

  end(): void {
    this.#socket.destroy()
  }
}
