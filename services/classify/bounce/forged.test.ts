/** Whoever signs up chooses his own address, and lets it bounce: nobody else may be taken for its owner. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

const notice = (address: string, more = '', returned = ''): Buffer =>
  Buffer.from(
    `Return-Path: <>\nFrom: MAILER-DAEMON@mx.example\nSubject: failure notice\nTo: news@corp.example\n${more}\n` +
      `I wasn't able to deliver your message to the following addresses.\n\n${address}:\n550 5.1.1 user unknown\n${returned}`,
  )
const returnedTo = (address: string): string =>
  `\n--- Below this line is a copy of the message.\n\nReturn-Path: <news@corp.example>\nFrom: news@corp.example\nTo: ${address}\nSubject: May\n`

describe('an address that holds the address of somebody else', () => {
  for (const [form, address] of [
    ['an attribute of X.400', 'a/smtp=victim@victim.example'],
    ['one behind a dot', 'dd.smtp=victim@victim.example'],
    ['one in quotes', '"x;SMTP=victim@victim.example;"@other.example'],
    ['one in quotes, encoded', '"x/RFC-822=victim(a)victim.example/"@other.example'],
    ['the address in quotes', '"x;victim@victim.example;"@other.example'],
    ['the address in quotes, between commas', '"x,victim@victim.example,"@other.example'],
  ] as const) {
    it(`names its owner alone: ${form}`, () => {
      const own = [`<${address}>`, address].flatMap((named) => [
        notice(named),
        notice(named, `X-Failed-Recipients: ${address}\n`),
        notice(named, '', returnedTo(address)),
      ])
      for (const message of own) {
        const { kind, recipients } = classify(message)
        assert.equal(kind, 'bounce')
        for (const recipient of recipients) assert.equal(recipient.address, address, `${message}`)
      }
      assert.deepEqual(
        [own[1], own[2]].map((message) => classify(message ?? Buffer.of()).recipients.map((each) => each.address)),
        [[address], [address]],
      )
    })
  }
})
