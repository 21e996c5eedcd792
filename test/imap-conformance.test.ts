/**
 * Commands with what RFC 9051, RFC 3501 and the extensions say has to come back, asked of the facade and of Dovecot: an expectation
 * that Dovecot does not meet is ours to mend. `only` marks what Dovecot 2.3 does not offer.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Dialogue } from '#lib/testing/dialogue.ts'
import { dovecotMissing, dovecotUser, startDovecot } from '#lib/testing/dovecot.ts'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { startFacade } from '#lib/testing/imap.ts'
import { freePort } from '#lib/testing/ports.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'

const multipart = [
  'From: "Smith, Jane" <jane@a.example>',
  'To: list:one@b.example,two@b.example;',
  'Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=',
  'Date: Tue, 24 Nov 2026 12:00:00 +0100',
  'Message-ID: <multi@a.example>',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="b"',
  '',
  '--b',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'first part',
  '--b',
  'Content-Type: message/rfc822',
  '',
  'Subject: inner',
  'From: inner@c.example',
  '',
  'inner text',
  '--b',
  'Content-Type: application/octet-stream; name="x.bin"',
  'Content-Disposition: attachment; filename="x.bin"',
  'Content-Transfer-Encoding: base64',
  '',
  'AAEC',
  '--b--',
  '',
].join('\r\n')
const plain = (n: number): string =>
  `From: user${n}@a.example\r\nTo: box@b.example\r\nSubject: plain ${n}\r\nDate: ${10 + n} Nov 2026 12:00:00 +0000\r\nMessage-ID: <p${n}@a.example>\r\n\r\nbody number ${n}\r\n`
const messages: readonly (readonly [string, string])[] = [
  [multipart, '(\\Seen)'],
  [plain(1), '()'],
  [plain(2), '(\\Flagged $Label)'],
  [plain(3), '(\\Deleted)'],
]

type Step = {
  /** RFC and section. */
  readonly by: string
  readonly say: string
  readonly expect: RegExp
  readonly not?: RegExp
  readonly only?: 'ours'
}

