/** Notices that list several recipients, each with what was answered for it, in the forms of mail systems and others. */

export type Recipient = readonly [address: string, answer: string, reason: string]

const daemon = 'Mail Delivery System <MAILER-DAEMON@st.example>'
const words = (from: string, subject: string, body: string): string =>
  `From: ${from}\nReturn-Path: <>\nTo: bounces@sender.example\nSubject: ${subject}\n\n${body}\n`
const html = (body: string): string =>
  `From: ${daemon}\nReturn-Path: <>\nTo: bounces@sender.example\nSubject: Undeliverable\nContent-Type: text/html; charset=utf-8\n\n${body}\n`
const dom = (address: string): string => address.slice(address.indexOf('@') + 1)
const local = (address: string): string => address.slice(0, address.indexOf('@'))

/** By whom, or how: of the recipients the whole message, with LF. */
export const listedForms: Readonly<Record<string, (recipients: readonly Recipient[]) => string>> = {
  'bare session': (rs) =>
    words(daemon, 'Undelivered mail', rs.map(([a, t]) => `>>> RCPT TO:<${a}>\n<<< ${t}`).join('\n')),
  'session with greeting': (rs) =>
    words(
      daemon,
      'Undelivered mail',
      `Transcript of session follows:\n\n<<< 220 mx.example ESMTP\n>>> EHLO st.example\n<<< 250 mx.example\n>>> MAIL FROM:<news@sender.example>\n<<< 250 2.1.0 Ok\n` +
        rs.map(([a, t]) => `>>> RCPT TO:<${a}>\n<<< ${t}`).join('\n') +
        '\n>>> QUIT\n<<< 221 Bye',
    ),
  'session C/S': (rs) =>
    words(
      daemon,
      'Delivery failure',
      `The session with the remote host was:\n\nS: 220 mx.example\nC: EHLO st.example\nS: 250 mx.example\nC: MAIL FROM:<news@sender.example>\nS: 250 OK\n` +
        rs.map(([a, t]) => `C: RCPT TO:<${a}>\nS: ${t}`).join('\n') +
        '\nC: QUIT\nS: 221 Bye',
    ),
  'session arrows': (rs) =>
    words(
      daemon,
      'Delivery failure',
      `Session transcript:\n\n<-- 220 mx.example\n--> EHLO st.example\n<-- 250 mx.example\n--> MAIL FROM:<news@sender.example>\n<-- 250 OK\n` +
        rs.map(([a, t]) => `--> RCPT TO:<${a}>\n<-- ${t}`).join('\n') +
        '\n--> QUIT\n<-- 221 Bye',
    ),
  CommuniGate: (rs) =>
    words(
      daemon,
      'Undeliverable mail',
      `Failed to deliver to '${rs.map(([a]) => a).join("','")}'\n` +
        rs
          .map(
            ([a, t]) =>
              `Failed to deliver to '${a}'\nSMTP module(domain ${dom(a)}) reports:\n host mx.${dom(a)} says:\n ${t}`,
          )
          .join('\n\n'),
    ),
  IMail: (rs) =>
    words(
      'Postmaster <postmaster@st.example>',
      'Undeliverable Mail',
      `${rs.map(([a, t]) => `Delivery failed: ${a}: ${t}`).join('\n')}\n\nOriginal message follows.\n`,
    ),
  hMailServer: (rs) =>
    words(
      daemon,
      'Message undeliverable: News',
      `Your message did not reach some or all of the intended recipients.\n\n   Sent: Mon, 2 Nov 2020 10:00:00 +0000\n   Subject: News\n\nThe following recipient(s) could not be reached:\n\n` +
        rs
          .map(
            ([a, t]) =>
              `${a}\n   Error Type: SMTP\n   Remote server (192.0.2.9) issued an error.\n   hMailServer sent: RCPT TO:<${a}>\n   Remote server replied: ${t}`,
          )
          .join('\n\n') +
        '\n\nhMailServer\n',
    ),
  SmarterMail: (rs) =>
    words(
      'System Administrator <postmaster@st.example>',
      'Delivery Failure',
      `Could not deliver message to the following recipient(s):\n\n` +
        rs.map(([a, t]) => `Failed Recipient: ${a}\nReason: Remote host said: ${t}`).join('\n\n') +
        '\n\n   -- The header and top 20 lines of the message follows --\n',
    ),
  Kerio: (rs) =>
    words(
      daemon,
      'Mail delivery failed',
      `Your message\nSubject: News\ncould not be delivered to the following recipients:\n\n` +
        rs.map(([a, t]) => `<${a}>\nReason: ${t}`).join('\n'),
    ),
  James: (rs) =>
    words(
      'postmaster@st.example',
      'Re: News',
      `Hi. This is the James mail server at st.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.  Below\nI include the list of recipients and the reason why I was unable to deliver\nyour message.\n\nFailed recipient(s):\n` +
        rs.map(([a]) => a).join('\n') +
        `\n\nError message:\n` +
        rs.map(([a, t]) => `${t} for ${a}`).join('\n'),
    ),
  PMDF: (rs) =>
    words(
      daemon,
      'Delivery Notification: Delivery has failed',
      `This report relates to a message you sent with the following header fields:\n\n  Message-id: <1@sender.example>\n  Date: Mon, 2 Nov 2020 10:00:00 +0000\n  From: news@sender.example\n  To: list@sender.example\n  Subject: News\n\nYour message cannot be delivered to the following recipients:\n\n` +
        rs
          .map(
            ([a, t]) =>
              `  Recipient address: ${a}\n  Reason: Server rejected RCPT TO address.\n  Diagnostic code: smtp;${t}\n  Remote system: dns;mx.${dom(a)} (TCP|192.0.2.1|1234|192.0.2.9|25)`,
          )
          .join('\n\n'),
    ),
  Mercury: (rs) =>
    words(
      'Electronic Postmaster <postmaster@st.example>',
      'Delivery failure notification',
      `With reference to your message with the subject:\n   "News"\n\nThe local mail transport system has reported the following problems it\nencountered while trying to deliver your message:\n\n-------------------------------------------------------------------\n` +
        rs.map(([a, t]) => `*** ${a}\n${t}`).join('\n') +
        `\n-------------------------------------------------------------------\n\nYour mail message is being returned to you in the next part of this\nmessage.\n`,
    ),
  XMail: (rs) =>
    words(
      'XMail Postmaster <postmaster@st.example>',
      'Error sending message [1] from [st.example]',
      `${rs.map(([a, t], i) => `[<0${i}>] XMail bounce: Rcpt=[${a}];Error=[${t}]`).join('\n\n')}\n`,
    ),
  Smail: (rs) =>
    words(
      daemon,
      'mail failed, returning to sender',
      `|------------------------- Message log follows: -------------------------|\n no valid recipients were found for this message\n|------------------------- Failed addresses follow: ---------------------|\n` +
        rs.map(([a, t]) => ` <${a}> ... transport smtp: ${t}`).join('\n') +
        `\n|------------------------- Message text follows: ------------------------|\n`,
    ),
  InterMail: (rs) =>
    words(
      daemon,
      'Mail System Error - Returned Mail',
      `This Message was undeliverable due to the following reasons:\n\n` +
        rs.map(([a, t]) => `The user(s) account below is not reachable.\n\n  <${a}>\n  ${t}`).join('\n\n') +
        '\n\nPlease reply to <Postmaster@st.example>\nif you feel this message to be in error.\n',
    ),
  EIMS: (rs) =>
    words(
      'Postmaster',
      'Undeliverable message',
      `A message could not be delivered to:\n\n${rs.map(([a, t]) => `${a}\n\treason: ${t}`).join('\n')}`,
    ),
  Axigen: (rs) =>
    words(
      daemon,
      'Mail delivery failed',
      `Your message could not be delivered to the following recipients:\n\n` +
        rs.map(([a, t], i) => `${i + 1}. ${a}\n   Server response: ${t}`).join('\n\n'),
    ),
  'Exchange 5.5': (rs) =>
    words(
      'System Administrator <postmaster@st.example>',
      'Undeliverable: News',
      `Your message\n\n  To:      list@sender.example\n  Subject: News\n  Sent:    Mon, 2 Nov 2020 10:00:00 -0000\n\ndid not reach the following recipient(s):\n\n` +
        rs
          .map(
            ([a, t]) =>
              `${a} on Mon, 2 Nov 2020 10:00:01 -0000\n    The recipient name is not recognized\n\tThe MTS-ID of the original message is: c=us;a= ;p=x;l=EXCH-02\n    MSEXCH:IMS:X:EXCH:EXCH ${t}`,
          )
          .join('\n'),
    ),
  'Zimbra words': (rs) =>
    words(daemon, 'Undelivered Mail Returned to Sender', rs.map(([a, t]) => `<${a}>: ${t}`).join('\n\n')),
  'Exim one host for two': (rs) =>
    words(
      daemon,
      'Mail delivery failed: returning message to sender',
      `A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n` +
        rs
          .map(
            ([a, t]) =>
              `  ${a}\n    (generated from list@sender.example)\n    host mx.${dom(a)} [192.0.2.9]\n    SMTP error from remote mail server after RCPT TO:<${a}>:\n    ${t}`,
          )
          .join('\n\n'),
    ),
  'label pairs': (rs) =>
    words(daemon, 'Undeliverable', rs.map(([a, t]) => `Recipient: ${a}\nError: ${t}`).join('\n\n')),
  'label pairs, the error first': (rs) =>
    words(daemon, 'Undeliverable', rs.map(([a, t]) => `Error: ${t}\nRecipient: ${a}`).join('\n\n')),
  'label pairs with status': (rs) =>
    words(
      daemon,
      'Delivery report',
      rs.map(([a, t]) => `Address  : ${a}\nStatus   : failed\nServer   : mx.${dom(a)}\nResponse : ${t}`).join('\n\n'),
    ),
  'numbered labels': (rs) =>
    words(
      daemon,
      'Delivery report',
      `${rs.length} recipients failed.\n\n${rs.map(([a, t], i) => `#${i + 1}\nTo: ${a}\nReply: ${t}`).join('\n\n')}`,
    ),
  names: (rs) =>
    words(
      daemon,
      'Undeliverable: News',
      `These recipients could not be reached:\n\n` +
        rs.map(([a, t]) => `${local(a)[0]?.toUpperCase()}${local(a).slice(1)} Smith (${a})\n${t}`).join('\n\n'),
    ),
  'tab columns': (rs) =>
    words(daemon, 'Undeliverable', `Recipient\tReason\n${rs.map(([a, t]) => `${a}\t${t}`).join('\n')}`),
  'space columns': (rs) =>
    words(
      daemon,
      'Undeliverable',
      `Recipient                     Reason\n${rs.map(([a, t]) => `${a.padEnd(30)}${t}`).join('\n')}`,
    ),
  'log lines': (rs) =>
    words(
      daemon,
      'Undeliverable',
      rs
        .map(
          ([a, t]) =>
            `Nov  2 10:00:00 st smtp[99]: to=<${a}>, relay=mx.${dom(a)}[192.0.2.9]:25, delay=1, dsn=${t.slice(4, 9)}, status=bounced (host mx.${dom(a)}[192.0.2.9] said: ${t} (in reply to RCPT TO command))`,
        )
        .join('\n'),
    ),
  sentences: (rs) =>
    words(
      daemon,
      'Undeliverable',
      rs.map(([a, t]) => `Your message to ${a} could not be delivered. The remote server answered: ${t}.`).join('\n'),
    ),
  'sentences, the reply first': (rs) =>
    words(
      daemon,
      'Undeliverable',
      rs.map(([a, t]) => `The server answered "${t}" when we tried to deliver your message to ${a}.`).join('\n'),
    ),
  'one paragraph': (rs) =>
    words(daemon, 'Undeliverable', rs.map(([a, t]) => `Delivery to ${a} failed: ${t}.`).join(' ')),
  JSON: (rs) =>
    words(
      daemon,
      'Undeliverable',
      JSON.stringify(
        rs.map(([a, t]) => ({ recipient: a, error: t })),
        null,
        2,
      ),
    ),
  XML: (rs) =>
    words(
      daemon,
      'Undeliverable',
      rs.map(([a, t]) => `<failure><recipient>${a}</recipient><reason>${t}</reason></failure>`).join('\n'),
    ),
  'list of all, then by host': (rs) =>
    words(
      daemon,
      'Undeliverable',
      `Your message could not be delivered to:\n${rs.map(([a]) => `  ${a}`).join('\n')}\n\nDetails:\n` +
        rs.map(([a, t]) => `Host mx.${dom(a)} replied to ${a}:\n  ${t}`).join('\n\n'),
    ),
  'list of all, then in brackets': (rs) =>
    words(
      daemon,
      'Undeliverable',
      `Not delivered: ${rs.map(([a]) => a).join(', ')}\n\n${rs.map(([a, t]) => `[${a}] ${t}`).join('\n')}`,
    ),
  'HTML definition list': (rs) =>
    `From: ${daemon}\nReturn-Path: <>\nTo: bounces@sender.example\nSubject: Undeliverable\nContent-Type: text/html\n\n<p>Your message was not delivered to:</p><dl>${rs.map(([a, t]) => `<dt>${a}</dt><dd>${t}</dd>`).join('')}</dl>\n`,
  'HTML paragraphs': (rs) =>
    `From: ${daemon}\nReturn-Path: <>\nTo: bounces@sender.example\nSubject: Undeliverable\nContent-Type: text/html\n\n<p>Your message was not delivered to these recipients:</p>${rs.map(([a, t]) => `<p><b>${a}</b> &ndash; <i>${t}</i></p>`).join('')}\n`,
  'HTML table of four columns': (rs) =>
    `From: ${daemon}\nReturn-Path: <>\nTo: bounces@sender.example\nSubject: Undeliverable\nContent-Type: text/html\n\n<table><tr><th>#</th><th>Name</th><th>Address</th><th>Server</th><th>Answer</th></tr>${rs.map(([a, t], i) => `<tr><td>${i + 1}</td><td>${local(a)}</td><td>${a}</td><td>mx.${dom(a)}</td><td>${t}</td></tr>`).join('')}</table>\n`,
  'German Exchange': (rs) =>
    words(
      'postmaster@st.example',
      'Unzustellbar: News',
      `Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\n${rs.map(([a]) => `${a}\nIhre Nachricht wurde nicht übermittelt.`).join('\n\n')}\n\nDiagnoseinformationen für Administratoren:\n\nGenerierender Server: st.example\n\n${rs.map(([a, t]) => `${a}\nmx.${dom(a)}\nRemote Server returned '${t}'`).join('\n\n')}\n`,
    ),
  headings: (rs) => words(daemon, 'Undeliverable', rs.map(([a, t]) => `${t}:\n  ${a}`).join('\n\n')),
  'headings of the form': (rs) =>
    words(daemon, 'Undeliverable', rs.map(([a, t]) => `The following address failed (${t}):\n  ${a}`).join('\n\n')),
  bullets: (rs) =>
    words(
      daemon,
      'Undeliverable',
      `Delivery to the following recipients failed permanently:\n\n${rs.map(([a, t]) => ` * ${a}\n   Reason: ${t}`).join('\n')}\n`,
    ),
  'rules between': (rs) =>
    words(
      daemon,
      'Undeliverable',
      rs.map(([a, t]) => `Recipient: <${a}>\nReason: ${t}\n----------------------------`).join('\n'),
    ),
  'numbers and arrows': (rs) =>
    words(daemon, 'Undeliverable', rs.map(([a, t], i) => `${i + 1}) ${a} => ${t}`).join('\n')),
  'one sentence in parentheses': (rs) =>
    words(
      daemon,
      'Undeliverable',
      `Your message could not be delivered to ${rs.map(([a, t]) => `${a} (${t})`).join(', ')}.`,
    ),
  'one sentence with semicolons': (rs) =>
    words(daemon, 'Undeliverable', `Delivery failed for ${rs.map(([a, t]) => `${a}: ${t}`).join('; ')}.`),
  'reply and address in parentheses': (rs) =>
    words(daemon, 'Undeliverable', rs.map(([a, t]) => `${t} (${a})`).join('\n')),
  'markdown table': (rs) =>
    words(
      daemon,
      'Undeliverable',
      `| Status | Recipient | Detail |\n|---|---|---|\n${rs.map(([a, t]) => `| failed | ${a} | ${t} |`).join('\n')}`,
    ),
  'quoted labels': (rs) =>
    words(daemon, 'Undeliverable', rs.map(([a, t]) => `> Recipient: ${a}\n> Error: ${t}`).join('\n>\n')),
  wrapped: (rs) =>
    words(
      daemon,
      'Undeliverable',
      rs
        .map(
          ([a, t]) =>
            `<${a}>: host mx.${dom(a)}[192.0.2.9] said:\n    ${t.replace(/ (?=\w+$)/, '\n    ')} (in reply to RCPT TO\n    command)`,
        )
        .join('\n\n'),
    ),
  'replies of two lines': (rs) =>
    words(
      daemon,
      'Undeliverable',
      rs
        .map(([a, t]) =>
          /^\d/.test(t)
            ? `<${a}>: host mx.${dom(a)}[192.0.2.9] said:\n    ${t.slice(0, 3)}-${t.slice(4)}\n    ${t.slice(0, 9)} See https://help.example/ (in reply to RCPT TO command)`
            : `<${a}>: ${t}\n    See https://help.example/`,
        )
        .join('\n\n'),
    ),
  'names and angles': (rs) =>
    words(daemon, 'Undeliverable', rs.map(([a, t]) => `${local(a)} smith <${a}>: ${t}`).join('\n')),
  'problem first': (rs) =>
    words(daemon, 'Undeliverable', rs.map(([a, t]) => `Problem: ${t}\nAffected recipient: ${a}`).join('\n\n')),
  semicolons: (rs) =>
    words(
      daemon,
      'Undeliverable',
      `Recipient;Code;Answer\n${rs.map(([a, t]) => `${a};${/^\d/.test(t) ? t.slice(0, 3) : ''};${t}`).join('\n')}`,
    ),
  YAML: (rs) =>
    words(
      daemon,
      'Undeliverable',
      `failures:\n${rs.map(([a, t]) => `- recipient: ${a}\n  host: mx.${dom(a)}\n  answer: ${t}`).join('\n')}`,
    ),
  'failed and a tab': (rs) => words(daemon, 'Undeliverable', rs.map(([a, t]) => `Failed: ${a}\n\t${t}`).join('\n')),
  'HTML divs': (rs) =>
    html(
      `<div>We could not deliver your message.</div>${rs.map(([a, t]) => `<div><div><span>Recipient:</span> <span>${a}</span></div><div><span>Answer:</span> <span>${t}</span></div></div>`).join('')}`,
    ),
  'HTML headings': (rs) => html(rs.map(([a, t]) => `<h3>${a}</h3><p>The server answered:</p><pre>${t}</pre>`).join('')),
  'HTML cards with mailto': (rs) =>
    html(
      `<p>Delivery failed</p>${rs.map(([a, t]) => `<table><tr><td>To</td><td><a href="mailto:${a}">${a}</a></td></tr><tr><td>Error</td><td>${t}</td></tr></table>`).join('')}`,
    ),
  attempts: (rs) =>
    words(
      daemon,
      'Undeliverable',
      [1, 2, 3].flatMap((n) => rs.map(([a, t]) => `10:0${n}:01 ${a}: attempt ${n} failed: ${t}`)).join('\n'),
    ),
  'list, then the answers in its order of hosts': (rs) =>
    words(
      daemon,
      'Undeliverable',
      `To: ${rs.map(([a]) => a).join('; ')}\n\nwere not reached.\n\n` +
        rs.map(([a, t]) => `mx.${dom(a)}[192.0.2.9] refused <${a}>: ${t}`).join('\n'),
    ),
  'the list repeated': (rs) =>
    words(
      daemon,
      'Undeliverable',
      `Failed recipients: ${rs.map(([a]) => a).join(', ')}\n\nDetails\n-------\n` +
        rs.map(([a, t]) => `${a}\n${t}`).join('\n\n') +
        `\n\nThese recipients did not get your message: ${rs.map(([a]) => a).join(', ')}\n`,
    ),
  'angle and reply on the next line': (rs) =>
    words(daemon, 'failure notice', rs.map(([a, t]) => `<${a}>:\n    ${t}`).join('\n\n')),
  'could not, because': (rs) =>
    words(
      daemon,
      'Undeliverable',
      rs.map(([a, t]) => `The message could not be delivered to <${a}> because: ${t}`).join('\n'),
    ),
  'the server of each': (rs) =>
    words(
      daemon,
      'Undeliverable',
      rs.map(([a, t]) => `The server mx.${dom(a)} (192.0.2.9) refused ${a} with: ${t}`).join('\n'),
    ),
  French: (rs) =>
    words(
      daemon,
      'Message non remis',
      `Votre message n'a pas pu être remis aux destinataires suivants :\n\n${rs.map(([a, t]) => `- ${a} : ${t}`).join('\n')}\n`,
    ),
  Russian: (rs) =>
    words(
      daemon,
      'Сообщение не доставлено',
      `Ваше сообщение не было доставлено следующим получателям:\n\n${rs.map(([a, t]) => `${a}\nПричина: ${t}`).join('\n\n')}\n`,
    ),
  Japanese: (rs) =>
    words(
      daemon,
      '配信不能',
      `以下の宛先にメールを配信できませんでした。\n\n${rs.map(([a, t]) => `宛先：${a}\n理由：${t}`).join('\n\n')}\n`,
    ),
  'Chinese, the replies first': (rs) =>
    words(daemon, '退信', rs.map(([a, t]) => `错误：${t}\n收件人：${a}`).join('\n\n')),
  'one delivered': (rs) =>
    words(daemon, 'Delivery report', `zoe@four.example: delivered\n${rs.map(([a, t]) => `${a}: ${t}`).join('\n')}`),
  'Courier LMTP': (rs) =>
    words(
      daemon,
      'NOTICE: mail delivery status.',
      `This is a delivery status notification from st.example.\n\n            UNDELIVERABLE MAIL\n\n${rs.map(([a, t]) => `<${a}>:\n     mx.${dom(a)} [192.0.2.9]:\n   >>> RCPT TO:<${a}>\n   <<< ${t}`).join('\n\n')}\n`,
    ),
}
