/** Bounces that mail servers of others make on the spot are read right. Postfix has a test of its own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { SmtpConnection } from '#lib/smtp/client.ts'
import { debianFiles, debianMissing, systemUser } from '#lib/testing/debian.ts'
import { startLegacy } from '#lib/testing/legacy.ts'
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

const stopper = (child: ReturnType<typeof spawn>) => () => {
  child.kill('SIGTERM')
  return new Promise((resolve) => child.once('close', resolve))
}

describe('a bounce made by', () => {
  it('Exim', { skip: debianMissing() }, () =>
    bounced((listen, refuses, takes, folder) => {
      // It gives up root and starts itself again, so it has to stand where anybody may go.
      const program = join(folder, 'exim4')
      copyFileSync(join(debianFiles('exim4-daemon-light'), 'usr', 'sbin', 'exim4'), program)
      systemUser('Debian-exim', '/nonexistent')
      chmodSync(folder, 0o755)
      const spool = join(folder, 'spool')
      mkdirSync(spool)
      chmodSync(spool, 0o777)
      const config = join(folder, 'exim.conf')
      const route = (name: string, domain: string, port: number) => ({
        router: `${name}:\n  driver = manualroute\n  domains = ${domain}\n  transport = ${name}\n  route_list = * 127.0.0.1 byname\n  self = send\n`,
        transport: `${name}:\n  driver = smtp\n  port = ${port}\n  allow_localhost\n`,
      })
      const routes = [route('refuses', 'dom.example', refuses), route('takes', 'corp.example', takes)]
      writeFileSync(
        config,
        `exim_path = ${program}
primary_hostname = exim.corp.example
exim_user = nobody
exim_group = nogroup
never_users =
spool_directory = ${spool}
log_file_path = ${spool}/%slog
pid_file_path = ${spool}/pid
keep_environment =
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${listen}
tls_advertise_hosts =
acl_smtp_rcpt = take
begin acl
take:
  accept
begin routers
${routes.map(({ router }) => router).join('')}begin transports
${routes.map(({ transport }) => transport).join('')}`,
      )
      chmodSync(config, 0o644)
      return stopper(spawn(program, ['-C', config, '-bdf', '-q1m'], { stdio: 'ignore' }))
    }),
  )

  it('OpenSMTPD', { skip: debianMissing() }, () =>
    bounced((listen, refuses, takes, folder) => {
      const files = debianFiles('opensmtpd')
      const home = '/var/lib/opensmtpd/empty'
      for (const user of ['opensmtpd', 'opensmtpq']) systemUser(user, home)
      for (const needed of [home, '/var/spool/smtpd']) mkdirSync(needed, { recursive: true })
      chmodSync('/var/spool/smtpd', 0o711)
      const config = join(folder, 'smtpd.conf')
      writeFileSync(
        config,
        `listen on lo port ${listen}
action "refuses" relay host smtp://127.0.0.1:${refuses}
action "takes" relay host smtp://127.0.0.1:${takes}
match from any for domain "dom.example" action "refuses"
match from any for domain "corp.example" action "takes"
`,
      )
      return stopper(spawn(join(files, 'usr', 'sbin', 'smtpd'), ['-d', '-f', config], { stdio: 'ignore' }))
    }),
  )
})
