import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commandOf } from './bounce/command.ts'
import { classify } from './classify.ts'
import { findReason, isPermanent, parseRules, reasons, textRules } from './reason.ts'
import receivers from './rules/receivers.json' with { type: 'json' }
import statuses from './rules/statuses.json' with { type: 'json' }
import texts from './rules/texts.json' with { type: 'json' }

const known: readonly string[] = reasons
const diagnosis = (text: string, more: Partial<Parameters<typeof findReason>[0]> = {}) => ({
  action: 'failed',
  status: /\b[45]\.\d{1,3}\.\d{1,3}\b/.exec(text)?.[0] ?? '',
  reply: /\b[45]\d\d\b/.exec(text)?.[0] ?? '',
  command: commandOf(text),
  host: '',
  texts: [text],
  ...more,
})
const reasonOf = (text: string, more: Partial<Parameters<typeof findReason>[0]> = {}): string =>
  findReason(diagnosis(text, more)).reason

type ReceiverRule = {
  readonly reason: string
  readonly pattern: string
  readonly example: string
  readonly command?: readonly string[]
  readonly status?: readonly string[]
}

describe('the rules of reasons', () => {
  it('name reasons that there are, and match their examples', () => {
    for (const [index, { reason, pattern, example }] of texts.rules.entries()) {
      assert.match(example.replace(/\s+/g, ' '), textRules[index]?.pattern ?? /^$/, `${reason}: ${example}`)
      assert.ok(known.includes(reason), reason)
      assert.match(example.replace(/\s+/g, ' '), new RegExp(pattern, 'iu'), `${reason}: ${example}`)
    }
    for (const reason of Object.values(statuses.reasons)) assert.ok(known.includes(reason), reason)
  })

  it('of receivers: the first that matches an example is the one that it stands with', () => {
    for (const { name, rules: given } of receivers.receivers) {
      const rules: readonly ReceiverRule[] = given
      for (const { reason, example } of rules) {
        assert.ok(known.includes(reason), reason)
        const first = rules.find(
          (rule) =>
            new RegExp(rule.pattern, 'iu').test(example) &&
            rule.command?.includes(commandOf(example)) !== false &&
            rule.status?.some((status) => example.includes(status)) !== false,
        )
        assert.equal(first?.reason, reason, `${name}: ${example}`)
      }
    }
  })
})

describe('the command that was answered', () => {
  it('is read from the words of each mail system', () => {
    for (const [text, command] of [
      ['said: 550 no (in reply to RCPT TO command)', 'RCPT'],
      ['said: 550 no (in reply to end of DATA command)', 'DATA'],
      ['said: 550 no (in reply to MAIL FROM command)', 'MAIL'],
      ['host mx.example[192.0.2.1] refused to talk to me: 554 no', 'CONN'],
      ['SMTP error from remote mail server after RCPT TO:<a@b.example>: host x: 550 no', 'RCPT'],
      ['SMTP error from remote mail server after end of data: host x: 554 no', 'DATA'],
      ['SMTP error from remote server after MAIL command: 550 no', 'MAIL'],
      ['192.0.2.1 does not like recipient. Remote host said: 550 no', 'RCPT'],
      ['192.0.2.1 failed after I sent the message. Remote host said: 554 no', 'DATA'],
      ['Connected to 192.0.2.1 but sender was rejected. Remote host said: 550 no', 'MAIL'],
      ['Connected to 192.0.2.1 but my name was rejected. Remote host said: 501 no', 'HELO'],
      ['mx.example [192.0.2.1] did not like our RCPT TO: 550 no', 'RCPT'],
      ['mx.example [192.0.2.1] did not like our final DATA: 554 no', 'DATA'],
      ['... while talking to mx.example.:\n>>> MAIL From:<a@b.example>\n<<< 553 no', 'MAIL'],
      ['>>> RCPT To:<a@b.example>\n<<< 550 no', 'RCPT'],
      ['Remote host said: 550 no [RCPT_TO]', 'RCPT'],
      ['SMTP error, RCPT TO: Host mx.example(192.0.2.1) RCPT TO said 550 no', 'RCPT'],
      ['550 no such luck', ''],
    ] as const) {
      assert.equal(commandOf(text), command, text)
    }
  })

  it('tells of whom the words are', () => {
    const unknown = '550 <a@b.example>: User unknown'
    assert.equal(reasonOf(unknown, { command: 'RCPT' }), 'userunknown')
    assert.equal(reasonOf(unknown, { command: 'DATA' }), 'filtered')
    // A remote reply without anything that bears it out: the mailbox may exist.
    assert.equal(reasonOf(unknown), 'filtered')
    assert.equal(reasonOf('550 5.1.1 <a@b.example>: User unknown'), 'userunknown')
    assert.equal(reasonOf('The recipient name is not recognized', { reply: '' }), 'userunknown')
    assert.equal(reasonOf('550 5.7.1 Access denied', { command: 'MAIL' }), 'rejected')
    assert.equal(
      reasonOf('553 5.1.8 Domain of sender address a@b.example does not exist', { command: 'MAIL' }),
      'rejected',
    )
    assert.equal(reasonOf('501 5.0.0 Invalid domain name', { command: 'HELO' }), 'blocked')
    assert.equal(reasonOf('550 Denied by policy', { command: 'MAIL' }), 'policyviolation')
  })
})

