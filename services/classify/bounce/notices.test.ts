/**
 * Notices as mail systems word them, written after their documentation: whom each names, and why. Every one comes from a daemon
 * with a null reverse-path, as text alone.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

type Sample = {
  name: string
  from: string
  subject: string
  body: string
  to: string[]
  reason: string
  returnedTo: string
}
const notice = (
  name: string,
  from: string,
  subject: string,
  body: string,
  to: string[],
  reason: string,
  returnedTo = '',
): Sample => ({ name, from, subject, body, to, reason, returnedTo })

const samples = [
  notice(
    'interscan',
    'InterScan <postmaster@gw.example.jp>',
    'Mail delivery failed',
    'Message could not be delivered to the following recipients: \n\n  taro@example.co.jp\n\nFailed: user unknown\n',
    ['taro@example.co.jp'],
    'userunknown',
  ),
  notice(
    'imail',
    'Mail Delivery System <postmaster@imail.example.com>',
    'Undeliverable Mail',
    'Unknown user: jdoe@example.com\n\nRCPT TO generated following response:\n550 5.1.1 <jdoe@example.com>... User unknown\n\nOriginal message follows.\n\nReceived: from x by y\nSubject: hi\n',
    ['jdoe@example.com'],
    'userunknown',
  ),
  notice(
    'imail2',
    '"Postmaster" <postmaster@imail.example.com>',
    'Undeliverable Mail',
    'Delivery failed 20 attempts: jdoe@example.com\n\nOriginal message follows.\n\nReceived: x',
    ['jdoe@example.com'],
    'expired',
  ),
  notice(
    'imail3',
    '"Postmaster" <postmaster@imail.example.com>',
    'Undeliverable Mail',
    'undeliverable to jdoe@example.com\n\nOriginal message follows.\n',
    ['jdoe@example.com'],
    'undefined',
  ),
  notice(
    'imail4',
    '"Postmaster" <postmaster@imail.example.com>',
    'Undeliverable Mail',
    'User mailbox exceeds allowed size: jdoe@example.com\n\nOriginal message follows.\n',
    ['jdoe@example.com'],
    'mailboxfull',
  ),
  notice(
    'mailmarshal',
    'Postmaster <postmaster@mm.example.org>',
    'MailMarshal has detected a Virus / Undeliverable',
    'Your message:\n   From:    news@sender.example\n   Subject: Hello\n\nCould not be delivered because of\n\n550 5.1.1 <bob@example.net> User unknown\n\nThe following recipients were affected: \n    bob@example.net\n\nAdditional Information\n',
    ['bob@example.net'],
    'userunknown',
  ),
  notice(
    'messagingserver',
    'Internet Mail Delivery <postmaster@ims.example.com>',
    'Delivery Notification: Delivery has failed',
    'This report relates to a message you sent with the following header fields:\n\n  Message-id: <CD8C6134-C312@example.jp>\n  Date: Fri, 21 Nov 2014 23:34:45 +0900\n  From: News <news@example.jp>\n  To: robin@example.com\n  Subject: News\n\nYour message cannot be delivered to the following recipients:\n\n  Recipient address: robin@example.com\n  Reason: Remote SMTP server has rejected address\n  Diagnostic code: smtp;550 5.1.1 <robin@example.com>... User Unknown\n  Remote system: dns;mx.example.com (TCP|17.111.174.67|47323|192.0.2.225|25)\n',
    ['robin@example.com'],
    'userunknown',
  ),
  notice(
    'surfcontrol',
    'SurfControl E-mail Filter <postmaster@sc.example.com>',
    'Undelivered message',
    'Your message could not be sent.\nA transcript of the attempts to send the message follows.\nThe number of attempts made: 1\nAddressed To: robin@example.com\n\nThu 29 Apr 2010 23:34:45 +0900\nFailed to send to identified host,\nrobin@example.com: [192.0.2.5], 550 robin@example.com... No such user\n--- Message non-deliverable.\n',
    ['robin@example.com'],
    'filtered',
  ),
  notice(
    'james',
    'Postmaster <postmaster@james.example.com>',
    'Re: News',
    "Hi. This is the James mail server at mailserver.example.com.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.  Below\nI include the list of recipients and the reason why I was unable to deliver\nyour message.\n\nFailed recipient(s):\nrobin@example.com\n\nError message:\n550 - Requested action not taken: no such user here\n",
    ['robin@example.com'],
    'filtered',
  ),
  notice(
    'james2',
    'Postmaster <postmaster@james.example.com>',
    'Mail failure',
    "Hi. This is the James mail server at mailserver.example.com.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up.\n\nMessage details:\n  Subject: News\n  Sent date: Thu Apr 29 01:20:50 JST 2015\n  MAIL FROM: news@example.jp\n  RCPT TO: robin@example.org\n  From: News <news@example.jp>\n  To: robin@example.org\n  Size (in bytes): 1024\n  Number of lines: 64\n",
    ['robin@example.org'],
    'undefined',
  ),
  notice(
    'dragonfly',
    'MAILER-DAEMON <>',
    'Mail delivery failed',
    'This is the DragonFly Mail Agent v0.13 at df.example.jp.\n\nThere was an error delivering your mail to <robin@example.com>.\n\nmx.example.com [192.0.2.5] did not like our RCPT TO:\n550 5.1.1 <robin@example.com>: Recipient address rejected: User unknown\n\nOriginal message follows.\n\n',
    ['robin@example.com'],
    'userunknown',
  ),
  notice(
    'dragonfly2',
    'MAILER-DAEMON <>',
    'Mail delivery failed',
    'This is the DragonFly Mail Agent at df.example.jp.\n\nThere was an error delivering your mail to <robin@example.invalid>.\n\nCannot resolve host example.invalid: not found\n\nMessage headers follow.\n',
    ['robin@example.invalid'],
    'hostunknown',
  ),
  notice(
    'communigate',
    'MAILER-DAEMON@cgp.example.com',
    'Undeliverable mail: News',
    "Failed to deliver to '<bob@example.org>'\nSMTP module(domain example.org) reports:\n host mx.example.org says:\n 550 5.1.1 unknown user account\n",
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'zimbra',
    'MAILER-DAEMON@zm.example.com (Mail Delivery System)',
    'Undelivered Mail Returned to Sender',
    "This is the mail system at host zm.example.com.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients.\n\n<bob@example.org>: host mx.example.org[192.0.2.1] said: 552 5.2.2 Over quota (in reply to RCPT TO command)\n",
    ['bob@example.org'],
    'mailboxfull',
  ),
  notice(
    'smartermail',
    '"System Administrator" <postmaster@sm.example.com>',
    'Delivery Failure',
    'Could not deliver message to the following recipient(s):\n\nFailed Recipient: bob@example.org\nReason: Remote host said: 550 5.1.1 The email account that you tried to reach does not exist.\n\n   -- The header and top 20 lines of the message follows --\n\nReceived: from a\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'hmailserver',
    'mailer-daemon@hm.example.com',
    'Message undeliverable: News',
    'Your message did not reach some or all of the intended recipients.\n\n   Sent: Tue, 3 May 2011 10:00:00 +0200\n   Subject: News\n\nThe following recipient(s) could not be reached:\n\nbob@example.org\n   Error Type: SMTP\n   Remote server (192.0.2.1) issued an error.\n   hMailServer sent: RCPT TO:<bob@example.org>\n   Remote server replied: 550 No such user here\n\nhMailServer\n',
    ['bob@example.org'],
    'filtered',
  ),
  notice(
    'axigen',
    'Axigen <postmaster@ax.example.com>',
    'Undelivered Mail',
    'This is the mail server at ax.example.com.\n\nYour message could not be delivered to the following recipients:\n<bob@example.org>\n   SMTP error from remote server after RCPT: 550 mailbox unavailable\n',
    ['bob@example.org'],
    'filtered',
  ),
  notice(
    'postini',
    'Postmaster <postmaster@psmtp.example>',
    'Delivery Failure',
    'The message to bob@example.org could not be delivered: 554 Blocked by spam filter\n',
    ['bob@example.org'],
    'spamdetected',
  ),
  notice(
    'gmail-notfound',
    'Mail Delivery Subsystem <mailer-daemon@googlemail.com>',
    'Delivery Status Notification (Failure)',
    "** Address not found **\n\nYour message wasn't delivered to bob@example.org because the address couldn't be found, or is unable to receive mail.\n\nLearn more here: https://support.google.com/mail/answer/6596\n\nThe response from the remote server was:\n550 5.1.1 <bob@example.org>: Recipient address rejected: User unknown in virtual mailbox table\n",
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'gmail-inbox-full',
    'Mail Delivery Subsystem <mailer-daemon@googlemail.com>',
    'Delivery Status Notification (Failure)',
    "** Recipient inbox full **\n\nYour message couldn't be delivered to bob@gmail.com. Their inbox is full, or it's getting too much mail right now.\n",
    ['bob@gmail.com'],
    'mailboxfull',
  ),
  notice(
    'o365-de',
    'Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.onmicrosoft.com>',
    'Unzustellbar: News',
    'Ihre Nachricht an bob@example.org konnte nicht zugestellt werden.\n\nbob wurde bei example.org nicht gefunden.\n\nnews    Office 365    bob\nAktion erforderlich        Empfänger\n\nUnbekannte Adresse (An)\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'o365-fr',
    'postmaster@example.fr',
    'Non remis : News',
    'Échec de la remise aux destinataires ou groupes suivants :\n\nbob@example.org (bob@example.org)\nL’adresse de messagerie que vous avez entrée est introuvable.\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'o365-es',
    'postmaster@example.es',
    'No se puede entregar: News',
    'Error de entrega a estos destinatarios o grupos:\n\nbob@example.org\nLa dirección de correo electrónico que escribió no se encontró.\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'o365-it',
    'postmaster@example.it',
    'Non recapitabile: News',
    "Recapito non riuscito verso i seguenti destinatari o gruppi:\n\nbob@example.org\nImpossibile trovare l'indirizzo di posta elettronica immesso.\n",
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'o365-nl',
    'postmaster@example.nl',
    'Niet te bezorgen: News',
    'Bezorgen bij deze geadresseerden of groepen is mislukt:\n\nbob@example.org\nHet ingevoerde e-mailadres is niet gevonden.\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'o365-pt',
    'postmaster@example.com.br',
    'Não Entregue: News',
    'Falha na entrega para estes destinatários ou grupos:\n\nbob@example.org\nO endereço de email inserido não foi encontrado.\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'exch-ja',
    'postmaster@example.co.jp',
    '配信不能: News',
    '次の受信者またはグループへの配信に失敗しました:\n\nbob@example.org\n入力した電子メール アドレスが見つかりませんでした。\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'exch-zh',
    'postmaster@example.cn',
    '未送达: News',
    '未能传递到以下收件人或组:\n\nbob@example.org\n找不到您输入的电子邮件地址。\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'exch-pl',
    'postmaster@example.pl',
    'Nie można dostarczyć: News',
    'Dostarczanie do następujących adresatów lub grup nie powiodło się:\n\nbob@example.org\nNie można odnaleźć wprowadzonego adresu e-mail.\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'exch-sv',
    'postmaster@example.se',
    'Kan inte levereras: News',
    'Det gick inte att leverera till följande mottagare eller grupper:\n\nbob@example.org\nDet gick inte att hitta e-postadressen som du angav.\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'exch-ru',
    'postmaster@example.ru',
    'Недоставляемое: News',
    'Не удается выполнить доставку следующим получателям или группам:\n\nbob@example.org\nВведенный адрес электронной почты не найден.\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'exch-tr',
    'postmaster@example.com.tr',
    'Teslim edilemedi: News',
    'Bu alıcılara veya gruplara teslimat başarısız oldu:\n\nbob@example.org\nGirdiğiniz e-posta adresi bulunamadı.\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    '163',
    'Postmaster@163.com',
    '系统退信',
    '抱歉，您的邮件被退回来了……\n\n原邮件信息：\n时 间: 2016-01-01\n主 题: hi\n收件人: bob@163.com\n\n退信原因：\n收件人邮件地址(bob@163.com)不存在，邮件无法送达。\n550 User not found: bob@163.com\n',
    ['bob@163.com'],
    'filtered',
  ),
  notice(
    'qq',
    'PostMaster@qq.com',
    '来自qq.com的退信',
    '发件人(sender@example.com)的邮件未能送达 \n\n收件人bob@qq.com\n退信原因：收件人邮箱不存在。 \nMailbox not found.\n',
    ['bob@qq.com'],
    'userunknown',
  ),
  notice(
    'naver',
    'mailer-daemon@naver.com',
    '발송 실패 안내',
    '보내신 메일이 전송되지 않았습니다.\n\n받는사람 : bob@naver.com\n실패사유 : 존재하지 않는 사용자 (No such user)\n',
    ['bob@naver.com'],
    'userunknown',
  ),
  notice(
    'seznam',
    'MAILER-DAEMON@seznam.cz',
    'Nedoručitelná zpráva',
    'Zprávu se nepodařilo doručit následujícím příjemcům:\n\n<bob@seznam.cz>: 550 5.1.1 Mailbox does not exist\n',
    ['bob@seznam.cz'],
    'userunknown',
  ),
  notice(
    'wp',
    'mailer-daemon@wp.pl',
    'Niedostarczona wiadomosc',
    'Wiadomosc nie zostala dostarczona do: bob@wp.pl\nPowod: skrzynka nie istnieje (550 no such user)\n',
    ['bob@wp.pl'],
    'filtered',
  ),
  notice(
    'tonline',
    'Mail Delivery System <mailer-daemon@t-online.de>',
    'Unzustellbare Nachricht / undeliverable message',
    'Ihre Nachricht konnte nicht zugestellt werden an:\n\nbob@t-online.de\n\n552 Mailbox voll / quota exceeded\n',
    ['bob@t-online.de'],
    'mailboxfull',
  ),
  notice(
    'libero',
    'MAILER-DAEMON@libero.it',
    'Mail Delivery Failure',
    'Il messaggio non puo essere recapitato a bob@libero.it: casella piena (552 mailbox full)\n',
    ['bob@libero.it'],
    'mailboxfull',
  ),
  notice(
    'facebook',
    'Facebook <mailer-daemon@mx.facebook.com>',
    'Sorry, your message could not be delivered',
    'This message was created automatically by Facebook.\nSorry, your message could not be delivered to bob@facebook.com.\n\n550 RCP-P1 The user does not exist\n',
    ['bob@facebook.com'],
    'filtered',
  ),
  notice(
    'verizon',
    'post_master@vtext.com',
    'Undeliverable Message',
    'Error: \n\tUnable to deliver mail to: \n\t\n5555551212@vtext.com\n\tMailbox unavailable: 550 no such user\n',
    ['5555551212@vtext.com'],
    'filtered',
  ),
  notice(
    'mxlogic',
    'postmaster@mxlogic.example',
    'Mail delivery failed: returning message to sender',
    'This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its recipients. This is a permanent error. The following address failed:\n\n  <bob@example.org>: 550 5.1.1 no such user\n\nIncluded is a copy of the message header:\n-----------------------------------------\nReceived: x\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'activehunter',
    'mailer-daemon <postmaster@ah.example.jp>',
    'FAILURE NOTICE :',
    "  -This is the mail delivery system.\n\n  ----- The following addresses had permanent fatal errors -----\n\n>>> robin@example.com <robin@example.com>\n\n  ----- 'SMTP Response' -----\n550 sorry, no mailbox here by that name (#5.1.1 - chkusr)\n",
    ['robin@example.com'],
    'userunknown',
  ),
  notice(
    'netscape',
    'Mail Administrator <Postmaster@ns.example.com>',
    'Mail System Error - Returned Mail',
    'This Message was undeliverable due to the following reason:\n\nThe following destination addresses were unknown (please check the\naddresses and re-mail the message):\n\nSMTP <alice@example.org>\nSMTP <bob@example.org>\n\nPlease reply to Postmaster@ns.example.com\nif you feel this message to be in error.\n',
    ['alice@example.org', 'bob@example.org'],
    'userunknown',
  ),
  notice(
    'netscape2',
    'Mail Administrator <Postmaster@ns.example.com>',
    'Mail System Error - Returned Mail',
    'This Message was undeliverable due to the following reason:\n\nEach of the following recipients was rejected by a remote mail server.\nThe reasons given by the server are included to help you determine why\neach recipient was rejected.\n\n     Recipient: <bob@example.org>\n     Reason:    User unknown\n\n\nPlease reply to <Postmaster@ns.example.com>\nif you feel this message to be in error.\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'lotus',
    'Postmaster@notes.example.com',
    'DELIVERY FAILURE: User bob (bob@example.org) not listed in Domino Directory',
    'Your message\n\n  Subject: News\n\nwas not delivered to:\n\n  bob@example.org\n\nbecause:\n\n  User bob (bob@example.org) not listed in Domino Directory\n',
    ['bob@example.org'],
    'userunknown',
  ),
  notice(
    'x400',
    'System Administrator <postmaster@ex55.example.com>',
    'Undeliverable: News',
    'Your message\n\n  To:      Bob Jones\n  Subject: News\n  Sent:    Mon, 1 Jan 2001 10:00:00 +0100\n\ndid not reach the following recipient(s):\n\nJones, Bob on Mon, 1 Jan 2001 10:00:05 +0100\n    The recipient name is not recognized\n\tMSEXCH:IMS:Ex:CENTRAL:EX55 0 (000C05A6) Unknown Recipient\n',
    ['bob@ret.example'],
    'userunknown',
    'bob@ret.example',
  ),
  notice(
    'sina',
    'MAILER-DAEMON@sina.com',
    '系统退信/Systems bounce',
    'sina.com邮件系统提示：退信\n\nYour message to the following addresses could not be delivered: bob@sina.com\nReason: User unknown\n',
    ['bob@sina.com'],
    'userunknown',
  ),
  notice(
    'usa.net',
    'Mailer-Daemon@usa.net',
    'Returned mail: Mail delivery failed',
    'User account is expired: bob@usa.net\n',
    ['bob@usa.net'],
    'suspend',
  ),
  notice(
    'prodigy',
    'Mail Delivery <postmaster@prodigy.net>',
    'Returned mail',
    "User's Disk Quota Exceeded:\nSorry, your intended recipient has too much mail stored in his mailbox.\nYour message totalled 31 Kbytes.\nHowever a small (< 1Kb) message will be delivered.\n\nbob@prodigy.net\n",
    ['bob@prodigy.net'],
    'mailboxfull',
  ),
  notice(
    'rackspace',
    'postmaster@rackspace.example (Mail Delivery System)',
    'Undelivered Mail Returned to Sender',
    '--- The following addresses had delivery problems ---\n\nbob@example.org   (The recipient has exceeded their storage limit)\n',
    ['bob@example.org'],
    'mailboxfull',
  ),
  notice(
    'earthlink',
    'MAILER-DAEMON@earthlink.net',
    'Returned mail',
    'I apologize, but I was unable to deliver your mail to <bob@earthlink.net>.\nThe account is currently over quota.\n',
    ['bob@earthlink.net'],
    'mailboxfull',
  ),
  notice(
    'freemail-hu',
    'MAILER-DAEMON@freemail.hu',
    'Kézbesíthetetlen levél',
    'A levelet nem sikerült kézbesíteni: bob@freemail.hu\n550 nincs ilyen felhasználó (no such user)\n',
    ['bob@freemail.hu'],
    'filtered',
  ),
]

function mail({ from, subject, body, returnedTo }: Sample): Buffer {
  const head = [
    `From: ${from}`,
    'To: bounces@news.sender.example',
    `Subject: =?utf-8?B?${Buffer.from(subject).toString('base64')}?=`,
    'Date: Mon, 2 Nov 2020 10:00:00 +0000',
    'MIME-Version: 1.0',
  ]
  const text = ['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit', '', body]
  const returned = ['From: News <news@sender.example>', `To: ${returnedTo}`, 'Subject: News', '', 'Hello']
  const parts = ['--b', ...text, '--b', 'Content-Type: message/rfc822', '', ...returned, '--b--', '']
  const lines =
    returnedTo === '' ? [...head, ...text] : [...head, 'Content-Type: multipart/mixed; boundary=b', '', ...parts]
  return Buffer.from(lines.join('\n').replaceAll('\n', '\r\n'))
}

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
