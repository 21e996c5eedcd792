import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseMime, parseParameters, partText } from './mime.ts'

describe('the parameters of a field (RFC 2045, RFC 2231)', () => {
  it('are read plain, quoted, in pieces and in charsets', () => {
    const cases: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ['text/plain', {}],
      ['text/plain; charset=utf-8', { charset: 'utf-8' }],
      ['text/plain;\r\n Name = "a;\\"b" ; x=', { name: 'a;"b', x: '' }],
      ["x/y; name*=utf-8''%c3%a4h", { name: 'äh' }],
      ["x/y; name*0*=utf-8''%c3%a4; name*1=h; name*2*=%21", { name: 'äh!' }],
      ['x/y; name*1=b; name*0=a', { name: 'ab' }],
      ["x/y; name=old; name*=utf-8''new", { name: 'new' }],
      ['x/y; name="\xc3\xa4"', { name: 'ä' }],
      ['x/y; __proto__=a; constructor=b', { constructor: 'b' }],
    ]
    for (const [text, parameters] of cases) assert.deepEqual({ ...parseParameters(text).parameters }, parameters, text)
  })

  it('of two of a name the first holds', () => {
    assert.deepEqual(parseParameters('text/plain; charset=utf-8; Charset=latin1').parameters, { charset: 'utf-8' })
    const bytes = Buffer.from(
      'Content-Type: multipart/mixed; boundary=b; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n',
    )
    const { children } = parseMime(bytes)
    assert.deepEqual(
      children.map((part) => partText(bytes, part, 100)),
      ['one', 'two'],
    )
  })
})

describe('a header', () => {
  it('goes on behind the "From " line of an mbox, and ends at a line that is no field', () => {
    const names = (text: string) => {
      const bytes = Buffer.from(text)
      const { fields, bodyStart } = parseMime(bytes)
      return [fields.map(({ name }) => name).join(), bytes.toString('latin1', bodyStart)]
    }
    const line = 'From MAILER-DAEMON Mon Mar 16 10:00:00 2026\r\n'
    assert.deepEqual(names(`${line}Subject: x\r\n\r\nhello`), ['subject', 'hello'])
    assert.deepEqual(names(`Received: y\r\n>${line}Subject: x\r\n\r\nhello`), ['received,subject', 'hello'])
    assert.deepEqual(names('Subject: x\r\nFrom now on we say hello'), ['subject', 'From now on we say hello'])
  })
})

describe('a multipart', () => {
  it('goes by its own boundary, whatever else looks like it', () => {
    const bytes = Buffer.from(
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--bb\r\nx--b\r\n --b\r\n--b- \r\n--b\r\n\r\ntwo\r\n--b--\r\n--b\r\n\r\nlate\r\n',
    )
    const { children } = parseMime(bytes)
    assert.deepEqual(
      children.map((part) => partText(bytes, part, 100)),
      ['--bb\r\nx--b\r\n --b\r\n--b- ', 'two'],
    )
  })

  it('has no more parts once their headers have had the bytes that they may have', () => {
    const part = `--b\r\nX-Y: ${'y'.repeat(1_000)}\r\n\r\ntext\r\n`
    const bytes = Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${part.repeat(50)}--b--\r\n`)
    assert.equal(parseMime(bytes).children.length, 50)
    const { children } = parseMime(bytes, 10_000)
    assert.equal(children.length, 10)
    assert.equal(partText(bytes, children[9] ?? assert.fail(), 100), 'text')
  })

  it('whose boundary never comes ends with what it is in', () => {
    const bytes = Buffer.from(
      'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\nx\r\n--b\r\n\r\n--c\r\n\r\nanother\r\n--b--\r\n',
    )
    const { children } = parseMime(bytes)
    assert.deepEqual(
      children.map((part) => part.children.length),
      [0, 0],
    )
  })
})
