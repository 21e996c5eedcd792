/** Mail of our own making, of every kind that a bulk sender gets back; the nth message is always the same. */

export type DemoMessage = {
  readonly reversePath: string
  readonly forwardPath: string
  readonly content: Buffer
}

const people = ['anna', 'ben', 'chloé.martin', 'd.okafor', 'emre', 'f.silva', 'greta', 'hiro', 'ines', 'j.novak']
const hosts = ['mail.example', 'post.example.org', 'mx.example.net', 'inbox.example.com']
const campaigns = ['autumn-letter', 'statement-2026-10', 'welcome-3', 'survey']
const failures = [
  ['5.1.1', '550', 'User unknown in virtual mailbox table', 'failed'],
  ['5.2.2', '552', 'Mailbox full', 'failed'],
  ['5.7.1', '554', 'Message rejected as spam by content filter', 'failed'],
  ['5.4.4', '550', 'Host or domain name not found', 'failed'],
  ['4.2.2', '452', 'Mailbox is over quota', 'failed'],
  ['4.4.1', '421', 'Connection timed out', 'delayed'],
] as const

const pick = <T>(items: readonly T[], n: number): T => {
  const item = items[n % items.length]
  if (item === undefined) throw new RangeError('nothing to pick from')
  return item
}

type Context = {
  readonly n: number
  readonly person: string
  readonly campaign: string
  readonly date: string
  readonly original: string
}

type Kind = (context: Context) => { from: string; to: string; reversePath: string; fields: string[]; body: string }

const bounces = 'bounces@bounces.example.com'

const deliveryReport: Kind = ({ n, person, original }) => {
  const [status, reply, text, action] = pick(failures, n)
  const host = person.slice(person.indexOf('@') + 1)
  return {
    from: `Mail Delivery System <MAILER-DAEMON@${host}>`,
    to: bounces,
    reversePath: '',
    fields: [
      `Subject: ${action === 'delayed' ? 'Delayed Mail (still being retried)' : 'Undelivered Mail Returned to Sender'}`,
      'Auto-Submitted: auto-replied',
      `Content-Type: multipart/report; report-type=delivery-status; boundary="b${n}"`,
    ],
    body: [
      `--b${n}`,
      'Content-Type: text/plain; charset=utf-8',
      '',
      `This is the mail system at host ${host}.`,
      '',
      `<${person}>: host mx.${host} said: ${reply} ${status} ${text}`,
      '',
      `--b${n}`,
      'Content-Type: message/delivery-status',
      '',
      `Reporting-MTA: dns; ${host}`,
      '',
      `Final-Recipient: rfc822; ${person}`,
      `Action: ${action}`,
      `Status: ${status}`,
      `Remote-MTA: dns; mx.${host}`,
      `Diagnostic-Code: smtp; ${reply} ${status} ${text}`,
      '',
      `--b${n}`,
      'Content-Type: text/rfc822-headers',
      '',
      original,
      '',
      `--b${n}--`,
    ].join('\r\n'),
  }
}

const outOfOffice: Kind = ({ person }) => ({
  from: person,
  to: 'news@bounces.example.com',
  reversePath: '',
  fields: ['Subject: Automatic reply: out of office', 'Auto-Submitted: auto-replied', 'Content-Type: text/plain'],
  body: 'I am out of the office until 7 December and have no access to my mail.',
})

const optOut: Kind = ({ person, n }) => ({
  from: person,
  to: `unsubscribe+${n}@bounces.example.com`,
  reversePath: person,
  fields: ['Subject: unsubscribe', 'Content-Type: text/plain'],
  body: 'Please take me off this list.',
})

const complaint: Kind = ({ n, person, original, date }) => ({
  from: 'feedback@fbl.example.net',
  to: 'fbl@bounces.example.com',
  reversePath: 'feedback@fbl.example.net',
  fields: ['Subject: Abuse report', `Content-Type: multipart/report; report-type=feedback-report; boundary="b${n}"`],
  body: [
    `--b${n}`,
    'Content-Type: text/plain',
    '',
    'This is an email abuse report for a message that one of our users marked as spam.',
    '',
    `--b${n}`,
    'Content-Type: message/feedback-report',
    '',
    'Feedback-Type: abuse',
    'User-Agent: ExampleFeedback/1.0',
    'Version: 1',
    `Original-Rcpt-To: <${person}>`,
    `Arrival-Date: ${date}`,
    '',
    `--b${n}`,
    'Content-Type: text/rfc822-headers',
    '',
    original,
    '',
    `--b${n}--`,
  ].join('\r\n'),
})

const reply: Kind = ({ person, campaign }) => ({
  from: person,
  to: 'news@bounces.example.com',
  reversePath: person,
  fields: [`Subject: Re: ${campaign}`, 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit'],
  body: 'Thank you, very interesting. Could you send me the paper of last week again?\r\n\r\n> Here is our letter.',
})

/** Most of what comes back are delivery reports. */
const mixture: readonly Kind[] = [
  deliveryReport,
  deliveryReport,
  outOfOffice,
  deliveryReport,
  optOut,
  deliveryReport,
  complaint,
  deliveryReport,
  reply,
  deliveryReport,
  outOfOffice,
  deliveryReport,
]

export function demoMessage(n: number): DemoMessage {
  const person = `${pick(people, n)
    .normalize('NFD')
    .replace(/[^a-z.]/g, '')}@${pick(hosts, Math.floor(n / 3))}`
  const campaign = pick(campaigns, Math.floor(n / 5))
  const date = new Date(Date.UTC(2026, 10, 24, 8) + n * 1000).toUTCString().replace('GMT', '+0000')
  const original = [
    'From: Example News <news@bounces.example.com>',
    `To: <${person}>`,
    `Subject: ${campaign}`,
    `Message-ID: <${campaign}.${n}@bounces.example.com>`,
    `Date: ${date}`,
    `List-Id: <${campaign}.bounces.example.com>`,
    `X-Campaign: ${campaign}`,
  ].join('\r\n')
  const message = pick(mixture, n)({ n, person, campaign, date, original })
  const header = [
    `From: ${message.from}`,
    `To: ${message.to}`,
    `Date: ${date}`,
    `Message-ID: <demo.${n}@demo.example>`,
    'MIME-Version: 1.0',
    ...message.fields,
  ]
  return {
    reversePath: message.reversePath,
    forwardPath: message.to,
    content: Buffer.from(`${header.join('\r\n')}\r\n\r\n${message.body}\r\n`),
  }
}
