/** What a notice says below its words about a recipient, of mail at large: the reason is that of its own words. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mail, samples } from '#lib/testing/notices.ts'
import { classify } from '../classify.ts'

const asides = [
  'This message has been scanned for viruses and dangerous content and is believed to be clean.',
  'Possible reasons: the mailbox is full, the address does not exist, the message is too large, or it was taken for spam.',
  'This can happen when:\n- the address was misspelled or does not exist\n- the mailbox is full\n- the message was rejected by a spam filter\n- the server of the recipient is down',
  'The original message was too large to be returned in full; only its headers are attached.',
  'Use of this system is subject to our acceptable use policy. Unauthorized use is prohibited.',
  'This e-mail is confidential. If you are not the intended recipient, any disclosure is not permitted.',
  'Your own mailbox quota: 120 MB of 2 GB used.',
  'Tip: to protect our users from spam we block senders with a bad reputation.',
  'Your message was retried several times before it expired.',
  'Upgrade to a larger mailbox today! Storage exceeded? Get 100 GB.',
  'Protected by Example AntiSpam Gateway 4.2 - spam and virus filtering for companies',
  'Message size: 1,234 bytes. Maximum message size: 20 MB.',
  'Check that the domain name is spelled correctly and that its DNS records exist.',
  'Mögliche Gründe: Das Postfach ist voll, die Adresse existiert nicht oder die Nachricht wurde als Spam abgewiesen.',
  "Raisons possibles : la boîte est pleine, l'adresse n'existe pas ou le message a été pris pour du spam.",
  'This relay does not accept mail from open relays or dynamic IP addresses.',
]
/** Their own words say nothing of why that a rule knows. */
const silent = new Set(['james2', 'in-the-subject', 'delay-es', 'postal'])

const reasonsOf = (sample: Parameters<typeof mail>[0]): string[] => [
  ...new Set(classify(mail(sample), { reversePath: '', forwardPaths: [] }).recipients.map(({ reason }) => reason)),
]

describe('the reason stays what it is above', () => {
  for (const aside of asides) {
    it(aside, () => {
      for (const sample of samples.filter(({ name }) => !silent.has(name))) {
        const { name, body, reason } = sample
        assert.deepEqual(reasonsOf({ ...sample, body: `${body}\n\n${aside}\n` }), [reason], name)
      }
    })
  }
})
