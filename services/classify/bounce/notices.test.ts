/**
 * Notices as mail systems word them, in their languages, written after their documentation: whom each names, and why
 * (`golden/notices.json`). Every one comes with a null reverse-path, as text alone.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mail, type Sample, samples } from '#lib/testing/notices.ts'
import { spellings } from '#lib/testing/spellings.ts'
import { classify } from '../classify.ts'

describe('notices in words', () => {
  for (const sample of samples) {
    it(`${sample.name}: ${sample.reason}`, () => {
      const { kind, recipients } = classify(mail(sample), {
        reversePath: '',
        forwardPaths: [{ address: 'bounces@news.sender.example', parameters: {} }],
      })
      assert.equal(kind, 'bounce')
      assert.deepEqual(recipients.map(({ address }) => address).toSorted(), sample.to.toSorted())
      assert.deepEqual([...new Set(recipients.map(({ reason }) => reason))], [sample.reason])
    })
  }
})

const ofAddresses =
  (write: (address: string) => string) =>
  (sample: Sample): Sample => ({
    ...sample,
    body: sample.body.replaceAll(/<?([\w.+-]+@[\w.-]+\w)>?/g, (_, address: string) => write(address)),
  })

/** What gateways and programs make of a text. */
const clothes: Readonly<Record<string, (sample: Sample) => Sample>> = {
  'under a banner': (sample) => ({
    ...sample,
    body: `CAUTION: This email originated from outside of the organization. Do not click links or open attachments unless you know the sender.\n\n${sample.body}`,
  }),
  'above a disclaimer': (sample) => ({
    ...sample,
    body: `${sample.body}\n\n________________________________\nThis e-mail and any attachments are confidential. If you are not the intended recipient, please notify the sender and delete it.\n`,
  }),
  ...Object.fromEntries(
    Object.entries(spellings).map(([how, spell]) => [
      how,
      (sample: Sample) => ({ ...sample, subject: spell(sample.subject), body: spell(sample.body) }),
    ]),
  ),
  'with spaces and hyphens that do not break': (sample) => ({
    ...sample,
    body: sample.body.replaceAll(' ', '\u00a0').replaceAll(/(?<=\p{L})-(?=\p{L})(?!\S*@)/gu, '\u2011'),
  }),
  'with spaces in front of each line': (sample) => ({ ...sample, body: sample.body.replace(/^/gm, '    ') }),
  'with spaces behind each line': (sample) => ({ ...sample, body: sample.body.replace(/$/gm, '  ') }),
  'with links': ofAddresses((address) => `${address}<mailto:${address}>`),
  'with links of Markdown': ofAddresses((address) => `[${address}](mailto:${address})`),
  'between spaces of no width': ofAddresses((address) => `\u200b${address}\u200b`),
  'with a tag in the subject': (sample) => ({ ...sample, subject: `***SPAM*** ${sample.subject}` }),
}

describe('notices in words', () => {
  for (const [how, dress] of Object.entries(clothes)) {
    it(`say the same ${how}`, () => {
      const told = (sample: Sample): string[] =>
        classify(mail(sample)).recipients.map(({ address, reason }) => `${address} ${reason}`)
      for (const sample of samples) assert.deepEqual(told(dress(sample)), told(sample), sample.name)
    })
  }
})

describe('what comes back is no notice', () => {
  const header = (to: string): string =>
    `From: News <news@sender.example>\nTo: ${to}\nSubject: Your account is suspended: mailbox full!\nDate: Mon, 2 Nov 2020 10:00:00 +0000`
  const words =
    'Your mailbox is over quota and the account was suspended for spam.\nWrite to eve@shop.example.\n\nmax@shop.example\n550 5.7.1 blocked'
  for (const line of [
    'Your message was:',
    '-----------------',
    '',
    'Ihre Nachricht:',
    'Исходное сообщение:',
    '原始邮件：',
  ])
    for (const mark of ['', '> ']) {
      it(`behind "${line}", with "${mark}" in front of its lines`, () => {
        const told = (sample: Omit<Sample, 'name' | 'to' | 'reason'>): string[] =>
          classify(mail(sample), { reversePath: '', forwardPaths: [] }).recipients.map(
            ({ address, reason }) => `${address} ${reason}`,
          )
        for (const sample of samples) {
          if (sample.returnedTo !== undefined || sample.name === 'in-the-subject') continue
          const returned = `${header(sample.to[0] ?? '')}\n\n${words}`.replace(/^/gm, mark)
          const body = `${sample.body}\n\n${line}\n\n${returned}\n`
          assert.deepEqual(told({ ...sample, body }), told(sample), sample.name)
        }
      })
    }
})

