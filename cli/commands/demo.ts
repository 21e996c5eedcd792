/** `mailweir demo`: a varied stream of mail to a Mailweir that runs here. */
import { setTimeout as sleep } from 'node:timers/promises'
import { MailweirError } from '#lib/runtime/errors.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { SmtpConnection } from '#lib/smtp/client.ts'
import type { OutgoingMessage } from '#lib/smtp/outgoing.ts'
import { replyLine } from '#lib/smtp/reply.ts'
import { ingestSettings } from '#services/ingest/config.ts'
import { demoMessage } from '../demo-mail.ts'
import { sourceOf } from '../settings.ts'

export async function runDemo(
  configFile: string | undefined,
  options: { readonly count: number; readonly rate: number },
): Promise<number> {
  const { smtpListen } = readSettings('mailweir demo', { smtpListen: ingestSettings.smtpListen }, sourceOf(configFile))
  const connection = await SmtpConnection.open(
    { host: smtpListen.host, port: smtpListen.port, tls: false },
    { name: 'demo.localhost', connectMs: 5_000, replyMs: 60_000, dataEndMs: 60_000 },
  ).catch((error: unknown) => {
    throw new MailweirError(
      'SMTP_CONNECTION',
      `Nobody takes mail on ${smtpListen.host}:${smtpListen.port}: run "npm start" first, or set SMTP_LISTEN`,
      { cause: error, retriable: true },
    )
  })
  const started = Date.now()
  let refused = 0
  for (let n = 0; n < options.count; n++) {
    const { reversePath, forwardPath, content } = demoMessage(n)
    const message: OutgoingMessage = {
      reversePath: { address: reversePath, parameters: {} },
      forwardPaths: [{ address: forwardPath, parameters: {} }],
      size: content.length,
      content,
    }
    const outcomes = await connection.send(message)
    const [outcome] = outcomes
    if (outcome === undefined || outcome.code >= 400) {
      refused++
      process.stderr.write(`message ${n}: ${outcome === undefined ? 'no reply' : replyLine(outcome)}\n`)
    }
    const due = started + ((n + 1) * 1000) / Math.max(1, options.rate)
    if (due > Date.now()) await sleep(due - Date.now())
  }
  await connection.quit()
  process.stdout.write(
    `sent ${options.count - refused} of ${options.count} messages in ${((Date.now() - started) / 1000).toFixed(1)} s\n`,
  )
  return refused === 0 ? 0 : 1
}
