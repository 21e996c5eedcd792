/** The end of the way: takes every message, keeps none, and tells its parent what came and how long it took (IPC). */
import { createSmtpServer, type Receiver } from '#lib/smtp/server.ts'

export type SinkReport = {
  readonly received: number
  /** Epoch milliseconds of the first and the last message. */
  readonly firstAt: number
  readonly lastAt: number
  /** From X-Sent to the end of data here, milliseconds. */
  readonly p50: number
  readonly p99: number
}

let received = 0
let firstAt = 0
let lastAt = 0
let delays: number[] = []
/** X-Sent may stand behind fields that others have put in front. */
const headBytes = 2_048

function receiver(): Receiver {
  let head: Buffer = Buffer.alloc(0)
  return {
    write: (chunk) => {
      if (head.length < headBytes) head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      return true
    },
    ready: async () => {},
    end: async () => {
      lastAt = performance.timeOrigin + performance.now()
      firstAt ||= lastAt
      received++
      const at = head.indexOf('X-Sent: ')
      if (at >= 0 && at < headBytes) delays.push(lastAt - Number(head.toString('latin1', at + 8, at + 25)))
      return { code: 250, enhancedStatus: '2.0.0', text: 'taken' }
    },
    abort: () => {},
  }
}

const server = createSmtpServer({
  name: 'sink.example',
  sizeMax: 1_073_741_824,
  connectionsMax: 10_000,
  limits: { idleMs: 600_000, transactionMs: 3_600_000, errorsMax: 1_000_000, idleCommandsMax: 1_000_000 },
  tls: () => null,
  proxies: null,
  connect: () => null,
  mail: () => null,
  rcpt: () => null,
  data: receiver,
  disconnected: () => {},
  dismissed: () => {},
  failed: () => {},
})
process.on('message', (asked) => {
  if (asked === 'reset') {
    received = firstAt = lastAt = 0
    delays = []
  }
  const sorted = delays.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  const report: SinkReport = { received, firstAt, lastAt, p50: at(0.5), p99: at(0.99) }
  process.send?.(report)
})
process.once('disconnect', () => process.exit(0))
server.plain.listen(Number(process.argv[2]), '127.0.0.1', () => process.send?.('listening'))
