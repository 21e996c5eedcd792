/** Whom a notice names beside its recipients: whom to write to, who reports, what looks like an address; above it and below. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mail, type Sample, samples } from '#lib/testing/notices.ts'
import { classify } from '../classify.ts'

const bystanders = [
  'Queue ID: 4ABC12@mx.relay.example',
  'Message Token: x1Yz2@relay',
  'Reference: <20200312.4711@relay.example>',
  'Ticket: 4711@tickets.example',
  'See https://relay.example/why?u=eve@other.example&r=1',
  'Contact: helpdesk1@isp.example',
  'Support: care@isp.example',
  'Administrator: jim@relay.example',
  'E-mail: care@isp.example',
  'Reported by: scanner@gw.example',
  'Message sent by: alice@sender2.example',
  'Envelope-From: news2@sender2.example',
  'Unsubscribe: leave-123@lists.example',
  'Report abuse to: stop@isp.example',
  'For assistance contact care@relay.example.',
  'For further help, send mail to <care@isp.example>',
  'Questions? Please e-mail care@isp.example',
  'If you think this is a mistake, please write to jim@relay.example and include this report.',
  'You may also call us or mail care@isp.example, Monday to Friday.',
  'Please forward this message to jim@relay.example (your administrator).',
  'If the problem goes on, please contact\ncare@isp.example',
  'Jim Doe, IT department, jim@relay.example',
  '_______________________________________________\nbounces mailing list\nbounces@lists.relay.example\nhttps://lists.relay.example/listinfo/bounces',
  'Tel. +49 30 123456, care@isp.example',
  'Bei Fragen wenden Sie sich bitte an hilfe@isp.example.',
  'Ihr Ansprechpartner: jim@relay.example',
  'Pour toute question, contactez aide@isp.example.',
  "Si vous avez besoin d'aide, écrivez à aide@isp.example",
  'Para más información, escriba a ayuda@isp.example',
  'Per assistenza scrivere a aiuto@isp.example',
  'Em caso de dúvidas, contacte ajuda@isp.example',
  'Voor hulp kunt u contact opnemen met hulp@isp.example.',
  'Kontakta hjalp@isp.example om du behöver hjälp.',
  'Kontakt venligst hjaelp@isp.example',
  'Lisätietoja: apua@isp.example',
  'W razie pytań prosimy o kontakt: pomoc@isp.example',
  'V případě dotazů kontaktujte pomoc@isp.example',
  'Kérdés esetén írjon a segitseg@isp.example címre',
  'Pentru ajutor scrieți la ajutor@isp.example',
  'По всем вопросам обращайтесь по адресу pomosh@isp.example',
  'З питань звертайтеся: dopomoga@isp.example',
  'Yardım için yardim@isp.example adresine yazın',
  'Για βοήθεια επικοινωνήστε: care@isp.example',
  'お問い合わせは care@isp.example までお願いします。',
  '如有疑问，请联系 care@isp.example',
  '문의: care@isp.example',
  'Mọi thắc mắc xin liên hệ care@isp.example',
  'Untuk bantuan hubungi care@isp.example',
  'للمساعدة اتصل بـ care@isp.example',
  'לעזרה פנו אל care@isp.example',
  'ติดต่อสอบถาม care@isp.example',
]
/** Its recipient stands in the subject alone. */
const others = new Set(['in-the-subject'])

const envelope = { reversePath: '', forwardPaths: [{ address: 'bounces@news.sender.example', parameters: {} }] }
const recipientsOf = (sample: Omit<Sample, 'name' | 'to' | 'reason'>): string[] =>
  classify(mail(sample), envelope)
    .recipients.map(({ address }) => address)
    .toSorted()

describe('recipients are no others for', () => {
  for (const line of bystanders) {
    it(line, () => {
      for (const sample of samples.filter(({ name }) => !others.has(name))) {
        const { name, body, to } = sample
        for (const text of [`${line}\n\n${body}`, `${body}\n\n${line}\n`])
          assert.deepEqual(recipientsOf({ ...sample, body: text }), to.toSorted(), name)
      }
    })
  }
})

describe('who signs a notice is no recipient', () => {
  const returned = (to: string): string =>
    `\n--- Below this line is a copy of the message.\n\nFrom: news@sender.example\nTo: ${to}\nSubject: News\n\nHello\n`
  const told = (body: string): string[] =>
    recipientsOf({ from: 'MAILER-DAEMON@mx.example', subject: 'failure notice', body })
  const notice = 'I was not able to deliver your message to:\n\n<bob@dest.example>\n550 no such user\n\n'

  it('where he stands apart and the message was not sent to him', () => {
    assert.deepEqual(told(`${notice}Yours\n\njim@mx.example\n${returned('bob@dest.example')}`), ['bob@dest.example'])
  })
  it('but who is told of, or stands in the list, is one', () => {
    const both = ['ann@dest.example', 'bob@dest.example']
    const apart = `${notice}<ann@dest.example>\nno such user, either\n`
    const listed =
      'I was not able to deliver your message to:\n\n<bob@dest.example>\n<ann@dest.example>\n\nno such users\n'
    for (const body of [apart, listed]) assert.deepEqual(told(body + returned('bob@dest.example')), both, body)
  })
})

it('nor is whose mail was refused, where the command alone names him', () => {
  const body =
    'A message that you sent could not be delivered. The following address failed:\n\n  bob@dest.example\n    host mx.dest.example [192.0.2.9]\n    SMTP error from remote mail server after MAIL FROM:<news2@sender2.example>:\n    553 sorry, your envelope sender domain must exist\n'
  const from = 'Mail Delivery System <Mailer-Daemon@relay.example>'
  assert.deepEqual(recipientsOf({ from, subject: 'Mail delivery failed: returning message to sender', body }), [
    'bob@dest.example',
  ])
})

it('nor is who sent it, where Exim tells that to somebody else', () => {
  const body =
    'A message sent by\n\n  <news2@sender2.example>\n\ncould not be delivered to one or more of its recipients. The following\naddress(es) failed:\n\n  bob@dest.example\n    SMTP error from remote mail server after RCPT TO:<bob@dest.example>:\n    550 no such user\n'
  const from = 'Mail Delivery System <Mailer-Daemon@relay.example>'
  assert.deepEqual(recipientsOf({ from, subject: 'Mail delivery failed', body }), ['bob@dest.example'])
})

/** Neither their subject nor their text says in words that are known here that mail came back. */
const unclear = new Set(
  'in-the-subject|james|quickmail|delay-es|firstclass|mimesweeper|nospamproxy|lv, unknown|lv, full|sv, unknown|sv, full'.split(
    '|',
  ),
)

it('a notice is one though it is marked as an automatic reply, and comes from nobody', () => {
  for (const sample of samples.filter(({ name }) => !unclear.has(name))) {
    const marked = mail({ ...sample, from: 'noreply@dest.example' }).toString('latin1')
    const bytes = Buffer.from(`Auto-Submitted: auto-replied\r\n${marked}`, 'latin1')
    assert.equal(classify(bytes, envelope).kind, 'bounce', sample.name)
  }
})
