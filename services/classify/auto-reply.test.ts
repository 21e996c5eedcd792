import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { textMail } from '#lib/testing/mail.ts'
import { classify } from './classify.ts'

const mail = (subject: string, text: string, more: readonly string[] = []): Buffer =>
  textMail('Help <help@remote.example>', subject, text, more)
const replied = ['Auto-Submitted: auto-replied']

describe('what is marked as automatic', () => {
  it('is a bounce where it has no subject, a null reverse-path, the words of one, and names somebody', () => {
    const of = (text: string): string =>
      classify(Buffer.from(`From: <>\r\nTo: news@corp.example\r\n${replied[0]}\r\n\r\n${text}\r\n`), {
        reversePath: '',
        forwardPaths: [],
      }).kind
    assert.equal(of("You sent mail to bob@x.example. That's not a valid user here."), 'bounce')
    assert.equal(of('I am away. Write to bob@x.example.'), 'auto-reply')
  })
})

describe('what ticket systems acknowledge', () => {
  it('is an automatic reply by its words, in the languages of the world', () => {
    for (const [subject, text] of [
      ['We have it', 'We have received your question. This message was generated automatically, so do not answer.'],
      ['Ticket 4711', 'A ticket was created for you [#4711].'],
      ['Eingang', 'Ihre Anfrage ist eingegangen. Diese Mail wurde automatisch erstellt.'],
      ['Réception', 'Nous avons reçu votre message. Merci de ne pas répondre.'],
      ['Recibido', 'Hemos recibido su mensaje. Por favor no responda.'],
      ['Ricevuto', 'La tua richiesta è stata ricevuta. Messaggio automatico.'],
      ['Recebido', 'Recebemos a sua mensagem. Mensagem automática.'],
      ['Ontvangen', 'Uw vraag is ontvangen. Dit bericht is automatisch verzonden.'],
      ['Mottaget', 'Ditt ärende är mottaget. Detta skickas automatiskt.'],
      ['Przyjęte', 'Twoje zgłoszenie zostało przyjęte. Wysłano automatycznie.'],
      ['Принято', 'Ваш запрос принят. Письмо отправлено автоматически.'],
      ['Alındı', 'Talebiniz alınmıştır. Bu ileti otomatik gönderildi.'],
      ['受付', 'お問い合わせを受け付けました。自動送信です。'],
      ['收到', '已收到您的来信。自动发送。'],
      ['접수', '문의가 접수되었습니다. 자동 발송 메일입니다.'],
    ] as const) {
      const { kind, variant } = classify(mail(subject, text))
      assert.deepEqual([kind, variant], ['auto-reply', 'ticket'], text)
    }
  })

  it('is none where a person writes, a shop has an order, or a list tells its readers', () => {
    for (const [text, more] of [
      ['Your message was received with joy. Have you got it in blue?', []],
      ['Your order was received and leaves tomorrow. Do not reply.', []],
      ['We have received your question. Do not reply.', ['List-Id: <news.remote.example>']],
    ] as const) {
      assert.notEqual(classify(mail('News', text, more)).kind, 'auto-reply', text)
    }
  })

  it('is a bounce where the message did not arrive', () => {
    const text =
      'We have received your message, but it could not be delivered to bob@remote.example. Automatic message.'
    assert.equal(classify(mail('Undeliverable mail', text, ['Return-Path: <>'])).kind, 'bounce')
  })
})

