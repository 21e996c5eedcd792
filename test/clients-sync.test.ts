/** Mail programs that keep a copy of a mailbox and bring changes back: mbsync, offlineimap, getmail, fetchmail. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { mailbox, startFacade } from '#lib/testing/imap.ts'
import { programMissing } from '#lib/testing/programs.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'

const exec = promisify(execFile)
const mail = (n: number): string =>
  `From: user${n}@a.example\r\nTo: box@b.example\r\nSubject: message ${n}\r\nDate: ${10 + n} Nov 2026 12:00:00 +0000\r\nMessage-ID: <sync${n}@a.example>\r\n\r\nbody ${n}\r\n`

const filesIn = (maildir: string): string[] =>
  readdirSync(maildir, { recursive: true, encoding: 'utf8' })
    .filter((path) => /(?:^|\/)(?:new|cur)\/./.test(path))
    .sort()
const user = 'reader'
const password = 'secret word'

/** A facade with three messages, which stand in a folder of people's own, too. */
async function withBox(work: (facade: Awaited<ReturnType<typeof startFacade>>, folder: string) => Promise<void>) {
  using folder = temporaryFolder()
  await using ports = await openTestPorts()
  await using facade = await startFacade(ports)
  await facade.store(mail(1), mail(2), mail(3))
  using session = await facade.open()
  await session.ask('CREATE Box')
  await session.ask(`SELECT ${mailbox}`)
  await session.ask('COPY 1:3 Box')
  await work(facade, folder.path)
}

