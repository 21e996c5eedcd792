import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Dialogue } from '#lib/testing/dialogue.ts'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { mailbox, startFacade } from '#lib/testing/imap.ts'
import { seeded } from '#lib/testing/random.ts'
import { until } from '#lib/testing/wait.ts'

describe('the IMAP facade', () => {
  it('shows what is stored, by parts and ranges, and new mail as it comes', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    const content = 'Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nFrom: A <a@b.example>\r\n\r\nline one\r\nline two\r\n'
    await facade.store(content, 'no header at all\r\n')
    using session = await facade.open()
    assert.match(await session.ask(`SELECT ${mailbox}`), /\* 2 EXISTS[\s\S]*UIDVALIDITY[\s\S]*READ-WRITE/)
    const whole = await session.ask('FETCH 1 BODY.PEEK[]')
    assert.ok(whole.includes(`BODY[] {${content.length}}\r\n${content})`), whole)
    assert.match(
      await session.ask('FETCH 1 (RFC822.SIZE BODY.PEEK[TEXT]<5.3>)'),
      new RegExp(`RFC822.SIZE ${content.length}[\\s\\S]*BODY\\[TEXT\\]<5> \\{3\\}\r\none`),
    )
    assert.match(await session.ask('UID SEARCH FROM a@b.example SUBJECT "grüße"'), /\* SEARCH 1\r\n/)
    assert.match(await session.ask('SEARCH BODY "line two"'), /\* SEARCH 1\r\n/)
    assert.match(
      await session.ask('SEARCH NOT BODY "line two" SINCE 24-Nov-2026 BEFORE 25-Nov-2026'),
      /\* SEARCH 2\r\n/,
    )
    await facade.store('Subject: new\r\n\r\nx\r\n')
    assert.match(await session.ask('NOOP'), /\* 3 EXISTS/)
    assert.match(await session.ask('FETCH 1 FLAGS'), /FLAGS \([^)]*\)/)
    assert.match(await session.ask('FETCH 1 BODY[]'), /BODY\[\]/)
    assert.match(await session.ask('FETCH 1 FLAGS'), /\\Seen/)
  })

  it('deletes and expunges, for other sessions too, without moving numbers under a FETCH', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store('a\r\n', 'b\r\n', 'c\r\n')
    using one = await facade.open()
    using two = await facade.open()
    await one.ask(`SELECT ${mailbox}`)
    await two.ask(`SELECT ${mailbox}`)
    assert.match(await one.ask('STORE 2 +FLAGS.SILENT (\\Deleted)'), /^t\d+ OK/m)
    assert.match(await one.ask('EXPUNGE'), /\* 2 EXPUNGE/)
    assert.doesNotMatch(await two.ask('FETCH 3 UID'), /EXPUNGE/)
    assert.match(await two.ask('FETCH 3 UID'), /\* 3 FETCH \(UID 3\)/)
    assert.match(await two.ask('NOOP'), /\* 2 EXPUNGE/)
    assert.match(await two.ask('UID FETCH 1:* UID'), /\* 2 FETCH \(UID 3\)/)
  })

  it('asks for a login, under TLS or on loopback, and slows down who guesses', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    using session = await facade.open(false)
    assert.match(await session.ask(`SELECT ${mailbox}`), /BAD log in first/)
    const before = Date.now()
    assert.match(await session.ask('LOGIN reader wrong'), /NO \[AUTHENTICATIONFAILED\]/)
    assert.ok(Date.now() - before >= 900)
    assert.match(
      await session.ask(`AUTHENTICATE PLAIN ${Buffer.from('\0reader\0secret word').toString('base64')}`),
      /OK/,
    )
    assert.match(await session.ask(`EXAMINE ${mailbox}`), /NO/)
  })

  it('answers BAD to what it does not understand, bounds lines and literals, and lives', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store('Subject: x\r\n\r\ny\r\n')
    using session = await facade.open()
    await session.ask(`SELECT ${mailbox}`)
    for (const command of [
      'XYZZY',
      'FETCH',
      'FETCH 0 UID',
      'FETCH 1 (UID',
      'FETCH 1:2:3 UID',
      'FETCH 99999999999999999999 UID',
      'FETCH 1 BODY[99999999999.1.MIME.TEXT]',
      'SEARCH CHARSET x-none ALL',
      'SEARCH (((((((',
      'STORE 1 FLAGS',
      'LIST "',
      'UID',
    ]) {
      assert.match(await session.ask(command), /^t\d+ (?:BAD|NO) /m, command)
    }
    assert.match(await session.ask(`SEARCH ${'NOT '.repeat(5_000)}ALL`), /^t\d+ (?:BAD|NO|OK) /m)
    using fresh = await facade.open()
    assert.match(await fresh.ask('FETCH 1 {99999999999}'), /BAD/)
    const long = await facade.open(false)
    long.say(Buffer.alloc(3_000_000, 'x'))
    await long.end()
    const random = seeded(4)
    const words = [
      'FETCH',
      'SEARCH',
      'UID ',
      'STORE',
      '1:*',
      '(',
      ')',
      '[',
      ']',
      '<',
      '>',
      '"',
      '\\Seen',
      'BODY',
      'HEADER.FIELDS',
      '{3}\r\nabc',
      '{3+}\r\nabc',
      '\0',
      ' ',
      ' ',
      '*',
      'CHARSET',
      'OR',
      'NOT',
    ]
    using fuzz = await facade.open()
    await fuzz.ask(`SELECT ${mailbox}`)
    for (let round = 0; round < 15; round++) {
      const text = Array.from({ length: 1 + random.next(12) }, () => words[random.next(words.length)]).join('')
      fuzz.say(`f${round} ${text}\r\n`)
    }
    using last = await facade.open()
    assert.match(await last.ask('NOOP'), /OK/)
    assert.match(await last.ask(`STATUS ${mailbox} (MESSAGES)`), /MESSAGES 1/)
  })

  it('says so where the store has a message no more, and goes on', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store('Subject: x\r\n\r\ny\r\n')
    for (const { key } of await ports.objects.list('quarantine/', { limit: 10 })) await ports.objects.remove(key)
    using session = await facade.open()
    await session.ask(`SELECT ${mailbox}`)
    assert.match(await session.ask('FETCH 1 BODY[]'), /^t\d+ NO/m)
    assert.match(await session.ask('FETCH 1 (UID ENVELOPE)'), /ENVELOPE \(NIL "x"/)
  })

  it('gives every replica the same UIDs, and its own writes to each session at once', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store('Subject: 1\r\n\r\n1\r\n', 'Subject: 2\r\n\r\n2\r\n')
    const other = await facade.replica()
    using session = await facade.open()
    const selected = await session.ask(`SELECT ${mailbox}`)
    await session.ask('STORE 1 +FLAGS (\\Flagged)')
    using second = await Dialogue.open(other.port)
    second.say(`a LOGIN reader "secret word"\r\nb SELECT ${mailbox}\r\n`)
    const answer = await second.hear(/^b /)
    const validity = /UIDVALIDITY \d+/.exec(selected)?.[0] ?? 'none'
    assert.ok(answer.includes(validity))
    await until('the flag', async () => {
      second.say('c UID FETCH 1:* (FLAGS)\r\n')
      return /UID 1 FLAGS \([^)]*\\Flagged|FLAGS \([^)]*\\Flagged[^)]*\) UID 1/.test(await second.hear(/^c /))
    })
  })
})
