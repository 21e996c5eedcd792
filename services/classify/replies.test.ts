/** What mail systems say, by their sources and their own pages, and what it means: `golden/replies.json`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Command, commandOf } from './bounce/command.ts'
import { readCodes } from './bounce/reply.ts'
import { classify } from './classify.ts'
import { findReason } from './reason.ts'

type Said = {
  /** A system, or the host that refused. */
  readonly by: string
  readonly host: string
  /** The enhanced code and the command, where the words leave them out. */
  readonly replies: readonly {
    readonly reason: string
    readonly text: string
    readonly command?: Command
    readonly status?: string
  }[]
}

const all = JSON.parse(readFileSync(join(import.meta.dirname, 'golden', 'replies.json'), 'utf8')) as readonly Said[]

describe('what is said by', () => {
  for (const { by, host, replies } of all) {
    it(by, () => {
      for (const { reason, text, command, status } of replies) {
        const codes = readCodes(text)
        const found = findReason({
          action: 'failed',
          status: status ?? codes.status,
          reply: codes.reply,
          command: command ?? commandOf(text),
          host,
          texts: [text],
        })
        assert.equal(found.reason, reason, text)
      }
    })
  }
})

const report = (notice: string, diagnostic: string): string => `MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

${notice}

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.sender.example

Final-Recipient: rfc822; bob@dest.example
Action: failed
Remote-MTA: dns; mx.dest.example
Diagnostic-Code: smtp; ${diagnostic}

--b--
`
/** A header is in lines of 78 characters at most (RFC 5322 section 2.1.1). */
const folded = (text: string): string => text.replace(/(.{40,60}?) /g, '$1\n    ')

