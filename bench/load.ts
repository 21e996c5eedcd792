/**
 * A cheap SMTP load: bare sockets, MAIL RCPT DATA in one packet, a body that is always the same. Run as a process of its own; prints
 * one line of JSON: messages a second, and the time from the end of data to its reply at the median and the 99th percentile.
 *
 * Arguments: port, connections, messages, bytes, then any of: per-connection (one message each), tls (STARTTLS), rate=N (open loop),
 * stamp (each message says in X-Sent when it was due, epoch milliseconds).
 */
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type LoadResult = {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly refused: number
}

const [port = 0, connections = 0, messages = 0, bytes = 0] = process.argv.slice(2).map(Number)
const options = new Set(process.argv.slice(6))
const rate = Number([...options].find((option) => option.startsWith('rate='))?.slice(5) ?? 0)
const line = `${'0123456789abcdef'.repeat(4)}\r\n`
const body = Buffer.from(`Subject: load\r\n\r\n${line.repeat(Math.ceil(bytes / line.length))}.\r\n`)
/** As wide as any instant, so that it can be written over. */
const stampOf = (at: number): string => `X-Sent: ${at.toFixed(3).padStart(17, '0')}\r\n`
const envelope = 'MAIL FROM:<>\r\nRCPT TO:<b@bounces.example.com>\r\nDATA\r\n'

const latencies: number[] = []
let refused = 0
let started = 0
let ended = 0
const startedAt = performance.now()

/** When the next message may go; null: none is left. */
function turn(): number | null {
  if (started >= messages) return null
  const at = rate === 0 ? 0 : startedAt + (started * 1000) / rate
  started++
  return at
}

const connected = (): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.once('error', reject)
  })

/** Speaks one command (or a pipelined group) and gives the last line of the answers, `count` of them. */
class Speaker {
  #socket: Socket
  #input = ''
  #want = 0
  #closed = false
  #resolve: (line: string) => void = () => {}

  constructor(socket: Socket) {
    this.#socket = socket
    this.#listen(socket)
  }

  #listen(socket: Socket): void {
    socket.setNoDelay(true)
    socket.on('error', () => this.#resolve('599 broken'))
    socket.on('close', () => {
      this.#closed = true
      this.#resolve('599 closed')
    })
    socket.on('data', (chunk) => {
      this.#input += chunk.toString('latin1')
      for (;;) {
        const end = this.#input.indexOf('\n')
        if (end < 0) return
        const text = this.#input.slice(0, end)
        this.#input = this.#input.slice(end + 1)
        if (text[3] === '-') continue
        if (--this.#want === 0) this.#resolve(text)
      }
    })
  }

  ask(text: string | Buffer, count: number): Promise<string> {
    return new Promise((resolve) => {
      if (this.#closed) return resolve('599 closed')
      this.#want = count
      this.#resolve = resolve
      if (text.length > 0) this.#socket.write(text)
    })
  }

  async startTls(): Promise<void> {
    await this.ask('STARTTLS\r\n', 1)
    this.#socket.removeAllListeners('data')
    this.#socket = await new Promise((resolve, reject) => {
      const tls = connectTls({ socket: this.#socket, rejectUnauthorized: false }, () => resolve(tls))
      tls.once('error', reject)
    })
    this.#listen(this.#socket)
    await this.ask('EHLO load.example\r\n', 1)
  }

  get isClosed(): boolean {
    return this.#closed
  }

  end(): void {
    this.#socket.end('QUIT\r\n')
  }
}

async function open(): Promise<Speaker> {
  const speaker = new Speaker(await connected())
  await speaker.ask('', 1)
  await speaker.ask('EHLO load.example\r\n', 1)
  if (options.has('tls')) await speaker.startTls()
  return speaker
}

async function one(): Promise<void> {
  let speaker: Speaker | null = null
  for (let at = turn(); at !== null; at = turn()) {
    const wait = at - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    speaker ??= await open()
    if ((await speaker.ask(envelope, 3)).startsWith('354')) {
      const before = performance.now()
      const due = at === 0 ? before : at
      const stamped = options.has('stamp')
        ? Buffer.concat([Buffer.from(stampOf(performance.timeOrigin + due)), body])
        : body
      const reply = await speaker.ask(stamped, 1)
      latencies.push(performance.now() - before)
      if (!reply.startsWith('250')) refused++
    } else refused++
    ended++
    if (options.has('per-connection') || speaker.isClosed) {
      speaker.end()
      speaker = null
    }
  }
  speaker?.end()
}

await Promise.all(Array.from({ length: connections }, one))
const seconds = (performance.now() - startedAt) / 1000
latencies.sort((a, b) => a - b)
const at = (share: number): number =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
const result: LoadResult = { perSecond: ended / seconds, p50: at(0.5), p99: at(0.99), refused }
process.stdout.write(`${JSON.stringify(result)}\n`)
