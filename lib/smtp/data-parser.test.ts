import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { seeded } from '#lib/testing/random.ts'
import { DotStuffer, hasLookAlike, LineEndNormaliser, LookAlikeFinder } from './content.ts'
import { DataParser } from './data-parser.ts'

/** Feeds bytes in chunks of given lengths; gives the content and what is left behind the end of data. */
function parse(wire: Buffer, lengths: () => number): { content: Buffer; rest: Buffer | null } {
  const parser = new DataParser()
  const content: Buffer[] = []
  for (let at = 0; at < wire.length; ) {
    const chunk = wire.subarray(at, at + lengths())
    const found = parser.feed(chunk)
    content.push(...found.content)
    at += chunk.length
    if (found.end >= 0) return { content: Buffer.concat(content), rest: wire.subarray(at - chunk.length + found.end) }
  }
  return { content: Buffer.concat(content), rest: null }
}

const whole = (text: string) => parse(Buffer.from(text, 'latin1'), () => 1_000_000)

describe('data parser', () => {
  it('ends at CR LF . CR LF and nowhere else', () => {
    for (const [before, after] of [
      ['\n', '\n'],
      ['\n', '\r\n'],
      ['\r\n', '\n'],
      ['\r', '\r'],
      ['\r', '\r\n'],
      ['\r\n', '\r'],
      ['\n', '\r'],
      ['\r', '\n'],
      ['\0\r\n\0', '\r\n'],
    ]) {
      const { content, rest } = whole(`a${before}.${after}b\r\n.\r\nQUIT\r\n`)
      assert.equal(rest?.toString(), 'QUIT\r\n', JSON.stringify([before, after]))
      assert.ok(content.toString('latin1').endsWith('b\r\n'))
      // A dot behind CR LF was stuffed by the client; every other one is content.
      const kept = before === '\r\n' ? '' : '.'
      assert.equal(content.toString('latin1'), `a${before}${kept}${after}b\r\n`)
    }
  })

  it('takes an empty message, and one that starts with dots', () => {
    assert.deepEqual(whole('.\r\n'), { content: Buffer.alloc(0), rest: Buffer.alloc(0) })
    assert.equal(whole('..\r\n.\r\n').content.toString(), '.\r\n')
    assert.equal(whole('\r\n.\r\n').content.toString(), '\r\n')
  })

  it('gives back what the dot-stuffer was given, however the bytes are cut', () => {
    const random = seeded(1)
    for (let round = 0; round < 3_000; round++) {
      const message = Buffer.concat([random.bytes(random.next(40), [0x2e, 0x0d, 0x0a, 0x61]), Buffer.from('\r\n')])
      const stuffer = new DotStuffer()
      const wire: Buffer[] = []
      for (let at = 0; at < message.length; ) {
        const length = 1 + random.next(5)
        wire.push(...stuffer.feed(message.subarray(at, at + length)))
        at += length
      }
      wire.push(stuffer.end(), Buffer.from('RSET\r\n'))
      const { content, rest } = parse(Buffer.concat(wire), () => 1 + random.next(6))
      assert.deepEqual(content, message, `round ${round}`)
      assert.equal(rest?.toString().startsWith('R') || rest?.length === 0, true)
    }
  })
})

describe('look-alikes of the end of data', () => {
  it('finds a lone dot between any bare line ends, and no other', () => {
    for (const text of ['a\n.\nb', 'a\n.\r\nb', 'a\r.\rb', 'a\r.\r\nb', 'a\r.\nb', 'a\n.\rb'])
      assert.ok(hasLookAlike(Buffer.from(text)), JSON.stringify(text))
    for (const text of ['a\r\n.\r\nb', 'a\n..\nb', 'a.\nb', 'a\n.b', '.\r\n', 'a\n.'])
      assert.ok(!hasLookAlike(Buffer.from(text)), JSON.stringify(text))
  })

  it('finds the same however the bytes are cut, and none once line ends are normal', () => {
    const random = seeded(2)
    for (let round = 0; round < 5_000; round++) {
      const message = random.bytes(random.next(14), [0x2e, 0x0d, 0x0a, 0x61])
      const finder = new LookAlikeFinder()
      for (let at = 0; at < message.length; ) {
        const length = 1 + random.next(3)
        finder.feed(message.subarray(at, at + length))
        at += length
      }
      assert.equal(finder.found, hasLookAlike(message), JSON.stringify(message.toString()))
      const normaliser = new LineEndNormaliser()
      const normal = Buffer.concat([normaliser.normalise(message), Buffer.from('x\r\n')])
      if (!message.toString('latin1').endsWith('\r'))
        assert.ok(!hasLookAlike(normal), JSON.stringify(message.toString()))
    }
  })
})
