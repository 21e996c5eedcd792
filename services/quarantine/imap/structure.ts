/**
 * BODYSTRUCTURE and ENVELOPE (RFC 9051 sections 7.5.2 and 9) of a parsed message, right for broken MIME too. Pure.
 */
import addressparser from 'nodemailer/lib/addressparser'
import { type Part, parseParameters, rawHeader } from '#lib/mail/mime.ts'
import { nstring, quoted } from './response.ts'

const depthMax = 40

/** With `extensions`: BODYSTRUCTURE; without: BODY. */
export function bodyStructure(bytes: Buffer, part: Part, extensions: boolean, depth = 0): string {
  if (part.type.startsWith('multipart/') && part.children.length > 0 && depth < depthMax) {
    const children = part.children.map((child) => bodyStructure(bytes, child, extensions, depth + 1)).join('')
    const subtype = quoted(part.type.slice('multipart/'.length).toUpperCase())
    if (!extensions) return `(${children} ${subtype})`
    return `(${children} ${subtype} ${parameterList(part.parameters)} ${disposition(bytes, part)} ${language(bytes, part)} NIL)`
  }
  // A multipart without parts has no place in the grammar: it is shown as the text that it is.
  const [type = 'text', subtype = 'plain'] = part.type.startsWith('multipart/')
    ? ['text', 'plain']
    : part.type.split('/')
  const fields = [
    quoted(type.toUpperCase()),
    quoted(subtype.toUpperCase()),
    parameterList(part.parameters),
    nstring(rawHeader(bytes, part, 'content-id')),
    nstring(rawHeader(bytes, part, 'content-description')),
    quoted((part.encoding || '7bit').toUpperCase()),
    String(part.end - part.bodyStart),
  ]
  const message = part.children[0]
  if (part.type === 'message/rfc822' && message !== undefined && depth < depthMax) {
    fields.push(
      envelope(bytes, message),
      bodyStructure(bytes, message, extensions, depth + 1),
      String(lines(bytes, part)),
    )
  } else if (type === 'text') fields.push(String(lines(bytes, part)))
  if (extensions) {
    fields.push(nstring(rawHeader(bytes, part, 'content-md5')), disposition(bytes, part), language(bytes, part), 'NIL')
  }
  return `(${fields.join(' ')})`
}

const counted = new WeakMap<Part, number>()

/** Lines of a part's body; what lies in messages within messages is counted once. */
function lines(bytes: Buffer, part: Part): number {
  const known = counted.get(part)
  if (known !== undefined) return known
  let count = 0
  let at = part.bodyStart
  for (const child of part.children) {
    count += lineEnds(bytes, at, child.bodyStart) + lines(bytes, child)
    at = child.end
  }
  count += lineEnds(bytes, at, part.end)
  counted.set(part, count)
  return count
}

function lineEnds(bytes: Buffer, start: number, end: number): number {
  let count = 0
  for (let at = start; at < end; at++) if (bytes[at] === 0x0a) count++
  return count
}

function parameterList(parameters: Readonly<Record<string, string>>): string {
  const list = Object.entries(parameters).flatMap(([name, value]) => [
    quoted(name.toUpperCase()),
    nstring(Buffer.from(value).toString('latin1')),
  ])
  return list.length === 0 ? 'NIL' : `(${list.join(' ')})`
}

function disposition(bytes: Buffer, part: Part): string {
  const value = rawHeader(bytes, part, 'content-disposition')
  if (value === null || value === '') return 'NIL'
  const parsed = parseParameters(value)
  return `(${quoted(parsed.value.toUpperCase())} ${parameterList(parsed.parameters)})`
}

function language(bytes: Buffer, part: Part): string {
  const value = rawHeader(bytes, part, 'content-language')
  if (value === null || value === '') return 'NIL'
  const tags = value
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '')
  return tags.length === 1 ? nstring(tags[0] ?? '') : `(${tags.map((tag) => nstring(tag)).join(' ')})`
}

/** ENVELOPE: date, subject, from, sender, reply-to, to, cc, bcc, in-reply-to, message-id. */
export function envelope(bytes: Buffer, part: Pick<Part, 'fields'>): string {
  const value = (name: string): string | null => rawHeader(bytes, part, name)
  const from = addressList(value('from'))
  // RFC 9051 section 7.5.2: sender and reply-to are from where they are absent or empty.
  const orFrom = (name: string): string => {
    const list = addressList(value(name))
    return list === 'NIL' ? from : list
  }
  return `(${[
    nstring(value('date')),
    nstring(value('subject')),
    from,
    orFrom('sender'),
    orFrom('reply-to'),
    addressList(value('to')),
    addressList(value('cc')),
    addressList(value('bcc')),
    nstring(value('in-reply-to')),
    nstring(value('message-id')),
  ].join(' ')})`
}

const addressesMax = 500
const addressBytesMax = 64 * 1024

function addressList(value: string | null): string {
  if (value === null || value === '') return 'NIL'
  const one = ({ name, address }: { name?: string; address?: string }): string => {
    const at = (address ?? '').lastIndexOf('@')
    const local = at < 0 ? (address ?? '') : (address ?? '').slice(0, at)
    const domain = at < 0 ? '' : (address ?? '').slice(at + 1)
    return `(${nstring(name === '' ? null : (name ?? null))} NIL ${nstring(local)} ${nstring(domain)})`
  }
  const list: string[] = []
  for (const entry of addressparser(value.slice(0, addressBytesMax)).slice(0, addressesMax)) {
    if ('group' in entry && Array.isArray(entry.group)) {
      // RFC 9051 section 7.5.2: a group starts with its name as mailbox and no host, and ends with neither.
      list.push(`(NIL NIL ${nstring(entry.name ?? '')} NIL)`, ...entry.group.map(one), '(NIL NIL NIL NIL)')
    } else list.push(one(entry as { name?: string; address?: string })) // The other form of the parser's entries.
  }
  return list.length === 0 ? 'NIL' : `(${list.join('')})`
}