describe('who has left', () => {
  it('has moved to the one other address that is named, in the languages of the world', () => {
    for (const text of [
      'Ann no longer works here. Write to carol@remote.example',
      'I have left the company. My successor is Carol <carol@remote.example>.',
      'Frau Ann ist nicht mehr bei uns beschäftigt; bitte an carol@remote.example',
      'Ann a quitté l’entreprise. Écrivez à carol@remote.example',
      'Ann ya no forma parte de la empresa: carol@remote.example',
      'Ann non lavora più con noi, carol@remote.example la sostituisce',
      'A Ann já não trabalha aqui. carol@remote.example',
      'Ann is uit dienst. Mail carol@remote.example',
      'Ann arbetar inte längre här, skriv till carol@remote.example',
      'Ann er ikke længere ansat. Skriv til carol@remote.example',
      'Ann ei enää työskentele meillä: carol@remote.example',
      'Ann już nie pracuje, proszę pisać: carol@remote.example',
      'Ann zde již nepracuje, pište na carol@remote.example',
      'Анна больше не работает у нас. carol@remote.example',
      'Ann artık şirketimizde çalışmıyor: carol@remote.example',
      'Ann は退職しました。carol@remote.example まで',
      'Ann已离职，请联系carol@remote.example',
      'Ann님은 퇴사했습니다. carol@remote.example',
    ]) {
      const { kind, variant, recipients, original } = classify(mail('Automatic reply: News', text, replied))
      assert.deepEqual(
        [kind, variant, recipients[0]?.reason, original['newAddress']],
        ['auto-reply', 'moved', 'hasmoved', 'carol@remote.example'],
        text,
      )
    }
  })

  it('is not who has left for a while, nor is a new address the own one', () => {
    for (const text of [
      'I have left for my holidays; carol@remote.example helps you',
      'Ann no longer works here. This is help@remote.example, you wrote to news@sender.example',
    ]) {
      assert.equal(classify(mail('Automatic reply: News', text, replied)).recipients[0]?.reason, 'vacation', text)
    }
  })
})

describe('challenges', () => {
  it('are known by what they ask for, without a field that says so', () => {
    for (const [text, more] of [
      ['I am protecting myself from junk mail. Click the link once: https://c.example/1', []],
      ['Your mail is held because the sender was not verified. Send an empty mail to a@c.example.', []],
      ['To have your message delivered, please click https://c.example/2', ['In-Reply-To: <1@sender.example>']],
      ['Please confirm that you are not a robot: https://c.example/3', []],
      ['Ask to be on the guest list, click https://c.example/4', replied],
    ] as const) {
      const { kind, variant } = classify(mail('Re: News', text, more))
      assert.deepEqual([kind, variant], ['auto-reply', 'challenge'], text)
    }
  })

  it('are not what list managers hold for a moderator', () => {
    const text = 'Your mail to the list is being held until the moderator can look at it.'
    const { kind, variant } = classify(mail('Your message awaits approval', text, ['X-List-Administrivia: yes']))
    assert.deepEqual([kind, variant], ['auto-reply', 'other'])
  })
})

/** What Outlook and others put in front of the subject, in the languages of their users. */
const automatic = [
  'رد تلقائي',
  'Автоматичен отговор',
  'Resposta automàtica',
  'Automatická odpověď',
  'Automatisk svar',
  'Automatische Antwort',
  'Αυτόματη απάντηση',
  'Respuesta automática',
  'Automaatvastus',
  'Erantzun automatikoa',
  'پاسخ خودکار',
  'Automaattinen vastaus',
  'Réponse automatique',
  'Resposta automática',
  'תשובה אוטומטית',
  'מענה אוטומטי',
  'स्वचालित उत्तर',
  'Automatski odgovor',
  'Automatikus válasz',
  'Balasan otomatis',
  'Sjálfvirkt svar',
  'Risposta automatica',
  '自動応答',
  '自動返信',
  'Автоматты жауап',
  '자동 회신',
  'Automatinis atsakymas',
  'Automātiska atbilde',
  'Balasan automatik',
  'Automatisch antwoord',
  'Automatyczna odpowiedź',
  'Răspuns automat',
  'Автоматический ответ',
  'Автоответ',
  'Automatická odpoveď',
  'Samodejni odgovor',
  'Përgjigje automatike',
  'Аутоматски одговор',
  'Automatiskt svar',
  'Autosvar',
  'การตอบกลับอัตโนมัติ',
  'Otomatik yanıt',
  'Otomatik cevap',
  'Автоматична відповідь',
  'Trả lời tự động',
  '自动答复',
  '自动回复',
  '自動回覆',
  'Автоматски одговор',
  'Avtomatik cavab',
  'ავტომატური პასუხი',
  'Ավտոմատ պատասխան',
  'Ateb awtomatig',
  'Freagra uathoibríoch',
  'Outomatiese antwoord',
  'Jibu otomatiki',
  'Аўтаматычны адказ',
  'Automatesch Äntwert',
  'خودکار جواب',
  'স্বয়ংক্রিয় উত্তর',
  'தானியங்கு பதில்',
  'స్వయంచాలక ప్రత్యుత్తరం',
  'Автомат хариу',
  'Avtomatik javob',
]

