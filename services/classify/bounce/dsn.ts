/**
 * Delivery status notifications (RFC 3464, and RFC 6533 for international addresses): what the machine-readable part says.
 */
import type { Field, Part } from '#lib/mail/mime.ts'
import { type FieldGroup, groupField, groupText, parseGroups, valueText, withoutType } from '#lib/mail/report-fields.ts'
import { cleanAddress, domainOf, findAddress } from '#lib/mail/smtp-address.ts'
import { smtpOfX400, withX400Plain } from './address.ts'

export type DsnRecipient = {
  readonly address: string
  readonly originalAddress: string
  readonly action: string
  readonly status: string
  readonly diagnostic: string
  readonly remoteMta: string
  /** X-PowerMTA-BounceCategory; empty: none. */
  readonly category: string
  /** Of the field that names the recipient, and of its whole group. */
  readonly range: readonly [number, number]
  readonly statusRange: readonly [number, number] | null
  readonly diagnosticRange: readonly [number, number] | null
}

export type Dsn = {
  readonly reporter: string
  /** What the sender gave as ENVID (RFC 3461 section 4.4); empty: nothing. */
  readonly envelopeId: string
  /** X-Original-Message-ID, which Google writes; empty: none. */
  readonly messageId: string
  readonly recipients: readonly DsnRecipient[]
}

const actions = new Set(['failed', 'delayed', 'delivered', 'relayed', 'expanded'])
/** Of one bounce. */
export const recipientsMax = 1_000
/** Characters: a line of a reply has 512 octets at most (RFC 5321 section 4.5.3.1.5). */
const diagnosticMax = 2_000

/** `bytes` holds the part; a part that was transfer-encoded is decoded by the caller first. */
export function readDsn(bytes: Buffer, part: Pick<Part, 'bodyStart' | 'end'>): Dsn {
  const groups = recipientGroups(parseGroups(bytes, part))
  const first = groups[0] ?? []
  const reporter = withoutType(groupText(bytes, first, 'reporting-mta'))
  const recipients: DsnRecipient[] = []
  for (const group of groups) {
    if (recipients.length >= recipientsMax) break
    const finalField = groupField(group, 'final-recipient')
    const originalField = groupField(group, 'original-recipient')
    const field = finalField ?? originalField
    if (field === undefined && groupField(group, 'action') === undefined && groupField(group, 'status') === undefined) {
      continue
    }
    if (field === undefined && recipients.length > 0 && group === first) continue
    const address = recipientAddress(bytes, group)
    const action = (/[a-z]+/.exec(groupText(bytes, group, 'action').toLowerCase())?.[0] ?? '').replace(
      'deliverable',
      'delivered',
    )
    const status = /[245]\.\d{1,3}\.\d{1,3}/.exec(groupText(bytes, group, 'status'))?.[0] ?? ''
    const statusField = groupField(group, 'status')
    const diagnosticField = groupField(group, 'diagnostic-code') ?? groupField(group, 'x-supplementary-info')
    recipients.push({
      address,
      originalAddress: originalField === undefined ? '' : mailboxOf(valueText(bytes, originalField)),
      action: actions.has(action) ? action : '',
      status,
      diagnostic:
        diagnosticField === undefined ? '' : diagnosticOf(valueText(bytes, diagnosticField)).slice(0, diagnosticMax),
      remoteMta: withoutType(groupText(bytes, group, 'remote-mta')),
      category: groupText(bytes, group, 'x-powermta-bouncecategory').trim(),
      range: field === undefined ? [group[0]?.start ?? 0, group.at(-1)?.end ?? 0] : [field.start, field.end],
      statusRange: statusField === undefined ? null : [statusField.start, statusField.end],
      diagnosticRange: diagnosticField === undefined ? null : [diagnosticField.start, diagnosticField.end],
    })
  }
  // Some repeat an action in front of the first recipient.
  const known = new Set<string>()
  const named = recipients.filter(({ address }) => {
    const lower = address.toLowerCase()
    if (lower === '' || known.has(lower)) return false
    known.add(lower)
    return true
  })
  return {
    reporter,
    envelopeId: unxtext(groupText(bytes, first, 'original-envelope-id')),
    messageId: groupText(bytes, first, 'x-original-message-id'),
    recipients: named.length > 0 ? named : recipients,
  }
}

