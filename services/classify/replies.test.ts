/** What mail systems say, by their sources and their own pages, and what it means: replies and sentences, by system. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Command, commandOf } from './bounce/command.ts'
import { readCodes } from './bounce/notice.ts'
import { findReason } from './reason.ts'

function reasonOf(text: string, host = '', command: Command = '', status = ''): string {
  const codes = readCodes(text)
  return findReason({
    action: 'failed',
    status: status || codes.status,
    reply: codes.reply,
    command: command || commandOf(text),
    host,
    texts: [text],
  }).reason
}

/** By system: reason, what is said, and the enhanced code and command where the system's own words leave them out. */
const systems: Readonly<Record<string, readonly (readonly [string, string, Command?, string?])[]>> = {
  'Domino and Notes': [
    ['userunknown', 'User bob (bob@example.net) not listed in Domino Directory'],
    ['userunknown', 'User bob not listed in public Name & Address Book'],
    ['userunknown', "L'utilisateur bob n'est pas répertorié : non répertorié dans l'annuaire Domino"],
    ['userunknown', 'ユーザー bob は Domino ディレクトリには見つかりません'],
    ['filtered', 'Cannot route mail to user (bob@example.net).'],
    ['systemerror', 'User bob: Several matches found in Domino Directory.'],
    ['networkerror', 'Message has exceeded maximum hop count'],
    ['userunknown', 'ディレクトリのリストにありません'],
  ],
  Exchange: [
    ['systemerror', '550 5.2.0 RESOLVER.ADR.BadPrimary; recipient primary SMTP address is missing or invalid'],
    ['toomanyconn', '550 5.5.3 RESOLVER.ADR.RecipLimit; too many recipients'],
    ['systemerror', '550 5.1.0 RESOLVER.ADR.InvalidInSmtp; encapsulated INVALID address inside an SMTP address'],
    ['systemerror', '550 5.1.4 RESOLVER.ADR.Ambiguous; ambiguous address'],
    ['securityerror', '550 5.7.1 RESOLVER.RST.AuthRequired; authentication required'],
    ['rejected', '550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized'],
    ['mesgtoobig', '550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient'],
    ['expired', '550 4.4.7 QUEUE.Expired; message expired'],
    ['hostunknown', '554 5.4.4 SMTPSEND.DNS.NonExistentDomain; nonexistent domain'],
    ['networkerror', '554 5.4.4 SMTPSEND.DNS.MxLoopback; DNS records for this domain are configured in a loop'],
    [
      'userunknown',
      'The recipient name is not recognized MSEXCH:IMS:Org:Site:SRV 3550 (000B09B6) 0000 (000C05A6) Unknown Recipient',
    ],
    ['systemerror', 'MSEXCH:MSExchangeMTA:Site:SRV (00010256) Too many recipients'],
    [
      'systemerror',
      'IMCEAX-NotesXYZ on Fri: No proxy for recipient (non-smtp mail?) MSEXCH:IMS:Org:Site:SRV (000D06B5)',
    ],
    ['networkerror', 'A mail loop was detected MSEXCH:IMS (00120270) Too Many Hops'],
    ['contenterror', 'MSEXCH:IMS (00050311) Conversion to Internet format failed'],
    ['securityerror', 'MSEXCH:IMS:Org:Site 0 (000B0981) 502 Server does not support AUTH'],
    ['filtered', 'MSEXCH (000C0595) Ambiguous Recipient'],
  ],
  Exim: [
    ['userunknown', 'bob@example.net user not found'],
    ['hostunknown', 'all relevant MX records point to non-existent hosts'],
    ['hostunknown', 'all host address lookups failed permanently'],
    ['notaccept', 'an MX or SRV record indicated no SMTP service'],
    ['notaccept', 'no host found for existing SMTP connection'],
    ['syntaxerror', 'malformed address: <a@b.example may not follow a'],
    ['syntaxerror', '"<a@b>" angle-brackets nested too deep'],
    ['syntaxerror', 'expected word or "<" in address'],
    ['syntaxerror', 'domain missing in source-routed address'],
    ['systemerror', 'delivery to file forbidden'],
    ['systemerror', 'delivery to pipe forbidden'],
    ['systemerror', 'LMTP error after RCPT TO:<bob@example.net>'],
    ['contenterror', 'Too many "Received" headers - suspected mail loop'],
  ],
  Facebook: [
    ['userunknown', '550 5.1.1 RCP-P1 http://postmaster.facebook.com/response_codes?ip=192.0.2.1#rcp'],
    [
      'filtered',
      '550 5.1.1 RCP-P2 http://postmaster.facebook.com/response_codes?ip=192.0.2.1#rcp Refused due to recipient preferences',
    ],
    ['blocked', '554 5.7.1 POL-P1 http://postmaster.facebook.com/response_codes?ip=192.0.2.1#pol'],
    ['mesgtoobig', '552 5.3.4 MSG-P1 http://postmaster.facebook.com/response_codes?ip=192.0.2.1'],
  ],
  Gmail: [
    [
      'userunknown',
      "Your message wasn't delivered to bob@example.net because the address couldn't be found. Check for typos or unnecessary spaces and try again.",
    ],
    ['notaccept', 'The recipient domain example.net has a Null MX record: it accepts no mail'],
    [
      'hostunknown',
      "DNS Error: DNS type 'mx' lookup of example.net responded with code NXDOMAIN Domain name not found",
    ],
    ['expired', 'DNS Error: Could not contact DNS servers'],
    [
      'expired',
      'The recipient server did not accept our requests to connect. Learn more at https://support.google.com/mail/answer/7720',
    ],
    ['hostunknown', 'DNS Error: DNS server returned answer with no data'],
  ],
  IMail: [
    ['hostunknown', 'Unknown host: bob@example.net'],
    ['userunknown', 'Unknown user: bob@example.net'],
    ['userunknown', 'Invalid final delivery userid: bob@example.net'],
    ['mailboxfull', 'User mailbox exceeds allowed size: bob@example.net'],
    ['virusdetected', 'Requested action not taken: virus detected'],
    ['expired', 'Delivery failed 20 attempts: bob@example.net'],
  ],
  'Japanese providers': [
    ['mailboxfull', "The number of messages in recipient's mailbox exceeded the local limit."],
    ['mailboxfull', 'The user(s) account is temporarily over quota.'],
    ['suspend', 'The user(s) account is disabled.'],
    ['suspend', 'The user(s) account is temporarily limited.'],
    ['expired', 'Your message was not delivered within 0 days and 1 hours. Remote host is not responding.'],
    ['mailboxfull', 'Could not be delivered to: bob@ezweb.ne.jp As their mailbox is full.'],
    ['norelaying', 'Could not be delivered to: bob@ezweb.ne.jp Due to the following SMTP relay error'],
    ['hostunknown', 'Could not be delivered to: bob@x.example As the remote domain doesnt exist.'],
  ],
  OpenSMTPD: [
    [
      'rejected',
      '554 5.1.8 DNS-P1 http://postmaster.facebook.com/response_codes?ip=192.0.2.1#dns MAIL FROM domain does not exist',
    ],
    ['expired', 'Envelope expired'],
    ['hostunknown', 'Invalid domain name'],
    ['hostunknown', 'Domain does not exist'],
    ['notaccept', 'Destination seem to reject all mails'],
    ['networkerror', 'Address family mismatch on destination MXs'],
    ['networkerror', 'All routes to destination blocked'],
    ['networkerror', 'bad DNS lookup error code'],
    ['networkerror', 'Could not retrieve source address'],
    ['networkerror', 'Loop detected'],
    ['networkerror', 'Network error on destination MXs'],
    ['networkerror', 'No MX found for domain'],
    ['networkerror', 'No MX found for destination'],
    ['networkerror', 'No valid route to remote MX'],
    ['networkerror', 'No valid route to destination'],
    ['networkerror', 'Temporary failure in MX lookup'],
    ['securityerror', 'Could not retrieve credentials'],
  ],
  'amavisd-new': [
    ['contenterror', 'Content rejected, id=12345-06 - BAD HEADER: non-encoded 8-bit data'],
    ['virusdetected', 'id=12345-06 - INFECTED: Eicar-Test-Signature'],
    ['spamdetected', '554 5.7.0 Reject, id=12345-06 - SPAM'],
    ['exceedlimit', "id=12345-06 - message size exceeds recipient's size limit"],
    ['systemerror', 'id=12345-06 - Temporary MTA failure on relaying'],
    [
      'systemerror',
      'id=12345-06 - Rejected by next-hop MTA on relaying, from MTA(smtp:[127.0.0.1]:10025): 554 5.5.0 Error',
    ],
  ],
  fml: [
    ['rejected', 'You are not a member of this mailing list <elephant@example.net>.'],
    ['rejected', 'NOT MEMBER article from bob@example.net'],
    ['systemerror', 'Loop Back Warning: fml has detected a loop condition so that this mail is not distributed'],
    ['securityerror', 'Security alert: hostile command in the mail from bob@example.net'],
  ],
  others: [
    ['hostunknown', 'No such domain.'],
    ['systemerror', "This domain's DNS violates RFC 1035."],
    ['networkerror', 'DNS lookup failed.'],
    ['mesgtoobig', 'Mail size limit exceeded. For explanation visit https://postmaster.1und1.de'],
    ['securityerror', '550 Please turn on SMTP Authentication in your mail client'],
    ['hostunknown', 'Illegal host/domain name found'],
    [
      'hostunknown',
      'The mail could not be delivered to the recipient because the domain is not reachable. Please check the domain and try again',
    ],
    ['systemerror', 'Too many results returned but needs to be unique. (#5.3.5)'],
    ['expired', 'Host not reachable'],
    ['mailboxfull', '552 5.2.2 <bob@example.net> Quota exceeded (mailbox for user is full)'],
    ['hostunknown', 'bob@example.net ... unknown host'],
  ],
  'qmail and qmail-ldap': [
    ['suspend', 'Mailaddress is administrativley disabled. (#5.2.1)'],
    ['exceedlimit', 'The message exeeded the maximum size the user accepts. (#5.2.3)'],
    ['systemerror', 'Automatic homedir creator crashed. (#4.3.0)'],
    ['systemerror', 'Illegal value in LDAP attribute. (#5.3.5)'],
    ['systemerror', 'LDAP attribute is not given but mandatory. (#5.3.5)'],
    ['systemerror', 'Timeout while performing search on LDAP server. (#4.4.3)'],
    ['systemerror', 'Permanent error while executing qmail-forward. (#5.4.4)'],
    ['systemerror', 'Temporary failure in LDAP lookup. (#4.4.3)'],
    ['systemerror', 'Unable to contact LDAP server. (#4.4.3)'],
    ['systemerror', 'Unable to login into LDAP server, bad credentials. (#4.4.3)'],
    ['userunknown', '192.0.2.1 does not like recipient. Remote host said: 550 no mailbox here'],
    ['mailboxfull', '/home/bob/Maildir: disk quota exceeded'],
    ['mesgtoobig', '552 Message size exceeds fixed maximum message size: 10240000'],
    ['hostunknown', "Sorry, I couldn't find any host named mx.example. (#5.1.2)"],
    ['hostunknown', "Sorry, I couldn't find any host by that name. (#4.1.2)"],
    ['systemfull', 'Requested action not taken: mailbox unavailable (not enough free space)'],
    ['systemerror', '/usr/local/bin/x: bad interpreter: No such file or directory'],
    ['networkerror', "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)"],
    [
      'networkerror',
      "Sorry. Although I'm listed as a best-preference MX or A for that host, it isn't in my control/locals file, so I don't treat it as local. (#5.4.6)",
    ],
  ],
  'mail servers at large': [
    ['badreputation', '421 4.7.0 [TS01] Messages from 198.51.100.7 temporarily deferred due to poor sender reputation'],
    [
      'blocked',
      '553 5.3.0 alph739 DNSBL:RBL 521< 198.51.100.7 >_is_blocked.For assistance forward this error to abuse_rbl@abuse-att.net',
    ],
    [
      'blocked',
      '554 IP=198.51.100.7 - A problem occurred. Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.',
    ],
    [
      'speeding',
      '421 4.1.0 198.51.100.7 Throttled - try again later. Please see http://postmaster.comcast.net/smtp-error-codes.php#RL000010',
    ],
    ['userunknown', '550 5.1.1 Not our Customer'],
    ['suspend', '550 5.2.1 Mailbox disabled for this recipient'],
    ['requireptr', '550 5.7.1 Your reverse DNS is not configured properly for 198.51.100.7'],
    [
      'requireptr',
      '554 resimta comcast 198.51.100.7 Comcast requires that all mail servers must have a PTR record with a valid Reverse DNS entry. Currently your mail server does not fill that requirement.',
    ],
    ['spamdetected', '550 spam detected'],
    [
      'policyviolation',
      '554 Transaction failed. Reject due to policy restrictions. For explanation visit https://postmaster.gmx.net/en/case?c=hi',
    ],
    [
      'mailboxfull',
      "552-Requested mail action aborted: exceeded storage allocation 552-Quota exceeded. The recipient's mailbox is full.",
    ],
    [
      'spamdetected',
      '550 5.7.1 [CS] Message blocked. Please visit https://postmaster.example-isp.net for details of spam filtering',
    ],
    ['spamdetected', '554 5.7.1 [P4] Message blocked due to spam content in the message.'],
    ['rejected', '550 5.1.0 <news@sender.example>: Sender address rejected: Access denied'],
    ['rejected', '550 5.1.8 <news@sender.example>: Sender address rejected: Domain not found'],
    ['rejected', '553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)'],
    ['norelaying', "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"],
    ['userunknown', '511 sorry, no mailbox here by that name (#5.1.1 - chkuser)'],
    ['userunknown', '550 Invalid recipient bob@example.net (#5.1.1)'],
    ['userunknown', '550 5.1.1 recipient does not exist here'],
    ['userunknown', '550 #5.1.0 Address rejected.'],
    [
      'notaccept',
      '556 5.1.10 <bob@example.net>: Recipient address rejected: Domain example.net does not accept mail (nullMX)',
    ],
    ['hostunknown', '550 5.4.4 Unable to resolve destination address: host not found'],
    ['hostunknown', 'Host or domain name not found. Name service error for name=exmaple.net type=AAAA: Host not found'],
    ['networkerror', 'connect to mx.example.net[192.0.2.1]:25: No route to host'],
    ['systemerror', '451 4.3.0 Temporary lookup failure'],
    ['systemerror', '451 4.3.5 Server configuration problem'],
    ['systemerror', '451 qq temporary problem (#4.3.0)'],
    ['systemfull', '452 4.3.1 Insufficient system storage'],
    ['mesgtoobig', '552 5.3.4 Message size exceeds fixed limit'],
    ['mesgtoobig', '552 Message size exceeds maximum permitted'],
    ['exceedlimit', '552 5.2.3 Message exceeds maximum fixed size for this recipient'],
    ['mailboxfull', '452 4.2.2 Mailbox full'],
    ['mailboxfull', "422 4.2.2 The recipient's inbox is out of storage space"],
    ['mailboxfull', '550 5.7.1 Recipient rejected, quota exceeded'],
    ['mailboxfull', '554 5.2.2 mailbox full;  sz=1073741824/1073741824 ct=99999'],
    ['suspend', '550 5.2.1 This mailbox has been blocked due to inactivity'],
    ['suspend', '550 account disabled'],
    [
      'suspend',
      '554 5.7.1 The account or domain may not exist, they may be blacklisted, or missing the proper dns entries. The user account is suspended.',
    ],
    [
      'expired',
      'delivery temporarily suspended: connect to mx.example.net[192.0.2.1]:25: Connection refused; message expired',
    ],
    ['toomanyconn', '421 4.7.0 mx.example.net Error: too many connections from 198.51.100.7'],
    ['toomanyconn', '421 Too many concurrent SMTP connections; please try again later.'],
    ['speeding', '450 4.7.1 Error: too much mail from 198.51.100.7'],
    ['speeding', '451 4.7.1 Ratelimit exceeded for your IP, try again later'],
    [
      'speeding',
      '450 4.2.1 The user you are trying to contact is receiving mail too quickly. Please resend your message at a later time.',
    ],
    ['authfailure', "550 5.7.1 Unauthenticated email from sender.example is not accepted due to domain's DMARC policy"],
    ['authfailure', '550 5.7.23 SPF validation failed: 198.51.100.7 is not allowed to send from sender.example'],
    ['authfailure', '554 5.7.5 Permanent Error Evaluating DMARC Policy'],
    ['securityerror', '530 5.7.0 Must issue a STARTTLS command first'],
    ['securityerror', '535 5.7.8 Authentication credentials invalid'],
    ['securityerror', '550 5.7.4 Unrecognized authentication type, encryption required'],
    ['virusdetected', '554 5.7.1 Message contains a virus: Eicar-Test-Signature'],
    ['virusdetected', '550 5.7.1 This message has been blocked because it contains malware (Win.Trojan.Agent)'],
    ['contenterror', '550 5.6.1 Header line exceeds the maximum of 998 characters'],
    ['notcompliantrfc', '550 5.7.1 Messages missing a valid From: header are not accepted. RFC 5322'],
    ['policyviolation', '550 5.7.1 Email rejected per local policy: attachment type .iso not allowed'],
    ['policyviolation', '554 5.7.1 Mail rejected by the transport rules of the organization'],
    ['blocked', '450 4.7.1 Greylisted, please try again in 300 seconds'],
    ['blocked', '451 4.7.1 Greylisting in action, please come back later'],
    [
      'blocked',
      '554 5.7.1 Service unavailable; Client host [198.51.100.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/198.51.100.7',
    ],
    ['blocked', '554 5.7.1 <unknown[198.51.100.7]>: Client host rejected: Access denied'],
    ['blocked', '550 5.7.1 <localhost>: Helo command rejected: Host not found'],
    ['userunknown', '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup'],
    ['norelaying', '550 5.7.367 Remote server returned not permitted to relay'],
    ['norelaying', '454 4.7.1 <bob@example.net>: Relay access denied'],
    ['networkerror', '554 5.4.6 Too many hops, mail loop detected'],
    ['hasmoved', '551 5.1.6 Recipient has moved, please use bob.new@example.org'],
    ['hasmoved', '550 5.1.6 Addressee unknown; mailbox moved, see https://example.net/moved'],
    ['syntaxerror', '501 5.5.4 Syntax: MAIL FROM:<address>'],
    ['syntaxerror', '500 5.5.2 Error: bad syntax'],
    ['mailererror', 'x-unix; command died with status 1: "/usr/lib/dovecot/deliver"'],
    ['mailererror', '5.3.0 554 Command output: maildrop: invalid user specified.'],
  ],
}