describe('the receiver', () => {
  it('means what its own pages say', () => {
    const host = 'b-example.mail.protection.outlook.com'
    assert.equal(reasonOf('550 5.4.1 Recipient address rejected: Access denied', { host }), 'userunknown')
    assert.equal(reasonOf('550 5.7.606 Access denied, banned sending IP [192.0.2.1]', { host }), 'blocked')
    assert.equal(reasonOf('550 5.7.509 Access denied, sending domain does not pass DMARC', { host }), 'authfailure')
    assert.equal(
      reasonOf('550-5.7.25 The IP address sending this message does not have a PTR record', {
        host: 'gmail-smtp-in.l.google.com',
      }),
      'requireptr',
    )
    assert.equal(reasonOf('550 : User unknown', { host: 'lsean.ezweb.ne.jp' }), 'filtered')
  })

  it('what a reply is about, not whose name is in it', () => {
    for (const [text, reason] of [
      ['554 5.7.1 Service unavailable; client [192.0.2.1] blocked using Spamhaus', 'blocked'],
      ['550 Your message scored 9.1 points (in reply to end of DATA command)', 'spamdetected'],
      ['550 relaying mail to dest.example is not allowed (in reply to RCPT TO command)', 'norelaying'],
      ['421 4.4.2 The message rate of this client has exceeded what is configured', 'speeding'],
      ['550-Callback setup failed while verifying <a@b.example> 550 No such user', 'rejected'],
      ['451 4.5.0 id=1-03 Temporary MTA failure on relaying', 'systemerror'],
      ["554 5.7.1 reject: Client host bypassing its provider's mail relay: dsl-1.example", 'blocked'],
    ] as const) {
      assert.equal(reasonOf(text), reason, text)
    }
  })
})

describe('where nothing tells', () => {
  it('says so, and takes nothing for good', () => {
    assert.equal(reasonOf('', { reply: '', status: '' }), 'undefined')
    assert.equal(reasonOf('550 Zxqv'), 'onhold')
    assert.equal(reasonOf('550 5.7.99 Zxqv'), 'securityerror')
    assert.equal(isPermanent('onhold', { action: 'failed', status: '', reply: '550' }), false)
  })
})

const header = (subject: string, from = 'MAILER-DAEMON@mx.remote.example'): string =>
  `From: ${from}\nTo: sender@corp.example\nReturn-Path: <>\nSubject: ${subject}\nMessage-ID: <1@mx.remote.example>\n\n`