/** How mail systems quote what a host answered; those that name the command quote what answered RCPT. */
const quotations: Readonly<Record<string, { readonly command: Command; readonly mail: (reply: string) => string }>> = {
  'Postfix, in a report': {
    command: 'RCPT',
    mail: (reply) =>
      report(
        `I'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n${folded(`<bob@dest.example>: host mx.dest.example[192.0.2.9] said: ${reply} (in reply to RCPT TO command)`)}`,
        folded(reply),
      ),
  },
  'Exim, in words': {
    command: 'RCPT',
    mail: (reply) =>
      `\nThis message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  bob@dest.example\n    host mx.dest.example [192.0.2.9]\n    SMTP error from remote mail server after RCPT TO:<bob@dest.example>:\n    ${reply}\n`,
  },
  'qmail, in words': {
    command: 'RCPT',
    mail: (reply) =>
      `\nHi. This is the qmail-send program at mx.sender.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<bob@dest.example>:\n192.0.2.9 does not like recipient.\nRemote host said: ${reply}\nGiving up on 192.0.2.9.\n`,
  },
  'Gmail, in words': {
    command: '',
    mail: (reply) =>
      `\nDelivery to the following recipient failed permanently:\n\n     bob@dest.example\n\nTechnical details of permanent failure:\nGoogle tried to deliver your message, but it was rejected by the server for the recipient domain dest.example by mx.dest.example. [192.0.2.9].\n\nThe error that the other server returned was:\n${reply}\n`,
  },
  'Microsoft 365, in a report': {
    command: '',
    mail: (reply) =>
      report(
        `Delivery has failed to these recipients or groups:\n\nbob@dest.example\nYour message wasn't delivered.\n\nThe following organization rejected your message: mx.dest.example.\n\nDiagnostic information for administrators:\n\nGenerating server: AM0PR01.prod.outlook.com\n\nbob@dest.example\nmx.dest.example\nRemote Server returned '${reply}'\n`,
        reply,
      ),
  },
  'Exchange 2003, in words': {
    command: '',
    mail: (reply) =>
      `\nYour message did not reach some or all of the intended recipients.\n\nThe following recipient(s) could not be reached:\n\n      bob@dest.example on 11/2/2020 10:00 AM\n            There was a SMTP communication problem with the recipient's email server.  Please contact your system administrator.\n            <mx.sender.example #5.0.0 smtp;${reply}>\n`,
  },
  'CommuniGate Pro, in words': {
    command: '',
    mail: (reply) =>
      `\nFailed to deliver to 'bob@dest.example'\nSMTP module(domain dest.example) reports:\n host mx.dest.example says:\n ${reply}\n`,
  },
  'GMX, in words': {
    command: 'RCPT',
    mail: (reply) =>
      `\nA message that you sent could not be delivered to one or more of\nits recipients. This is a permanent error. The following address\nfailed:\n\nbob@dest.example:\nSMTP error from remote server for RCPT TO command, host: mx.dest.example (192.0.2.9) reason: ${reply}\n`,
  },
  'Courier, in words': {
    command: 'RCPT',
    mail: (reply) =>
      `\nYour message to the following recipients cannot be delivered:\n\n<bob@dest.example>:\n    mx.dest.example [192.0.2.9]:\n>>> RCPT TO:<bob@dest.example>\n<<< ${reply}\n`,
  },
  'MDaemon, in its transcript': {
    command: 'RCPT',
    mail: (reply) =>
      `\nThe attached message had PERMANENT fatal delivery errors.\n\nFailed address: bob@dest.example\n\n--- Session Transcript ---\n Mon 2020-11-02 10:00:01: --> RCPT To:<bob@dest.example>\n Mon 2020-11-02 10:00:01: <-- ${reply}\n--- End Transcript ---\n`,
  },
  'Stalwart, in words': {
    command: 'RCPT',
    mail: (reply) => {
      const [, code, enhanced = '5.0.0', text] = /^(\d{3}) (?:(\d\.\d+\.\d+) )?(.*)$/.exec(reply) ?? []
      return `\nYour message could not be delivered to the following recipients:\n\n<bob@dest.example> (host 'mx.dest.example' rejected command 'RCPT TO:<bob@dest.example>' with code ${code} (${enhanced}) '${text}')\n`
    },
  },
  'Zoho, in words': {
    command: '',
    mail: (reply) =>
      `\nA message that you sent could not be delivered to one or more of its recipients. This is a permanent error.\n\nbob@dest.example Invalid Address, ERROR_CODE :${reply.slice(0, 3)}, ERROR_CODE :${reply}\n`,
  },
  'in a report, a reply of several lines': {
    command: '',
    mail: (reply) => {
      const [, code, enhanced = '', text = ''] = /^(\d{3}) (\d\.\d+\.\d+ )?(.*)$/.exec(reply) ?? []
      return report(
        'The mail could not be delivered.',
        folded(text)
          .split(/\n */)
          .map((line, index, { length }) => `${code}${index + 1 < length ? '-' : ' '}${enhanced}${line}`)
          .join('\n '),
      )
    },
  },
}

describe('a reply means the same as', () => {
  for (const [how, quotation] of Object.entries(quotations)) {
    it(`${how} quote it`, () => {
      const texts = all
        .filter(({ host }) => host === '')
        .flatMap(({ replies }) => replies)
        // A command of its own would be another's, and a second code another line's.
        .filter(({ command, status, text }) => command === undefined && status === undefined && commandOf(text) === '')
        .map(({ text }) => text)
        .filter((text) => /^[45][0-5]\d (?!.*\b[45]\d\d[ -]|\d+ )/.test(text))
      assert.ok(texts.length > 1_000)
      const differences = texts.flatMap((text) => {
        const codes = readCodes(text)
        const said = { action: 'failed', ...codes, host: 'mx.dest.example', texts: [text] }
        const expected = findReason({ ...said, command: quotation.command }).reason
        const head =
          'From: MAILER-DAEMON@mx.sender.example\nReturn-Path: <>\nTo: bounces@sender.example\nSubject: Undelivered Mail\n'
        const { recipients } = classify(Buffer.from(`${head}${quotation.mail(text)}`.replaceAll('\n', '\r\n')))
        const found = recipients.map(({ address, reason }) => `${address} ${reason}`).join()
        return found === `bob@dest.example ${expected}` ? [] : [`${text}: ${found}, not ${expected}`]
      })
      assert.deepEqual(differences, [])
    })
  }
})
