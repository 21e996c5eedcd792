/** Mail that speaks of deliveries, mailboxes and replies, and is no bounce: of parcels and trains, of monitors, tickets and people. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

const others: readonly (readonly [from: string, subject: string, fields: string, body: string])[] = [
  [
    'DHL Paket <noreply@dhl.example>',
    'Zustellung fehlgeschlagen',
    '',
    'Guten Tag,\n\nIhr Paket 00340434 konnte nicht zugestellt werden. Der Empfänger war nicht anwesend.\nBitte vereinbaren Sie einen neuen Termin: https://dhl.example/t',
  ],
  [
    'UPS <pkginfo@ups.example>',
    'Delivery failed: Your package could not be delivered',
    '',
    'Delivery attempt 1 failed. The recipient ann@x.example was not available. Reschedule your delivery.',
  ],
  [
    'FedEx <tracking@fedex.example>',
    'Delivery exception',
    '',
    'We were unable to deliver your shipment to Ann Smith, address unknown. Contact us at help@fedex.example.',
  ],
  [
    'La Poste <noreply@laposte.example>',
    'Échec de livraison de votre colis',
    '',
    "Votre colis n'a pas pu être livré : adresse introuvable.",
  ],
  [
    'Jira <jira@corp.example>',
    '[JIRA] (OPS-12) Mail delivery failed: 550 5.1.1 user unknown',
    '',
    'Ann Smith created an issue:\n\nSummary: Mail delivery failed\n\n<bob@x.example>: host mx said: 550 5.1.1 user unknown\n\nPlease look into it.',
  ],
  [
    'Ann Smith <ann@x.example>',
    'Your newsletter',
    '',
    'Hi,\n\nmy mailbox was full last week, so I did not get your newsletter. Could you send it again?\n\nAnn',
  ],
  [
    'Ann Smith <ann@x.example>',
    'Mail to bob bounces',
    '',
    'Hello,\n\nwhen I write to bob@y.example I get "550 5.1.1 user unknown". Do you know his new address?\n\nAnn',
  ],
  [
    'Ann Smith <ann@x.example>',
    'Re: May news',
    'In-Reply-To: <1@s.example>\n',
    'Thanks! By the way, eve@z.example no longer exists, she left the company.',
  ],
  [
    'Deliverability Weekly <news@mailtips.example>',
    'Why your emails bounce',
    'List-Unsubscribe: <https://mailtips.example/u>\n',
    'In this issue:\n\n* 550 5.1.1 user unknown: what it means\n* 552 mailbox full\n* How to clean your list: remove <bad@example.com> and others\n\nUnsubscribe: https://mailtips.example/u',
  ],
  [
    'Nagios <nagios@mon.example>',
    '** PROBLEM Service Alert: mx1/mailq is CRITICAL **',
    '',
    'Service: mailq\nHost: mx1\nState: CRITICAL\nInfo: mailq is 512: delivery temporarily suspended: connect to mx.x.example: Connection refused',
  ],
  [
    'root@mx1.corp.example (Cron Daemon)',
    'Cron <root@mx1> pflogsumm',
    '',
    'Postfix log summaries\n\nmessage bounce detail (by relay)\n  mx.x.example (total: 3)\n    550 5.1.1 <bob@x.example>: user unknown\n\nmessage reject detail\n  none',
  ],
  [
    'logcheck system account <logcheck@mx1.corp.example>',
    'mx1 2020-11-02 10:02 System Events',
    '',
    'Nov  2 10:00:01 mx1 postfix/smtp[99]: 4ABC: to=<bob@x.example>, relay=mx.x.example[192.0.2.9]:25, dsn=5.1.1, status=bounced (host mx.x.example said: 550 5.1.1 user unknown)',
  ],
  [
    'Fail2Ban <fail2ban@mx1.corp.example>',
    '[Fail2Ban] postfix: banned 192.0.2.9',
    '',
    'The IP 192.0.2.9 has just been banned by Fail2Ban after 5 attempts: 550 5.7.1 relaying denied',
  ],
  [
    'Mailman <mailman-bounces@lists.example>',
    'Bounce action notification',
    '',
    'This is a Mailman mailing list bounce action notice:\n\n    List:       news\n    Member:     bob@x.example\n    Action:     Subscription disabled.\n    Reason:     Excessive or fatal bounces.\n',
  ],
  [
    'news-request@lists.example',
    'confirm 1a2b3c',
    '',
    'Your membership in the mailing list news has been disabled due to excessive bounces. The last bounce received from you was dated 02-Nov-2020. You will not get any more messages from this list until you re-enable your membership.',
  ],
  [
    'Google Calendar <calendar-notification@google.example>',
    'Declined: Meeting @ Mon',
    '',
    'bob@x.example has declined this invitation.',
  ],
  [
    'Microsoft Outlook <noreply@outlook.example>',
    'Your mailbox is almost full',
    '',
    'Your mailbox is almost full. 48 GB of 50 GB are used. You will not be able to receive mail when it is full.',
  ],
  [
    'IT Support <it@corp.example>',
    'Your mailbox is full',
    '',
    'Dear user,\n\nyour mailbox has exceeded its quota. Click here to upgrade: https://phish.example/',
  ],
  [
    'Mail Admin <admin@phish.example>',
    'Undelivered mails are pending',
    '',
    'You have (5) undelivered mails clustered on your cloud due to low storage. Release them: https://phish.example/x',
  ],
  [
    'Stripe <receipts@stripe.example>',
    'Payment failed',
    '',
    'Your payment of $12.00 was declined: card rejected by bank (do not honor). Update your card.',
  ],
  [
    'GitHub <noreply@github.example>',
    '[org/repo] Run failed: CI - main (abc123)',
    '',
    'The run failed. Error: 550 tests failed. View it at https://github.example/',
  ],
  [
    'Bob <bob@y.example>',
    'Fwd: invoice',
    '',
    'See below. The address billing@x.example does not work, it says mailbox unavailable. Use accounts@x.example instead.\n\nBob',
  ],
  [
    'Slack <feedback@slack.example>',
    'Your invitation to bob@x.example could not be sent',
    '',
    'We were unable to send your invitation to bob@x.example because the address is on our block list.',
  ],
  [
    'LinkedIn <security@linkedin.example>',
    'Please confirm your email address',
    '',
    'We could not deliver mail to your address ann@x.example recently. Please confirm that it is still valid.',
  ],
  [
    'Airline <noreply@air.example>',
    'Your flight is delayed',
    '',
    'Your flight XY123 is delayed. We will retry to find you a connection.',
  ],
  [
    'Deutsche Bahn <noreply@bahn.example>',
    'Verspätung',
    '',
    'Ihr Zug hat Verspätung. Er wird voraussichtlich später zugestellt.',
  ],
  [
    'PayPal <service@paypal.example>',
    'Your transfer was returned',
    '',
    'Your transfer to bob@y.example was returned to sender, since the account is closed.',
  ],
  [
    'Bank <info@bank.example>',
    'Rücklastschrift: Konto existiert nicht',
    '',
    'Ihre Überweisung an bob@y.example wurde zurückgegeben: Konto unbekannt.',
  ],
  [
    'HR <hr@corp.example>',
    'Bob has left',
    '',
    'Bob Smith has left the company. His mailbox bob@corp.example will be closed. Please contact eve@corp.example.',
  ],
  ['Ann <ann@x.example>', 'Undeliverable', '', 'Hi team, can somebody tell me why the parcel was undeliverable? Ann'],
  [
    'Ann <ann@x.example>',
    'delivery status',
    '',
    'What is the delivery status of my order 4711? It has not arrived. ann@x.example',
  ],
  ['Ann <ann@x.example>', 'Error', '', 'I get an error on your page: "user not found" when I log in as ann@x.example.'],
  ['Ann <ann@x.example>', 'Login failed', '', 'user unknown? I am ann@x.example, customer since 2001!'],
  [
    'Shop <orders@shop.example>',
    'Order 4711 could not be delivered to ann@x.example',
    '',
    'Your gift card could not be delivered to ann@x.example yet, because the address was rejected by our fraud check. We will try again.',
  ],
  [
    'Eventbrite <noreply@events.example>',
    'Some invitations failed',
    '',
    '3 of your 100 invitations could not be sent:\n\nbob@x.example (invalid address)\neve@y.example (unsubscribed)\n',
  ],
  [
    'Mailchimp <noreply@esp.example>',
    'Your campaign report: May news',
    '',
    'Sent 1000, delivered 980, bounced 20 (hard 5, soft 15), unsubscribed 3. Top bounces: x.example 550 user unknown.',
  ],
  ['Twitter <info@x.example>', 'bob mentioned you', '', 'bob: "my mailbox is full lol"'],
  [
    'Backup <backup@corp.example>',
    'Backup failed',
    '',
    'The backup job of mail01 failed: disk quota exceeded. User backup@corp.example not notified.',
  ],
  [
    'Voicemail <vm@pbx.example>',
    'New voice message',
    '',
    'You have a new voice message from unknown. Mailbox 201 is full.',
  ],
  [
    'Ann <ann@x.example>',
    'Automatic question',
    '',
    'If mail to me is returned, use ann2@x.example, since ann@x.example rejects large files.',
  ],
  [
    'Lawyer <law@law.example>',
    'Return to sender',
    '',
    'Your letter of 2 May was returned to sender, address unknown. Please give us your postal address.',
  ],
  [
    'Hosting <support@host.example>',
    '[Ticket 4711] My mails bounce',
    '',
    'Dear customer,\n\nwe looked into your ticket. The server mx.y.example rejects your mail with "550 5.7.1 blocked", since your IP address is listed. We asked for delisting. Regards, support',
  ],
  [
    'Forum <noreply@forum.example>',
    'Reply to topic: 550 user unknown',
    '',
    'bob replied:\n\n> <eve@y.example>: 550 user unknown\n\nThat means the mailbox does not exist.',
  ],
  [
    'abuse@host.example',
    'Re: [abuse] spam from your server',
    'In-Reply-To: <2@s.example>\n',
    'We have closed the account of bob@y.example. Mails to it are now rejected with 550.',
  ],
  [
    'Amazon SES <no-reply@ses.example>',
    'Amazon SES account under review',
    '',
    'Your bounce rate is 12 %. Addresses such as bob@x.example produced "550 5.1.1 user unknown". Please clean your lists.',
  ],
  [
    'Zendesk <support@corp.zendesk.example>',
    '[Request received] Mail delivery failed',
    'Auto-Submitted: auto-replied\n',
    'Your request (4711) has been received: "Mail delivery failed: returning message to sender, bob@x.example user unknown".',
  ],
  [
    'Ann <ann@x.example>',
    'Automatic reply: Mail delivery failed',
    'Auto-Submitted: auto-replied\n',
    'I am out of the office until May 5. My mailbox is full, please write to bob@x.example.',
  ],
  [
    'Weather <alert@weather.example>',
    'Failure notice of the power grid',
    '',
    'Power failure in your area. Service unavailable.',
  ],
  [
    'Hotel <res@hotel.example>',
    'Warning: your reservation has not been delivered',
    '',
    'Your voucher has not been delivered yet. We will try again for 4 days.',
  ],
  [
    'Court <noreply@court.example>',
    'Notification of delivery failure of summons',
    '',
    'The summons to Mr. Bob could not be delivered: recipient moved, new address unknown.',
  ],
  [
    'Newspaper <abo@zeitung.example>',
    'Ihre Zeitung konnte nicht zugestellt werden',
    '',
    'Leider konnte Ihre Zeitung heute nicht zugestellt werden. Der Bote hat Ihre Adresse nicht gefunden.',
  ],
  [
    'Post <info@post.example>',
    'Sendung unzustellbar',
    '',
    'Ihre Sendung ist unzustellbar: Empfänger unbekannt verzogen. Rücksendung an Absender.',
  ],
  [
    'Correos <info@correos.example>',
    'Envío no entregado',
    '',
    'Su envío no ha podido ser entregado: destinatario desconocido.',
  ],
  [
    'Poste <info@poste.example>',
    'Mancata consegna',
    '',
    'Il suo pacco non è stato consegnato: destinatario sconosciuto.',
  ],
  ['PostNL <info@postnl.example>', 'Pakket niet bezorgd', '', 'Uw pakket kon niet worden bezorgd: ontvanger onbekend.'],
  [
    'Почта <info@pochta.example>',
    'Отправление не доставлено',
    '',
    'Ваше отправление не доставлено: получатель неизвестен.',
  ],
  [
    'SMS Gateway <noreply@sms.example>',
    'SMS delivery failed',
    '',
    'Your SMS to +49170123456 could not be delivered: unknown subscriber.',
  ],
  [
    'Fax <fax@fax.example>',
    'Fax delivery failure',
    '',
    'Your fax to +49 30 1234 could not be delivered: line busy, 3 attempts.',
  ],
]

describe('what is no bounce', () => {
  for (const [from, subject, fields, body] of others) {
    it(`${from}: ${subject}`, () => {
      const message = `From: ${from}\nTo: news@sender.example\nSubject: ${subject}\n${fields}Message-ID: <a@b.example>\nContent-Type: text/plain; charset=utf-8\n\n${body}\n`
      const { kind } = classify(Buffer.from(message), {
        reversePath: 'someone@x.example',
        forwardPaths: [{ address: 'news@sender.example', parameters: {} }],
      })
      assert.notEqual(kind, 'bounce')
    })
  }
})