describe('an address of any shape is named', () => {
  const forms: readonly ((address: string) => string)[] = [
    (address) => `I could not deliver your message to:\n\n<${address}>:\nRemote host said: 550 5.1.1 user unknown\n`,
    (address) => `The following address(es) failed:\n\n  ${address}\n    550 5.1.1 user unknown\n`,
    (address) => `Your message to ${address} couldn't be delivered.\n\n550 5.1.1 user unknown\n`,
    (address) => `These could not be reached:\n\n${address}: 550 5.1.1 user unknown\n`,
    (address) => `Recipient: ${address}\nReason: 550 5.1.1 user unknown\n`,
  ]
  for (const address of [
    'bob@münchen.example',
    'jürgen@dest.example',
    '用户@例子.example',
    'иван@почта.example',
    "o'brien@dest.example",
    'a+b=c@dest.example',
    'bob/dept@dest.example',
    'bob@localhost',
    '#bob@dest.example',
  ]) {
    it(address, () => {
      for (const write of forms) {
        const notice = { from: 'MAILER-DAEMON@mx.example', subject: 'failure notice', body: write(address) }
        assert.deepEqual(
          classify(mail(notice)).recipients.map((each) => each.address),
          [address],
          write(''),
        )
      }
    })
  }
})

describe('a notice in words', () => {
  for (const [how, body] of [
    [
      'with a sentence over two lines',
      'Your mail to the following recipients could not be\ndelivered:\n\n<bob@x.example>\n  No such user\n',
    ],
    ['with two spaces between words', 'Your  mail  could  not  be  delivered:\n\n<bob@x.example>\n  No  such  user\n'],
    ['with the address in bold type', 'Your mail could not be delivered:\n\n*bob@x.example*\n  No such user\n'],
    ['with the address in typographic quotes', 'Your mail to “bob@x.example” could not be delivered:\nNo such user\n'],
  ] as const) {
    it(how, () => {
      const { kind, recipients } = classify(mail({ from: 'Mail <mta@x.example>', subject: 'News', body }), {
        reversePath: '',
        forwardPaths: [],
      })
      assert.equal(kind, 'bounce')
      assert.deepEqual(
        recipients.map(({ address, reason }) => `${address} ${reason}`),
        ['bob@x.example userunknown'],
      )
    })
  }
})

describe('several recipients', () => {
  for (const [text, expected] of [
    [
      'Your message could not be delivered to ann@x.example (mailbox full) and bob@y.example (user unknown).',
      ['ann@x.example mailboxfull', 'bob@y.example userunknown'],
    ],
    [
      'Your message to ann@x.example, bob@y.example and eve@z.example could not be delivered: user unknown.',
      ['ann@x.example userunknown', 'bob@y.example userunknown', 'eve@z.example userunknown'],
    ],
    [
      'Ihre Nachricht an ann@x.example und bob@y.example konnte nicht zugestellt werden. Das Postfach ist voll.',
      ['ann@x.example mailboxfull', 'bob@y.example mailboxfull'],
    ],
    [
      'Message not delivered to: ann@x.example - mailbox full; bob@y.example - no such user',
      ['ann@x.example mailboxfull', 'bob@y.example userunknown'],
    ],
    [
      'Failed addresses: <ann@x.example> <bob@y.example>\nReason: user unknown',
      ['ann@x.example userunknown', 'bob@y.example userunknown'],
    ],
    [
      'The following recipients could not be reached:\n\nann@x.example; bob@y.example\n\nReason: mailbox is full',
      ['ann@x.example mailboxfull', 'bob@y.example mailboxfull'],
    ],
    [
      'Recipient\tReason\nann@x.example\tMailbox full\nbob@y.example\tUser unknown',
      ['ann@x.example mailboxfull', 'bob@y.example userunknown'],
    ],
    [
      'Your message did not reach ann@x.example or bob@y.example.',
      ['ann@x.example undefined', 'bob@y.example undefined'],
    ],
    [
      'Your message could not be delivered to ann@x.example,\nbob@y.example and\neve@z.example: user unknown.',
      ['ann@x.example userunknown', 'bob@y.example userunknown', 'eve@z.example userunknown'],
    ],
    [
      'Mail to "Ann A." <ann@x.example>, Bob B. <bob@y.example> was rejected: user unknown',
      ['ann@x.example userunknown', 'bob@y.example userunknown'],
    ],
    [
      'ann@x.example: user unknown, bob@y.example: mailbox full',
      ['ann@x.example userunknown', 'bob@y.example mailboxfull'],
    ],
    [
      'Reason: User unknown\nAddress: ann@x.example\n\nReason: Mailbox full\nAddress: bob@y.example\n',
      ['ann@x.example userunknown', 'bob@y.example mailboxfull'],
    ],
    [
      'Unknown users: ann@x.example, bob@y.example\nFull mailboxes: eve@z.example',
      ['ann@x.example userunknown', 'bob@y.example userunknown', 'eve@z.example mailboxfull'],
    ],
    [
      '550 5.1.1 User unknown: ann@x.example\n552 5.2.2 Mailbox full: bob@y.example',
      ['ann@x.example userunknown', 'bob@y.example mailboxfull'],
    ],
    [
      'rcpt=ann@x.example status=550 5.1.1 no such user\nrcpt=bob@y.example status=552 5.2.2 over quota',
      ['ann@x.example userunknown', 'bob@y.example mailboxfull'],
    ],
    // The summary of what was sent names more than whom it did not reach.
    [
      'To: ann@x.example, bob@y.example\nSubject: May\n\ncould not be delivered to bob@y.example: mailbox is full',
      ['bob@y.example mailboxfull'],
    ],
    // Who is named for another purpose is none.
    [
      'The message from news@sender.example to ann@x.example, cc boss@sender.example, failed: no such user',
      ['ann@x.example userunknown'],
    ],
    ['Could not deliver to ann@x.example; forward this to desk@help.example for help.', ['ann@x.example undefined']],
  ] as const) {
    it(text.slice(0, 70).replaceAll('\n', ' '), () => {
      const sample = { from: 'MAILER-DAEMON@mx.example', subject: 'Undelivered mail', body: text, returnedTo: '' }
      const { recipients } = classify(mail(sample))
      assert.deepEqual(
        recipients.map(({ address, reason }) => `${address} ${reason}`),
        expected,
      )
    })
  }
})

