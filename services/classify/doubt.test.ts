/** Sentences in which somebody, or something, is not there: others than the recipient, or for a time, and the recipient. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { readCodes } from './bounce/reply.ts'
import { doubtOf } from './doubt.ts'
import { findReason, isPermanent } from './reason.ts'

type Sentences = { readonly others: readonly string[]; readonly recipients: readonly string[] }
const sentences = JSON.parse(readFileSync(join(import.meta.dirname, 'golden', 'doubts.json'), 'utf8')) as Sentences // Ours.

/** In answer to RCPT. */
const isHard = (reply: string): boolean => {
  const codes = readCodes(reply)
  const diagnosis = { action: 'failed', ...codes, command: 'RCPT', host: '', texts: [reply] } as const
  return isPermanent(findReason(diagnosis).reason, diagnosis)
}

describe('who is not there', () => {
  it('is somebody or something else, or is so for a time: nothing hard', () => {
    assert.deepEqual(sentences.others.filter(isHard), [])
  })

  it('is the recipient, whoever else the sentence names: hard', () => {
    assert.deepEqual(
      sentences.recipients.filter((reply) => !isHard(reply)),
      [],
    )
  })

  it('is told by its own sentence, up to a comma, and the code has the last word', () => {
    const doubt = (text: string, found: string) =>
      doubtOf(text, { 0: found, index: text.indexOf(found) })?.doubt ?? null
    assert.equal(doubt('The sender address is unknown', 'address is unknown'), 'ofSender')
    assert.equal(doubt('The sender is blocked. The address is unknown', 'address is unknown'), null)
    assert.equal(doubt('The address is unknown, the sender was told', 'address is unknown'), null)
    assert.equal(doubt('The recipient of this sender is unknown', 'is unknown'), null)
    assert.equal(doubt('Unknown user name or password', 'Unknown user'), 'ofLogin')
    assert.equal(doubt('User not found (temporarily), retry in 5 minutes', 'User not found'), null)
    assert.equal(doubt('User temporarily not found', 'not found'), 'temporary')
    const texts = ['550 5.1.1 User temporarily not found']
    const coded = { action: 'failed', status: '5.1.1', reply: '550', command: 'RCPT', host: '', texts } as const
    assert.equal(findReason(coded).reason, 'userunknown')
  })

  it('is the recipient in a sentence behind one about somebody else', () => {
    const [sender, user] = ['The mailbox of the sender does not exist', 'The mailbox of bob does not exist']
    const texts = [`550 ${sender}. ${user}.`, `550 ${user}. ${sender}.`, `550 ${`${sender}. `.repeat(4)}${user}.`]
    assert.deepEqual(texts.map(isHard), [true, true, true])
    assert.equal(isHard(`550 ${`${sender}. `.repeat(9)}`), false)
  })
})
