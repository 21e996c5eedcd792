import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'
import { readDmarc, readTlsReport, unpack, unpackedMax } from './aggregate.ts'
import { classify } from './classify.ts'

const row = (count: number, dkim: string, spf: string, disposition = 'none'): string =>
  `<record><row><source_ip>192.0.2.1</source_ip><count>${count}</count><policy_evaluated><disposition>${disposition}</disposition><dkim>${dkim}</dkim><spf>${spf}</spf></policy_evaluated></row></record>`
const xml = `<?xml version="1.0"?><feedback><report_metadata><org_name>remote.example</org_name><date_range><begin>1795564800</begin><end>1795651199</end></date_range></report_metadata><policy_published><domain>ours.example</domain></policy_published>${row(5, 'pass', 'fail')}${row(3, 'fail', 'fail', 'reject')}</feedback>`

/** One entry, as a zip has it in front. */
function zip(name: string, bytes: Buffer): Buffer {
  const packed = deflateRawSync(bytes)
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(20, 4)
  header.writeUInt16LE(8, 8)
  header.writeUInt32LE(crc32(bytes), 14)
  header.writeUInt32LE(packed.length, 18)
  header.writeUInt32LE(bytes.length, 22)
  header.writeUInt16LE(name.length, 26)
  return Buffer.concat([header, Buffer.from(name), packed, Buffer.from('PK\x01\x02')])
}

const unpacked = (bytes: Buffer): Buffer => unpack(bytes, unpackedMax) ?? Buffer.alloc(0)

describe('aggregate reports', () => {
  it('are summarised, from XML, gzip and zip', () => {
    for (const bytes of [Buffer.from(xml), gzipSync(xml), zip('report.xml', Buffer.from(xml))]) {
      assert.deepEqual(readDmarc(unpacked(bytes)), {
        reporter: 'remote.example',
        domain: 'ours.example',
        begin: '2026-11-25T00:00:00.000Z',
        end: '2026-11-25T23:59:59.000Z',
        messages: '8',
        failed: '3',
        rejected: '3',
      })
    }
    const tls = {
      'organization-name': 'remote.example',
      policies: [
        {
          policy: { 'policy-domain': 'ours.example' },
          summary: { 'total-successful-session-count': 10, 'total-failure-session-count': 2 },
        },
      ],
    }
    assert.deepEqual(readTlsReport(unpacked(gzipSync(JSON.stringify(tls)))), {
      reporter: 'remote.example',
      domain: 'ours.example',
      messages: '12',
      failed: '2',
    })
  })

  it('are part of the verdict', () => {
    const { kind, variant, original, reporter } = classify(
      Buffer.from(
        `From: noreply@remote.example\r\nSubject: Report Domain: ours.example Submitter: remote.example\r\nContent-Type: application/gzip; name="remote.example!ours.example!1795564800!1795651199.xml.gz"\r\nContent-Transfer-Encoding: base64\r\n\r\n${gzipSync(xml).toString('base64')}\r\n`,
      ),
    )
    assert.deepEqual([kind, variant, original['failed'], reporter], ['report', 'dmarc', '3', 'remote.example'])
  })

  const tlsJson = Buffer.from(
    JSON.stringify({
      policies: [{ policy: { 'policy-domain': 'ours.example' }, summary: { 'total-successful-session-count': 8 } }],
    }),
  )
  const about = 'Report domain: ours.example Submitter: remote.example Report-ID: <7>'
  const name = 'remote.example!ours.example!1795564800!1795651199'
  const forms: readonly (readonly [variant: string, type: string, content: Buffer, subject?: string])[] = [
    ['dmarc', `application/zip; name="${name}.zip"`, zip('r.xml', Buffer.from(xml))],
    ['dmarc', `application/octet-stream; name="${name}.zip"`, zip('r.xml', Buffer.from(xml)), 'DMARC report'],
    ['dmarc', 'application/x-zip-compressed; name="report.zip"', zip('r.xml', Buffer.from(xml))],
    ['dmarc', 'application/gzip', gzipSync(xml)],
    ['dmarc', `text/plain; name="${name}.xml.gz"`, gzipSync(xml)],
    ['dmarc', 'text/xml; name="report.xml"', Buffer.from(xml)],
    ['tls-rpt', 'application/tlsrpt+gzip', gzipSync(tlsJson), 'TLS report'],
    ['tls-rpt', 'application/tlsrpt+json', tlsJson, 'TLS report'],
    ['tls-rpt', `application/gzip; name="${name}.json.gz"`, gzipSync(tlsJson)],
    ['tls-rpt', `application/octet-stream; name="${name}.json.gz"`, gzipSync(tlsJson)],
  ]
  for (const [variant, type, content, subject = about] of forms) {
    it(`are known by what is in them: ${variant} as ${type}`, () => {
      const part = `Content-Type: ${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n${content.toString('base64')}\r\n`
      const header = `From: reports@remote.example\r\nSubject: ${subject}\r\n`
      const words = 'Content-Type: text/plain\r\n\r\nThis is a report.\r\n'
      for (const message of [
        header + part,
        `${header}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${words}--b\r\n${part}--b--\r\n`,
      ]) {
        const verdict = classify(Buffer.from(message))
        assert.deepEqual([verdict.kind, verdict.variant], ['report', variant])
        assert.equal(verdict.original['messages'], '8')
      }
    })
  }

  it('that would unpack without end, or are broken, are none', { timeout: 10_000 }, () => {
    assert.equal(unpack(gzipSync(Buffer.alloc(64 * 1024 * 1024)), unpackedMax), null)
    assert.equal(unpack(zip('x', Buffer.alloc(64 * 1024 * 1024)), unpackedMax), null)
    assert.equal(readDmarc(unpacked(gzipSync(xml).subarray(0, 60))), null)
    assert.equal(readDmarc(unpacked(Buffer.from([0x50, 0x4b, 3, 4, 0]))), null)
    assert.equal(readTlsReport(Buffer.from('{')), null)
    assert.equal(readDmarc(Buffer.from(`<feedback>${'<row>'.repeat(1_000_000)}`))?.['messages'], '0')
    assert.equal(readDmarc(Buffer.from(`<feedback>${'<row></row>'.repeat(500_000)}`))?.['messages'], '0')
  })
})
