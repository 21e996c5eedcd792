/** Notices that tell of those, too, whom the message reached: only the others are recipients of the bounce. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

type Pair = readonly [name: string, zoe: string, ann: string]

const reached: readonly Pair[] = [
  ['row colon', 'zoe@four.example: delivered', 'ann@one.example: 550 5.1.1 User unknown'],
  ['row reply', '<zoe@four.example>: 250 2.1.5 Ok', '<ann@one.example>: 550 5.1.1 User unknown'],
  ['row reply rcpt', '<zoe@four.example>: 250 2.1.5 Recipient ok', '<ann@one.example>: 550 5.1.1 User unknown'],
  ['dash', 'zoe@four.example - message successfully delivered', 'ann@one.example - user unknown'],
  ['arrow', 'zoe@four.example -> OK', 'ann@one.example -> no such user'],
  ['bar', '| zoe@four.example | delivered | 250 OK |', '| ann@one.example | failed | 550 5.1.1 no such user |'],
  [
    'labels',
    'Recipient: zoe@four.example\nStatus: delivered',
    '\nRecipient: ann@one.example\nStatus: failed\nError: user unknown',
  ],
  [
    'labels2',
    'Address: zoe@four.example\nResult: success',
    '\nAddress: ann@one.example\nResult: failure, user unknown',
  ],
  [
    'labels3',
    'To: <zoe@four.example>\nAction: relayed to mx.four.example',
    '\nTo: <ann@one.example>\nAction: failed\nReason: 550 5.1.1 user unknown',
  ],
  ['german', 'zoe@four.example: zugestellt', 'ann@one.example: Benutzer unbekannt'],
  ['german2', 'zoe@four.example: wurde erfolgreich zugestellt', 'ann@one.example: Empfänger unbekannt'],
  ['french', 'zoe@four.example : remis', 'ann@one.example : utilisateur inconnu'],
  ['french2', 'zoe@four.example : message distribué', 'ann@one.example : utilisateur inconnu'],
  ['spanish', 'zoe@four.example: entregado', 'ann@one.example: usuario desconocido'],
  ['italian', 'zoe@four.example: consegnato', 'ann@one.example: utente sconosciuto'],
  ['dutch', 'zoe@four.example: afgeleverd', 'ann@one.example: gebruiker onbekend'],
  ['polish', 'zoe@four.example: dostarczono', 'ann@one.example: nieznany użytkownik'],
  ['russian', 'zoe@four.example: доставлено', 'ann@one.example: пользователь не найден'],
  ['japanese', 'zoe@four.example: 配信済み', 'ann@one.example: ユーザーが見つかりません'],
  ['chinese', 'zoe@four.example: 已送达', 'ann@one.example: 用户不存在'],
  ['korean', 'zoe@four.example: 전달됨', 'ann@one.example: 사용자를 찾을 수 없습니다'],
  [
    'sentence',
    'The message to zoe@four.example was delivered.',
    'The message to ann@one.example was not delivered: user unknown.',
  ],
  ['sentence2', 'Delivery to <zoe@four.example> succeeded.', 'Delivery to <ann@one.example> failed: user unknown.'],
  ['bracket', '[OK] zoe@four.example', '[FAILED] ann@one.example user unknown'],
  ['status front', 'delivered: zoe@four.example', 'failed: ann@one.example (user unknown)'],
  ['heading', 'Delivered to:\n  zoe@four.example\n', 'Not delivered to:\n  ann@one.example (user unknown)'],
  [
    'heading2',
    'Successful recipients:\n  zoe@four.example\n',
    'Failed recipients:\n  ann@one.example\n    550 5.1.1 user unknown',
  ],
  [
    'dialogue',
    '>>> RCPT TO:<zoe@four.example>\n<<< 250 2.1.5 ok',
    '>>> RCPT TO:<ann@one.example>\n<<< 550 5.1.1 no such user',
  ],
  [
    'dialogue2',
    ' --> RCPT To:<zoe@four.example>\n <-- 250 ok',
    ' --> RCPT To:<ann@one.example>\n <-- 550 5.1.1 no such user',
  ],
  ['dialogue3', 'C: RCPT TO:<zoe@four.example>\nS: 250 ok', 'C: RCPT TO:<ann@one.example>\nS: 550 5.1.1 no such user'],
  [
    'log',
    'to=<zoe@four.example>, relay=mx, dsn=2.0.0, status=sent (250 ok queued)',
    'to=<ann@one.example>, relay=mx, dsn=5.1.1, status=bounced (550 5.1.1 no such user)',
  ],
  ['temp', 'zoe@four.example: delivered on first attempt', 'ann@one.example: over quota'],
  [
    'json',
    '{"recipient":"zoe@four.example","status":"delivered"}',
    '{"recipient":"ann@one.example","status":"bounced","reason":"550 5.1.1 no such user"}',
  ],
  ['table spaces', 'zoe@four.example       delivered', 'ann@one.example        user unknown'],
]
/** Somebody is not there, and the message did not reach the other one either. */
const neither: readonly Pair[] = [
  ['not', 'zoe@four.example: could not be delivered', 'ann@one.example: 550 5.1.1 User unknown'],
  ['accepts', 'zoe@four.example: mail is not accepted', 'ann@one.example: 550 5.1.1 User unknown'],
  ['undelivered', 'zoe@four.example: undelivered', 'ann@one.example: User unknown'],
  [
    'delivered to',
    'zoe@four.example (delivered to bob@x.example, who has no mailbox)',
    'ann@one.example: User unknown',
  ],
  ['german', 'zoe@four.example: konnte nicht zugestellt werden', 'ann@one.example: Benutzer unbekannt'],
  ['german2', 'zoe@four.example: nicht angenommen', 'ann@one.example: Benutzer unbekannt'],
  ['french', "zoe@four.example : n'a pas été remis", 'ann@one.example : utilisateur inconnu'],
  ['spanish', 'zoe@four.example: no entregado', 'ann@one.example: usuario desconocido'],
  ['italian', 'zoe@four.example: non consegnato', 'ann@one.example: utente sconosciuto'],
  ['polish', 'zoe@four.example: nie dostarczono', 'ann@one.example: nieznany użytkownik'],
  ['russian', 'zoe@four.example: не доставлено', 'ann@one.example: пользователь не найден'],
  ['dutch', 'zoe@four.example: niet afgeleverd', 'ann@one.example: gebruiker onbekend'],
  ['portuguese', 'zoe@four.example: não entregue', 'ann@one.example: usuário desconhecido'],
  ['japanese', 'zoe@four.example: 配信できませんでした', 'ann@one.example: ユーザーが見つかりません'],
  ['chinese', 'zoe@four.example: 未送达', 'ann@one.example: 用户不存在'],
  ['chinese2', 'zoe@four.example: 投递不成功', 'ann@one.example: 用户不存在'],
  ['korean', 'zoe@four.example: 전달되지 않음', 'ann@one.example: 사용자를 찾을 수 없습니다'],
  ['turkish', 'zoe@four.example: teslim edilmedi', 'ann@one.example: kullanıcı bulunamadı'],
  ['czech', 'zoe@four.example: nedoručeno', 'ann@one.example: neznámý uživatel'],
  ['swedish', 'zoe@four.example: ej levererad', 'ann@one.example: okänd användare'],
  ['hungarian', 'zoe@four.example: nincs kézbesítve', 'ann@one.example: ismeretlen felhasználó'],
  ['romanian', 'zoe@four.example: nu a fost livrat', 'ann@one.example: utilizator necunoscut'],
  ['greek', 'zoe@four.example: δεν παραδόθηκε', 'ann@one.example: άγνωστος χρήστης'],
  ['vietnamese', 'zoe@four.example: chưa gửi', 'ann@one.example: người dùng không tồn tại'],
  ['indonesian', 'zoe@four.example: tidak berhasil', 'ann@one.example: pengguna tidak ditemukan'],
  [
    'data',
    '>>> RCPT TO:<zoe@four.example>\n<<< 250 ok',
    '>>> RCPT TO:<ann@one.example>\n<<< 250 ok\n>>> DATA\n<<< 554 5.7.1 rejected',
  ],
  ['never', 'zoe@four.example: was never delivered', 'ann@one.example: User unknown'],
  ['delayed', 'zoe@four.example: not yet delivered, still trying', 'ann@one.example: User unknown'],
]

