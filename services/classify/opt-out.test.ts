import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { textMail } from '#lib/testing/mail.ts'
import { classify } from './classify.ts'
import { isRequest } from './opt-out.ts'
import rules from './rules/opt-outs.json' with { type: 'json' }

const mail = (subject: string, text: string, more: readonly string[] = []): Buffer =>
  textMail('Ann <ann@remote.example>', subject, text, more)
const answer = ['In-Reply-To: <1@sender.example>']

/** As people write it, a line each. */
const requests = [
  'STOP',
  'REMOVE ME!!!',
  'Hi, please unsubscribe. Thanks',
  'unsubscribe from list news-17',
  'unsubscribe news ann@remote.example',
  'unsub-17-abc',
  'SIGNOFF NEWS-L',
  'We wish to be removed, thank you.',
  'Would you stop all these mails?',
  'I never asked for this. Delete my e-mail address.',
  'Get me off this list',
  'Bitte streicht mich aus eurem Verteiler!',
  'Keine weiteren Mails, danke.',
  'Hallo, ich will den Newsletter abbestellen.',
  'Merci de me désabonner',
  'Je ne souhaite plus recevoir vos courriers.',
  'Enlevez mon adresse svp',
  'Baja, por favor',
  'Quítenme de esta lista.',
  'Basta, non mandatemi altro',
  'Vorrei la cancellazione',
  'Me retirem da lista, por favor',
  'Graag afmelden',
  'Ik wil uitgeschreven worden',
  'Stryk mig från listan',
  'Sluta skicka mejl till mig',
  'Slet min adresse, tak',
  'Meld meg av, takk',
  'Poistakaa minut listalta',
  'Wykreślcie mnie z listy',
  'Nie przysyłajcie więcej wiadomości',
  'Odhlaste mě z odběru, prosím',
  'Nechcem dostávať ďalšie správy',
  'Töröljenek a listáról',
  'Ștergeți-mă din listă',
  'Пожалуйста, уберите меня из списка',
  'Перестаньте присылать мне письма',
  'Видаліть мою адресу зі списку',
  'Adresimi listeden çıkarın',
  'Δεν θέλω να λαμβάνω μηνύματα',
  '購読を解除してください',
  '以后请停止发送邮件',
  '메일 수신을 거부합니다',
  'לא לשלוח לי יותר',
]
/** What people write besides. */
const others = [
  'If you do not want to receive our news any more, please unsubscribe.',
  'If you no longer wish to hear from us, just send us a mail and unsubscribe.',
  'Wenn Sie keine weiteren Mails wünschen, melden Sie sich bitte vom Newsletter ab.',
  'Si vous ne souhaitez plus recevoir nos courriers, merci de vous désabonner.',
  'Si no desea recibir más correos, dese de baja.',
  'Als u onze nieuwsbrief niet meer wilt ontvangen, kunt u zich afmelden.',
  'Если вы больше не хотите получать рассылку, отпишитесь.',
  'Thank you, what a fine letter!',
  'Please remove item 12 from my order',
  'I was removed by mistake, put me back on the list',
  'I stopped getting your mails. Why?',
  'Please do not unsubscribe me',
  'Stop by when you are in town',
  'I want to receive more of this',
  'Bitte senden Sie mir die Rechnung',
  'Ich habe keine Mail bekommen',
  'Ich wurde abgemeldet, warum?',
  'Je n’ai rien reçu',
  'Retirez le colis à la poste',
  'Quiero recibir el catálogo',
  'El precio es muy bajo',
  'Vorrei annullare un ordine',
  'Quero mais informações',
  'Kan ik dit nog bestellen?',
  'Jag vill ha fler bilder',
  'Jeg vil gerne have en faktura',
  'Haluan lisää tietoa',
  'Chcę otrzymywać katalog',
  'Chci dostávat novinky',
  'Хочу получать новости',
  'Bülteni almak istiyorum',
  'メールが届きません',
  '我没有收到邮件',
  '메일이 오지 않았습니다',
]

