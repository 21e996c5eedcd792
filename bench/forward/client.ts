/** The relay's client alone: messages from memory to a port, over so many connections; prints messages a second and its CPU. */
import { SmtpConnection } from '#lib/smtp/client.ts'

const [port = 0, connections = 0, messages = 0, bytes = 0] = process.argv.slice(2).map(Number)
const line = `${'0123456789abcdef'.repeat(4)}\r\n`
const content = Buffer.from(`Subject: load\r\n\r\n${line.repeat(Math.ceil(bytes / line.length))}`)
const options = { name: 'client.example', connectMs: 5_000, replyMs: 30_000, dataEndMs: 60_000 }
const path = { address: 'b@bounces.example.com', parameters: {} }
let left = messages

async function one(): Promise<void> {
  const connection = await SmtpConnection.open({ host: '127.0.0.1', port, tls: false }, options)
  while (left-- > 0) {
    await connection.send({
      reversePath: { address: '', parameters: {} },
      forwardPaths: [path],
      size: content.length,
      content,
    })
  }
  await connection.quit()
}

const startedAt = performance.now()
const before = process.cpuUsage()
await Promise.all(Array.from({ length: connections }, one))
const seconds = (performance.now() - startedAt) / 1000
const { user, system } = process.cpuUsage(before)
process.stdout.write(
  `${JSON.stringify({ perSecond: messages / seconds, cpuPerThousand: (user + system) / 1_000 / messages })}\n`,
)
