import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seeded } from '#lib/testing/random.ts'
import { parseProxy } from './proxy.ts'

const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
const v2 = (command: number, family: number, addresses: number[], tlvs: number[] = []): Buffer =>
  Buffer.from([...signature, 0x20 | command, family, 0, addresses.length + tlvs.length, ...addresses, ...tlvs])

describe('the PROXY protocol', () => {
  it('reads both versions and both families, with what follows left alone', () => {
    const line = 'PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n'
    assert.deepEqual(parseProxy(Buffer.from(`${line}EHLO x\r\n`)), {
      kind: 'ok',
      length: line.length,
      client: { address: '192.0.2.7', port: 40_000 },
    })
    assert.deepEqual(parseProxy(Buffer.from('PROXY TCP6 2001:db8::7 2001:db8::1 1 25\r\n')).kind, 'ok')
    assert.deepEqual(parseProxy(Buffer.from('PROXY UNKNOWN\r\n')), { kind: 'ok', length: 15, client: null })
    const four = v2(1, 0x11, [192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0x40, 0, 25], [3, 0, 1, 9])
    assert.deepEqual(parseProxy(four), {
      kind: 'ok',
      length: four.length,
      client: { address: '192.0.2.7', port: 40_000 },
    })
    const six = v2(1, 0x21, [0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), 7, ...Array(16).fill(0), 0, 5, 0, 25])
    assert.deepEqual(parseProxy(six), {
      kind: 'ok',
      length: six.length,
      client: { address: '2001:db8:0:0:0:0:0:7', port: 5 },
    })
    assert.deepEqual(parseProxy(v2(0, 0, [])), { kind: 'ok', length: 16, client: null })
  })

  it('waits for the rest of a header that may still become one, and for no other', () => {
    const line = Buffer.from('PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n')
    const four = v2(1, 0x11, [192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0x40, 0, 25])
    for (const whole of [line, four]) {
      for (let cut = 0; cut < whole.length; cut++)
        assert.equal(parseProxy(whole.subarray(0, cut)).kind, 'more', `${cut}`)
    }
    for (const wrong of [
      'EHLO client.example\r\n',
      'PROXY TCP4 192.0.2.7\r\n',
      'PROXY TCP4 999.0.2.7 198.51.100.1 40000 25\r\n',
      'PROXY TCP6 192.0.2.7 198.51.100.1 40000 25\r\n',
      `PROXY ${'x'.repeat(200)}`,
    ]) {
      assert.equal(parseProxy(Buffer.from(wrong)).kind, 'bad', wrong)
    }
    assert.equal(parseProxy(v2(1, 0x11, [1, 2, 3])).kind, 'bad')
    assert.equal(parseProxy(Buffer.from([...signature, 0x31, 0x11, 0, 0])).kind, 'bad')
    assert.equal(parseProxy(Buffer.from([...signature, 0x21, 0x11, 0xff, 0xff])).kind, 'bad')
  })

  it('never throws', () => {
    const random = seeded(6)
    for (let round = 0; round < 3_000; round++) {
      const start =
        [Buffer.from('PROXY TCP4 '), Buffer.from(signature), Buffer.alloc(0)][random.next(3)] ?? Buffer.alloc(0)
      parseProxy(Buffer.concat([start, random.bytes(random.next(60))]))
    }
  })
})