describe('opt-outs', () => {
  for (const { language, examples } of rules.languages) {
    it(`are told in ${language}`, () => {
      for (const example of examples) assert.ok(isRequest(example), example)
    })
  }

  it('are told in what people write, and from what else they write', () => {
    for (const line of requests) {
      assert.ok(isRequest(line), line)
      assert.equal(classify(mail('Re: News', line, answer)).kind, 'opt-out', line)
    }
    for (const line of others) {
      assert.ok(!isRequest(line), line)
      assert.equal(classify(mail('Re: News', line, answer)).kind, 'reply', line)
    }
  })

  it('stand at the top, above what is quoted, or in the subject', () => {
    assert.equal(classify(mail('Abmeldung', '')).kind, 'opt-out')
    assert.equal(classify(mail('Re: please remove me from the list', 'x', answer)).kind, 'opt-out')
    assert.equal(classify(mail('News', 'Hello,\r\n\r\nAnn here.\r\n\r\nTake my address off the list')).kind, 'opt-out')
    assert.equal(classify(mail('News', 'Nice!\r\n\r\n> remove me', answer)).kind, 'reply')
    assert.equal(classify(mail('News', 'Bello!\r\n\r\nIl 2 nov, News ha scritto:\r\ncancellami', answer)).kind, 'reply')
    assert.equal(classify(mail('News', `${'long '.repeat(100)}remove me`, answer)).kind, 'reply')
  })

  it('stand below what is quoted where nothing stands above it, and the quote is marked', () => {
    assert.equal(classify(mail('News', '> hello\r\n> buy\r\n\r\nplease remove me', answer)).kind, 'opt-out')
    assert.equal(classify(mail('News', 'Ann wrote:\r\n> remove me\r\n\r\nThanks!', answer)).kind, 'reply')
    assert.equal(classify(mail('News', '> hello\r\n> unsubscribe', answer)).kind, 'reply')
    assert.equal(classify(mail('News', 'From: News\r\n\r\nremove me', answer)).kind, 'reply')
  })

  it('carry what the sender wrote into the mailto, and end the subscription that it names', () => {
    const options = {
      optOutAddresses: [/^unsub[@+-]/],
      addressPatterns: [
        /^unsub-(?<campaign>\d+)-(?<recipient>[^@]+=[^@]+)@/,
        /^t\.(?<campaign>\d+)\.(?<customer>\w+)$/,
      ],
    }
    const told = (to: string, subject: string, text: string): unknown[] => {
      const envelope = { reversePath: 'ann@remote.example', forwardPaths: [{ address: to, parameters: {} }] }
      const { kind, recipients, original } = classify(mail(subject, text), envelope, options)
      return [kind, recipients.map(({ address }) => address).join(), original]
    }
    const ann = 'ann@remote.example'
    for (const [to, subject, text, address, original] of [
      ['unsub@s.example', 'u-7f3a9c', '', ann, { token: 'u-7f3a9c' }],
      ['unsub@s.example', 'unsubscribe', 'token: 7f3a9c', ann, { token: '7f3a9c' }],
      ['unsub@s.example', 'unsubscribe', 'List-Unsubscribe=One-Click', ann, {}],
      ['news@s.example', 'unsubscribe:7f3a9c', '', ann, { token: '7f3a9c' }],
      ['unsub@s.example', 't.77.c9', '', ann, { token: 't.77.c9', campaign: '77', customer: 'c9' }],
      // Whoever writes from another address than the one that is subscribed.
      ['unsub-77-bob=x.example@s.example', 'x', '', 'bob@x.example', { campaign: '77', recipient: 'bob@x.example' }],
    ] as const) {
      assert.deepEqual(told(to, subject, text), ['opt-out', address, original], `${to} ${subject}`)
    }
    for (const subject of ['Stop 24.12.2026', 'Cancel: 10:30', 'Order 4711', 'Re: remove: the old ones'])
      assert.equal(classify(mail(subject, 'x')).kind === 'opt-out', false, subject)
  })

  it('are of whoever writes, not of whom the return address of an attached message names', () => {
    const fields = ['Content-Type: multipart/mixed; boundary=b', '', '--b', '', 'please unsubscribe me', '--b']
    const attached = [
      'Content-Type: message/rfc822',
      '',
      'Return-Path: <b-bob=x.example@other.example>',
      'Subject: May',
    ]
    const message = ['From: Ann <ann@remote.example>', 'Subject: unsubscribe', ...fields, ...attached, '', 'x', '--b--']
    const { kind, recipients, original } = classify(Buffer.from(message.join('\r\n')))
    assert.deepEqual(
      [kind, recipients.map(({ address }) => address), original['recipient']],
      ['opt-out', ['ann@remote.example'], undefined],
    )
  })

  it('are not what a newsletter says of itself', () => {
    const digest = mail('News of others', 'Unsubscribe\r\nHello', ['List-Unsubscribe: <mailto:u@other.example>'])
    assert.equal(classify(digest).kind, 'unknown')
  })
})
