/** Notices that name who wrote the message and who was to read it, by labels or in a sentence, in many languages: one is the recipient, the other never is. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

const encoded = (text: string): string => `=?utf-8?B?${Buffer.from(text).toString('base64')}?=`

/** The subject of the notice; then the labels of sender, recipient, subject and reason; and the reason. */
const languages: readonly (readonly [
  language: string,
  notice: string,
  sender: string,
  recipient: string,
  subject: string,
  reason: string,
  why: string,
])[] = [
  ['en', 'Undeliverable', 'Sender', 'Recipient', 'Subject', 'Reason', 'user unknown'],
  ['de', 'Unzustellbar', 'Absender', 'Empfänger', 'Betreff', 'Grund', 'Benutzer unbekannt'],
  ['de', 'Unzustellbar', 'Von', 'An', 'Betreff', 'Fehler', 'Benutzer unbekannt'],
  ['fr', 'Non remis', 'Expéditeur', 'Destinataire', 'Objet', 'Motif', 'utilisateur inconnu'],
  ['fr', 'Non remis', 'De', 'À', 'Sujet', 'Erreur', 'utilisateur inconnu'],
  ['es', 'No entregado', 'Remitente', 'Destinatario', 'Asunto', 'Motivo', 'usuario desconocido'],
  ['it', 'Mancato recapito', 'Mittente', 'Destinatario', 'Oggetto', 'Motivo', 'utente sconosciuto'],
  ['pt', 'Não entregue', 'Remetente', 'Destinatário', 'Assunto', 'Motivo', 'usuário desconhecido'],
  ['nl', 'Niet bezorgd', 'Afzender', 'Ontvanger', 'Onderwerp', 'Reden', 'gebruiker onbekend'],
  ['sv', 'Kunde inte levereras', 'Avsändare', 'Mottagare', 'Ämne', 'Orsak', 'okänd användare'],
  ['da', 'Kunne ikke leveres', 'Afsender', 'Modtager', 'Emne', 'Årsag', 'ukendt bruger'],
  ['fi', 'Toimitus epäonnistui', 'Lähettäjä', 'Vastaanottaja', 'Aihe', 'Syy', 'tuntematon käyttäjä'],
  ['pl', 'Nie dostarczono', 'Nadawca', 'Odbiorca', 'Temat', 'Powód', 'nieznany użytkownik'],
  ['cs', 'Nedoručeno', 'Odesílatel', 'Příjemce', 'Předmět', 'Důvod', 'neznámý uživatel'],
  ['hu', 'Nem kézbesíthető', 'Feladó', 'Címzett', 'Tárgy', 'Ok', 'ismeretlen felhasználó'],
  ['ro', 'Nelivrat', 'Expeditor', 'Destinatar', 'Subiect', 'Motiv', 'utilizator necunoscut'],
  ['ru', 'Не доставлено', 'Отправитель', 'Получатель', 'Тема', 'Причина', 'пользователь не найден'],
  ['uk', 'Не доставлено', 'Відправник', 'Одержувач', 'Тема', 'Причина', 'користувача не знайдено'],
  ['tr', 'Teslim edilemedi', 'Gönderen', 'Alıcı', 'Konu', 'Neden', 'kullanıcı bulunamadı'],
  ['el', 'Δεν παραδόθηκε', 'Αποστολέας', 'Παραλήπτης', 'Θέμα', 'Αιτία', 'άγνωστος χρήστης'],
  ['ja', '配信不能', '差出人', '宛先', '件名', '理由', 'ユーザーが見つかりません'],
  ['zh', '退信', '发件人', '收件人', '主题', '原因', '用户不存在'],
  ['ko', '전송 실패', '보낸 사람', '받는 사람', '제목', '사유', '사용자를 찾을 수 없습니다'],
]

type Labels = Readonly<Record<'sender' | 'recipient' | 'subject' | 'reason' | 'why', string>>
const forms: Readonly<Record<string, (labels: Labels) => string>> = {
  'one block': ({ sender, recipient, subject, reason, why }) =>
    `${sender}: news@sender.example\n${recipient}: bob@dest.example\n${subject}: Our offer\n${reason}: ${why}\n`,
  'the recipient first': ({ sender, recipient, reason, why }) =>
    `${recipient}: bob@dest.example\n${sender}: news@sender.example\n${reason}: ${why}\n`,
  'no subject': ({ sender, recipient, reason, why }) =>
    `${sender}: news@sender.example\n${recipient}: bob@dest.example\n${reason}: ${why}\n`,
  'in brackets': ({ sender, recipient, reason, why }) =>
    `${sender}: <news@sender.example>\n${recipient}: <bob@dest.example>\n\n${reason}: ${why}\n`,
  'on lines of their own': ({ sender, recipient, reason, why }) =>
    `${sender}:\n  news@sender.example\n${recipient}:\n  bob@dest.example\n${reason}:\n  ${why}\n`,
  'spaces in front of the colons': ({ sender, recipient, subject, reason, why }) =>
    `${sender} : news@sender.example\n${recipient} : bob@dest.example\n${subject} : Our offer\n${reason} : ${why}\n`,
  'in columns': ({ sender, recipient, reason, why }) =>
    `${sender}\tnews@sender.example\n${recipient}\tbob@dest.example\n${reason}\t${why}\n`,
}

