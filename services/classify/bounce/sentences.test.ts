/** Notices of one sentence, in the words of many languages, as a person would write them: whom, why, and whether it is tried again. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

type Sentences = Readonly<Record<string, readonly string[]>>
/**
 * By language. `states`: that an address does not exist, that mail is late, that an account is closed; `reasons`: that a mailbox is full, a
 * message too large, taken for spam, a domain not there; `refusals`: that a server is not reached, a virus was found, the sender is not
 * allowed, his address blocked; `policies`: too many messages, DMARC that fails, relaying, an attachment that is not allowed.
 */
const { states, reasons, refusals, policies } = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'golden', 'sentences.json'), 'utf8'),
) as Readonly<Record<'states' | 'reasons' | 'refusals' | 'policies', Sentences>> // Ours.

const verdictOn = (sentence: string, subject: string, type: string): string => {
  const { kind, recipients } = classify(
    Buffer.from(
      `From: Mail Delivery System <MAILER-DAEMON@st.example>\nReturn-Path: <>\nTo: news@corp.example\nSubject: ${subject}\nContent-Type: ${type}; charset=utf-8\n\n${sentence.replace('%s', 'ann@x.example')}\n`,
    ),
  )
  const told = recipients.map(({ address, action, reason, permanent }) =>
    [address, action, reason, permanent].join(' '),
  )
  return [kind, ...told].join(' ')
}

describe('a notice of one sentence', () => {
  for (const [language, [unknown = '', late = '', closed = '']] of Object.entries(states)) {
    it(`tells who is not there, late or closed, in ${language}`, () => {
      for (const [subject, type] of [
        ['Undelivered mail', 'text/plain'],
        ['x', 'text/html'],
      ] as const) {
        assert.equal(verdictOn(unknown, subject, type), 'bounce ann@x.example failed userunknown true', unknown)
        assert.match(verdictOn(late, subject, type), /^bounce ann@x\.example delayed \w+ false$/, late)
        assert.equal(verdictOn(closed, subject, type), 'bounce ann@x.example failed suspend false', closed)
      }
    })
  }
  for (const [language, sentences] of Object.entries(reasons)) {
    it(`tells why, in ${language}`, () => {
      const expected = ['mailboxfull false', 'mesgtoobig false', 'spamdetected false', 'hostunknown true']
      for (const [index, sentence] of sentences.entries())
        for (const subject of ['Undelivered mail', 'x'])
          assert.equal(
            verdictOn(sentence, subject, 'text/plain'),
            `bounce ann@x.example failed ${expected[index]}`,
            sentence,
          )
    })
  }
  for (const [table, expected] of [
    [refusals, [/networkerror|expired/, /virusdetected/, /rejected|policyviolation|filtered/, /blocked/]],
    [policies, [/speeding|toomanyconn/, /authfailure/, /norelaying/, /policyviolation|contenterror/]],
  ] as const)
    for (const [language, sentences] of Object.entries(table)) {
      it(`tells who or what is refused, in ${language}: ${expected.join(', ')}`, () => {
        for (const [index, sentence] of sentences.entries()) {
          const verdict = verdictOn(sentence, 'Undelivered mail', 'text/plain')
          assert.match(verdict, /^bounce ann@x\.example failed \w+ false$/)
          assert.match(verdict, expected[index] ?? /$^/, sentence)
        }
      })
    }
})