/** Notices in the manner of systems that have no report part, in our words where theirs do not matter. */
const notices: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'Exim: an alias that the recipient came from is none',
    `${header('Mail delivery failed: returning message to sender')}A message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  lost@dom.example\n  (generated from alias@dom.example)\n  retry timeout exceeded\n`,
    ['lost@dom.example failed - - expired'],
  ],
  [
    'MailMarshal: the reply stands before the recipient',
    `${header('Undeliverable Mail: "x"')}Your message:\n   From:    sender@corp.example\n   Subject: x\n\nCould not be delivered because of\n\n550 5.1.1 User unknown\n\nThe following recipients were affected: \n    lost@dom.example\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
  [
    'InterScan: a transcript',
    `${header('Mail could not be delivered')}Sent >>> RCPT TO: <lost@dom.example>\nReceived <<< 550 5.1.1 <lost@dom.example>... user unknown\n\nUnable to deliver message to <lost@dom.example>\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
  [
    'a limit in words',
    `${header('Returned mail:')}   ----- The following addresses had delivery problems -----\n\n<lost@dom.example>\n\n   ----- Non-delivered information -----\n\nThe number of messages in recipient's mailbox exceeded the local limit.\n`,
    ['lost@dom.example failed - - mailboxfull'],
  ],
  [
    'Workspace: the recipient in a sentence',
    `${header('Delivery Status Notification (Failure)')}** Address not found **\n\nYour message wasn't delivered to lost@dom.example because the address couldn't be found.\n\nThe response was:\n\n550 5.1.1 The email account that you tried to reach does not exist.\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
  [
    'Exchange, German',
    `${header('Unzustellbar: x')}Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Gruppen:\n\nlost@dom.example\nDie Adresse konnte nicht gefunden werden.\n\nDiagnoseinformationen für Administratoren:\nGenerierender Server: mail.dom.example\nlost@dom.example\nRemote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup'\n`,
    ['lost@dom.example failed 5.1.10 550 userunknown'],
  ],
  [
    'Exim: a warning',
    `${header('Warning: message 1abc delayed 24 hours')}A message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue.\n\nThe address to which the message has not yet been delivered is:\n\n  lost@dom.example\n    Delay reason: SMTP error from remote mail server after RCPT TO:<lost@dom.example>:\n    452 4.2.2 The account is over quota\n\nNo action is required on your part. Delivery attempts will continue.\n`,
    ['lost@dom.example delayed 4.2.2 452 mailboxfull'],
  ],
  [
    'qmail: two recipients, two reasons',
    `${header('failure notice')}Hi. This is the qmail-send program at mx.remote.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<a@dom.example>:\nSorry, I couldn't find any host named dom.example. (#5.1.2)\n\n<b@dom2.example>:\n198.51.100.2 failed after I sent the message.\nRemote host said: 554 5.7.1 Message rejected as spam.\n\n--- Below this line is a copy of the message.\n\nFrom: sender@corp.example\nTo: a@dom.example\nSubject: x\nMessage-ID: <z@corp.example>\n`,
    ['a@dom.example failed 5.1.2 - hostunknown', 'b@dom2.example failed 5.7.1 554 spamdetected'],
  ],
  [
    'a gateway that repeats fields of the message',
    `${header('Re:x', 'post_master@dom.example')}Error: Invalid user address\n\nError message below:\n550 - Requested action not taken: no such user here\n\nMessage details:\n  Subject: x\n  MAIL FROM: sender@corp.example\n  RCPT TO: lost@dom.example\n  From: another@corp.example\n`,
    ['lost@dom.example failed - 550 filtered'],
  ],
  [
    'who wrote to himself',
    `${header('failure notice')}Hi. This is the qmail-send program at corp.example.\nI wasn't able to deliver your message to the following addresses.\n\n<sender@corp.example>:\n192.0.2.1 does not like recipient.\nRemote host said: 552 Error: disk quota exceeded\n`,
    ['sender@corp.example failed - 552 mailboxfull'],
  ],
  [
    'Courier',
    `${header('Mail delivery failed: User unknown')}This is a delivery status notification from mx.example.net,\nrunning the Courier mail server, version 0.65.0.\n\nThe original message was received on Thu, 29 Apr 2010 23:34:45 +0900\nfrom corp.example\n\n---------------------------------------------------------------------------\n\n                           UNDELIVERABLE MAIL\n\nYour message to the following recipients cannot be delivered:\n\n<lost@dom.example>:\n    mx.example.org [192.0.2.25]:\n>>> RCPT TO:<lost@dom.example>\n<<< 550 5.1.1 <lost@dom.example>... User Unknown\n\n---------------------------------------------------------------------------\n\nIf your message was also sent to additional recipients, their delivery\nstatus is not included in this report.\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
  [
    'MDaemon: a transcript with times',
    `${header('Permanent Delivery Failure')}The attached message had PERMANENT fatal delivery errors.\n\n--- Delivery Summary\nFailed address: lost@dom.example\n\n--- Session Transcript\n Thu 2010-04-29 23:34:45: [1:1] --> RCPT To:<lost@dom.example>\n Thu 2010-04-29 23:34:45: [1:1] <-- 550 5.1.1 User unknown\n--- End Transcript\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
  [
    'a gateway that answers in two languages, below the subject of the message',
    `From: gateway@dom.example\nTo: sender@corp.example\nSubject: RE: Your May : non remis (delivery failed)\nMessage-ID: <1@mx.remote.example>\n\nVotre message n'a pas pu etre delivre a\nlost@dom.example\n\nYour message could not be delivered to\nlost@dom.example\n`,
    ['lost@dom.example failed - - undefined'],
  ],
  [
    'X-Failed-Recipients that a host in between has rewritten: the words and the returned message agree on another',
    `X-Failed-Recipients: lost@inner.example\n${header('Mail delivery failed')}The following address(es) failed:\n\n  lost@dom.example\n    550 5.1.1 no such user\n\n------ This is a copy of the message, including all the headers. ------\n\nFrom: sender@corp.example\nTo: lost@dom.example\nSubject: x\nMessage-ID: <2@corp.example>\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
  [
    'Domino',
    `${header('DELIVERY FAILURE: User kijitora not listed in Domino Directory')}Your message\n\n  Subject: x\n\nwas not delivered to:\n\n  lost@dom.example\n\nbecause:\n\n  User lost (lost@dom.example) not listed in Domino Directory\n`,
    ['lost@dom.example failed - - userunknown'],
  ],
  [
    'OpenSMTPD',
    `${header('Delivery status notification')}    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this e-mail.\n\n    An error has occurred while attempting to deliver a message for\n    the following list of recipients:\n\nlost@dom.example: 550 5.2.2 <lost@dom.example>... Mailbox Full\n\n    Below is a copy of the original message:\n\nReturn-Path: <sender@corp.example>\nReceived: from x by y; Thu, 29 Apr 2010 23:34:45 +0900\nFrom: sender@corp.example\nTo: lost@dom.example\nSubject: x\nMessage-ID: <2@corp.example>\n\nx\n`,
    ['lost@dom.example failed 5.2.2 550 mailboxfull'],
  ],
  [
    'Sendmail: a warning',
    `${header('Warning: could not send message for past 4 hours')}    **********************************************\n    **      THIS IS A WARNING MESSAGE ONLY      **\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n    **********************************************\n\n   ----- Transcript of session follows -----\n<lost@dom.example>... Deferred: Connection timed out with mx.example.org.\nWarning: message still undelivered after 4 hours\nWill keep trying until message is 5 days old\n`,
    ['lost@dom.example delayed - - expired'],
  ],
  [
    'Kerio',
    `${header('Your mail could not be delivered')}Your message has encountered delivery problems\nto the following recipient(s):\n\nlost@dom.example\nDelivery failed\n  550 5.1.1 <lost@dom.example>... User unknown\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
  [
    'a transcript without commands',
    `${header('FAILURE NOTICE :')}  ----- The following addresses had permanent fatal errors -----\n\n>>> lost@dom.example <lost@dom.example>\n\n  ----- Transcript of session follows -----\n550 sorry, no mailbox here by that name (#5.1.1 - chkusr)\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
  [
    'Spanish',
    `${header('Mensaje no entregado')}No se ha podido entregar el mensaje a los siguientes destinatarios:\n\nlost@dom.example\n550 5.1.1 El usuario no existe\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
  [
    'Italian',
    `${header('Mancata consegna')}Impossibile recapitare il messaggio a:\nlost@dom.example\nMotivo: casella postale piena\n`,
    ['lost@dom.example failed - - mailboxfull'],
  ],
  [
    'Russian',
    `${header('Недоставленное сообщение')}Сообщение не может быть доставлено следующему получателю:\n\nlost@dom.example: почтовый ящик переполнен\n`,
    ['lost@dom.example failed - - mailboxfull'],
  ],
  [
    'a filter that says so in words',
    `${header('**Message you sent blocked by our bulk email filter**')}Your message to: lost@dom.example\nwas blocked by our Spam Firewall. The email you sent with the following subject has NOT BEEN DELIVERED:\n\nSubject: x\n`,
    ['lost@dom.example failed - - spamdetected'],
  ],
  [
    'Notes',
    `${header('DELIVERY FAILURE')}------- Failure Reasons  --------\n\nUser not listed in public Name & Address Book\nlost@dom.example\n\n------- Returned Message --------\n\nReturn-Path: <sender@corp.example>\nReceived: from x by y; Thu, 29 Apr 2010 23:34:45 +0900\nFrom: sender@corp.example\nTo: lost@dom.example\nSubject: x\nMessage-ID: <2@corp.example>\n\nx\n`,
    ['lost@dom.example failed - - userunknown'],
  ],
  [
    'Exchange, French',
    `${header('Non remis : Nyaan')}Échec de la remise pour ces destinataires ou groupes :\n\nlost@dom.example\nLa boîte aux lettres du destinataire est pleine.\n\nInformations de diagnostic pour les administrateurs :\n\nServeur de génération : mta4.mail.example.jp\n\nlost@dom.example\n#554 5.2.2 mailbox full ##\n\nEn-têtes de message d'origine :\n\nReceived: from a by b; Thu, 29 Apr 2010 23:34:45 +0900\n`,
    ['lost@dom.example failed 5.2.2 554 mailboxfull'],
  ],
  [
    'Sendmail 5',
    `${header('Returned mail: User unknown')}   ----- Transcript of session follows -----\nWhile talking to mx22.example.org:\n>>> RCPT To:<lost@dom.example>\n<<< 550 5.1.1 lost@dom.example... User Unknown\n550 <lost@dom.example>... User unknown\n\n   ----- Unsent message follows -----\n\nReturn-Path: <sender@corp.example>\nReceived: from x by y; Thu, 29 Apr 2010 23:34:45 +0900\nFrom: sender@corp.example\nTo: lost@dom.example\nSubject: x\nMessage-ID: <2@corp.example>\n\nx\n`,
    ['lost@dom.example failed 5.1.1 550 userunknown'],
  ],
]

describe('notices in words', () => {
  for (const [name, text, expected] of notices) {
    it(name, () => {
      const { kind, recipients } = classify(Buffer.from(text))
      assert.equal(kind, 'bounce')
      assert.deepEqual(
        recipients.map((to) => [to.address, to.action, to.status || '-', to.reply || '-', to.reason].join(' ')),
        expected,
      )
    })
  }
})

describe('notifications of SES', () => {
  const notification = (json: unknown): Buffer =>
    Buffer.from(
      `From: no-reply@sns.amazonaws.com\nSubject: AWS Notification Message\nContent-Type: text/plain\n\n${JSON.stringify(json)}\n\n--\nTo stop receiving notifications from this topic, unsubscribe {here}.\n`,
    )

  it('are bounces, complaints and deliveries', () => {
    const bounce = classify(
      notification({
        notificationType: 'Bounce',
        bounce: {
          bouncedRecipients: [
            {
              emailAddress: 'lost@dom.example',
              action: 'failed',
              status: '5.1.1',
              diagnosticCode: 'smtp; 550 5.1.1 user unknown',
            },
          ],
        },
      }),
    )
    assert.deepEqual([bounce.kind, bounce.variant], ['bounce', 'hard'])
    assert.equal(bounce.recipients[0]?.reason, 'userunknown')
    const complaint = classify(
      notification({
        eventType: 'Complaint',
        complaint: { complainedRecipients: [{ emailAddress: 'angry@dom.example' }], complaintFeedbackType: 'abuse' },
      }),
    )
    assert.deepEqual(
      [complaint.kind, complaint.variant, complaint.recipients[0]?.address],
      ['complaint', 'abuse', 'angry@dom.example'],
    )
    const delivery = classify(
      notification({
        notificationType: 'Delivery',
        delivery: { recipients: ['there@dom.example'], smtpResponse: '250 2.6.0 Message received' },
      }),
    )
    assert.deepEqual(
      [delivery.kind, delivery.recipients[0]?.reason, delivery.recipients[0]?.status],
      ['bounce', 'delivered', '2.6.0'],
    )
  })

  it('are nothing where the JSON is none', () => {
    const broken = classify(Buffer.from('Subject: x\n\n{"notificationType": "Bounce", "bounce": {\n'))
    assert.notEqual(broken.kind, 'complaint')
    assert.deepEqual(broken.recipients, [])
  })
})

describe('rules of an operator', () => {
  it('are tried first, and said to be wrong one by one', () => {
    const own = parseRules(
      JSON.stringify([
        { reason: 'policyviolation', pattern: 'zxqv', example: '550 Zxqv', command: ['RCPT'] },
        { reason: 'suspend', pattern: 'user unknown', example: '550 user unknown', status: ['5.1.1'] },
        { reason: 'contenterror', pattern: '^[\u{1F4E7}]$', example: '\u{1F4E7}' },
      ]),
    )
    assert.deepEqual(own.problems, [])
    const tried: string[] = []
    const found = findReason(diagnosis('550 Zxqv', { command: 'RCPT' }), {
      rules: own.rules,
      tried: (rule, matched) => tried.push(`${rule} ${matched}`),
    })
    assert.deepEqual([found.reason, found.rule, tried], ['policyviolation', 'own:0', ['own:0 true']])
    assert.equal(findReason(diagnosis('550 Zxqv'), { rules: own.rules }).reason, 'onhold')
    assert.equal(findReason(diagnosis('550 5.1.1 user unknown'), { rules: own.rules }).reason, 'suspend')
    const { problems } = parseRules(
      JSON.stringify([
        { reason: 'nothing', pattern: 'x', example: 'x' },
        { reason: 'suspend', pattern: '(', example: 'x' },
        { reason: 'suspend', pattern: 'x', example: 'y' },
        { reason: 'suspend', pattern: 'x', example: 'x', command: ['QUIT'] },
        7,
      ]),
    )
    assert.deepEqual(
      problems.map((problem) => /^rules\[(\d)\]/.exec(problem)?.[1]),
      ['0', '1', '2', '3', '4'],
    )
    assert.match(parseRules('{').problems[0] ?? '', /^not JSON/)
  })
})
