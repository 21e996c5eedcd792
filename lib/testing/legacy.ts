/** An SMTP server whose answers a test writes, for what real servers do only now and then. */
import { createServer, type Socket } from 'node:net'
import { freePort } from './ports.ts'

export type LegacyMessage = {
  readonly mail: string
  readonly rcpts: readonly string[]
  readonly content: Buffer
  /** Number of the connection, from 0. */
  readonly connection: number
}

export type LegacyScript = {
  readonly greeting?: string
  readonly extensions?: readonly string[]
  mail?(argument: string): string | null
  rcpt?(argument: string): string | null
  /** Told of each command. */
  command?(line: string): void
  connected?(): void
  disconnected?(): void
  /** Answers the end of data; null: hangs up without an answer. */
  data?(message: LegacyMessage): string | null
}

export type Legacy = {
  readonly port: number
  readonly url: string
  readonly messages: LegacyMessage[]
  /** May be changed while it runs. */
  script: LegacyScript
  connections: number
  /** No longer listens, and hangs up. */
  down(): Promise<void>
  up(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startLegacy(script: LegacyScript = {}): Promise<Legacy> {
  const port = await freePort()
  const sockets = new Set<Socket>()
  const legacy = {
    port,
    url: `smtp://127.0.0.1:${port}`,
    messages: [] as LegacyMessage[],
    script,
    connections: 0,
    down: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
    up: () => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve)),
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await legacy.down()
    },
  }
  const server = createServer((socket) => {
    const connection = legacy.connections++
    sockets.add(socket)
    legacy.script.connected?.()
    socket.on('error', () => {})
    socket.once('close', () => {
      sockets.delete(socket)
      legacy.script.disconnected?.()
    })
    socket.write(`${legacy.script.greeting ?? '220 legacy.example ESMTP'}\r\n`)
    let input = Buffer.alloc(0)
    let mail = ''
    let rcpts: string[] = []
    let inData = false
    const command = (line: string): void => {
      legacy.script.command?.(line)
      const verb = line.slice(0, 4).toUpperCase()
      const answer = (text: string): void => void socket.write(`${text}\r\n`)
      if (verb === 'EHLO') {
        const lines = [
          'legacy.example',
          ...(legacy.script.extensions ?? ['PIPELINING', '8BITMIME', 'DSN', 'SMTPUTF8', 'SIZE']),
        ]
        answer(lines.map((text, at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}`).join('\r\n'))
      } else if (verb === 'MAIL') {
        mail = line.slice(5)
        rcpts = []
        answer(legacy.script.mail?.(mail) ?? '250 2.1.0 ok')
      } else if (verb === 'RCPT') {
        const reply = legacy.script.rcpt?.(line.slice(5)) ?? '250 2.1.5 ok'
        if (reply.startsWith('2')) rcpts.push(line.slice(5))
        answer(reply)
      } else if (verb === 'DATA') {
        if (rcpts.length === 0) answer('503 5.5.1 no valid recipients')
        else {
          inData = true
          answer('354 go on')
        }
      } else if (verb === 'QUIT') socket.end('221 2.0.0 bye\r\n')
      else answer('250 2.0.0 ok')
    }
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk])
      for (;;) {
        if (inData) {
          const framed = Buffer.concat([Buffer.from('\r\n'), input])
          const end = framed.indexOf('\r\n.\r\n')
          if (end < 0) return
          const content = Buffer.from(
            framed
              .subarray(2, end + 2)
              .toString('latin1')
              .replace(/(^|\r\n)\.\./g, '$1.'),
            'latin1',
          )
          input = input.subarray(end + 3)
          inData = false
          const message = { mail, rcpts, content, connection }
          const reply = legacy.script.data === undefined ? '250 2.0.0 taken' : legacy.script.data(message)
          if (reply === null) return void socket.destroy()
          if (reply.startsWith('2')) legacy.messages.push(message)
          socket.write(`${reply}\r\n`)
          continue
        }
        const end = input.indexOf('\r\n')
        if (end < 0) return
        const line = input.toString('utf8', 0, end)
        input = input.subarray(end + 2)
        command(line)
      }
    })
  })
  await legacy.up()
  return legacy
}
