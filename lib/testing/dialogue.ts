/** A raw SMTP or IMAP dialogue: says bytes, waits for lines. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export class Dialogue {
  readonly socket: Socket
  #input = ''
  #closed = false
  #wake = (): void => {}

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#input += text
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  static open(port: number): Promise<Dialogue> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('error', reject)
      socket.once('connect', () => resolve(new Dialogue(socket)))
    })
  }

  /** Whatever the certificate is. */
  static openTls(port: number): Promise<Dialogue> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      socket.once('error', reject)
      socket.once('secureConnect', () => resolve(new Dialogue(socket)))
    })
  }

  say(text: string | Buffer): void {
    this.socket.write(text)
  }

  /** Everything up to the end of the first line that matches; rejects when the peer hangs up first. */
  async hear(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    const until = Date.now() + timeoutMs
    for (;;) {
      let at = 0
      for (let end = this.#input.indexOf('\n', at); end >= 0; end = this.#input.indexOf('\n', at)) {
        const line = this.#input.slice(at, end).replace(/\r$/, '')
        at = end + 1
        if (!pattern.test(line)) continue
        const heard = this.#input.slice(0, at)
        this.#input = this.#input.slice(at)
        return heard
      }
      if (this.#closed) throw new Error(`the peer hung up before ${pattern}: ${JSON.stringify(this.#input)}`)
      const left = until - Date.now()
      if (left <= 0) throw new Error(`waited in vain for ${pattern}: ${JSON.stringify(this.#input)}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  /** Says a command and gives the whole SMTP reply to it. */
  async smtp(command: string | Buffer): Promise<string> {
    this.say(typeof command === 'string' ? `${command}\r\n` : command)
    return this.hear(/^\d{3} /)
  }

  /** What else the peer says until it hangs up. */
  async end(timeoutMs = 10_000): Promise<string> {
    const until = Date.now() + timeoutMs
    while (!this.#closed && Date.now() < until) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 50)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    if (!this.#closed) throw new Error('the peer did not hang up')
    return this.#input
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
