/** What stands above a list of recipients is said of those in it; what is late and what has failed may stand in one notice. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

const notice = (body: string): Buffer =>
  Buffer.from(
    `From: Mail Delivery System <MAILER-DAEMON@st.example>\nReturn-Path: <>\nTo: news@sender.example\nSubject: Undelivered mail\nContent-Type: text/plain; charset=utf-8\n\n${body}\n`,
  )

/** Of each recipient its reasons, of which any will do, and whether it is for good; a star: any. */
const notices: readonly (readonly [name: string, body: string, recipients: readonly string[]])[] = [
  [
    'tried all',
    'ann@one.example\n  retry timeout exceeded\n  mx1.one.example: 450 4.2.2 mailbox full\n  mx2.one.example: connection timed out',
    ['ann@one.example mailboxfull false'],
  ],
  [
    'delay and fail',
    'The following recipients have failed permanently:\n  ann@one.example: 550 5.1.1 User unknown\n\nThe following recipients are delayed, delivery will be tried again:\n  bob@two.example: connection timed out',
    ['ann@one.example userunknown true', 'bob@two.example networkerror|expired false'],
  ],
  [
    'delay and fail 2',
    '  ann@one.example\n    delivery temporarily suspended: host not responding\n    (will retry)\n\n  bob@two.example\n    550 5.1.1 User unknown\n',
    ['ann@one.example networkerror false', 'bob@two.example userunknown true'],
  ],
  [
    'warning',
    '----- The following addresses had transient non-fatal errors -----\n<ann@one.example>\n\n----- The following addresses had permanent fatal errors -----\n<bob@two.example>\n    (reason: 550 5.1.1 <bob@two.example>... User unknown)\n\n----- Transcript of session follows -----\n<ann@one.example>... Deferred: Connection refused by mx.one.example.\n... while talking to mx.two.example.:\n>>> RCPT To:<bob@two.example>\n<<< 550 5.1.1 <bob@two.example>... User unknown\n550 5.1.1 <bob@two.example>... User unknown\n',
    ['ann@one.example networkerror|expired false', 'bob@two.example userunknown true'],
  ],
  [
    'forward exim',
    '  ann@private.example\n    (generated from ann@one.example)\n    host mx.private.example [192.0.2.3]\n    SMTP error from remote mail server after RCPT TO:<ann@private.example>:\n    550 5.1.1 no such user',
    ['ann@private.example userunknown true'],
  ],
  [
    'forward postfix',
    '<ann@private.example> (expanded from <ann@one.example>): unknown user: "ann"',
    ['ann@private.example userunknown true'],
  ],
  [
    'two for one',
    '<ann@one.example>: mail for one.example loops back to myself\n\n<bob@one.example>: user unknown',
    ['ann@one.example networkerror|systemerror false', 'bob@one.example userunknown true'],
  ],
  [
    'headings with several',
    'Unknown users:\n  ann@one.example\n  bob@two.example\n\nMailbox full:\n  eve@three.example\n  joe@four.example\n',
    [
      'ann@one.example userunknown true',
      'bob@two.example userunknown true',
      'eve@three.example mailboxfull false',
      'joe@four.example mailboxfull false',
    ],
  ],
  [
    'headings with several 2',
    'The following recipients do not exist:\n\n  * ann@one.example\n  * bob@two.example\n\nThe mailboxes of the following recipients are full:\n\n  * eve@three.example\n  * joe@four.example\n',
    [
      'ann@one.example userunknown true',
      'bob@two.example userunknown true',
      'eve@three.example mailboxfull false',
      'joe@four.example mailboxfull false',
    ],
  ],
  [
    'headings German',
    'Folgende Empfänger existieren nicht:\n\n  ann@one.example\n  bob@two.example\n\nDie Postfächer folgender Empfänger sind voll:\n\n  eve@three.example\n',
    ['ann@one.example userunknown true', 'bob@two.example userunknown true', 'eve@three.example mailboxfull false'],
  ],
  [
    'headings, soft first',
    'Mailbox full:\n  eve@three.example\n  joe@four.example\n\nUnknown users:\n  ann@one.example\n  bob@two.example\n',
    [
      'ann@one.example userunknown true',
      'bob@two.example userunknown true',
      'eve@three.example mailboxfull false',
      'joe@four.example mailboxfull false',
    ],
  ],
  [
    'headings delayed',
    'Still trying to deliver to:\n  eve@three.example\n\nUnknown users:\n  ann@one.example\n',
    ['ann@one.example userunknown true', 'eve@three.example expired|onhold|undefined false'],
  ],
  [
    'headings, all one',
    'The following recipients do not exist:\n  ann@one.example\n  bob@two.example\n  eve@three.example\n',
    ['ann@one.example userunknown true', 'bob@two.example userunknown true', 'eve@three.example userunknown true'],
  ],
  [
    'trailing reason',
    'Your message could not be delivered to:\n  ann@one.example\n  bob@two.example\nbecause these users are unknown.\n',
    ['ann@one.example userunknown true', 'bob@two.example userunknown true'],
  ],
  [
    'reply for all in data',
    '<ann@one.example>, <bob@one.example>: host mx.one.example[192.0.2.1] said: 554 5.7.1 Message rejected as spam (in reply to end of DATA command)',
    ['ann@one.example spamdetected false', 'bob@one.example spamdetected false'],
  ],
  [
    'both in a sentence',
    'We could not deliver your message to ann@one.example and bob@two.example: the mailbox of the first is full, the second does not exist.',
    ['ann@one.example *', 'bob@two.example *'],
  ],
  [
    'quota of one, other bare',
    '<ann@one.example>: mailbox is full\n<bob@two.example>\n',
    ['ann@one.example mailboxfull false', 'bob@two.example onhold|undefined|mailboxfull false'],
  ],
  [
    'dialogue, a temporary one',
    '>>> MAIL FROM:<news@sender.example>\n<<< 250 ok\n>>> RCPT TO:<ann@one.example>\n<<< 450 4.2.0 try later\n>>> RCPT TO:<bob@one.example>\n<<< 550 5.1.1 unknown\n',
    [
      'ann@one.example onhold|undefined|speeding|mailboxfull|blocked|filtered|suspend|expired|systemerror false',
      'bob@one.example userunknown true',
    ],
  ],
  [
    'dialogue, pipelined',
    '>>> MAIL FROM:<news@sender.example>\n>>> RCPT TO:<ann@one.example>\n>>> RCPT TO:<bob@one.example>\n>>> DATA\n<<< 250 ok\n<<< 550 5.1.1 <ann@one.example> unknown\n<<< 552 5.2.2 <bob@one.example> over quota\n<<< 554 no valid recipients\n',
    ['ann@one.example userunknown true', 'bob@one.example mailboxfull false'],
  ],
  [
    'dialogue, multi-line',
    '>>> RCPT TO:<ann@one.example>\n<<< 550-5.1.1 The user is not known here\n<<< 550 5.1.1 See https://one.example/\n>>> RCPT TO:<bob@one.example>\n<<< 552-5.2.2 Over quota\n<<< 552 5.2.2 See https://one.example/\n',
    ['ann@one.example userunknown true', 'bob@one.example mailboxfull false'],
  ],
  [
    'MDaemon times',
    ' Mon 2020-11-02 10:00:01: --> RCPT To:<ann@one.example>\n Mon 2020-11-02 10:00:01: <-- 250 ok\n Mon 2020-11-02 10:00:01: --> RCPT To:<bob@one.example>\n Mon 2020-11-02 10:00:01: <-- 550 5.1.1 unknown\n',
    ['bob@one.example userunknown true'],
  ],
  [
    'RFC 3464 words',
    '   ----- Delivery status -----\nFinal recipient: ann@one.example\nAction: delivered\nStatus: 2.0.0\n\nFinal recipient: bob@two.example\nAction: failed\nStatus: 5.1.1\n',
    ['bob@two.example userunknown true'],
  ],
  [
    'sent to list',
    'Your message to list@lists.example was delivered to 10 members. It could not be delivered to these members:\n  ann@one.example (user unknown)\n  bob@two.example (mailbox full)\n',
    ['ann@one.example userunknown true', 'bob@two.example mailboxfull false'],
  ],
  [
    'kept trying',
    'Delivery to ann@one.example has failed after 5 days: mailbox full.\nDelivery to bob@two.example has failed: no such user.\nDelivery to eve@three.example is delayed: host unreachable; we keep trying.\n',
    [
      'ann@one.example mailboxfull false',
      'bob@two.example userunknown true',
      'eve@three.example networkerror|expired false',
    ],
  ],
]

