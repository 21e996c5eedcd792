import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseMime } from '#lib/mail/mime.ts'
import { bodyStructure } from './structure.ts'

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

  it('of messages nested in messages costs no more than the message is long', () => {
    const nested = 'Content-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\n'.repeat(38)
    const before = process.cpuUsage()
    assert.match(structureOf(`${nested}\r\n${'\n'.repeat(20_000_000)}`), / 20000000\)/)
    assert.ok(process.cpuUsage(before).user / 1_000 < cpuMsMax)
  })
})
