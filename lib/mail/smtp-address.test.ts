import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cleanAddress, domainOf, findAddress } from './smtp-address.ts'

describe('an address in a text', () => {
  for (const [text, address] of [
    ['ann@x.example', 'ann@x.example'],
    ['"Ann, A." <ann@x.example>, bob@y.example', 'ann@x.example'],
    ['told by\tann@x.example.', 'ann@x.example'],
    ['for "Ann A."@x.example', '"Ann A."@x.example'],
    ['"a@b c"@x.example', '"a@b c"@x.example'],
    ['user@[192.0.2.1]', 'user@[192.0.2.1]'],
    ['用户@例子.example', '用户@例子.example'],
    ['sent to *ann@x.example*', 'ann@x.example'],
    ["to 'o'hara@x.example'", "o'hara@x.example"],
    ['à “ann@x.example”', 'ann@x.example'],
    ['at @ sign, then ann@x.example', 'ann@x.example'],
    ['@x.example', ''],
    ['ann@', ''],
    ['no address', ''],
    ['', ''],
  ] as const) {
    it(`${JSON.stringify(text)}: ${address === '' ? 'none' : address}`, () => assert.equal(findAddress(text), address))
  }

  it('is found in time in a text without end', () => {
    for (const text of ['a'.repeat(1_000_000), '"'.repeat(100_000), '" @'.repeat(100_000), 'a@ '.repeat(300_000)])
      assert.equal(findAddress(text), '')
  })

  it('loses what stands around it, and has a domain', () => {
    assert.equal(cleanAddress(' <mailto:ann@x.example>. '), 'ann@x.example')
    assert.equal(cleanAddress('<@relay.example:ann@x.example>'), 'ann@x.example')
    assert.equal(cleanAddress('*ann@x.example*'), 'ann@x.example')
    assert.equal(cleanAddress('*@x.example'), '*@x.example')
    assert.equal(domainOf('"a@b"@X.example'), 'x.example')
    assert.equal(domainOf('ann'), '')
  })
})
