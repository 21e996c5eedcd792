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
  'Please take my name off your e-mail list.',
  "I'd like to unsubscribe.",
  'Can you please unsubscribe this address?',
  'remove my email',
  'Please stop emailing me',
  'Please remove us from your distribution list, thank you.',
  'I wish to opt out of all marketing communications.',
  "Please don't send me any more of these.",
  'No more, please. Unsubscribe.',
  'I did not subscribe to this list, remove me.',
  'Please remove this email address from your database',
  "Don't contact me again.",
  'I no longer want to receive your newsletter.',
  'Get me off your list!',
  'leave me alone',
  'Bitte aus dem Verteiler nehmen.',
  'Bitte meine Adresse löschen.',
  'Bitte nehmen Sie meine Mailadresse aus Ihrem Verteiler.',
  'Ich möchte keine Werbung mehr erhalten.',
  'Bitte keine Newsletter mehr senden.',
  'Keine Mails mehr!',
  'Newsletter abbestellen',
  'Bitte streichen Sie mich von Ihrer Liste.',
  'Ich bestelle den Newsletter hiermit ab.',
  'Bitte tragen Sie mich aus.',
  'Melden Sie mich bitte ab.',
  'Ich möchte mich abmelden.',
  'Ich will von Ihnen keine Mails mehr bekommen',
  'Me désinscrire',
  "Merci de m'enlever de votre liste",
  "Veuillez ne plus m'envoyer de mails",
  'Je veux me désabonner de la newsletter.',
  'Retirez-moi de votre liste svp',
  'Supprimez mon adresse de votre base',
  "Ne m'envoyez plus rien",
  'Darme de baja',
  'Quiero que me den de baja',
  'No deseo recibir más correos',
  'Bórrenme de su lista',
  'Elimine mi correo de su base de datos',
  'Cancellami dalla newsletter',
  'Non voglio più ricevere le vostre mail',
  'Rimuovete il mio indirizzo',
  'Disiscrizione',
  'Descadastrar',
  'Remova meu email da lista',
  'Não desejo mais receber e-mails',
  'Uitschrijven',
  'Verwijder mij uit uw bestand',
  'Ik wil geen mails meer ontvangen',
  'Avregistrera mig',
  'Jag vill inte ha fler mejl',
  'Afmeld nyhedsbrev',
  'Fjern mig fra listen',
  'Vennligst fjern meg fra listen',
  'Poistakaa osoitteeni listalta',
  'Proszę mnie usunąć z listy',
  'Nie chcę otrzymywać newslettera',
  'Odhlásit',
  'Nechci dostávat vaše e-maily',
  'Leiratkozom',
  'Nem kérek több hírlevelet',
  'Dezabonare',
  'Nu mai vreau să primesc e-mailuri',
  'Отписаться',
  'Не присылайте мне больше рассылку',
  'Удалите мой адрес из базы',
  'Видаліть мене з розсилки',
  'Abonelikten çıkmak istiyorum',
  'Beni listeden çıkarın',
  'Διαγραφή',
  '配信を停止してください',
  'メールアドレスを削除してください',
  '请取消订阅',
  '请把我从列表中删除',
  '수신거부',
  '구독을 취소해 주세요',
  'إلغاء الاشتراك',
  'הסירו אותי מהרשימה',
  'Hủy đăng ký',
  'Berhenti berlangganan',
  'ยกเลิกการรับข่าวสาร',
]
/** What people write besides, of orders, meetings and lines, too. */
const others = [
  'Please remove the logo from the flyer.',
  'Could you delete row 4 and resend the list?',
  'Please take the red car off the list.',
  'I do not want to buy now, maybe next year.',
  'Please send me no PDF but a Word file.',
  'We stop using your software in May.',
  'Please stop by at our booth.',
  'My colleague will no longer receive the keys.',
  'I would like to opt for the second offer.',
  'Remove the battery before cleaning.',
  'The list you sent is wrong, please correct it.',
  'Please do not forget to send me the mail with the offer.',
  'Why do I not get your newsletter any more?',
  'Please put me back on the list.',
  'Nehmen Sie die zweite Variante.',
  'Bitte entfernen Sie das Logo.',
  'Bitte melden Sie sich, wenn Sie da sind.',
  'Ich melde mich morgen ab 10 Uhr.',
  'Tragen Sie die Zahlen bitte in die Liste ein.',
  'Bitte senden Sie mir keine Originale, Kopien reichen.',
  'Wir haben von Ihnen nichts mehr gehört, ist alles in Ordnung?',
  'Bitte löschen Sie die alte Datei.',
  'Ich möchte den Newsletter wieder bekommen.',
  'Je ne peux pas venir, merci de me remplacer.',
  'Merci de supprimer la photo du site.',
  'Enlevez le logo svp.',
  'Pouvez-vous me réinscrire ?',
  'Quiten el logo, por favor.',
  'No quiero molestar, solo una pregunta.',
  'Elimine la imagen del folleto.',
  'Togliete la foto, grazie.',
  'Non voglio disturbare, solo una domanda.',
  'Retirem a imagem.',
  'Haal de foto weg, graag.',
  'Verwijder het logo.',
  'Ta bort bilden.',
  'Fjern billedet, tak.',
  'Poista kuva.',
  'Proszę usunąć zdjęcie.',
  'Nie chcę przeszkadzać.',
  'Odstraňte prosím obrázek.',
  'Töröljék a képet.',
  'Ștergeți imaginea.',
  'Уберите, пожалуйста, картинку.',
  'Resmi kaldırın lütfen.',
  '画像を削除してください。',
  '请删除图片。',
  '사진을 삭제해 주세요.',
  'Please remove the second attachment, it is wrong.',
  'Please delete the old version of my file from the server.',
  'Can you take my order off hold?',
  'Take me to the meeting, please.',
  'Drop me a line when you are ready.',
  'Please drop us a line.',
  'Please cancel my order 1234.',
  'Cancel the meeting on Friday.',
  'I would like to cancel my appointment.',
  'Please stop the delivery to my old address.',
  'Stop sending the parcels to the office, send them home.',
  "I don't want to receive the blue one, please send red.",
  'No longer want to receive paper invoices, please send them by e-mail.',
  'Please send no more samples to the Berlin office.',
  'Never mind, I found it.',
  'Please delete my account 123.',
  'Please delete this message, it was meant for Bob.',
  'Please remove Bob from the meeting.',
  'Please opt us in for the trial.',
  'We need to be removed from the waiting list for table 5.',
  'Please take us off the waiting list.',
  "Please remove my address from the invoice and put the company's.",
  "Don't send me the contract yet.",
  'Do not contact me before noon.',
  "Please don't write to my boss about this.",
  'Ich nehme mich der Sache an.',
  'Ich trage mich mit dem Gedanken.',
  'Bitte tragen Sie mich für den Kurs ein.',
  'Bitte tragen Sie uns in die Liste ein.',
  'Stellen Sie mich bitte zu Herrn Maier durch.',
  'Bitte stellen Sie mir eine Rechnung aus.',
  'Nehmen Sie mich bitte in den Verteiler auf.',
  'Bitte nehmen Sie uns in Ihre Liste auf.',
  'Ich melde mich zum Seminar an.',
  'Melden Sie sich bitte bei mir.',
  'Bitte löschen Sie die Position 3.',
  'Bitte löschen Sie meine alte Adresse und verwenden Sie die neue.',
  'Bitte stornieren Sie meine Bestellung.',
  'Hiermit kündige ich meinen Mietvertrag.',
  'Hiermit bestelle ich zehn Stühle.',
  'Hiermit melde ich meine Tochter zum Kurs an.',
  'Keine weiteren Fragen, danke.',
  'Ich habe keine Nachrichten mehr von Ihnen bekommen.',
  'Ich möchte keine Rechnung per Post, sondern per E-Mail.',
  'Ich will keine Werbung machen, sondern fragen.',
  'Wir möchten nichts mehr ändern.',
  'Ich möchte nichts mehr dazu sagen.',
  'Bitte schicken Sie mir keine Ware mehr nach Hause, sondern ins Büro.',
  'Hören Sie auf Ihren Berater.',
  'Merci de retirer le colis.',
  'Merci de supprimer mon adresse de livraison de la commande.',
  'Veuillez annuler ma commande.',
  'Je ne souhaite plus recevoir la version papier.',
  'Je ne peux plus recevoir de colis à cette adresse.',
  "Merci de ne pas m'envoyer la facture par la poste.",
  'Stop, il y a une erreur dans le devis.',
  'Arrêtez la production.',
  'Enlevez la deuxième ligne.',
  'Me retirer de la réunion serait mieux.',
  'Favor de cancelar mi pedido.',
  'Quiero cancelar la reunión.',
  'No quiero más sillas, gracias.',
  'No me envíen la factura por correo postal.',
  'Por favor borren la línea 3.',
  'Dejen de enviar el paquete a la oficina.',
  'Eliminen mi dirección de entrega antigua.',
  "Vorrei cancellare l'appuntamento.",
  'Cancellate la riga 3, per favore.',
  'Non voglio più la sedia rossa.',
  'Non mandatemi il pacco in ufficio.',
  'Togliete il mio nome dalla lista degli invitati.',
  'Por favor cancelem a minha encomenda.',
  'Retirem o item 3.',
  'Não quero mais o produto.',
  'Tirem meu nome da reserva.',
  'Graag mijn bestelling annuleren.',
  'Haal mij op van het station.',
  'Stuur geen facturen meer per post.',
  'Meld mij aan voor de cursus.',
  'Schrijf mij een brief.',
  'Schrijf ons in voor de cursus.',
  'Ta bort rad 3.',
  'Stryk rad 3, tack.',
  'Vill inte längre ha stolen.',
  'Fjern min gamle adresse fra fakturaen.',
  'Slet linje 3.',
  'Jeg ønsker ikke at modtage pakken på kontoret.',
  'Poista rivi 3.',
  'En halua punaista tuolia.',
  'Proszę usunąć wiersz 3.',
  'Rezygnuję z zamówienia.',
  'Nie chcę czerwonego krzesła.',
  'Prosím zrušit objednávku.',
  'Nechci další židle.',
  'Kérem, törölje a 3. sort.',
  'Nem kérek több széket.',
  'Vă rog să anulați comanda.',
  'Удалите, пожалуйста, третью строку.',
  'Прошу удалить третью позицию из заказа.',
  'Не присылайте счёт по почте.',
  'Хочу отменить заказ.',
  'Lütfen siparişimi iptal edin.',
  '3. satırı silin.',
  'Kaydımı yapın lütfen.',
  '3行目を削除してください。',
  '会議をキャンセルしてください。',
  '会員登録をお願いします。',
  '登録を削除せずに残してください。',
  '请删除第三行。',
  '请取消订单。',
  '不要再发样品到办公室。',
  '세 번째 줄을 삭제해 주세요.',
  '회의를 취소해 주세요.',
  '메일을 보내지 못했습니다.',
  'الرجاء حذف السطر الثالث.',
  'تסירו את השורה השלישית',
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

it('what a newsletter offers above a long text of its own is no request, nor that it is closed an absence', () => {
  const offer = 'Dear reader, this is our great offer of the week. '.repeat(30)
  for (const top of [
    'View in browser\nUnsubscribe',
    'Newsletter abbestellen',
    'Sie möchten keine Mails mehr erhalten? Hier abmelden.',
    'Darse de baja',
    '退订',
    'We are closed in January. Book February now!',
    'Unser Büro bleibt am 24.12. geschlossen.',
  ])
    assert.equal(classify(mail('Our offers', `${top}\n\n${offer}`)).kind, 'unknown', top)
  // Whoever answers may quote it without any mark.
  assert.equal(classify(mail('Re: Our offers', `Please unsubscribe me.\n\n${offer}`, answer)).kind, 'opt-out')
  assert.equal(classify(mail('You have a message', 'View your message. Unsubscribe here.')).kind, 'unknown')
})
