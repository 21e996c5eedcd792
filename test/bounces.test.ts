/** Bounces that mail servers of others make on the spot are read right. Postfix has a test of its own. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SmtpConnection } from '#lib/smtp/client.ts'
import { debianMissing } from '#lib/testing/debian.ts'
import { startLegacy } from '#lib/testing/legacy.ts'
import { startExim, startOpenSmtpd, startSendmail } from '#lib/testing/mail-servers.ts'
import { freePort } from '#lib/testing/ports.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { classify } from '#services/classify/classify.ts'

const client = { name: 'client.example', connectMs: 2_000, replyMs: 10_000, dataEndMs: 10_000 }
const path = (address: string) => ({ address, parameters: {} })
const content = Buffer.from(
  'From: news@corp.example\r\nTo: lost@dom.example\r\nMessage-ID: <news.77@corp.example>\r\nSubject: news\r\n\r\nhello\r\n',
)

/** What a remote host says to each of the recipients, and what has to be read. */
const refusals = {
  'lost@dom.example': ['550 5.1.1 <lost@dom.example>: User unknown', 'userunknown', true],
  'full@dom.example': ['552 5.2.2 Mailbox full', 'mailboxfull', false],
  'away@dom.example': ['550 5.7.1 Message rejected due to local policy', 'policyviolation', false],
} as const

/**
 * @param start starts a mail server that listens on a port, sends dom.example to another and corp.example to a third; gives how
 *   to stop it
 */
async function bounced(
  start: (listen: number, refuses: number, takes: number, folder: string) => () => Promise<unknown>,
): Promise<void> {
  using folder = temporaryFolder()
  await using refusing = await startLegacy({
    rcpt: (argument) => refusals[(/<(.+)>/.exec(argument)?.[1] ?? '') as keyof typeof refusals]?.[0] ?? null,
  })
  await using taking = await startLegacy()
  const listen = await freePort()
  const stop = start(listen, refusing.port, taking.port, folder.path)
  try {
    const connection = await until('the mail server', () =>
      SmtpConnection.open({ host: '127.0.0.1', port: listen, tls: false }, client).catch(() => null),
    )
    const replies = await connection.send({
      reversePath: path('news@corp.example'),
      forwardPaths: Object.keys(refusals).map(path),
      size: content.length,
      content,
    })
    assert.ok(
      replies.every(({ code }) => code === 250),
      JSON.stringify(replies),
    )
    await connection.quit()
    const found = new Map<string, { reason: string; permanent: boolean }>()
    await until('the bounces', () => {
      for (const { content: bounce } of taking.messages.splice(0)) {
        const verdict = classify(bounce)
        assert.equal(verdict.kind, 'bounce', bounce.toString())
        assert.equal(verdict.original['messageId'], '<news.77@corp.example>')
        for (const { address, reason, permanent } of verdict.recipients) found.set(address, { reason, permanent })
      }
      return found.size === Object.keys(refusals).length
    })
    for (const [address, [, reason, permanent]] of Object.entries(refusals)) {
      assert.deepEqual(found.get(address), { reason, permanent }, address)
    }
  } finally {
    await stop()
  }
}

const routes = (refuses: number, takes: number) => [
  { domain: 'dom.example', port: refuses },
  { domain: 'corp.example', port: takes },
]

describe('a bounce made by', () => {
  it('Exim', { skip: debianMissing() }, () =>
    bounced((listen, refuses, takes, folder) => startExim(folder, listen, routes(refuses, takes))),
  )

  it('OpenSMTPD', { skip: debianMissing() }, () =>
    bounced((listen, refuses, takes, folder) => startOpenSmtpd(folder, listen, routes(refuses, takes))),
  )

  it('Sendmail', { skip: debianMissing() }, () =>
    bounced((listen, refuses, takes, folder) => startSendmail(folder, listen, routes(refuses, takes))),
  )
})