describe('several recipients of whom different things are said', () => {
  for (const [name, body, expected] of notices) {
    it(name, () => {
      const { recipients } = classify(notice(body))
      assert.deepEqual(
        recipients.map(({ address }) => address).toSorted(),
        expected.map((each) => each.split(' ')[0]).toSorted(),
      )
      for (const each of expected) {
        const [address, reasons = '', permanent] = each.split(' ')
        const recipient = recipients.find((one) => one.address === address)
        if (reasons === '*') continue
        assert.ok(reasons.split('|').includes(recipient?.reason ?? ''), `${address}: ${recipient?.reason}`)
        assert.equal(String(recipient?.permanent), permanent, address)
      }
    })
  }
})

const headings: readonly (readonly [language: string, heading: string, reasons: string])[] = [
  ['de', 'Folgende Empfänger existieren nicht:', 'userunknown'],
  ['de', 'Die folgenden Empfänger sind unbekannt:', 'userunknown'],
  ['de', 'Diese Adressen gibt es nicht:', 'userunknown'],
  ['de', 'Die Postfächer der folgenden Empfänger sind voll:', 'mailboxfull'],
  ['de', 'Folgende Postfächer haben ihr Speicherlimit überschritten:', 'mailboxfull'],
  ['de', 'Die folgenden Adressen sind ungültig:', 'userunknown'],
  ['de', 'Folgende Konten wurden deaktiviert:', 'suspend'],
  ['de', 'Folgende Domains existieren nicht:', 'hostunknown'],
  ['de', 'Folgende Server antworten nicht:', 'networkerror|expired'],
  ['en', 'The following recipients do not exist:', 'userunknown'],
  ['en', 'These addresses are unknown:', 'userunknown'],
  ['en', 'The following mailboxes are full:', 'mailboxfull'],
  ['en', 'The following users are over quota:', 'mailboxfull'],
  ['en', 'These accounts have been disabled:', 'suspend'],
  ['en', 'The following addresses are invalid:', 'userunknown'],
  ['en', 'The following domains do not exist:', 'hostunknown'],
  ['en', 'The servers of these recipients do not respond:', 'networkerror|expired'],
  ['en', 'No such users:', 'userunknown'],
  ['en', 'Invalid recipients:', 'userunknown'],
  ['en', 'Unknown addresses:', 'userunknown'],
  ['en', 'Full mailboxes:', 'mailboxfull'],
  ['en', 'Inactive accounts:', 'suspend'],
  ['en', 'Nonexistent users:', 'userunknown'],
  ['en', 'Bad destination addresses:', 'userunknown'],
  ['en', 'Recipients not found:', 'userunknown'],
  ['fr', "Les destinataires suivants n'existent pas :", 'userunknown'],
  ['fr', 'Ces adresses sont inconnues :', 'userunknown'],
  ['fr', 'Les boîtes aux lettres suivantes sont pleines :', 'mailboxfull'],
  ['fr', 'Utilisateurs inconnus :', 'userunknown'],
  ['fr', 'Les comptes suivants sont désactivés :', 'suspend'],
  ['fr', 'Adresses invalides :', 'userunknown'],
  ['es', 'Los siguientes destinatarios no existen:', 'userunknown'],
  ['es', 'Estas direcciones son desconocidas:', 'userunknown'],
  ['es', 'Los siguientes buzones están llenos:', 'mailboxfull'],
  ['es', 'Usuarios desconocidos:', 'userunknown'],
  ['es', 'Las siguientes cuentas están deshabilitadas:', 'suspend'],
  ['es', 'Direcciones no válidas:', 'userunknown'],
  ['it', 'I seguenti destinatari non esistono:', 'userunknown'],
  ['it', 'Indirizzi sconosciuti:', 'userunknown'],
  ['it', 'Le seguenti caselle sono piene:', 'mailboxfull'],
  ['it', 'Utenti sconosciuti:', 'userunknown'],
  ['it', 'I seguenti account sono disattivati:', 'suspend'],
  ['pt', 'Os seguintes destinatários não existem:', 'userunknown'],
  ['pt', 'Endereços desconhecidos:', 'userunknown'],
  ['pt', 'As seguintes caixas de correio estão cheias:', 'mailboxfull'],
  ['pt', 'Usuários inexistentes:', 'userunknown'],
  ['pt', 'As seguintes contas estão desativadas:', 'suspend'],
  ['nl', 'De volgende ontvangers bestaan niet:', 'userunknown'],
  ['nl', 'Onbekende gebruikers:', 'userunknown'],
  ['nl', 'De volgende mailboxen zijn vol:', 'mailboxfull'],
  ['nl', 'Ongeldige adressen:', 'userunknown'],
  ['sv', 'Följande mottagare finns inte:', 'userunknown'],
  ['sv', 'Okända mottagare:', 'userunknown'],
  ['sv', 'Följande brevlådor är fulla:', 'mailboxfull'],
  ['da', 'Følgende modtagere findes ikke:', 'userunknown'],
  ['da', 'Ukendte modtagere:', 'userunknown'],
  ['da', 'Følgende postkasser er fulde:', 'mailboxfull'],
  ['no', 'Følgende mottakere finnes ikke:', 'userunknown'],
  ['no', 'Ukjente mottakere:', 'userunknown'],
  ['no', 'Følgende postbokser er fulle:', 'mailboxfull'],
  ['fi', 'Seuraavia vastaanottajia ei ole:', 'userunknown'],
  ['fi', 'Tuntemattomat vastaanottajat:', 'userunknown'],
  ['fi', 'Seuraavat postilaatikot ovat täynnä:', 'mailboxfull'],
  ['pl', 'Następujący odbiorcy nie istnieją:', 'userunknown'],
  ['pl', 'Nieznani użytkownicy:', 'userunknown'],
  ['pl', 'Następujące skrzynki są pełne:', 'mailboxfull'],
  ['cs', 'Následující příjemci neexistují:', 'userunknown'],
  ['cs', 'Neznámí uživatelé:', 'userunknown'],
  ['cs', 'Následující schránky jsou plné:', 'mailboxfull'],
  ['hu', 'A következő címzettek nem léteznek:', 'userunknown'],
  ['hu', 'Ismeretlen felhasználók:', 'userunknown'],
  ['hu', 'A következő postafiókok megteltek:', 'mailboxfull'],
  ['ro', 'Următorii destinatari nu există:', 'userunknown'],
  ['ro', 'Utilizatori necunoscuți:', 'userunknown'],
  ['ro', 'Următoarele căsuțe poștale sunt pline:', 'mailboxfull'],
  ['tr', 'Aşağıdaki alıcılar bulunamadı:', 'userunknown'],
  ['tr', 'Bilinmeyen kullanıcılar:', 'userunknown'],
  ['tr', 'Aşağıdaki posta kutuları dolu:', 'mailboxfull'],
  ['ru', 'Следующие получатели не существуют:', 'userunknown'],
  ['ru', 'Неизвестные пользователи:', 'userunknown'],
  ['ru', 'Следующие почтовые ящики переполнены:', 'mailboxfull'],
  ['ru', 'Следующие адреса не найдены:', 'userunknown'],
  ['uk', 'Наступні одержувачі не існують:', 'userunknown'],
  ['uk', 'Невідомі користувачі:', 'userunknown'],
  ['uk', 'Наступні скриньки переповнені:', 'mailboxfull'],
  ['el', 'Οι παρακάτω παραλήπτες δεν υπάρχουν:', 'userunknown'],
  ['el', 'Άγνωστοι χρήστες:', 'userunknown'],
  ['el', 'Τα παρακάτω γραμματοκιβώτια είναι γεμάτα:', 'mailboxfull'],
  ['ja', '次の宛先は存在しません：', 'userunknown'],
  ['ja', '次のメールボックスは容量を超えています：', 'mailboxfull'],
  ['zh', '以下收件人不存在：', 'userunknown'],
  ['zh', '以下邮箱已满：', 'mailboxfull'],
  ['ko', '다음 수신자는 존재하지 않습니다:', 'userunknown'],
  ['ko', '다음 사서함이 가득 찼습니다:', 'mailboxfull'],
]

describe('what stands above a list', () => {
  for (const [language, heading, reasons] of headings) {
    it(`is said of all in it, in ${language}: ${heading}`, () => {
      const { recipients } = classify(notice(`${heading}\n\n  ann@one.example\n  bob@two.example`))
      assert.deepEqual(
        recipients.map(({ address }) => address),
        ['ann@one.example', 'bob@two.example'],
      )
      for (const { reason } of recipients) assert.ok(reasons.split('|').includes(reason), reason)
    })
  }
})
