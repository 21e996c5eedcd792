import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseMime } from '#lib/mail/mime.ts'
import { bodyStructure, envelope } from './structure.ts'

const cpuMsMax = 3_000
const structureOf = (message: string): string => {
  const bytes = Buffer.from(message)
  return bodyStructure(bytes, parseMime(bytes), false)
}

describe('BODYSTRUCTURE', () => {
  it('counts the lines of each message within a message', () => {
    const inner = 'From: c@d.example\r\n\r\none\r\ntwo\r\nthree'
    const mixed = `Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfour\r\nfive\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n${inner}\r\n--b--\r\n`
    const found = structureOf(`Content-Type: message/rfc822\r\n\r\n${mixed}`)
    assert.match(found, /^\("MESSAGE" "RFC822" .* 15\)$/) // All lines of mixed.
    assert.match(found, /"TEXT" "PLAIN" NIL NIL NIL "7BIT" 10 1\)/) // "four", and the line end of "five" is the boundary's.
    assert.match(found, /"TEXT" "PLAIN" NIL NIL NIL "7BIT" 15 2\) 4\)/) // The text of inner, then inner.
  })

  it('and ENVELOPE keep the last byte of a character that looks like a space of latin1', () => {
    const bytes = Buffer.from('Subject: voil\u00e0 \r\nFrom: a@b.example\r\n\r\nx')
    const found = Buffer.from(envelope(bytes, parseMime(bytes)), 'latin1').toString()
    assert.ok(found.includes('{6}\r\nvoil\u00e0 (('), found)
  })

  it('and ENVELOPE give long strings as literals, which no line of a mail program has to hold', () => {
    const bytes = Buffer.from(
      `From: ${'f'.repeat(5_000)} <a@b.example>\r\nContent-Type: text/plain; name="${'n'.repeat(3_000)}"\r\nSubject: ${'s'.repeat(2_000_000)}\r\n\r\nx`,
    )
    const root = parseMime(bytes)
    for (const found of [envelope(bytes, root), bodyStructure(bytes, root, true)]) {
      // What is left when each literal is passed over by its length, as who reads it does.
      let rest = ''
      for (let at = 0; at < found.length; ) {
        const [all = '', length = ''] = /\{(\d+)\}\r\n/.exec(found.slice(at)) ?? []
        const open = all === '' ? found.length : found.indexOf(all, at)
        rest += found.slice(at, open)
        at = open + all.length + Number(length)
      }
      assert.ok(rest.length < 4_000 && found.length > 3_000, `${rest.length}`)
      assert.ok(!/[\r\n]/.test(rest))
    }
  })

  it('of messages nested in messages costs no more than the message is long', () => {
    const nested = 'Content-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\n'.repeat(38)
    const before = process.cpuUsage()
    assert.match(structureOf(`${nested}\r\n${'\n'.repeat(20_000_000)}`), / 20000000\)/)
    assert.ok(process.cpuUsage(before).user / 1_000 < cpuMsMax)
  })
})
