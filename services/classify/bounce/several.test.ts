/** Bounces of several recipients, each with a reply of its own, as mail systems write them in words. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'
import { unbroken } from './list.ts'

type Recipient = readonly [address: string, reply: string, reason: string]
const ann: Recipient = ['ann@one.example', '550 5.1.1 User unknown', 'userunknown']
const bob: Recipient = ['bob@two.example', '552 5.2.2 Mailbox full', 'mailboxfull']
const eve: Recipient = ['eve@three.example', '554 5.7.1 Relaying denied', 'norelaying']

const words = (from: string, subject: string, body: string): string =>
  `From: ${from}\nReturn-Path: <>\nTo: bounces@sender.example\nSubject: ${subject}\n\n${body}\n`
const ret =
  '\n\nReturn-Path: <news@sender.example>\nFrom: news@sender.example\nTo: ann@one.example, bob@two.example\nSubject: News\nMessage-ID: <1@sender.example>\n\nhi\n'
const dom = (address: string): string => address.slice(address.indexOf('@') + 1)

const forms: Readonly<Record<string, (recipients: readonly Recipient[]) => string>> = {
  Postfix: (rs) =>
    words(
      'MAILER-DAEMON@mx.sender.example',
      'Undelivered Mail Returned to Sender',
      `This is the mail system at host mx.sender.example.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\n                   The mail system\n\n${rs.map(([a, t]) => `<${a}>: host mx.${dom(a)}[192.0.2.9] said: ${t}\n    (in reply to RCPT TO command)`).join('\n\n')}\n`,
    ),
  Exim: (rs) =>
    words(
      'Mail Delivery System <Mailer-Daemon@mx.sender.example>',
      'Mail delivery failed: returning message to sender',
      `This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n${rs.map(([a, t]) => `  ${a}\n    host mx.${dom(a)} [192.0.2.9]\n    SMTP error from remote mail server after RCPT TO:<${a}>:\n    ${t}`).join('\n')}\n\n------ This is a copy of the message, including all the headers. ------${ret}`,
    ),
  'Exim, the host behind the command': (rs) =>
    words(
      'Mail Delivery System <Mailer-Daemon@mx.sender.example>',
      'Mail delivery failed: returning message to sender',
      `This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n${rs.map(([a, t]) => `  ${a}\n    SMTP error from remote mail server after RCPT TO:<${a}>:\n    host mx.${dom(a)} [192.0.2.9]: ${t}`).join('\n')}\n\n------ This is a copy of the message, including all the headers. ------${ret}`,
    ),
  qmail: (rs) =>
    words(
      'MAILER-DAEMON@mx.sender.example',
      'failure notice',
      `Hi. This is the qmail-send program at mx.sender.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n${rs.map(([a, t]) => `<${a}>:\n192.0.2.9 does not like recipient.\nRemote host said: ${t}\nGiving up on 192.0.2.9.`).join('\n\n')}\n\n--- Below this line is a copy of the message.${ret}`,
    ),
  Sendmail: (rs) =>
    words(
      'Mail Delivery Subsystem <MAILER-DAEMON@mx.sender.example>',
      'Returned mail: see transcript for details',
      `The original message was received at Mon, 2 Nov 2020 10:00:00 GMT\nfrom localhost [127.0.0.1]\n\n   ----- The following addresses had permanent fatal errors -----\n${rs.map(([a, t]) => `<${a}>\n    (reason: ${t})`).join('\n')}\n\n   ----- Transcript of session follows -----\n${rs.map(([a, t]) => `... while talking to mx.${dom(a)}.:\n>>> RCPT To:<${a}>\n<<< ${t}\n${t.slice(0, 9)} <${a}>... ${t.slice(10)}`).join('\n')}\n`,
    ),
  'Sendmail of before': (rs) =>
    words(
      'Mail Delivery Subsystem <MAILER-DAEMON@mx.sender.example>',
      'Returned mail: User unknown',
      `The original message was received at Mon, 2 Nov 2020 10:00:00 GMT\nfrom localhost [127.0.0.1]\n\n   ----- The following addresses have delivery notifications -----\n${rs.map(([a]) => `<${a}>  (unrecoverable error)`).join('\n')}\n\n   ----- Transcript of session follows -----\n${rs.map(([a, t]) => `... while talking to mx.${dom(a)}.:\n>>> RCPT To:<${a}>\n<<< ${t}\n550 <${a}>... ${t.slice(10)}`).join('\n')}\n\n   ----- Original message follows -----${ret}`,
    ),
  Yahoo: (rs) =>
    words(
      'MAILER-DAEMON@yahoo.com',
      'Failure Notice',
      `Sorry, we were unable to deliver your message to the following address.\n\n${rs.map(([a, t]) => `<${a}>:\n${t}`).join('\n\n')}\n\n--- Below this line is a copy of the message.${ret}`,
    ),
  'Exchange 2003': (rs) =>
    words(
      'System Administrator <postmaster@mx.sender.example>',
      'Undeliverable: News',
      `Your message did not reach some or all of the intended recipients.\n\n      Subject:	News\n      Sent:	11/2/2020 10:00 AM\n\nThe following recipient(s) could not be reached:\n\n${rs.map(([a, t]) => `      ${a} on 11/2/2020 10:00 AM\n            There was a SMTP communication problem with the recipient's email server.  Please contact your system administrator.\n            <mx.sender.example #5.5.0 smtp;${t}>`).join('\n\n')}\n`,
    ),
  'Exchange 2007': (rs) =>
    words(
      'postmaster@mx.sender.example',
      'Undeliverable: News',
      `Delivery has failed to these recipients or distribution lists:\n\n${rs.map(([a]) => `${a}<mailto:${a}>\nYour message was not delivered.`).join('\n\n')}\n\n________________________________\nSent by Microsoft Exchange Server 2007\n\nDiagnostic information for administrators:\n\nGenerating server: mx.sender.example\n\n${rs.map(([a, t]) => `${a}\nmx.${dom(a)} #${t} ##`).join('\n\n')}\n\nOriginal message headers:${ret}`,
    ),
  'Microsoft 365': (rs) =>
    words(
      'postmaster@mx.sender.example',
      'Undeliverable: News',
      `Delivery has failed to these recipients or groups:\n\n${rs.map(([a]) => `${a}\nYour message wasn't delivered.`).join('\n\n')}\n\nDiagnostic information for administrators:\n\nGenerating server: mx.sender.example\n\n${rs.map(([a, t]) => `${a}\nmx.${dom(a)}\nRemote Server returned '${t}'`).join('\n\n')}\n\nOriginal message headers:${ret}`,
    ),
  Zoho: (rs) =>
    words(
      'mailer-daemon@mail.zoho.com',
      'Undelivered Mail Returned to Sender',
      `This message was created automatically by mail delivery software.\n A message that you sent could not be delivered to one or more of its recipients. This is a permanent error.\n\n${rs.map(([a, t]) => `${a} Invalid Address, ERROR_CODE :${t.slice(0, 3)}, ERROR_CODE :${t.slice(4)}`).join('\n')}\n\n`,
    ),
  OpenSMTPD: (rs) =>
    words(
      'Mailer Daemon <MAILER-DAEMON@mx.sender.example>',
      'Delivery status notification: error',
      `    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\n${rs.map(([a, t]) => `${a}: ${t}`).join('\n')}\n\n    Below is a copy of the original message:${ret}`,
    ),
  Courier: (rs) =>
    words(
      '"Courier mail server at mx.sender.example" <@>',
      'NOTICE: mail delivery status.',
      `This is a delivery status notification from mx.sender.example,\nrunning the Courier mail server, version 0.65.2.\n\n                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n${rs.map(([a, t]) => `<${a}>:\n    mx.${dom(a)} [192.0.2.9]:\n>>> RCPT TO:<${a}>\n<<< ${t}`).join('\n\n')}\n\n`,
    ),
  Haraka: (rs) =>
    words(
      'MAILER-DAEMON <postmaster@mx.sender.example>',
      'failed deliverability',
      `I'm sorry to have to inform you that your message could not be\ndelivered to one or more recipients.\n\nIntended Recipients: <${rs.map(([a]) => a).join('>, <')}>\nFailure Reason: ${rs.map(([a, t]) => `Some recipients failed: <${a}> (${t})`).join(', ')}\n`,
    ),
  MDaemon: (rs) =>
    words(
      'MDaemon <MDaemon@mx.sender.example>',
      'Permanent Delivery Failure',
      `The attached message had PERMANENT fatal delivery errors.\n\nFailed address: ${rs.map(([a]) => a).join('\nFailed address: ')}\n\n--- Session Transcript ---\n${rs.map(([a, t]) => ` Mon 2020-11-02 10:00:01: --> RCPT To:<${a}>\n Mon 2020-11-02 10:00:01: <-- ${t}`).join('\n')}\n--- End Transcript ---\n`,
    ),
  MailEnable: (rs) =>
    words(
      'postmaster@mx.sender.example',
      'Message Delivery Failure',
      `MailEnable: Message could not be delivered to some recipients.\nThe following recipient(s) could not be reached:\n\n${rs.map(([a, t]) => `\tRecipient: [SMTP:${a}]\n\tReason: Remote SMTP Server Returned: ${t}`).join('\n\n')}\n\n\nMessage headers follow:${ret}`,
    ),
  GroupWise: (rs) =>
    words(
      'Mailer-Daemon@mx.sender.example',
      'Message status - undeliverable',
      `The message that you sent was undeliverable to the following:\n${rs.map(([a, t]) => `\t${a} (${t})`).join('\n')}\n\nPossibly truncated original message follows:${ret}`,
    ),
  Apple: (rs) =>
    words(
      'postmaster@mac.com',
      'Delivery Notification: Delivery has failed',
      `This report relates to a message you sent with the following header fields:\n\n  Message-id: <1@sender.example>\n  From: news@sender.example\n  Subject: News\n\nYour message cannot be delivered to the following recipients:\n\n${rs.map(([a, t]) => `  Recipient address: ${a}\n  Reason: Remote SMTP server has rejected address\n  Diagnostic code: smtp;${t}\n  Remote system: dns;mx.${dom(a)} (TCP|17.0.0.1|1|192.0.2.9|25) (ready)`).join('\n\n')}\n\n`,
    ),
  Domino: (rs) =>
    words(
      'Postmaster@mx.sender.example',
      'DELIVERY FAILURE: several',
      `Your message\n\n  Subject: News\n\nwas not delivered to:\n\n${rs.map(([a, t]) => `  ${a}\n\nbecause:\n\n  ${t}`).join('\n\n')}\n`,
    ),
  GMX: (rs) =>
    words(
      'MAILER-DAEMON@gmx.net',
      'Mail delivery failed: returning message to sender',
      `This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of\nits recipients. This is a permanent error. The following address\nfailed:\n\n${rs.map(([a, t]) => `"${a}":\nSMTP error from remote server for RCPT TO command, host: mx.${dom(a)} (192.0.2.9) reason: ${t}`).join('\n\n')}\n\n--- The header of the original message is following. ---${ret}`,
    ),
  NetEase: (rs) =>
    words(
      'Postmaster@163.com',
      '系统退信',
      `抱歉，您的邮件被退回来了。\n\n${rs.map(([a, t]) => `收件人邮件地址：\n${a}\n退信原因：\nSMTP error, RCPT TO: Host ${dom(a)}(192.0.2.9) said ${t}`).join('\n\n')}\n`,
    ),
  SurgeMail: (rs) =>
    words(
      '<MAILER-DAEMON@surge.example>',
      'Your message could not be delivered',
      `Your message cannot be delivered to the following recipients:\n\n${rs.map(([a, t]) => `${a}\nLast error: Failure: Remote host mx.${dom(a)} said: ${t}`).join('\n\n')}\n\n${ret}`,
    ),
  Stalwart: (rs) =>
    words(
      'MAILER-DAEMON@st.example',
      'Failed to deliver message',
      `Your message could not be delivered to the following recipients:\n\n${rs.map(([a, t]) => `<${a}> (host 'mx.${dom(a)}' rejected command 'RCPT TO:<${a}>' with code ${t.slice(0, 3)} (${t.slice(4, 9)}) '${t.slice(10)}')`).join('\n')}\n`,
    ),
  'a table of text': (rs) =>
    words(
      'MAILER-DAEMON@st.example',
      'Undeliverable',
      `The following addresses failed:\n\n${rs.map(([a, t]) => `| ${a} | ${t} |`).join('\n')}\n`,
    ),
  'a list': (rs) =>
    words(
      'MAILER-DAEMON@st.example',
      'Undeliverable',
      `The following addresses failed:\n\n${rs.map(([a, t]) => `- ${a} : ${t}`).join('\n')}\n`,
    ),
  'the reply in front': (rs) =>
    words(
      'MAILER-DAEMON@st.example',
      'Undeliverable',
      `The following addresses failed:\n\n${rs.map(([a, t]) => `${t}: <${a}>`).join('\n')}\n`,
    ),
  arrows: (rs) =>
    words(
      'MAILER-DAEMON@st.example',
      'Undeliverable',
      `The following addresses failed:\n\n${rs.map(([a, t]) => `${a} -> ${t}`).join('\n')}\n`,
    ),
  CSV: (rs) =>
    words(
      'MAILER-DAEMON@st.example',
      'Undeliverable',
      `Failed recipients:\n\nRecipient,Error\n${rs.map(([a, t]) => `${a},"${t}"`).join('\n')}\n`,
    ),
  'a table of HTML': (rs) =>
    `From: MAILER-DAEMON@st.example\nReturn-Path: <>\nTo: bounces@sender.example\nSubject: Undeliverable\nContent-Type: text/html\n\n<html><body><p>Delivery failed for these recipients:</p><table><tr><th>Recipient</th><th>Reason</th></tr>${rs.map(([a, t]) => `<tr><td><a href="mailto:${a}">${a}</a></td><td>${t}</td></tr>`).join('')}</table></body></html>\n`,
  'a list of HTML': (rs) =>
    `From: MAILER-DAEMON@st.example\nReturn-Path: <>\nTo: bounces@sender.example\nSubject: Undeliverable\nContent-Type: text/html\n\n<html><body><p>Delivery failed for these recipients:</p><ul>${rs.map(([a, t]) => `<li><b>${a}</b><br>${t}</li>`).join('')}</ul></body></html>\n`,
}

describe('several recipients with a reply for each, as written by', () => {
  for (const [form, write] of Object.entries(forms)) {
    it(form, () => {
      for (const recipients of [
        [ann, bob],
        [bob, ann],
        [ann, bob, eve],
        [eve, bob, ann],
      ]) {
        const verdict = classify(Buffer.from(write(recipients).replaceAll('\n', '\r\n')))
        assert.deepEqual(
          verdict.recipients.map(({ address, status, reason }) => `${address} ${status} ${reason}`).toSorted(),
          recipients.map(([address, reply, reason]) => `${address} ${reply.slice(4, 9)} ${reason}`).toSorted(),
        )
      }
    })
  }
})

describe('a list of recipients that a line breaks', () => {
  const joined = (line: string): boolean => unbroken([line, 'bob@two.example said: full'], () => false).length === 1

  it('goes on behind a comma or an "and", in any language', () => {
    for (const end of [',', ' and', ', und', ' e', '、', ' と', '/']) assert.ok(joined(`to ann@one.example${end}`), end)
  })

  it('does not where an address ends with the letter that is "and" in another language', () => {
    for (const end of ['', '.', ':']) assert.ok(!joined(`to ann@one.example${end}`), end)
  })
})