/** Of one that lines divide which are no fields. */
const groupFieldsMax = 100

/** A group for each recipient (RFC 3464 section 2.3), also where the blank line between two is missing, or where blank lines or lines that are no fields divide one. */
function recipientGroups(given: readonly FieldGroup[]): FieldGroup[] {
  const groups: Field[][] = []
  const hasRecipient = (group: FieldGroup): boolean => group.some(({ name }) => name === 'final-recipient')
  for (const group of given) {
    const last = groups.at(-1)
    const known = new Set((last?.length ?? 0) < groupFieldsMax ? last?.map(({ name }) => name) : [])
    const goesOn =
      known.has('final-recipient') && !group.some(({ name }) => name === 'original-recipient' || known.has(name))
    if (last !== undefined && goesOn) last.push(...group)
    else groups.push([])
    for (const field of goesOn ? [] : group) {
      const current = groups.at(-1)
      if (field.name !== 'final-recipient' || current === undefined || !hasRecipient(current)) {
        current?.push(field)
        continue
      }
      // The Original-Recipient in front of it is its own, where the one before has one, too.
      const originals = current.filter(({ name }) => name === 'original-recipient')
      const own = originals.length > 1 && current.at(-1)?.name === 'original-recipient' ? current.splice(-1) : []
      groups.push([...own, field])
    }
  }
  return groups
}

/** Undoes xtext (RFC 3461 section 4), in which an ENVID travels; some reports have it as it was sent. */
const unxtext = (value: string): string =>
  value.replace(/\+([2-7][0-9A-F])/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

/** Some systems put a local name or a user id in one of the two; the one that is an address is taken. */
function recipientAddress(bytes: Buffer, group: FieldGroup): string {
  for (const name of ['final-recipient', 'x-actual-recipient', 'original-recipient']) {
    const mailbox = mailboxOf(groupText(bytes, group, name))
    // A name inside the reporting system's own network says less than the original recipient.
    if (domainOf(mailbox).slice(1, -1).includes('.')) return mailbox
  }
  return mailboxOf(groupText(bytes, group, 'final-recipient'))
}

/**
 * Without its type, but where a delivery program spoke, not a server; its exit status alone says little. Microsoft's SMTP service quotes
 * the reply as `< #5.5.0 smtp;550 …>`.
 */
const diagnosticOf = (value: string): string => {
  const quoted = /^\s*<\s*#[245]\.\d{1,3}\.\d{1,3}\s+smtp;(.*)$/is.exec(value)?.[1]
  if (quoted !== undefined) return quoted.trim().replace(/>$/, '')
  return /^\s*x-unix\s*;\s*(?![\s\d])/i.test(value) ? value : withoutType(value)
}

/** A utf-8-addr in an ASCII report has its other characters as `\x{HEX}` (RFC 6533 section 3). */
const unescaped = (value: string): string =>
  value.includes('\\x{')
    ? value.replace(/\\x\{([0-9A-Fa-f]{2,6})\}/g, (all, hex: string) => {
        const code = Number.parseInt(hex, 16)
        return code > 0x20 && code <= 0x10ffff ? String.fromCodePoint(code) : all
      })
    : value

const isX400 = /^\s*x-?400\s*;/i

const mailboxOf = (value: string): string => {
  const within = isX400.test(value) ? smtpOfX400(withX400Plain(value)) : ''
  if (within !== '') return within
  const cleaned = cleanAddress(unescaped(withoutType(value)))
  return findAddress(cleaned) || cleaned
}
