/**
 * DMARC aggregate reports (RFC 7489 section 7.2, appendix C) and TLS reports (RFC 8460): what they say in a few numbers. They come
 * compressed, from strangers: what is unpacked is bounded, and only the first file of an archive is read.
 */
import { gunzipSync, inflateRawSync } from 'node:zlib'

export type AggregateFacts = Readonly<Record<string, string>>

/** Of all the files of a message. */
export const unpackedMax = 16 * 1024 * 1024
/** A TLS report has a line for each kind of failure; it is parsed whole. */
const jsonMax = 1024 * 1024
const rowsMax = 100_000
const rowBytesMax = 4_000
/** What stands in front of the rows. */
const headBytesMax = 64 * 1024

/**
 * @param room bytes that may come of it
 * @returns the bytes in a gzip or zip, or the bytes as they are; null: more than there is room for, or broken
 */
export function unpack(bytes: Buffer, room: number): Buffer | null {
  try {
    if (bytes[0] === 0x1f && bytes[1] === 0x8b) return gunzipSync(bytes, { maxOutputLength: room })
    if (bytes.length >= 30 && bytes.readUInt32LE(0) === 0x04034b50) return unzipFirst(bytes, room)
    return bytes.length <= room ? bytes : null
  } catch {
    return null
  }
}

/** The first entry, by its local header (APPNOTE.TXT section 4.3.7); its size is not trusted. */
function unzipFirst(bytes: Buffer, room: number): Buffer | null {
  const method = bytes.readUInt16LE(8)
  const start = 30 + bytes.readUInt16LE(26) + bytes.readUInt16LE(28)
  const compressed = bytes.readUInt32LE(18)
  if (method === 8) return inflateRawSync(bytes.subarray(start), { maxOutputLength: room })
  return method === 0 ? bytes.subarray(start, start + Math.min(compressed, room)) : null
}

const elementNames = ['count', 'dkim', 'spf', 'disposition', 'org_name', 'domain', 'begin', 'end'] as const
const elementPatterns = new Map(
  elementNames.map((name) => [name, new RegExp(`<(?:\\w+:)?${name}>\\s*([^<]{0,300}?)\\s*</`, 'i')]),
)

const element = (xml: string, name: (typeof elementNames)[number]): string =>
  (elementPatterns.get(name)?.exec(xml)?.[1] ?? '').slice(0, 200)

/**
 * @param bytes unpacked
 * @returns who reports on which domain, for when, how many messages, and how many failed both SPF and DKIM; null: no report
 */
export function readDmarc(bytes: Buffer): AggregateFacts | null {
  if (!/<(?:\w+:)?feedback\b/i.test(bytes.toString('latin1', 0, 4_000))) return null
  // Rows are numbers and words of the schema.
  const xml = bytes.toString('latin1')
  let messages = 0
  let failed = 0
  let rejected = 0
  let rows = 0
  for (let at = xml.indexOf('<row>'); at >= 0 && ++rows <= rowsMax; ) {
    const end = xml.indexOf('</row>', at)
    if (end < 0) break
    const row = xml.slice(at, Math.min(end, at + rowBytesMax))
    at = xml.indexOf('<row>', end)
    const count = Number(element(row, 'count')) || 0
    messages += count
    const passes = [element(row, 'dkim'), element(row, 'spf')].includes('pass')
    if (!passes) failed += count
    if (/^(?:reject|quarantine)$/i.test(element(row, 'disposition'))) rejected += count
  }
  const head = bytes.toString('utf8', 0, headBytesMax)
  return {
    reporter: element(head, 'org_name'),
    domain: element(head, 'domain'),
    begin: instant(element(head, 'begin')),
    end: instant(element(head, 'end')),
    messages: String(messages),
    failed: String(failed),
    rejected: String(rejected),
  }
}

const instant = (seconds: string): string => {
  const at = Number(seconds) * 1000
  return seconds === '' || !Number.isFinite(at) || Math.abs(at) > 8e15 ? '' : new Date(at).toISOString()
}

/**
 * @param bytes unpacked
 * @returns who reports on which domains, and how many sessions succeeded and failed; null: no report
 */
export function readTlsReport(bytes: Buffer): AggregateFacts | null {
  if (bytes.length > jsonMax || !/^[\s\xef\xbb\xbf]*\{/.test(bytes.toString('latin1', 0, 100))) return null
  try {
    const report: unknown = JSON.parse(bytes.toString('utf8'))
    const root = objectOf(report)
    if (!Array.isArray(root['policies'])) return null
    const policies = root['policies'].slice(0, 1_000)
    const domains = new Set<string>()
    let succeeded = 0
    let failed = 0
    for (const each of policies) {
      const policy = objectOf(each)
      const domain = objectOf(policy['policy'])['policy-domain']
      if (typeof domain === 'string') domains.add(domain.slice(0, 200))
      const summary = objectOf(policy['summary'])
      succeeded += Number(summary['total-successful-session-count']) || 0
      failed += Number(summary['total-failure-session-count']) || 0
    }
    const reporter = root['organization-name']
    return {
      reporter: typeof reporter === 'string' ? reporter.slice(0, 200) : '',
      domain: [...domains].slice(0, 10).join(', '),
      messages: String(succeeded + failed),
      failed: String(failed),
    }
  } catch {
    return null
  }
}

const objectOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {}