describe('a program that syncs', { timeout: 120_000 }, () => {
  it(
    'mbsync brings flags, new messages and deletions both ways',
    { skip: programMissing('mbsync', '--version', 'isync') },
    () =>
      withBox(async ({ imap, open }, folder) => {
        const maildir = join(folder, 'maildir')
        mkdirSync(maildir)
        const config = join(folder, 'mbsyncrc')
        writeFileSync(
          config,
          `IMAPAccount m\nHost 127.0.0.1\nPort ${imap.port}\nUser ${user}\nPass "${password}"\nSSLType None\nAuthMechs PLAIN\n
IMAPStore far\nAccount m\n\nMaildirStore near\nPath ${maildir}/\nInbox ${maildir}/INBOX\nSubFolders Verbatim\n
Channel box\nFar :far:\nNear :near:\nPatterns Box\nCreate Both\nExpunge Both\nSync All\nSyncState *\n`,
        )
        const sync = async (): Promise<void> => {
          const { stderr } = await exec('mbsync', ['-c', config, '-a'])
          assert.doesNotMatch(stderr, /warning|error/i)
        }
        await sync()
        const box = join(maildir, 'Box')
        const first = filesIn(box)
        assert.equal(first.length, 3)
        // A flag from here, one from there, a message that is new here, and one that is gone here.
        const named = (n: number): string =>
          filesIn(box).find((path) => readFileSync(join(box, path), 'latin1').includes(`Subject: message ${n}\n`)) ?? ''
        const flagged = named(1)
        renameSync(join(box, flagged), join(box, flagged.replace(/^new/, 'cur').replace(/(?::2,\w*)?$/, ':2,FS')))
        rmSync(join(box, named(3)))
        writeFileSync(join(box, 'new', '1.local.host'), mail(4).replaceAll('\r', ''))
        using session = await open()
        await session.ask('SELECT Box')
        await session.ask('STORE 2 +FLAGS (\\Answered)')
        await sync()
        await session.ask('NOOP')
        const told = await session.ask('FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
        assert.match(told, /\* 1 FETCH \(FLAGS \((?=[^)]*\\Flagged)(?=[^)]*\\Seen)/)
        assert.match(told, /Subject: message 4/)
        assert.doesNotMatch(told, /Subject: message 3/)
        assert.match(named(2), /:2,\w*R/)
        await session.ask('UID STORE 1:* +FLAGS.SILENT (\\Deleted)')
        await session.ask('EXPUNGE')
        await sync()
        assert.deepEqual(filesIn(box), [])
      }),
  )

  it(
    'offlineimap syncs a folder, and changes nothing the second time',
    { skip: programMissing('offlineimap', '--version', 'offlineimap3') },
    () =>
      withBox(async ({ imap, open }, folder) => {
        const config = join(folder, 'offlineimaprc')
        writeFileSync(
          config,
          `[general]\naccounts = m\nmetadata = ${folder}/meta\n[Account m]\nlocalrepository = near\nremoterepository = far\n
[Repository near]\ntype = Maildir\nlocalfolders = ${folder}/off\n[Repository far]\ntype = IMAP\nremotehost = 127.0.0.1\nremoteport = ${imap.port}
remoteuser = ${user}\nremotepass = ${password}\nssl = no\nstarttls = no\nauth_mechanisms = PLAIN\nfolderfilter = lambda name: name == 'Box'\n`,
        )
        const environment = { ...process.env, HOME: folder }
        const sync = async (): Promise<string> =>
          (await exec('offlineimap', ['-o', '-u', 'basic', '-c', config], { env: environment, timeout: 60_000 })).stderr
        assert.doesNotMatch(await sync(), /warning|error|traceback/i)
        const box = join(folder, 'off', 'Box')
        assert.equal(filesIn(box).length, 3)
        using session = await open()
        await session.ask('SELECT Box')
        await session.ask('STORE 1 +FLAGS (\\Flagged \\Seen)')
        await sync()
        assert.equal(filesIn(box).filter((path) => /:2,FS$/.test(path)).length, 1)
        assert.match(await session.ask('STATUS Box (MESSAGES)'), /MESSAGES 3/)
      }),
  )

  it('getmail fetches every message once', { skip: programMissing('getmail', '--version', 'getmail6') }, () =>
    withBox(async ({ imap }, folder) => {
      const got = join(folder, 'got')
      // Its own deliveries refuse root, who runs the tests.
      writeFileSync(
        join(folder, 'getmailrc'),
        `[retriever]\ntype = SimpleIMAPRetriever\nserver = 127.0.0.1\nport = ${imap.port}\nusername = ${user}\npassword = ${password}\nmailboxes = ("Box", "${mailbox}")
[destination]\ntype = MDA_external\npath = /bin/sh\narguments = ("-c", "cat >> ${got}")\nallow_root_commands = true\nunixfrom = false\n[options]\nread_all = false\ndelivered_to = false\nreceived = false\n`,
      )
      const get = async (): Promise<number> => {
        await exec('getmail', ['--getmaildir', folder, '--rcfile', 'getmailrc'], {
          env: { ...process.env, HOME: folder },
        })
        return (readFileSync(got, 'latin1').match(/^Subject: message/gm) ?? []).length
      }
      assert.equal(await get(), 6)
      assert.equal(await get(), 6)
    }),
  )

  it('fetchmail fetches what is new', { skip: programMissing('fetchmail', '--version', 'fetchmail') }, () =>
    withBox(async ({ imap, open }, folder) => {
      const rc = join(folder, 'fetchmailrc')
      const taken = join(folder, 'taken')
      writeFileSync(
        rc,
        `set idfile "${folder}/ids"\npoll 127.0.0.1 service ${imap.port} protocol IMAP auth password user "${user}" password "${password}" folder Box sslproto '' keep mda "cat >> ${taken}"\n`,
      )
      chmodSync(rc, 0o600)
      const fetch = () =>
        exec('fetchmail', ['-f', rc, '--pidfile', join(folder, 'pid')], {
          env: { ...process.env, HOME: folder },
        }).catch(
          (error: { code?: number }) => assert.equal(error.code, 1), // 1: there was no new mail.
        )
      await fetch()
      assert.equal((readFileSync(taken, 'latin1').match(/^Subject: message/gm) ?? []).length, 3)
      await fetch()
      assert.equal((readFileSync(taken, 'latin1').match(/^Subject: message/gm) ?? []).length, 3)
      using session = await open()
      await session.ask('SELECT Box')
      assert.match(await session.ask('SEARCH UNSEEN'), /\* SEARCH\r/)
    }),
  )
})