const sentences: readonly (readonly [notice: string, text: string])[] = [
  ['Undeliverable', 'Your message from news@sender.example to bob@dest.example could not be delivered: user unknown.'],
  ['Undeliverable', 'The message sent by news@sender.example to bob@dest.example was rejected. User unknown.'],
  [
    'Unzustellbar',
    'Die Nachricht von news@sender.example an bob@dest.example konnte nicht zugestellt werden: Benutzer unbekannt.',
  ],
  ['Non remis', "Le message de news@sender.example à bob@dest.example n'a pas pu être remis : utilisateur inconnu."],
  ['No entregado', 'El mensaje de news@sender.example a bob@dest.example no pudo ser entregado: usuario desconocido.'],
  [
    'Mancato recapito',
    'Il messaggio da news@sender.example a bob@dest.example non può essere consegnato: utente sconosciuto.',
  ],
  [
    'Não entregue',
    'A mensagem de news@sender.example para bob@dest.example não pôde ser entregue: usuário desconhecido.',
  ],
  [
    'Niet bezorgd',
    'Het bericht van news@sender.example aan bob@dest.example kon niet worden bezorgd: gebruiker onbekend.',
  ],
  [
    'Kunde inte levereras',
    'Meddelandet från news@sender.example till bob@dest.example kunde inte levereras: okänd användare.',
  ],
  ['Kunne ikke leveres', 'Beskeden fra news@sender.example til bob@dest.example kunne ikke leveres: ukendt bruger.'],
  ['Kunne ikke leveres', 'Meldingen fra news@sender.example til bob@dest.example kunne ikke leveres: ukjent bruker.'],
  [
    'Toimitus epäonnistui',
    'Viestiä lähettäjältä news@sender.example vastaanottajalle bob@dest.example ei voitu toimittaa: tuntematon käyttäjä.',
  ],
  [
    'Nie dostarczono',
    'Wiadomość od news@sender.example do bob@dest.example nie została dostarczona: nieznany użytkownik.',
  ],
  ['Nedoručeno', 'Zprávu od news@sender.example pro bob@dest.example nelze doručit: neznámý uživatel.'],
  [
    'Nem kézbesíthető',
    'A(z) news@sender.example címről a(z) bob@dest.example címre küldött levél nem kézbesíthető: ismeretlen felhasználó.',
  ],
  ['Nelivrat', 'Mesajul de la news@sender.example către bob@dest.example nu a putut fi livrat: utilizator necunoscut.'],
  [
    'Не доставлено',
    'Сообщение от news@sender.example для bob@dest.example не может быть доставлено: пользователь не найден.',
  ],
  ['Не доставлено', 'Повідомлення від news@sender.example до bob@dest.example не доставлено: користувача не знайдено.'],
  [
    'Teslim edilemedi',
    'news@sender.example adresinden bob@dest.example adresine gönderilen ileti teslim edilemedi: kullanıcı bulunamadı.',
  ],
  ['Δεν παραδόθηκε', 'Το μήνυμα από news@sender.example προς bob@dest.example δεν παραδόθηκε: άγνωστος χρήστης.'],
  [
    '配信不能',
    'news@sender.example から bob@dest.example へのメールは配信できませんでした。ユーザーが見つかりません。',
  ],
  ['退信', '从 news@sender.example 发往 bob@dest.example 的邮件无法投递：用户不存在。'],
  [
    '전송 실패',
    'news@sender.example에서 bob@dest.example(으)로 보낸 메일을 전달하지 못했습니다: 사용자를 찾을 수 없습니다.',
  ],
]

