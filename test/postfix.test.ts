/** A real Postfix whose bounces (the null reverse-path) go to Mailweir as their next hop. */
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { listenSettings, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { freePort } from '#lib/testing/ports.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import type { MessageRow } from '#services/console/view/view.ts'
import { ask, ledgerOf, received } from './flow.ts'

const exec = promisify(execFile)

function missing(): string | false {
  try {
    execFileSync('postconf', ['mail_version'], { env: { PATH: `${process.env['PATH']}:/usr/sbin` } })
  } catch {
    return 'no Postfix: install postfix'
  }
  return userInfo().uid === 0 ? false : 'Postfix has to be started by root'
}

/** Refuses every recipient for good, in the words of a host that does not know the user. */
async function startRefuser(): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => {
    socket.write('220 refuser.example ESMTP\r\n')
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const line of chunk.toString('latin1').split('\r\n').slice(0, -1)) {
        const verb = line.slice(0, 4).toUpperCase()
        if (verb === 'EHLO') socket.write('250 refuser.example\r\n')
        else if (verb === 'RCPT')
          socket.write('550 5.1.1 <nobody@remote.example>: Recipient address rejected: User unknown\r\n')
        else if (verb === 'QUIT') socket.end('221 bye\r\n')
        else socket.write('250 ok\r\n')
      }
    })
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { port, close: () => server.close() }
}

/** An instance of its own: its files, its queue, no listener. */
async function startPostfix(nextHop: { bounces: number; mail: number }) {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-postfix-'))
  chmodSync(folder, 0o755)
  const [config, queue, data] = ['config', 'queue', 'data'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  for (const path of [config, queue, data]) mkdirSync(path)
  await exec('chown', ['postfix', data])
  writeFileSync(
    join(config, 'main.cf'),
    `compatibility_level = 3.6
queue_directory = ${queue}
data_directory = ${data}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.sender.example
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
alternate_config_directories = ${config}
maillog_file = ${join(folder, 'log')}
maillog_file_prefixes = ${folder}
default_transport = smtp:[127.0.0.1]:${nextHop.mail}
sender_dependent_default_transport_maps = inline:{{<>=smtp:[127.0.0.1]:${nextHop.bounces}}}
smtp_host_lookup = native
`,
  )
  // As Debian has it, without the SMTP listener and without chroots.
  writeFileSync(
    join(config, 'master.cf'),
    `pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`,
  )
  const environment = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }
  await exec('postfix', ['-c', config, 'start'], { env: environment })
  return {
    log: () => readFileSync(join(folder, 'log'), 'utf8'),
    /** Puts a message into the queue, as a program on the host would. */
    submit: (from: string, to: string, message: string) =>
      new Promise<void>((resolve, reject) => {
        const child = spawn('sendmail', ['-C', config, '-i', '-f', from, to], {
          env: environment,
          stdio: ['pipe', 'ignore', 'inherit'],
        })
        child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`sendmail ended with ${code}`))))
        child.stdin.end(message)
      }),
    stop: async () => {
      await exec('postfix', ['-c', config, 'stop'], { env: environment }).catch(() => {})
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

describe('Postfix', { skip: missing() }, () => {
  it('hands its bounces over, and the verdict names the recipient, the status and the reason', async () => {
    using folder = temporaryFolder()
    const { ports, settings } = await listenSettings()
    await using mailweir = startMailweir(['up'], {
      ...settings,
      DATA_DIR: folder.path,
      SEGMENT_MS: '200',
      MAIL_DOMAINS: 'bounces.example.com',
    })
    await whenReady(mailweir, ports.console)
    const refuser = await startRefuser()
    const postfix = await startPostfix({ bounces: ports.smtp, mail: refuser.port })
    try {
      await postfix.submit(
        'news+42@bounces.example.com',
        'nobody@remote.example',
        'From: News <news@bounces.example.com>\nTo: nobody@remote.example\nSubject: our letter\nMessage-ID: <letter.42@bounces.example.com>\n\nHello\n',
      )
      await until('the bounce', async () => (await ledgerOf(ports)).stored === 1).catch((error: unknown) => {
        throw new Error(postfix.log(), { cause: error })
      })
      const { messages } = await ask<{ messages: MessageRow[] }>(ports, '/api/messages?address=nobody@remote.example')
      const [bounce] = messages
      assert.ok(bounce)
      assert.equal(bounce.reversePath, '')
      assert.equal(bounce.recipient, 'news+42@bounces.example.com')
      assert.deepEqual([bounce.kind, bounce.variant, bounce.reason], ['bounce', 'hard', 'userunknown'])
      const { trace } = await ask<{
        trace: { type: string; recipients: { address: string; status: string }[]; original: { messageId: string } }[]
      }>(ports, `/api/messages/${bounce.id}`)
      const verdict = trace.find((step) => step.type === 'classified')
      assert.deepEqual(
        verdict?.recipients.map(({ address, status }) => [address, status]),
        [['nobody@remote.example', '5.1.1']],
      )
      assert.equal(verdict?.original.messageId, '<letter.42@bounces.example.com>')
      const ledger = await until('the books', async () => {
        const now = await ledgerOf(ports)
        return now.forwarded === 1 && now
      })
      assert.equal(ledger.balanced, true)
      assert.deepEqual(
        received(folder.path).map(({ reversePath, forwardPaths }) => [reversePath, forwardPaths[0]?.address]),
        [['', 'news+42@bounces.example.com']],
      )
    } finally {
      await postfix.stop()
      refuser.close()
    }
  })
})
