/** Mail programs as people have them, against the facade: Python's imaplib, mbsync, mutt, curl, imapflow (as a webmail would). */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { ImapFlow } from 'imapflow'
import { listenSettings, type Ports, type Running, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { sha256, testMessages } from '#lib/testing/messages.ts'
import { programMissing } from '#lib/testing/programs.ts'
import { sendAll } from '#lib/testing/send.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { ledgerOf } from './flow.ts'

const exec = promisify(execFile)
/** NULs are left out here: mbsync and mutt keep mail in files of lines. */
const messages = testMessages(66).filter(({ content }) => !content.includes(0))
const password = 'a password with "quotes" and spaces'
const user = 'reader'

describe('mail programs', () => {
  const folder = temporaryFolder()
  let ports: Ports
  let mailweir: Running
  const hashes = messages.map(({ content }) => sha256(content)).sort()

  before(async () => {
    const listen = await listenSettings()
    ports = listen.ports
    mailweir = startMailweir(['up'], {
      ...listen.settings,
      DATA_DIR: folder.path,
      SEGMENT_MS: '200',
      IMAP_USER: user,
      IMAP_PASSWORD: password,
    })
    await whenReady(mailweir, ports.console)
    await sendAll(ports.smtp, messages)
    await until('all is stored', async () => (await ledgerOf(ports)).stored === messages.length)
  })
  after(async () => {
    await mailweir?.[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  it('imaplib lists, searches, fetches whole and in parts, and sets flags', {
    skip: programMissing('python3', '--version', 'python3'),
  }, async () => {
    const { stdout } = await exec('python3', [
      join(import.meta.dirname, 'imap_client.py'),
      String(ports.imap),
      String(ports.imaps),
      user,
      password,
    ])
    const found = JSON.parse(stdout)
    assert.deepEqual(found.hashes, hashes)
    assert.equal(found.refused, true)
    assert.equal(found.status, 'OK')
    assert.ok(found.boxes >= 3)
  })

  it('mbsync fetches every message into a Maildir, and nothing the second time', {
    skip: programMissing('mbsync', '--version', 'isync'),
  }, async () => {
    const maildir = join(folder.path, 'maildir')
    mkdirSync(maildir)
    const config = join(folder.path, 'mbsyncrc')
    writeFileSync(
      config,
      `IMAPAccount mailweir
Host 127.0.0.1
Port ${ports.imap}
User ${user}
Pass "${password.replaceAll('"', '\\"')}"
SSLType None
AuthMechs PLAIN

IMAPStore far
Account mailweir

MaildirStore near
Path ${maildir}/
Inbox ${maildir}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Sync Pull
SyncState *
`,
    )
    await exec('mbsync', ['-c', config, '-a'])
    const files = (): string[] =>
      readdirSync(maildir, { recursive: true, encoding: 'utf8' }).filter((path) => /\/(?:new|cur)\/./.test(path))
    const first = files()
    assert.equal(first.length, messages.length)
    // A Maildir holds lines that end in LF: mbsync drops every CR. It adds a field of its own.
    const normal = (text: string): string =>
      sha256(Buffer.from(text.replace(/^X-TUID: .*\n/m, '').replaceAll('\r', ''), 'latin1'))
    assert.deepEqual(
      first.map((path) => normal(readFileSync(join(maildir, path), 'latin1'))).sort(),
      messages.map(({ content }) => normal(content.toString('latin1'))).sort(),
    )
    await exec('mbsync', ['-c', config, '-a'])
    assert.deepEqual(files().sort(), first.sort())
  })

  it('mutt opens a mailbox, reads every header and copies messages out of it', {
    skip: programMissing('mutt', '-v', 'mutt'),
  }, async () => {
    const home = join(folder.path, 'mutt-home')
    // Without this folder mutt asks whether to make it.
    mkdirSync(join(home, 'Mail'), { recursive: true })
    const copy = join(home, 'copy')
    const url = `imap://${user}@127.0.0.1:${ports.imap}/`
    const listed = await exec('curl', ['-s', '-u', `${user}:${password}`, `imap://127.0.0.1:${ports.imap}/`])
    const mailbox = /"\/" (Bounces\/Hard\/\S+)/.exec(listed.stdout)?.[1]
    assert.ok(mailbox, listed.stdout)
    const rc = join(home, 'muttrc')
    writeFileSync(
      rc,
      `set imap_pass='${password}'
set ssl_starttls=no
set ssl_force_tls=no
set mbox_type=Maildir
set confirmcreate=no
set confirmappend=no
set copy=no
set move=no
set delete=no
set quit=yes
set resolve=no
push "${`<copy-message><kill-line>${copy}<enter><next-entry>`.repeat(3)}<quit>"
`,
    )
    // mutt wants a terminal.
    const { stdout } = await exec(
      'python3',
      [join(import.meta.dirname, 'terminal.py'), 'mutt', '-n', '-F', rc, '-f', `${url}${mailbox}`],
      {
        env: { ...process.env, HOME: home, TERM: 'xterm', LC_ALL: 'C.UTF-8' },
        timeout: 30_000,
      },
    )
    const status = await exec('curl', [
      '-s',
      '-u',
      `${user}:${password}`,
      '-X',
      `STATUS "${mailbox}" (MESSAGES)`,
      `imap://127.0.0.1:${ports.imap}/`,
    ])
    const count = Number(/MESSAGES (\d+)/.exec(status.stdout)?.[1])
    assert.ok(count > 3)
    assert.match(stdout, new RegExp(`headers\\.\\.\\. 0/${count} `))
    // mutt writes lines that end in LF, and adds fields of its own at the end of the header.
    const known = new Set(messages.map(({ content }) => content.toString('latin1').replaceAll('\r', '')))
    const copied = readdirSync(join(copy, 'new')).map((name) =>
      readFileSync(join(copy, 'new', name), 'latin1').replace(
        /^(?:Status: R?O|Content-Length: \d+|Lines: \d+)\n/gm,
        '',
      ),
    )
    assert.equal(copied.length, 3)
    for (const text of copied) assert.ok(known.has(text), text)
  })

  it('a client that idles hears of new mail', async () => {
    const client = new ImapFlow({
      host: '127.0.0.1',
      port: ports.imaps,
      secure: true,
      tls: { rejectUnauthorized: false },
      auth: { user, pass: password },
      logger: false,
    })
    await client.connect()
    try {
      const mailbox = (await client.list()).find(({ path }) => path.startsWith('Unknown/'))?.path ?? ''
      const { exists } = await client.mailboxOpen(mailbox)
      const heard = new Promise<{ count: number }>((resolve) => client.once('exists', resolve))
      const idle = client.idle()
      // The second of the messages is one that no rule knows.
      await sendAll(ports.smtp, messages.slice(0, 1))
      assert.equal((await heard).count, exists + 1)
      await client.noop()
      await idle
      const status = await client.status(mailbox, { messages: true })
      assert.equal(status !== false && status.messages, exists + 1)
    } finally {
      client.close()
    }
  })
})