describe('the subject of an automatic reply', () => {
  for (const words of automatic) {
    it(words, () => {
      assert.equal(classify(mail(`${words}: News`, '...')).kind, 'auto-reply')
    })
  }
})

/** What people write over what tells that they are away. */
const away = [
  'Abwesenheitsnotiz',
  'Abwesenheit',
  'Absence du bureau',
  'Absent du bureau',
  "Message d'absence",
  'Fuera de la oficina',
  'Ausente',
  'Fuori ufficio',
  'Fuori sede',
  "Assente dall'ufficio",
  'Afwezigheidsbericht',
  'Niet aanwezig',
  'Afwezig',
  'Frånvaromeddelande',
  'Frånvaro',
  'Fraværsmelding',
  'Ikke på kontoret',
  'Poissaoloilmoitus',
  'Poissa',
  'Nieobecność w biurze',
  'Nieobecność',
  'Poza biurem',
  'Mimo kancelář',
  'Nepřítomnost',
  'Házon kívül',
  'Szabadság',
  'Plecat din birou',
  'Absent din birou',
  'В отпуске',
  'Отсутствую на рабочем месте',
  'Отсутствует',
  'Поза офісом',
  'Εκτός γραφείου',
  'Απουσία',
  'Ofis dışında',
  'İzinliyim',
  '不在通知',
  '不在のお知らせ',
  '休暇のお知らせ',
  '外出中',
  '休假通知',
  '不在办公室',
  '부재중',
  '휴가',
  'Out of Office',
  'OOO',
  'On leave',
  'On holiday',
  'Annual leave',
  'Maternity leave',
  'Away from office',
  'Away from my desk',
  'I am away',
  'Vacation',
  'Gone fishing',
  'Urlaub',
  'Bin im Urlaub',
  'Congés',
  'En congé',
  'Vacances',
  'Vacaciones',
  'Férias',
  'Ausência temporária',
  'Ferie',
  'In ferie',
  'Vakantie',
  'Semester',
  'Föräldraledig',
  'Ferieavvikling',
  'Loma',
  'Kesäloma',
  'Urlop',
  'Dovolená',
  'Godišnji odmor',
  'Dopust',
  'Concediu',
  'Отпуск',
  'Відпустка',
  'Отпуска',
  'Άδεια',
  'İzin',
  '休暇',
  'Nghỉ phép',
  'Cuti',
  'ลาพักร้อน',
]

describe('the subject of an absence, from a null reverse-path', () => {
  const tell = (subject: string, more: readonly string[]): string => {
    const { kind, variant } = classify(mail(subject, '...', more))
    return `${kind} ${variant}`
  }
  for (const words of away) {
    it(words, () => assert.equal(tell(`${words}: News`, ['Return-Path: <>']), 'auto-reply out-of-office'))
  }

  it('is none where a shop sells holidays', () => {
    for (const words of ['Vacances', 'Férias', 'Urlop', '休暇']) assert.equal(tell(`${words}: -50 %`, []), 'unknown ')
  })
})
