/** What a recipient is called tells nothing of why: "blocked@x.example" is no blocked one. And mail is sent to offices, too. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

const names = [
  'spam',
  'user',
  'quota.exceeded',
  'unknown.user',
  'blocked',
  'mailbox.full',
  'expired',
  'host.not.found',
  'virus',
  'sender',
  'password',
  'no.such.user',
  'rejected',
  'policy',
  'blacklist',
  'temporary',
  'delayed',
  'disabled',
  'contact',
  'unsubscribe',
  'dmarc',
  "o'brien+tag",
  'user=name',
  'user%relay',
  '#hash!user',
  'name&co',
  'user/dept',
  'no-reply',
  'support',
  'postmaster',
].map((local) => `${local}@x.example`)
const domains = ['spamhaus', 'dmarc', 'quota-exceeded', 'unknown', 'rbl', 'virus', 'sender', 'greylist'].map(
  (domain) => `ann@${domain}.example`,
)

const answers = [
  ['550 5.1.1 Unknown user account', 'userunknown'],
  ['552 5.2.2 Mailbox full', 'mailboxfull'],
  ['550 5.7.1 Relaying denied', 'norelaying'],
  ['554 5.7.1 Client host [192.0.2.1] blocked', 'blocked'],
  ['550 5.2.1 Account disabled', 'suspend'],
  ['550 5.7.26 Unauthenticated mail is not accepted', 'authfailure'],
  ['550 5.4.4 Host not found', 'hostunknown'],
] as const
const forms: readonly ((address: string, answer: string) => string)[] = [
  (address, answer) => `<${address}>: host mx.y.example[192.0.2.9] said: ${answer} (in reply to RCPT TO command)`,
  (address, answer) => `${address}\n    SMTP error from remote mail server after RCPT TO:<${address}>:\n    ${answer}`,
  (address, answer) => `>>> RCPT TO:<${address}>\n<<< ${answer.slice(0, 10)}<${address}>... ${answer.slice(10)}`,
]

describe('what a recipient is called', () => {
  for (const address of [...names, ...domains]) {
    it(`is no reason: ${address}`, () => {
      for (const [answer, reason] of answers)
        for (const write of forms) {
          const { recipients, evidence } = classify(
            Buffer.from(
              `From: MAILER-DAEMON@st.example\nReturn-Path: <>\nTo: news@corp.example\nSubject: Undelivered mail\n\n${write(address, answer)}\n`,
            ),
          )
          assert.deepEqual(
            recipients.map((recipient) => `${recipient.address} ${recipient.reason} ${recipient.action}`),
            [`${address} ${reason} failed`],
          )
          const [why] = evidence.filter(({ decided }) => decided === 'reason')
          assert.ok(!why?.text.includes('__'), why?.text)
        }
    })
  }
})

describe('the subject of the message that came back', () => {
  for (const label of ['Subject:', 'Betreff:', 'Objet :', '件名：'])
    for (const subject of ['Warning: message delayed 24 hours', 'Your mailbox is full', 'Delivered: News', 'spam']) {
      it(`is no reason where the notice repeats it: ${label} ${subject}`, () => {
        const body = `Your message did not reach some or all of the intended recipients.\n\n      ${label}\t${subject}\n      Sent:\t11/2/2020 10:00 AM\n\nThe following recipient(s) could not be reached:\n\n      ann@x.example on 11/2/2020 10:00 AM\n            Xyzzy\n`
        const { recipients } = classify(
          Buffer.from(
            `From: System Administrator <postmaster@x.example>\nReturn-Path: <>\nTo: news@corp.example\nSubject: Undeliverable\nContent-Type: text/plain; charset=utf-8\n\n${body}`,
          ),
        )
        assert.deepEqual(
          recipients.map(({ address, action, reason }) => `${address} ${action} ${reason}`),
          ['ann@x.example failed undefined'],
        )
      })
    }
})

describe('the bytes that decided', () => {
  it('are shown as they stand, though somebody else is called by as many letters', () => {
    const body =
      '<ann@one.example>: user ann@one.example unknown\n\n<bob@two.example>: user bob@two.example unknown, says eve@one.example (a.b_c)\n'
    const { evidence } = classify(
      Buffer.from(
        `From: MAILER-DAEMON@st.example\nReturn-Path: <>\nTo: news@corp.example\nSubject: Undelivered mail\n\n${body}`,
      ),
    )
    const shown = evidence.filter(({ decided }) => decided === 'reason').map(({ text }) => text)
    assert.ok(shown.length > 0)
    for (const text of shown) {
      assert.match(text, /(?:ann@one|bob@two)\.example/)
      assert.ok(body.includes(text), text)
    }
  })
})