const delays: readonly (readonly [notice: string, text: string])[] = [
  [
    'Verzögerte Zustellung',
    'Ihre Nachricht konnte bisher nicht zugestellt werden. Wir versuchen es weiter. bob@dest.example',
  ],
  [
    'Warnung: Nachricht noch nicht zugestellt',
    'Die Nachricht an bob@dest.example wurde noch nicht zugestellt. Es werden weitere Versuche unternommen.',
  ],
  [
    'Remise retardée',
    "Votre message à bob@dest.example n'a pas encore été remis. De nouvelles tentatives seront effectuées.",
  ],
  ['Entrega retrasada', 'Su mensaje a bob@dest.example aún no se ha entregado. Se seguirá intentando.'],
  [
    'Consegna ritardata',
    'Il messaggio a bob@dest.example non è stato ancora consegnato. Verranno effettuati altri tentativi.',
  ],
  ['Entrega atrasada', 'A sua mensagem para bob@dest.example ainda não foi entregue. Continuaremos tentando.'],
  ['Vertraagde bezorging', 'Uw bericht aan bob@dest.example is nog niet bezorgd. Wij blijven het proberen.'],
  ['Fördröjd leverans', 'Ditt meddelande till bob@dest.example har ännu inte levererats. Nya försök kommer att göras.'],
  ['Forsinket levering', 'Din besked til bob@dest.example er endnu ikke leveret. Vi forsøger igen.'],
  ['Forsinket levering', 'Meldingen din til bob@dest.example er ennå ikke levert. Vi prøver igjen.'],
  ['Toimitus viivästyy', 'Viestiäsi osoitteeseen bob@dest.example ei ole vielä toimitettu. Yritämme uudelleen.'],
  [
    'Opóźnienie dostarczenia',
    'Wiadomość do bob@dest.example nie została jeszcze dostarczona. Próby będą kontynuowane.',
  ],
  ['Zpožděné doručení', 'Zpráva pro bob@dest.example dosud nebyla doručena. Pokusy budou pokračovat.'],
  [
    'Késleltetett kézbesítés',
    'A bob@dest.example címre küldött levelet még nem sikerült kézbesíteni. Tovább próbálkozunk.',
  ],
  ['Livrare întârziată', 'Mesajul către bob@dest.example nu a fost încă livrat. Vom încerca din nou.'],
  ['Доставка задерживается', 'Сообщение для bob@dest.example пока не доставлено. Попытки будут продолжены.'],
  ['Доставку затримано', 'Повідомлення для bob@dest.example ще не доставлено. Спроби триватимуть.'],
  ['Καθυστέρηση παράδοσης', 'Το μήνυμα προς bob@dest.example δεν έχει παραδοθεί ακόμη. Θα γίνουν νέες προσπάθειες.'],
  ['Teslimat gecikti', 'bob@dest.example adresine iletiniz henüz teslim edilemedi. Denemeye devam edilecek.'],
  ['配信遅延', 'bob@dest.example へのメールはまだ配信されていません。再試行を続けます。'],
  ['投递延迟', '发往 bob@dest.example 的邮件尚未投递，系统将继续重试。'],
  ['전송 지연', 'bob@dest.example 로 보낸 메일이 아직 전달되지 않았습니다. 계속 시도합니다.'],
]

describe('the recipient is not who wrote', () => {
  for (const [form, bodyOf] of Object.entries(forms)) {
    it(form, () => {
      for (const [, notice, sender, recipient, subject, reason, why] of languages) {
        const head = `From: Mailer <mailer-daemon@mx.example>\nReturn-Path: <>\nTo: b-17@bounce.sender.example\nSubject: ${encoded(notice)}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n`
        const body = bodyOf({ sender, recipient, subject, reason, why })
        const { recipients } = classify(Buffer.from(head + body))
        assert.deepEqual(
          recipients.map((found) => `${found.address} ${found.reason}`),
          ['bob@dest.example userunknown'],
          body,
        )
      }
    })
  }

  it('in a sentence', () => {
    for (const [notice, body] of sentences) {
      const head = `From: Mailer <mailer-daemon@mx.example>\nReturn-Path: <>\nTo: b-17@bounce.sender.example\nSubject: ${encoded(notice)}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n`
      const { recipients } = classify(Buffer.from(`${head}${body}\n`))
      assert.deepEqual(
        recipients.map((found) => `${found.address} ${found.reason}`),
        ['bob@dest.example userunknown'],
        body,
      )
    }
  })

  it('but several are where several did not get it', () => {
    const body = 'Les adresses de ann@dest.example et de bob@dest.example sont inconnues.'
    const head = `From: Mailer <mailer-daemon@mx.example>\nReturn-Path: <>\nTo: b-17@bounce.sender.example\nSubject: Non remis\nContent-Type: text/plain; charset=utf-8\n\n`
    const { recipients } = classify(Buffer.from(`${head}${body}\n`))
    assert.ok(recipients.some(({ address }) => address === 'ann@dest.example'))
  })
})

it('a delay is one in twenty languages, and nothing has failed yet', () => {
  for (const [notice, body] of delays) {
    const head = `From: Mailer <mailer-daemon@mx.example>\nReturn-Path: <>\nTo: b-17@bounce.sender.example\nSubject: ${encoded(notice)}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n`
    const { variant, recipients } = classify(Buffer.from(`${head}${body}\n`))
    assert.deepEqual(
      [variant, ...recipients.map(({ address, action }) => `${address} ${action}`)],
      ['delayed', 'bob@dest.example delayed'],
      body,
    )
  }
})
