/** Several attempts at one recipient: a permanent reply ends them, whatever was answered before. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

const notice = (body: string): Buffer =>
  Buffer.from(
    `From: Mail Delivery System <MAILER-DAEMON@st.example>\nReturn-Path: <>\nTo: news@sender.example\nSubject: Undelivered mail\n\n${body}\n`,
  )

const forms: Readonly<Record<string, (first: string, last: string) => string>> = {
  'postfix semicolons': (a, b) =>
    `<ann@one.example>: host mx1.one.example[192.0.2.1] said: ${a} (in reply to RCPT TO command); host mx2.one.example[192.0.2.2] said: ${b} (in reply to RCPT TO command)`,
  'two lines': (a, b) => `ann@one.example\n  mx1.one.example: ${a}\n  mx2.one.example: ${b}`,
  attempts: (a, b) =>
    `Delivery to ann@one.example failed.\n\n1st attempt, mx1.one.example: ${a}\n2nd attempt, mx2.one.example: ${b}\n`,
  transcript: (a, b) =>
    `<ann@one.example>\n\n   ----- Transcript of session follows -----\n... while talking to mx1.one.example.:\n>>> RCPT To:<ann@one.example>\n<<< ${a}\n... while talking to mx2.one.example.:\n>>> RCPT To:<ann@one.example>\n<<< ${b}\n`,
  MDaemon: (a, b) =>
    `Failed address: ann@one.example\n\n--- Session Transcript ---\n Mon 2020-11-02 10:00:01: --> RCPT To:<ann@one.example>\n Mon 2020-11-02 10:00:01: <-- ${a}\n Mon 2020-11-02 10:00:01: --> QUIT\n--- End Transcript ---\n\n--- Session Transcript ---\n Mon 2020-11-02 11:00:01: --> RCPT To:<ann@one.example>\n Mon 2020-11-02 11:00:01: <-- ${b}\n--- End Transcript ---\n`,
  exim: (a, b) =>
    `  ann@one.example\n    host mx1.one.example [192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<ann@one.example>:\n    ${a}\n    host mx2.one.example [192.0.2.2]\n    SMTP error from remote mail server after RCPT TO:<ann@one.example>:\n    ${b}\n`,
  qmail: (a, b) =>
    `<ann@one.example>:\n192.0.2.1 does not like recipient.\nRemote host said: ${a}\n192.0.2.2 does not like recipient.\nRemote host said: ${b}\nGiving up on 192.0.2.2.\n`,
  log: (a, b) =>
    `Your message to ann@one.example could not be delivered. The log of the attempts:\n\n10:00 mx1.one.example ${a}\n10:30 mx1.one.example ${a}\n11:00 mx2.one.example ${b}\n`,
  'first, later': (a, b) => `The message to ann@one.example was first answered with "${a}", and later with "${b}".`,
}

const temporary = [
  '450 4.7.1 Greylisted, please try again later',
  '451 4.3.0 Temporary server error. Please try again later',
  '421 4.7.0 Too many connections',
  '452 4.2.2 Mailbox full',
]
const permanent = [
  ['550 5.1.1 User unknown', 'userunknown'],
  ['552 5.2.2 Mailbox full', 'mailboxfull'],
  ['554 5.7.1 Message rejected as spam', 'spamdetected'],
] as const

/** What only looks like a later reply: the reply code stays that of the first. */
const others: readonly string[] = [
  'Delivery to ann@one.example is delayed: 450 4.2.1 The mailbox is busy.\nIf it cannot be delivered within 5 days, you will get a report with 550 or 554.',
  '<ann@one.example>: host mx.one.example[192.0.2.1] said: 450 4.7.1 Greylisted, a client that does not come back gets 550 (in reply to RCPT TO command)',
  '<ann@one.example>: host mx.one.example[192.0.2.1] said: 450 4.1.1 <ann@one.example>: Recipient address rejected: unverified address: host mx2.one.example[192.0.2.2] said: 550 5.1.1 unknown (in reply to RCPT TO command)',
  '<ann@one.example>: host mx.one.example[192.0.2.1] said: 450 4.7.1\n    Greylisted (in reply to RCPT TO command)\n\nSee RFC 5321:\n550 requested action not taken',
  '<ann@one.example>\n ----- Transcript of session follows -----\n>>> RCPT To:<ann@one.example>\n<<< 452 4.2.2 over quota\n>>> DATA\n<<< 503 5.5.1 need RCPT\n<<< 554 5.5.1 no valid recipients\n',
  'ann@one.example: 421 4.3.2 try again later\n\nThe size of the message was 550 bytes.',
  'ann@one.example: 421 4.3.2 try again later\nQueue-ID: 550-Abc',
  'ann@one.example\n  450 4.2.0 try later (5 attempts)\n  Message size: 554 KB',
]

describe('several attempts', () => {
  for (const [form, write] of Object.entries(forms)) {
    it(`are ended by a permanent reply: ${form}`, () => {
      for (const first of temporary)
        for (const [last, reason] of permanent) {
          const { recipients } = classify(notice(write(first, last)))
          assert.deepEqual(
            recipients.map((recipient) => `${recipient.address} ${recipient.reply} ${recipient.reason}`),
            [`ann@one.example ${last.slice(0, 3)} ${reason}`],
          )
        }
    })
  }
  for (const body of others) {
    it(`are not ended by what is none: ${body.slice(0, 80).replaceAll('\n', ' ')}`, () => {
      const { recipients } = classify(notice(body))
      assert.deepEqual(
        recipients.map(({ address, permanent, reply }) => `${address} ${permanent} ${reply[0]}`),
        ['ann@one.example false 4'],
      )
    })
  }
})

describe('of a notice without a report', () => {
  const read = (body: string) => classify(notice(body)).recipients.map(({ address, reason }) => [address, reason])

  it('what was heard counts, not the "Service unavailable" that Sendmail makes of it', () => {
    const dialogue = (heard: string): string =>
      `   ----- The following addresses had permanent fatal errors -----\n<ann@one.example>\n    (reason: ${heard})\n\n   ----- Transcript of session follows -----\n... while talking to mx.one.example.:\n>>> DATA\n<<< ${heard}\n554 5.0.0 Service unavailable\n`
    assert.deepEqual(read(dialogue('550 : User unknown')), [['ann@one.example', 'filtered']])
    assert.deepEqual(read(dialogue('554 Message too large')), [['ann@one.example', 'mesgtoobig']])
  })

  it('the reply with words counts, not the codes alone above it', () => {
    const body = `Your message to ann@one.example couldn't be delivered.\n\nStatus code: 550 5.1.10\n\nThe owner of the mailbox may know more.\n\nReported error: 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup\n`
    assert.deepEqual(read(body), [['ann@one.example', 'userunknown']])
    assert.deepEqual(
      read("Your message to ann@one.example couldn't be delivered.\n\nann wasn't found at one.example.\n"),
      [['ann@one.example', 'userunknown']],
    )
  })
})
