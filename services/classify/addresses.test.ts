import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readAddresses, unwrapped } from './addresses.ts'
import { classify } from './classify.ts'

describe('our own address', () => {
  it('is taken out of what forwarders and signatures put around it', () => {
    for (const [address, bare] of [
      ['SRS0=HHH=TT=sender.example=news@forwarder.example', 'news@sender.example'],
      ['srs0+HHH=TT=sender.example=news@forwarder.example', 'news@sender.example'],
      ['SRS1=HHH=first.example==HHH=TT=sender.example=news@second.example', 'news@sender.example'],
      ['prvs=1234abcdef=news@sender.example', 'news@sender.example'],
      ['SRS0=HHH=TT=sender.example=prvs=1234abcdef=news@forwarder.example', 'prvs=1234abcdef=news@sender.example'],
      ['news@sender.example', 'news@sender.example'],
      ['', ''],
    ] as const) {
      // A signature inside a rewritten address is taken off in the next turn.
      assert.equal(unwrapped(address), unwrapped(bare), address)
    }
    assert.equal(unwrapped('prvs=1234abcdef=news@sender.example'), 'news@sender.example')
  })

  it('names the recipient (VERP), and what the operator has written into it', () => {
    assert.deepEqual(readAddresses(['bounces-lost=dom.example@ours.example'], []), { recipient: 'lost@dom.example' })
    assert.deepEqual(readAddresses(['b+lost.one=dom.example@ours.example'], []), { recipient: 'lost.one@dom.example' })
    assert.deepEqual(readAddresses(['SRS0=H=T=ours.example=b-lost=dom.example@f.example'], []), {
      recipient: 'lost@dom.example',
    })
    assert.deepEqual(readAddresses(['news@ours.example', 'a=b@ours.example'], []), {})
    const pattern = /^b-(?<customer>\w+)-(?<campaign>\d+)-(?<recipient>[^@]+=[^@]+)@/iu
    assert.deepEqual(readAddresses(['b-acme-77-lost=dom.example@ours.example'], [pattern]), {
      customer: 'acme',
      campaign: '77',
      recipient: 'lost@dom.example',
    })
  })

  it('tells whose mail it was where the bounce does not', () => {
    const bytes = Buffer.from(
      'From: MAILER-DAEMON@x.example\r\nSubject: Undelivered Mail\r\n\r\nYour message could not be delivered: 550 5.1.1 no such user\r\n',
    )
    const envelope = {
      reversePath: '',
      forwardPaths: [{ address: 'b-77-lost=dom.example@ours.example', parameters: {} }],
    }
    const { recipients, original } = classify(bytes, envelope, {
      addressPatterns: [/^b-(?<campaign>\d+)-(?<recipient>[^@]+)@/iu],
    })
    assert.deepEqual(
      recipients.map(({ address, reason }) => [address, reason]),
      [['lost@dom.example', 'userunknown']],
    )
    assert.equal(original['campaign'], '77')
    assert.equal(original['recipient'], 'lost@dom.example')
  })

  it('lets the operator say what is for good', () => {
    const bytes = Buffer.from(
      'From: MAILER-DAEMON@x.example\r\nSubject: Undelivered Mail\r\n\r\n<lost@dom.example>: 552 5.2.2 mailbox full\r\n',
    )
    assert.equal(classify(bytes).recipients[0]?.permanent, false)
    assert.equal(classify(bytes, null, { hardReasons: new Set(['mailboxfull']) }).recipients[0]?.permanent, true)
  })

  it('and the returned message say it in fields that the operator names', () => {
    const bytes = Buffer.from(
      'From: MAILER-DAEMON@x.example\r\nSubject: Undelivered Mail\r\n\r\n<lost@dom.example>: 550 5.1.1 no such user\r\n\r\n--- Original message follows.\r\n\r\nReceived: from a by b\r\nFrom: news@ours.example\r\nTo: lost@dom.example\r\nX-Customer-Id: acme-7\r\nSubject: x\r\nMessage-ID: <1@ours.example>\r\n\r\nx\r\n',
    )
    assert.equal(classify(bytes, null, { originalFields: ['x-customer-id'] }).original['x-customer-id'], 'acme-7')
    assert.equal(classify(bytes).original['x-customer-id'], undefined)
  })
})
