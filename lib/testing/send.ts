/** Sends messages as a patient client would: what was not answered 250 is sent again, after a pause, until it is. */
import { setTimeout as sleep } from 'node:timers/promises'
import { SmtpConnection } from '#lib/smtp/client.ts'
import { isPositive, replyLine } from '#lib/smtp/reply.ts'
import type { TestMessage } from './messages.ts'

const client = { name: 'sender.example', connectMs: 5_000, replyMs: 60_000, dataEndMs: 60_000 }

/** Gives the message ids of the 250 replies, in the order of the messages. `sent` is called after each. */
export async function sendAll(
  port: number,
  messages: readonly TestMessage[],
  options: { readonly connections?: number; readonly patienceMs?: number; sent?(count: number): void } = {},
): Promise<readonly string[]> {
  const ids: string[] = []
  const until = Date.now() + (options.patienceMs ?? 60_000)
  let next = 0
  let count = 0
  const one = async (): Promise<void> => {
    let connection: SmtpConnection | null = null
    while (next < messages.length) {
      const index = next++
      const message = messages[index]
      if (message === undefined) break
      for (;;) {
        try {
          connection ??= await SmtpConnection.open({ host: '127.0.0.1', port, tls: false }, client)
          const replies = await connection.send({ ...message, size: message.content.length })
          const refused = replies.find((reply) => !isPositive(reply))
          if (refused !== undefined && refused.code >= 500)
            throw new RangeError(`${message.name}: ${replyLine(refused)}`)
          if (refused === undefined) {
            ids[index] = /Queued as (\S+)/.exec(replies[0]?.text ?? '')?.[1] ?? ''
            break
          }
        } catch (error) {
          connection?.destroy()
          connection = null
          if (error instanceof RangeError || Date.now() > until) throw error
        }
        await sleep(50)
      }
      options.sent?.(++count)
    }
    await connection?.quit()
  }
  await Promise.all(Array.from({ length: options.connections ?? 4 }, one))
  return ids
}
