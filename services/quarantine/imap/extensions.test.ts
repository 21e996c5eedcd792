/** Folders, and what the extensions of IMAP add, command by command. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { createDeflateRaw, createInflateRaw } from 'node:zlib'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { mailbox, startFacade } from '#lib/testing/imap.ts'
import { until } from '#lib/testing/wait.ts'
import { hashPassword } from './accounts.ts'

const message = (subject: string, more = ''): string =>
  `From: A <a@b.example>\r\nSubject: ${subject}\r\nDate: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <${subject.replace(/\W/g, '')}@b.example>\r\n${more}\r\nHello ${subject}\r\n`

describe('folders', { timeout: 60_000 }, () => {
  it('are made, filled, renamed and removed, and hold what the store forgets', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(message('one'), message('two'), message('three'))
    using session = await facade.open()
    assert.match(await session.ask('CREATE Work/2026'), /OK \[MAILBOXID \(F/)
    assert.match(await session.ask('CREATE Work/2026'), /NO \[ALREADYEXISTS\]/)
    assert.match(await session.ask('CREATE Bounces/Mine'), /NO \[CANNOT\]/)
    assert.match(await session.ask('CREATE "a//b"'), /NO \[CANNOT\]/)
    assert.match(await session.ask('LIST "" "Work*"'), /\\HasChildren\) "\/" Work\r\n[\s\S]*"\/" Work\/2026/)
    await session.ask(`SELECT ${mailbox}`)
    assert.match(await session.ask('UID COPY 1:2 Work/2026'), /OK \[COPYUID \d+ 1:2 \d+(?::|,)\d+\]/)
    assert.match(await session.ask('COPY 1 Nowhere'), /NO \[TRYCREATE\]/)
    assert.match(await session.ask(`COPY 1 ${mailbox}`), /NO \[CANNOT\]/)
    assert.match(await session.ask('UID MOVE 3 Hold'), /\* OK \[COPYUID [^\]]*\] moved\r\n\* 3 EXPUNGE\r\n/)
    assert.match(await session.ask('STATUS Hold (MESSAGES SIZE UIDNEXT)'), /MESSAGES 1 SIZE \d{2,}/)
    const events = await ports.decoded('mail.events', 'event')
    assert.ok(events.some(({ type, messageId }) => type === 'held' && messageId === 'm2'))
    // The segments go; what was copied stays.
    for (const { key } of await ports.objects.list('quarantine/', { limit: 10 })) await ports.objects.remove(key)
    assert.match(await session.ask('SELECT Hold'), /\* 1 EXISTS/)
    assert.ok((await session.ask('FETCH 1 (BODY.PEEK[] EMAILID)')).includes('Hello three'))
    assert.match(await session.ask('STORE 1 +FLAGS (\\Deleted $Later)'), /\\Deleted \$Later/)
    assert.match(await session.ask('EXPUNGE'), /\* 1 EXPUNGE/)
    assert.equal((await ports.objects.list('hold/', { limit: 10 })).length, 0)
    assert.match(await session.ask('RENAME Work Job'), /NO \[NONEXISTENT\]/)
    assert.match(await session.ask('RENAME Work/2026 Job'), /OK/)
    assert.match(await session.ask('SELECT Job'), /\* 2 EXISTS/)
    assert.match(await session.ask('UNSUBSCRIBE Job'), /OK/)
    assert.doesNotMatch(await session.ask('LSUB "" *'), /Job/)
    assert.match(await session.ask('DELETE Job'), /OK/)
    assert.match(await session.ask('SELECT Job'), /NO \[NONEXISTENT\]/)
    assert.match(await session.ask('DELETE Hold'), /NO \[CANNOT\]/)
  })

  it('keep what they know of a message when reading it marks it', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(message('kept'))
    using session = await facade.open()
    await session.ask('CREATE Kept')
    await session.ask(`SELECT ${mailbox}`)
    await session.ask('COPY 1 Kept')
    await session.ask('SELECT Kept')
    const asked = 'FETCH 1 (ENVELOPE BODYSTRUCTURE PREVIEW BODY.PEEK[HEADER.FIELDS (SUBJECT)])'
    const before = (await session.ask(asked)).replaceAll(/^\w+ OK/gm, '')
    assert.match(before, /PREVIEW "Hello kept"/)
    assert.match(await session.ask('FETCH 1 (UID BODY[])'), /Hello kept/)
    assert.match(await session.ask('FETCH 1 (FLAGS)'), /\\Seen/)
    assert.equal((await session.ask(asked)).replaceAll(/^\w+ OK/gm, ''), before)
    assert.match(await session.ask('SEARCH SUBJECT kept'), /SEARCH 1\r\n/)
    const kept = (await ports.decoded('mail.folders', 'folder')).filter(({ type }) => type === 'message')
    assert.equal(kept.length, 2)
    // The first is told before it has a UID.
    const [first, last] = kept.map(({ at: _at, flags: _flags, uid: _uid, ...rest }) => rest)
    assert.deepEqual(last, first)
  })

  it('take what a mail program brings, names in any language, and no more than their quota', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports, { IMAP_QUOTA_BYTES: '1048576' })
    using session = await facade.open()
    assert.match(await session.ask('CREATE "Entw&APw-rfe"'), /OK/)
    assert.match(await session.ask('LIST "" Ent*'), /"Entw&APw-rfe"|Entw&APw-rfe/)
    const content = message('brought')
    session.say(
      `a APPEND "Entw&APw-rfe" (\\Seen $Mine) "24-Nov-2026 13:00:00 +0100" {${content.length}+}\r\n${content}\r\n`,
    )
    assert.match(await session.hear(/^a /), /a OK \[APPENDUID \d+ \d+\]/)
    assert.match(await session.ask('SELECT "Entw&APw-rfe"'), /\* 1 EXISTS/)
    const told = await session.ask('FETCH 1 (FLAGS INTERNALDATE ENVELOPE BODY.PEEK[] PREVIEW)')
    assert.ok(
      told.includes('FLAGS (\\Seen $Mine)') && told.includes('24-Nov-2026 12:00:00 +0000') && told.includes(content),
    )
    assert.match(told, /PREVIEW "Hello brought"/)
    const large = 'x'.repeat(1_100_000)
    session.say(`b APPEND "Entw&APw-rfe" {${large.length}+}\r\n${large}\r\n`)
    assert.match(await session.hear(/^b /), /b NO \[OVERQUOTA\]/)
    assert.match(
      await session.ask('GETQUOTAROOT "Entw&APw-rfe"'),
      /QUOTAROOT [^\r]* ""\r\n\* QUOTA "" \(STORAGE 1 1024\)/,
    )
    // Another replica reads the folders from the log.
    assert.match(await session.ask('ENABLE IMAP4rev2'), /\* ENABLED IMAP4rev2/)
    assert.match(await session.ask('LIST "" Ent*'), /Entw\xc3\xbcrfe/)
    assert.match(await session.ask('SELECT "Entwürfe"'), /\* LIST \(\) "\/" \{9\}\r\nEntw\xc3\xbcrfe\r\n/)
  })
})

describe('an extension', { timeout: 60_000 }, () => {
  it('CONDSTORE and QRESYNC: what changed, what is gone, and no overwriting of others', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(message('1'), message('2'), message('3'), message('4'))
    using one = await facade.open()
    const selected = await one.ask(`SELECT ${mailbox} (CONDSTORE)`)
    const highest = Number(/HIGHESTMODSEQ (\d+)/.exec(selected)?.[1])
    assert.match(
      await one.ask('STORE 2 +FLAGS (\\Flagged)'),
      /\* 2 FETCH \(UID 2 FLAGS \([^)]*\\Flagged\) MODSEQ \(\d+\)\)/,
    )
    assert.match(
      await one.ask(`UID FETCH 1:* (FLAGS) (CHANGEDSINCE ${highest})`),
      /^\* 2 FETCH \(UID 2 FLAGS[^\n]*MODSEQ[^\n]*\r\nt\d+ OK/,
    )
    assert.match(await one.ask(`STORE 1:2 (UNCHANGEDSINCE ${highest}) +FLAGS (\\Seen)`), /OK \[MODIFIED 2\]/)
    assert.match(await one.ask(`SEARCH MODSEQ ${highest + 1}`), /\* SEARCH 1 2 \(MODSEQ \d+\)/)
    await one.ask('UID STORE 3 +FLAGS.SILENT (\\Deleted)')
    assert.match(await one.ask('EXPUNGE'), /OK \[HIGHESTMODSEQ \d+\]/)
    using two = await facade.open()
    assert.match(await two.ask(`SELECT ${mailbox} (QRESYNC (1 1))`), /BAD enable QRESYNC/)
    assert.match(await two.ask('ENABLE QRESYNC'), /\* ENABLED QRESYNC/)
    const validity = /UIDVALIDITY (\d+)/.exec(selected)?.[1]
    const back = await two.ask(`SELECT ${mailbox} (QRESYNC (${validity} ${highest} 1:4))`)
    assert.match(back, /\* VANISHED \(EARLIER\) 3\r\n/)
    assert.match(back, /\* 2 FETCH \(UID 2 FLAGS \([^)]*\\Flagged\) MODSEQ/)
    assert.doesNotMatch(back, /FETCH \(UID 4/)
    await one.ask('UID STORE 4 +FLAGS.SILENT (\\Deleted)')
    await one.ask('UID EXPUNGE 4')
    assert.match(await two.ask('NOOP'), /\* VANISHED 4\r\n/)
  })

  it('ESEARCH, SEARCHRES, PARTIAL: results by range, saved, in pages', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(...Array.from({ length: 6 }, (_, n) => message(`subject ${n}`)))
    using session = await facade.open()
    await session.ask(`SELECT ${mailbox}`)
    assert.match(
      await session.ask('SEARCH RETURN (MIN MAX COUNT ALL) 2:5'),
      /\* ESEARCH \(TAG "t\d+"\) MIN 2 MAX 5 ALL 2:5 COUNT 4/,
    )
    assert.match(await session.ask('UID SEARCH RETURN () NOT 3'), /\* ESEARCH \(TAG "t\d+"\) UID ALL 1:2,4:6/)
    assert.match(await session.ask('SEARCH RETURN (SAVE) SUBJECT "subject 2"'), /^t\d+ OK/)
    assert.match(await session.ask('FETCH $ UID'), /^\* 3 FETCH \(UID 3\)\r\nt/)
    assert.match(await session.ask('SEARCH NOT $'), /\* SEARCH 1 2 4 5 6/)
    assert.match(await session.ask('SEARCH RETURN (PARTIAL -1:-2) ALL'), /PARTIAL \(-1:-2 5:6\)/)
    assert.match(
      await session.ask('UID FETCH 1:* (FLAGS) (PARTIAL 2:3)'),
      /^\* 2 FETCH[^\n]*\n\* 3 FETCH[^\n]*\nt\d+ OK/,
    )
    assert.match(await session.ask('ENABLE IMAP4rev2'), /ENABLED/)
    assert.match(await session.ask('SEARCH ALL'), /\* ESEARCH \(TAG "t\d+"\) ALL 1:6/)
  })

  it('SORT and THREAD: by base subject, date and references', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    const dated = (subject: string, day: number, id: string, more = ''): string =>
      `From: z${9 - day}@b.example\r\nSubject: ${subject}\r\nDate: ${day} Nov 2026 12:00:00 +0000\r\nMessage-ID: <${id}>\r\n${more}\r\nx\r\n`
    await facade.store(
      dated('beta', 3, 'b@x'),
      dated('Re: [list] alpha', 2, 'r@x', 'In-Reply-To: <a@x>\r\n'),
      dated('alpha', 1, 'a@x'),
      dated('gamma', 4, 'g@x', 'References: <lost@x> <r@x>\r\n'),
    )
    using session = await facade.open()
    const folder = /"\/" (\S+\/2026-11-24)/.exec(await session.ask('LIST "" *'))?.[1] ?? mailbox
    await session.ask(`SELECT ${mailbox}`)
    const count = Number(/(\d+) EXISTS/.exec(await session.ask(`SELECT ${mailbox}`))?.[1])
    // Answers are of another kind: they stand in another mailbox; all four go into one folder.
    assert.ok(count > 0 && folder !== '')
    await session.ask('CREATE All')
    for (const name of [mailbox, 'Replies/2026-11-24']) {
      await session.ask(`SELECT ${name}`)
      await session.ask('COPY 1:* All')
    }
    await session.ask('SELECT All')
    const order = async (command: string): Promise<string> => {
      const [, numbers = ''] = /\* SORT ([\d ]+)/.exec(await session.ask(command)) ?? []
      const subjects: string[] = []
      for (const number of numbers.split(' ')) {
        subjects.push(
          /Subject: (?:Re: \[list\] )?(\w+)/.exec(
            await session.ask(`FETCH ${number} BODY.PEEK[HEADER.FIELDS (SUBJECT)]`),
          )?.[1] ?? '',
        )
      }
      return subjects.join(' ')
    }
    assert.equal(await order('SORT (SUBJECT DATE) UTF-8 ALL'), 'alpha alpha beta gamma')
    assert.equal(await order('SORT (REVERSE DATE) UTF-8 ALL'), 'gamma beta alpha alpha')
    assert.equal(await order('SORT (FROM) US-ASCII ALL'), 'gamma beta alpha alpha')
    assert.match(await session.ask('UID SORT RETURN (COUNT) (ARRIVAL) UTF-8 ALL'), /ESEARCH \(TAG "t\d+"\) UID COUNT 4/)
    assert.match(await session.ask('THREAD REFERENCES UTF-8 ALL'), /\* THREAD \(\d \d \d\)\(\d\)/)
    assert.match(await session.ask('THREAD ORDEREDSUBJECT UTF-8 ALL'), /\* THREAD \(\d \d\)\(\d\)\(\d\)/)
  })

  it('LIST-EXTENDED, LIST-STATUS, SPECIAL-USE, STATUS=SIZE, OBJECTID', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(message('x'))
    using session = await facade.open()
    assert.match(await session.ask('LIST (SPECIAL-USE) "" *'), /^\* LIST \(\\HasNoChildren \\Archive\) "\/" Hold\r\nt/)
    assert.match(
      await session.ask('LIST (SUBSCRIBED RECURSIVEMATCH) "" % RETURN (CHILDREN)'),
      /\* LIST \(\\NonExistent \\HasChildren\) "\/" Unknown \("CHILDINFO" \("SUBSCRIBED"\)\)/,
    )
    assert.match(
      await session.ask('LIST "" (INBOX Unknown/*) RETURN (STATUS (MESSAGES SIZE DELETED MAILBOXID))'),
      /\* STATUS INBOX \(MESSAGES 0 SIZE 0 DELETED 0 MAILBOXID \([\w-]+\)\)[\s\S]*\* STATUS Unknown\/2026-11-24 \(MESSAGES 1 SIZE \d+ DELETED 0/,
    )
    await session.ask(`SELECT ${mailbox}`)
    assert.match(await session.ask('FETCH 1 (EMAILID THREADID)'), /EMAILID \(m0\) THREADID NIL/)
    assert.match(await session.ask('SEARCH EMAILID m0'), /\* SEARCH 1/)
  })

  it('BINARY gives parts without their encoding, NULs included', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    const encoded = Buffer.from('a\0b').toString('base64')
    await facade.store(
      `Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n${encoded}\r\n--b\r\nContent-Transfer-Encoding: x-odd\r\n\r\nz\r\n--b--\r\n`,
    )
    using session = await facade.open()
    await session.ask(`SELECT ${mailbox}`)
    assert.ok(
      (await session.ask('FETCH 1 (BINARY.SIZE[1] BINARY.PEEK[1])')).includes(
        'BINARY.SIZE[1] 3 BINARY[1] ~{3}\r\na\0b)',
      ),
    )
    assert.match(await session.ask('FETCH 1 BINARY.PEEK[1]<1.1>'), /BINARY\[1\]<1> ~\{1\}/)
    assert.match(await session.ask('FETCH 1 BINARY[2]'), /NO \[UNKNOWN-CTE\]/)
  })

  it('UIDONLY: no numbers go out or come in', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(message('1'), message('2'))
    using session = await facade.open()
    await session.ask('ENABLE UIDONLY')
    await session.ask(`SELECT ${mailbox}`)
    assert.match(await session.ask('FETCH 1 FLAGS'), /BAD \[UIDREQUIRED\]/)
    assert.match(await session.ask('UID FETCH 1:* (UID FLAGS)'), /\* 1 UIDFETCH \(FLAGS \([^)]*\)\)\r\n\* 2 UIDFETCH/)
    assert.match(await session.ask('UID STORE 1 +FLAGS (\\Deleted)'), /\* 1 UIDFETCH \(FLAGS \([^)]*\\Deleted/)
    assert.match(await session.ask('EXPUNGE'), /\* VANISHED 1\r\n/)
  })

  it('COMPRESS: the same dialogue, deflated, and commands split at each byte', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(message('small'))
    using session = await facade.open()
    assert.match(await session.ask('COMPRESS DEFLATE'), /OK/)
    const deflate = createDeflateRaw()
    const inflate = createInflateRaw()
    let heard = ''
    inflate.on('data', (chunk: Buffer) => {
      heard += chunk.toString('latin1')
    })
    session.socket.removeAllListeners('data')
    session.socket.on('data', (text: string) => inflate.write(Buffer.from(text, 'latin1')))
    deflate.on('data', (chunk: Buffer) => {
      for (const byte of chunk) session.socket.write(Buffer.from([byte]))
    })
    const say = (text: string): Promise<void> =>
      new Promise((resolve) => {
        deflate.write(text)
        deflate.flush(() => resolve())
      })
    await say(`c1 SELECT ${mailbox}\r\nc2 FETCH 1 BODY.PEEK[]\r\n`)
    for (let wait = 0; !/^c2 OK/m.test(heard) && wait < 200; wait++)
      await new Promise((resolve) => setTimeout(resolve, 20))
    assert.ok(heard.includes('Hello small'), heard)
  })

  it('accounts of a file: hashes, what they may see, and whether they may change it', async () => {
    await using ports = await openTestPorts()
    const path = join(ports.folder, 'accounts')
    writeFileSync(path, `# who may read\nanna ${await hashPassword('pass of anna')} read-only tops=Unknown\n`)
    await using facade = await startFacade(ports, { IMAP_ACCOUNTS: path })
    await facade.store(
      message('x'),
      'From: MAILER-DAEMON@x.example\r\nSubject: Undelivered Mail\r\n\r\n<a@b.example>: 550 5.1.1 user unknown\r\n',
    )
    using session = await facade.open(false)
    assert.match(await session.ask('LOGIN anna wrong'), /NO \[AUTHENTICATIONFAILED\]/)
    assert.match(await session.ask('LOGIN anna "pass of anna"'), /OK/)
    const listed = await session.ask('LIST "" *')
    assert.match(listed, /Unknown/)
    assert.doesNotMatch(listed, /Bounces|Hold/)
    assert.match(await session.ask('SELECT Bounces/Hard/2026-11-24'), /NO \[NONEXISTENT\]/)
    assert.match(await session.ask(`SELECT ${mailbox}`), /\[READ-ONLY\]/)
    assert.match(await session.ask('STORE 1 +FLAGS (\\Seen)'), /NO \[READ-ONLY\]/)
    assert.match(await session.ask('CREATE Unknown/x'), /NO/)
    assert.match(await session.ask('FETCH 1 BODY[]'), /Hello x/)
    await until('the event', async () =>
      (await ports.decoded('mail.events', 'event')).some(
        ({ type, detail }) => type === 'read' && detail.startsWith('anna '),
      ),
    )
  })
})