/** What Outlook, Exchange and others put in front of the subject, in the languages of their users. */
const undeliverable = [
  'تعذر التسليم',
  'Не може да бъде доставено',
  'No es pot lliurar',
  'Nedoručitelné',
  'Kan ikke leveres',
  'Unzustellbar',
  'Δεν ήταν δυνατή η παράδοση',
  'No se puede entregar',
  'Pole kohale toimetatud',
  'Ezin da entregatu',
  'Toimitus epäonnistui',
  'Toimittamaton',
  'Non remis',
  'Non distribuable',
  'Non se pode entregar',
  'לא ניתן למסירה',
  'सुपुर्द नहीं किया जा सका',
  'Nije moguće isporučiti',
  'Kézbesíthetetlen',
  'Tidak dapat dikirim',
  'Non recapitabile',
  '配信不能',
  '配信できませんでした',
  'Жеткізілмеді',
  '배달되지 않음',
  '배달할 수 없음',
  'Nepristatyta',
  'Nepiegādājams',
  'Tidak dapat dihantar',
  'Onbestelbaar',
  'Niedostarczalne',
  'Não entregue',
  'Não é possível entregar',
  'Nelivrabil',
  'Недоставленное',
  'Не удается доставить',
  'Nedoručiteľné',
  'Ni mogoče dostaviti',
  'Nije isporučeno',
  'Неиспоручиво',
  'Kan inte levereras',
  'Olevererbart',
  'ไม่สามารถส่งได้',
  'Teslim edilemedi',
  'Не вдалося доставити',
  'Không thể gửi',
  '无法送达',
  '未送达',
  '無法傳遞',
  '傳遞失敗',
]

describe('the subject of a bounce', () => {
  for (const words of undeliverable) {
    it(words, () => {
      const body = 'bob@dest.example\n...\n'
      const { kind, recipients } = classify(mail({ from: 'Mail <mta@x.example>', subject: `${words}: News`, body }), {
        reversePath: '',
        forwardPaths: [],
      })
      assert.equal(kind, 'bounce')
      assert.deepEqual(
        recipients.map(({ address }) => address),
        ['bob@dest.example'],
      )
    })
  }

  it('need not be known where the text quotes a reply, or Exchange wrote it', () => {
    const body = "bob@dest.example\n... '550 5.1.10 RESOLVER.ADR.RecipientNotFound; ...'\n"
    const nobody = { reversePath: '', forwardPaths: [] }
    assert.equal(classify(mail({ from: 'Mail <mta@x.example>', subject: 'Xyzzy', body }), nobody).kind, 'bounce')
    const exchange = '<MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@corp.example>'
    assert.equal(
      classify(mail({ from: exchange, subject: 'Xyzzy', body: 'bob@dest.example\n...\n' }), nobody).kind,
      'bounce',
    )
    // A person who asks about one quotes it, too.
    assert.equal(classify(mail({ from: 'Ann <ann@x.example>', subject: 'Xyzzy', body })).kind, 'unknown')
  })

  it('say all that a notice without a text says', () => {
    const sample = mail({ from: 'MAILER-DAEMON@x.example', subject: 'bob@dest.example: mailbox full', body: '' })
    const { kind, recipients } = classify(sample, { reversePath: '', forwardPaths: [] })
    assert.deepEqual(
      [kind, ...recipients.map(({ address, reason }) => `${address} ${reason}`)],
      ['bounce', 'bob@dest.example mailboxfull'],
    )
  })
})

describe('a notice in a file of text', () => {
  it('is read, whatever type it is said to be', () => {
    for (const type of ['text/plain', 'application/octet-stream']) {
      const text = Buffer.from('bob@dest.example: 550 5.1.1 user unknown\n').toString('base64')
      const message = `From: MAILER-DAEMON@x.example\nReturn-Path: <>\nSubject: Undelivered\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nSee the attachment.\n--b\nContent-Type: ${type}; name="details.txt"\nContent-Transfer-Encoding: base64\n\n${text}\n--b--\n`
      const { recipients } = classify(Buffer.from(message))
      assert.deepEqual(
        recipients.map(({ address, reason }) => `${address} ${reason}`),
        ['bob@dest.example userunknown'],
      )
    }
  })
})