/** By the host that refused. */
const hosts: typeof systems = {
  'mfsmax.docomo.ne.jp': [
    ['userunknown', '550 Unknown user bob@docomo.ne.jp', 'RCPT', '5.0.0'],
    ['userunknown', '550 Unknown user bob@docomo.ne.jp', '', '5.1.1'],
    ['filtered', '550 Unknown user bob@docomo.ne.jp', 'DATA', '5.2.0'],
    ['rejected', '550 Unknown user bob@docomo.ne.jp', 'DATA', '5.0.0'],
    ['mailboxfull', '552 too much mail data'],
    ['toomanyconn', '552 too many recipients'],
    ['syntaxerror', '503 bad sequence of commands'],
    ['syntaxerror', '504 command parameter not implemented'],
  ],
  'msmx.au.com': [
    ['filtered', '550 : User unknown'],
    ['userunknown', '550 <bob@ezweb.ne.jp>: User unknown'],
  ],
  'mx1.hotmail.com': [['userunknown', '550 Requested action not taken: mailbox unavailable']],
  'eur.olc.protection.outlook.com': [
    ['userunknown', '550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)'],
  ],
  'cluster1.eu.messagelabs.com': [
    ['authfailure', '553-SPF (Sender Policy Framework) domain authentication fail. Refer to the Troubleshooting page'],
    ['badreputation', '501 Connection rejected by policy [7.7] 20805, please visit www.messagelabs.com/support'],
    ['blocked', '553-mail rejected because your IP is in the PBL. See http://www.spamhaus.org/pbl'],
    ['blocked', '553-Sorry, your IP address (ip-addr) has been blocked'],
    ['contenterror', '553 Stray linefeeds in message (#5.6.2)'],
    ['securityerror', '451 TLS/SSLv3 Connection required. (#4.7.1)'],
    [
      'norelaying',
      '553-you are trying to use me [server-1.tower-1.messagelabs.com] as a relay, but I have not been configured to let you do this',
    ],
    ['notcompliantrfc', '550 Requested action aborted [4]'],
    ['rejected', '550 sender envelope domain not allowed for sender IP address (#5.1.8)'],
    ['rejected', '553-Sorry, your domain has been blocked'],
    ['rejected', '553-Sorry, your email address has been blacklisted'],
    ['spamdetected', '553-Message filtered. Refer to the Troubleshooting page'],
    ['toomanyconn', '452 Too many recipients received this hour'],
    ['toomanyconn', '460 too many messages (#4.3.0)'],
    ['userunknown', '550-Invalid recipient <bob@example.net> 550 (#5.1.1)'],
    ['userunknown', '553 Recipient mailbox is not allowed'],
  ],
  'smtp.laposte.net': [
    [
      'blocked',
      '550 5.5.0 Les emails envoyes vers la messagerie Laposte.net ont ete bloques par nos services. LPN007_102',
    ],
    ['authfailure', '550 5.5.0 SPF: news.example is not allowed to send mail. LPN004_401'],
    ['securityerror', '550 5.5.0 Authentification requise. Authentication Required. LPN105_402'],
    [
      'suspend',
      '550 5.5.0 Boite du destinataire archivee. Archived recipient. LPN007_420 (in reply to RCPT TO command)',
    ],
    ['rejected', '550 5.5.3 Mail from not owned by user. LPN105_421.'],
    [
      'suspend',
      '550 5.5.0 Le compte du destinataire est bloque. The recipient account isblocked. LPN007_426 (in reply to RCPT TO command)',
    ],
    [
      'blocked',
      '550 5.5.0 Service refuse. Veuillez essayer plus tard. service refused, please try later. LPN005_510 (in reply to end of DATA command)',
    ],
    ['mesgtoobig', '552 5.3.4 Taille limite du message atteinte LPN007_514'],
    [
      'authfailure',
      '571 5.7.1 Message refused, DMARC verification Failed. Message refuse, verification DMARC en echec LPN007_517',
    ],
    ['policyviolation', '554 5.7.1 Client host rejected LPN000_630'],
  ],
  'smtp-in.orange.fr': [
    [
      'blocked',
      '550 mwinf5c10 ME Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR006_103 192.0.2.1 [103]',
    ],
    [
      'toomanyconn',
      '421 mwinf5c79 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR005_104 [104]',
    ],
    ['securityerror', "550 5.7.0 Code d'authentification invalide OFR_305"],
    ['rejected', '501 5.1.0 Emetteur invalide. Invalid Sender. OFR004_405 [405] (in reply to MAIL FROM command)'],
    [
      'userunknown',
      '550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416] (in reply to RCPT TO command)',
    ],
    [
      'mailboxfull',
      '552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417] (in reply to RCPT TO command)',
    ],
    [
      'systemerror',
      '421 4.2.0 Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR005_505 [505] (in reply to end of DATA command)',
    ],
    ['spamdetected', '550 Mail rejete. Mail rejected. OFR_506 [506]'],
    [
      'blocked',
      '421 mwinf5c77 ME Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR_999 [999]',
    ],
    [
      'authfailure',
      '421 smtp.orange.fr [192.0.2.1] Emetteur invalide, Veuillez verifier la configuration SPF/DNS de votre nom de domaine. Invalid Sender. SPF check failed',
    ],
  ],
  'smtp.facebook.com': [
    ['suspend', '450 4.2.1 RCP-T4 http://postmaster.facebook.com/'],
    ['requireptr', '554 5.7.1 DNS-P3 http://postmaster.facebook.com/'],
    ['spamdetected', '554 5.7.1 POL-P6 http://postmaster.facebook.com/'],
    ['toomanyconn', '421 4.3.2 CON-T3 http://postmaster.facebook.com/'],
    ['virusdetected', '554 5.7.1 POL-P5 http://postmaster.facebook.com/'],
    ['userunknown', '550 5.1.1 INT-P3 http://postmaster.facebook.com/'],
  ],
}

describe('what mail systems say', () => {
  for (const [system, replies] of Object.entries(systems)) {
    it(system, () => {
      for (const [reason, text, command, status] of replies) {
        assert.equal(reasonOf(text, '', command, status), reason, text)
      }
    })
  }
})

describe('what hosts say', () => {
  for (const [host, replies] of Object.entries(hosts)) {
    it(host, () => {
      for (const [reason, text, command, status] of replies) {
        assert.equal(reasonOf(text, host, command, status), reason, text)
      }
    })
  }
})