/** One after the other in one session. */
const steps: readonly Step[] = [
  { by: '9051 6.1.1', say: 'CAPABILITY', expect: /^\* CAPABILITY [^\r\n]*IMAP4rev1/m },
  { by: '9051 6.3.2', say: 'SELECT Nothing', expect: /^t NO /m },
  { by: '9051 6.3.2', say: 'SELECT Box', expect: /\* 4 EXISTS[\s\S]*UIDVALIDITY \d+[\s\S]*^t OK \[READ-WRITE\]/m },
  {
    by: '9051 6.3.2',
    say: 'SELECT Box',
    expect: /\* FLAGS \([^)]*\\Deleted[^)]*\)[\s\S]*PERMANENTFLAGS \([^)]*\\\*\)/,
  },
  { by: '7162 3.1.2.1', say: 'SELECT Box (CONDSTORE)', expect: /HIGHESTMODSEQ \d+/ },
  { by: '9051 6.3.3', say: 'EXAMINE Box', expect: /^t OK \[READ-ONLY\]/m },
  // Dovecot says OK and changes nothing.
  { by: '9051 6.4.6', say: 'STORE 1 +FLAGS (\\Flagged)', expect: /^t NO /m, only: 'ours' },
  { by: '9051 6.3.2', say: 'SELECT Box', expect: /^t OK/m },
  { by: '9051 6.4.5', say: 'FETCH 1 (FLAGS)', expect: /^\* 1 FETCH \([^\r]*FLAGS \([^)]*\\Seen/m },
  { by: '9051 6.4.5', say: 'FETCH 1 RFC822.SIZE', expect: new RegExp(`RFC822.SIZE ${multipart.length}\\)`) },
  { by: '9051 6.4.5', say: 'FETCH 1 BODY.PEEK[1]', expect: /BODY\[1\] \{\d+\}\r\nfirst part/ },
  { by: '9051 6.4.5', say: 'FETCH 1 BODY.PEEK[2.HEADER]', expect: /BODY\[2\.HEADER\] \{\d+\}\r\nSubject: inner\r\n/ },
  { by: '9051 6.4.5', say: 'FETCH 1 BODY.PEEK[2.TEXT]', expect: /BODY\[2\.TEXT\] \{\d+\}\r\ninner text/ },
  { by: '9051 6.4.5', say: 'FETCH 1 BODY.PEEK[2.1]', expect: /BODY\[2\.1\] \{\d+\}\r\ninner text/ },
  {
    by: '9051 6.4.5',
    say: 'FETCH 1 BODY.PEEK[3.MIME]',
    expect: /BODY\[3\.MIME\] \{\d+\}\r\nContent-Type: application\/octet-stream/,
  },
  { by: '9051 6.4.5', say: 'FETCH 2 BODY.PEEK[1]', expect: /BODY\[1\] \{15\}\r\nbody number 1\r\n/ },
  { by: '9051 6.4.5', say: 'FETCH 1 BODY.PEEK[9]', expect: /BODY\[9\] (?:NIL|\{0\}|"")/ },
  { by: '9051 6.4.5', say: 'FETCH 2 BODY.PEEK[]<0.5>', expect: /BODY\[\]<0> \{5\}\r\nFrom:/ },
  { by: '9051 6.4.5', say: 'FETCH 2 BODY.PEEK[]<9999.5>', expect: /BODY\[\]<9999> (?:\{0\}|"")/ },
  { by: '9051 6.4.5', say: 'FETCH 2 BODY.PEEK[HEADER.FIELDS (SUBJECT X-None)]', expect: /Subject: plain 1\r\n\r\n/ },
  {
    by: '9051 6.4.5',
    say: 'FETCH 2 BODY.PEEK[HEADER.FIELDS.NOT (FROM TO DATE MESSAGE-ID)]',
    expect: /\r\nSubject: plain 1\r\n\r\n/,
    not: /From:/,
  },
  {
    by: '9051 7.5.2',
    say: 'FETCH 1 ENVELOPE',
    expect:
      /ENVELOPE \("Tue, 24 Nov 2026 12:00:00 \+0100" "=\?utf-8\?q\?gr=C3=BC=C3=9Fe\?=" \(\("Smith, Jane" NIL "jane" "a\.example"\)\) \(\("Smith, Jane" NIL "jane" "a\.example"\)\) \(\("Smith, Jane" NIL "jane" "a\.example"\)\) \(\(NIL NIL "list" NIL\)\(NIL NIL "one" "b\.example"\)\(NIL NIL "two" "b\.example"\)\(NIL NIL NIL NIL\)\) NIL NIL NIL "<multi@a\.example>"\)/,
  },
  {
    by: '9051 7.5.2',
    say: 'FETCH 1 BODYSTRUCTURE',
    expect:
      /BODYSTRUCTURE \(\("text" "plain" \("charset" "utf-8"\)[\s\S]*"message" "rfc822"[\s\S]*"application" "octet-stream" \("name" "x\.bin"\) NIL NIL "base64"[\s\S]*"mixed"/i,
  },
  { by: '9051 6.4.5', say: 'FETCH 2:3 (UID)', expect: /^\* 2 FETCH \(UID \d+\)\r\n\* 3 FETCH \(UID \d+\)/m },
  { by: '9051 6.4.5', say: 'FETCH *:3 (UID)', expect: /^\* 3 FETCH[^\n]*\n\* 4 FETCH/m },
  { by: '9051 6.4.5', say: 'FETCH 1 FAST', expect: /FLAGS[^\n]*INTERNALDATE "[^"]+"[^\n]*RFC822\.SIZE/ },
  { by: '9051 6.4.5', say: 'FETCH 2 BODY[TEXT]', expect: /BODY\[TEXT\]/ },
  { by: '9051 6.4.5', say: 'FETCH 2 FLAGS', expect: /\\Seen/ },
  { by: '9051 6.4.9', say: 'UID FETCH 99999 FLAGS', expect: /^t OK/m, not: /\* \d+ FETCH/ },
  { by: '9051 6.4.4', say: 'SEARCH ALL', expect: /^\* SEARCH 1 2 3 4\r/m },
  { by: '9051 6.4.4', say: 'SEARCH SUBJECT "plain 2"', expect: /^\* SEARCH 3\r/m },
  { by: '9051 6.4.4', say: 'SEARCH CHARSET UTF-8 SUBJECT {7+}\r\ngr\xc3\xbc\xc3\x9fe', expect: /^\* SEARCH(?: 1)?\r/m },
  { by: '9051 6.4.4', say: 'SEARCH OR FROM user1 FROM user3', expect: /^\* SEARCH 2 4\r/m },
  { by: '9051 6.4.4', say: 'SEARCH NOT (SEEN)', expect: /^\* SEARCH 3 4\r/m },
  { by: '9051 6.4.4', say: 'SEARCH KEYWORD $Label', expect: /^\* SEARCH 3\r/m },
  { by: '9051 6.4.4', say: 'SEARCH UNDELETED UNKEYWORD $Label', expect: /^\* SEARCH 1 2\r/m },
  { by: '9051 6.4.4', say: 'SEARCH SENTSINCE 12-Nov-2026 SENTBEFORE 14-Nov-2026', expect: /^\* SEARCH 3 4\r/m },
  { by: '9051 6.4.4', say: 'SEARCH SENTON 11-Nov-2026', expect: /^\* SEARCH 2\r/m },
  { by: '9051 6.4.4', say: 'SEARCH LARGER 300 SMALLER 100000', expect: /^\* SEARCH 1\r/m },
  { by: '9051 6.4.4', say: 'SEARCH HEADER Message-ID p3@', expect: /^\* SEARCH 4\r/m },
  { by: '9051 6.4.4', say: 'SEARCH BODY "number 2"', expect: /^\* SEARCH 3\r/m },
  { by: '9051 6.4.4', say: 'SEARCH TEXT "user3"', expect: /^\* SEARCH 4\r/m },
  { by: '9051 6.4.4', say: 'SEARCH 2:* DELETED', expect: /^\* SEARCH 4\r/m },
  { by: '9051 6.4.4', say: 'SEARCH NEVER', expect: /^t BAD/m },
  {
    by: '4731 3.1',
    say: 'SEARCH RETURN (MIN MAX COUNT) ALL',
    expect: /^\* ESEARCH \(TAG "t"\) MIN 1 MAX 4 COUNT 4\r/m,
  },
  { by: '4731 3.1', say: 'UID SEARCH RETURN (ALL) FLAGGED', expect: /^\* ESEARCH \(TAG "t"\) UID ALL \d+\r/m },
  { by: '5182 2.1', say: 'SEARCH RETURN (SAVE) FLAGGED', expect: /^t OK/m, not: /\* SEARCH/ },
  { by: '5182 2.1', say: 'FETCH $ (UID)', expect: /^\* 3 FETCH \(UID \d+\)\r\nt OK/m },
  { by: '5256 3', say: 'SORT (REVERSE SUBJECT) UTF-8 2:4', expect: /^\* SORT 4 3 2\r/m },
  { by: '5256 3', say: 'SORT (SIZE) US-ASCII 1:2', expect: /^\* SORT 2 1\r/m },
  { by: '5256 3', say: 'THREAD REFERENCES UTF-8 2:4', expect: /^\* THREAD \(2\)\(3\)\(4\)\r/m },
  { by: '9051 6.4.6', say: 'STORE 2 FLAGS (\\Answered)', expect: /^\* 2 FETCH \([^\r]*FLAGS \(\\Answered\)/m },
  { by: '9051 6.4.6', say: 'STORE 2 -FLAGS.SILENT (\\Answered)', expect: /^t OK/m },
  { by: '9051 6.4.6', say: 'FETCH 2 FLAGS', expect: /FLAGS \(\)/ },
  { by: '9051 6.4.6', say: 'STORE 2 +FLAGS ($New)', expect: /\$New/ },
  { by: '7162 3.1.3', say: 'STORE 2 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)', expect: /^t (?:OK|NO) \[MODIFIED 2\]/m },
  { by: '7162 3.1.4', say: 'FETCH 1:* (FLAGS) (CHANGEDSINCE 9007199254740000)', expect: /^t OK/m, not: /\* \d+ FETCH/ },
  { by: '9051 6.3.4', say: 'CREATE Other/Sub', expect: /^t OK/m },
  { by: '9051 6.3.4', say: 'CREATE Other/Sub', expect: /^t NO /m },
  { by: '9051 6.3.9', say: 'LIST "" Other*', expect: /\* LIST \([^)]*\) "\/" "?Other\/Sub"?\r/ },
  {
    by: '9051 6.3.9',
    say: 'LIST "" %',
    expect: /\* LIST \([^)]*\\HasChildren[^)]*\) "\/" "?Other"?\r/,
    not: /Other\/Sub/,
  },
  { by: '9051 6.3.9', say: 'LIST "" ""', expect: /\* LIST \([^)]*\\Noselect[^)]*\) "\/" ""\r/i },
  {
    by: '5819 2',
    say: 'LIST "" Box RETURN (STATUS (MESSAGES))',
    expect: /\* LIST [^\n]*Box"?\r\n\* STATUS "?Box"? \(MESSAGES 4\)/,
  },
  { by: '4315 3', say: 'UID COPY 1:* Other/Sub', expect: /^t OK \[COPYUID \d+ \S+ \S+\]/m },
  {
    by: '9051 6.3.11',
    say: 'STATUS Other/Sub (MESSAGES UIDNEXT UNSEEN)',
    expect: /\* STATUS "?Other\/Sub"? \(MESSAGES 4 UIDNEXT \d+ UNSEEN \d+\)/,
  },
  { by: '9051 6.4.7', say: 'COPY 1 Missing', expect: /^t NO \[TRYCREATE\]/m },
  { by: '6851 3.3', say: 'MOVE 1 Other/Sub', expect: /\* OK \[COPYUID[^\n]*\n\* 1 EXPUNGE\r\n(?:[\s\S]*)^t OK/m },
  { by: '9051 6.4.3', say: 'EXPUNGE', expect: /^\* 3 EXPUNGE\r\n[\s\S]*^t OK/m },
  { by: '9051 6.4.8', say: 'UNSELECT', expect: /^t OK/m },
  { by: '9051 6.4.1', say: 'CLOSE', expect: /^t BAD/m },
  { by: '9051 6.3.6', say: 'RENAME Other/Sub Third', expect: /^t OK/m },
  { by: '9051 6.3.2', say: 'SELECT Third', expect: /\* 5 EXISTS/ },
  { by: '9051 6.4.2', say: 'CLOSE', expect: /^t OK/m },
  { by: '9051 6.3.5', say: 'DELETE Third', expect: /^t OK/m },
  { by: '9051 6.3.5', say: 'DELETE Third', expect: /^t NO /m },
  { by: '5161 3.1', say: 'ENABLE QRESYNC X-NONE', expect: /^\* ENABLED QRESYNC\r/m },
  { by: '7162 3.2.5', say: 'SELECT Box (QRESYNC (1 1))', expect: /^t OK/m, not: /VANISHED/ },
  { by: '2971 3.1', say: 'ID NIL', expect: /^\* ID \(/m },
  { by: '2342 5', say: 'NAMESPACE', expect: /\* NAMESPACE \(\("" "\/"\)\) NIL NIL/ },
  { by: '9051 2.2.1', say: 'FROBNICATE', expect: /^t BAD/m },
  { by: '9051 6.4.5', say: 'FETCH 0 FLAGS', expect: /^t BAD/m },
  {
    by: '9208 4.1.2',
    say: 'GETQUOTAROOT Box',
    expect: /\* QUOTAROOT "?Box"? ""\r\n\* QUOTA "" \(STORAGE \d+ \d+\)/,
    only: 'ours',
  },
  { by: '8474 5.1', say: 'FETCH 1 EMAILID', expect: /EMAILID \([\w-]+\)/, only: 'ours' },
  {
    by: '9394 3.1',
    say: 'UID FETCH 1:* (FLAGS) (PARTIAL 1:1)',
    expect: /^\* 1 FETCH [^\n]*\n(?!\* 2 FETCH)/m,
    only: 'ours',
  },
  { by: '8970 3', say: 'FETCH 1 (PREVIEW)', expect: /PREVIEW "body number \d/ },
  { by: '9051 6.3.1', say: 'ENABLE IMAP4rev2', expect: /^\* ENABLED IMAP4rev2\r/m, only: 'ours' },
  { by: '9051 7.3.4', say: 'SEARCH ALL', expect: /^\* ESEARCH \(TAG "t"\) ALL 1:2\r/m, only: 'ours' },
  { by: '9051 6.1.3', say: 'LOGOUT', expect: /^\* BYE [\s\S]*^t OK/m },
]

async function fill(session: Dialogue, say: (text: string) => Promise<string>): Promise<void> {
  assert.match(await say('CREATE Box'), /^t OK/m)
  for (const [content, flags] of messages) {
    session.say(`t APPEND Box ${flags} {${content.length}+}\r\n${content}\r\n`)
    assert.match(await session.hear(/^t /), /^t OK \[APPENDUID/m)
  }
}

/** What did not come as it has to. */
async function ask(port: number, login: string, skipOurs: boolean): Promise<string[]> {
  using session = await Dialogue.open(port)
  await session.hear(/^\* OK/)
  const say = (text: string): Promise<string> => {
    session.say(Buffer.from(`t ${text}\r\n`, 'latin1'))
    return session.hear(/^t (?:OK|NO|BAD)/)
  }
  assert.match(await say(login), /^t OK/m)
  await fill(session, say)
  const wrong: string[] = []
  for (const { by, say: command, expect, not, only } of steps) {
    if (skipOurs && only === 'ours') continue
    const heard = await say(command)
    if (!expect.test(heard) || not?.test(heard)) wrong.push(`RFC ${by}: ${command}\n${heard}`)
  }
  return wrong
}

describe('IMAP as the RFCs have it', { timeout: 60_000 }, () => {
  it('from the facade', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    assert.deepEqual(await ask(facade.imap.port, 'LOGIN reader "secret word"', false), [])
  })

  it('from Dovecot, so that the table itself is right', { skip: dovecotMissing() }, async () => {
    using folder = temporaryFolder()
    const port = await freePort()
    const dovecot = startDovecot(folder.path, port)
    try {
      await until('Dovecot', () =>
        Dialogue.open(port)
          .then((dialogue) => dialogue[Symbol.dispose]())
          .then(
            () => true,
            () => false,
          ),
      )
      assert.deepEqual(await ask(port, `LOGIN ${dovecotUser.name} ${dovecotUser.password}`, true), [])
    } finally {
      await dovecot.stop()
    }
  })
})