const recipientsOf = (lines: readonly string[]): string[] =>
  classify(
    Buffer.from(
      `From: Mail Delivery System <MAILER-DAEMON@st.example>\nReturn-Path: <>\nTo: b@s.example\nSubject: Delivery report\n\nYour message was not delivered to all recipients.\n\n${lines.join('\n')}\n`,
    ),
  )
    .recipients.map(({ address }) => address)
    .toSorted()

describe('somebody whom the message reached', () => {
  for (const [name, zoe, ann] of reached) {
    it(`is left out: ${name}`, () => {
      assert.deepEqual(recipientsOf([zoe, ann]), ['ann@one.example'])
      assert.deepEqual(recipientsOf([ann, zoe]), ['ann@one.example'])
    })
  }
  for (const [name, zoe, ann] of neither) {
    it(`is not who it did not: ${name}`, () => {
      assert.deepEqual(recipientsOf([zoe, ann]), ['ann@one.example', 'zoe@four.example'])
      assert.deepEqual(recipientsOf([ann, zoe]), ['ann@one.example', 'zoe@four.example'])
    })
  }
})

const daemon = 'Mail Delivery System <MAILER-DAEMON@corp.example>'
/** `reached`: whether the notice says so of its recipient. */
const receipts: readonly (readonly [from: string, subject: string, body: string, reached: boolean])[] = [
  [
    daemon,
    'Successful Mail Delivery Report',
    'This is the mail system at host corp.example.\n\nYour message was successfully delivered to the destination(s) listed below.\n\n<bob@x.example>: delivery via mx: 250 2.0.0 Ok',
    true,
  ],
  [
    daemon,
    'Delivery Status Notification (Success)',
    'Your message has been successfully delivered to the following recipients:\n\n  bob@x.example',
    true,
  ],
  [
    'postmaster@corp.example',
    'Delivered: May news',
    'Your message has been delivered to the following recipients:\n\nbob@x.example',
    true,
  ],
  [
    'Mail Delivery Subsystem <MAILER-DAEMON@corp.example>',
    'Return receipt',
    'The original message was received at Mon, 2 Nov 2020 10:00:00 GMT\n\n   ----- The following addresses had successful delivery notifications -----\n<bob@x.example>  (successfully delivered to mailbox)',
    true,
  ],
  [
    'postmaster@corp.example',
    'Zugestellt: Mai',
    'Ihre Nachricht wurde den folgenden Empfängern zugestellt:\n\nbob@x.example',
    true,
  ],
  [
    'postmaster@corp.example',
    'Remis : Mai',
    'Votre message a été remis aux destinataires suivants :\n\nbob@x.example',
    true,
  ],
  [
    'postmaster@corp.example',
    'Entregado: Mayo',
    'Su mensaje se ha entregado a los siguientes destinatarios:\n\nbob@x.example',
    true,
  ],
  [
    'postmaster@corp.example',
    'Recapitato: Maggio',
    'Il messaggio è stato recapitato ai seguenti destinatari:\n\nbob@x.example',
    true,
  ],
  [
    'postmaster@corp.example',
    'Bezorgd: mei',
    'Uw bericht is bezorgd bij de volgende geadresseerden:\n\nbob@x.example',
    true,
  ],
  [
    'postmaster@corp.example',
    'Доставлено: май',
    'Ваше сообщение доставлено следующим получателям:\n\nbob@x.example',
    true,
  ],
  ['postmaster@corp.example', '配信済み: 5月', 'メッセージは次の受信者に配信されました:\n\nbob@x.example', true],
  ['postmaster@corp.example', '已送达: 五月', '您的邮件已送达以下收件人：\n\nbob@x.example', true],
  [
    'postmaster@corp.example',
    'Entregue: maio',
    'A sua mensagem foi entregue aos seguintes destinatários:\n\nbob@x.example',
    true,
  ],
  [
    'postmaster@corp.example',
    'Dostarczono: maj',
    'Wiadomość została dostarczona do następujących adresatów:\n\nbob@x.example',
    true,
  ],
  [daemon, 'Undelivered Mail', 'Your message was not delivered to:\n\nbob@x.example', false],
  [daemon, 'Delivery report', 'bob@x.example: the mailbox is closed for delivered mail', false],
  [
    daemon,
    'Undeliverable: May',
    'Delivery has failed. It was delivered to the spam filter and rejected:\n\nbob@x.example',
    false,
  ],
  [
    'postmaster@corp.example',
    'Unzustellbar: Mai',
    'Ihre Nachricht konnte nicht zugestellt werden:\n\nbob@x.example',
    false,
  ],
  [
    'postmaster@corp.example',
    'Non remis : Mai',
    "Votre message n'a pas été remis aux destinataires suivants :\n\nbob@x.example",
    false,
  ],
  ['postmaster@corp.example', 'No entregado: Mayo', 'Su mensaje no se ha entregado:\n\nbob@x.example', false],
  ['postmaster@corp.example', 'Не доставлено: май', 'Ваше сообщение не доставлено:\n\nbob@x.example', false],
  [
    'postmaster@corp.example',
    'Undeliverable: Delivered on time, our new service',
    'Your message could not be sent.\n\nbob@x.example',
    false,
  ],
]

describe('a notice', () => {
  for (const [from, subject, body, reached] of receipts) {
    it(`${reached ? 'says that the message arrived' : 'does not say so'}: ${subject}`, () => {
      const { kind, variant, recipients } = classify(
        Buffer.from(
          `From: ${from}\nTo: news@sender.example\nReturn-Path: <>\nSubject: ${subject}\nContent-Type: text/plain; charset=utf-8\n\n${body}\n`,
        ),
      )
      assert.equal(kind, 'bounce')
      assert.deepEqual(
        recipients.map(({ address, action }) => `${address} ${action}`),
        [`bob@x.example ${reached ? 'delivered' : 'failed'}`],
      )
      assert.equal(variant === 'delivered', reached)
    })
  }
})
