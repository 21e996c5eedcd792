/**
 * A bounce → its recipients with action, status, reply, reason. The machine-readable part is read first; what it leaves out is
 * looked for in the words of the notice, then in the returned message.
 */
import type { Part } from '#lib/mail/mime.ts'
import { findAddress } from '#lib/mail/smtp-address.ts'
import type { Evidence, VerdictRecipient } from '#schemas/types.ts'
import { mailtoLinks, takenFor } from '../addresses.ts'
import { type FoundReason, findReason, hardReasons, isPermanent, type ReasonOptions } from '../reason.ts'
import { evidenceMax, type Sources } from '../sources.ts'
import { wordsOf } from '../words.ts'
import { addressesIn, listedAddresses, replaceAddresses } from './address.ts'
import { type Command, commandOf } from './command.ts'
import { type Dsn, recipientsMax } from './dsn.ts'
import { isListOffice, listOfOffice } from './list.ts'
import {
  type Notice,
  type NoticeOptions,
  type NoticeRecipient,
  onlyAddress,
  parseNotice,
  readNotice,
  toldOriginal,
  withoutSubject,
} from './notice.ts'
import { ofAll, readCodes } from './reply.ts'
import { saysReached } from './sections.ts'
import { readParts } from './status-parts.ts'

export type Bounce = {
  readonly recipients: readonly VerdictRecipient[]
  readonly evidence: readonly Evidence[]
  readonly reporter: string
  /** What the report or the notice says of the message that came back, where that itself does not. */
  readonly original: Readonly<Record<string, string>>
  readonly variant: 'hard' | 'soft' | 'delayed' | 'delivered' | 'relayed'
}

/** Each rule is tried on all of it; a reply of 300 characters is long. */
const reasonTextMax = 200_000

export type BounceOptions = ReasonOptions & {
  /** Absent: those of the table. */
  readonly hardReasons?: ReadonlySet<string> | undefined
  /** How many bounces came in the message; absent: it is one. */
  readonly share?: number | undefined
  /** The recipient that the return address names, for a bounce that names none; empty: it names none. */
  readonly returnTo: string
  /** A list refuses: it speaks itself, so it is there. */
  readonly isListRefusal?: boolean
}

export function readBounce(sources: Sources, options: BounceOptions): Bounce {
  const evidence: Evidence[] = []
  const { recipients: fromDsn, reporter: named, ...dsn } = readParts(sources)
  let reporter = named
  if (reporter === '') {
    const [, domain = ''] = /^(?:mailer-daemon|post_?master)@(.+)$/i.exec(findAddress(sources.header('from'))) ?? []
    reporter = domain.toLowerCase()
  }
  const notice = sources.notice()
  const returned = sources.returned()
  const isSentTo = recipientsOf(sources)
  const isOfOffice = (address: string): boolean => isOffice(address) && !isSentTo(address)
  const reading = { isStranger: strangers(sources, returned), isOffice: isOfOffice, isSentTo, domain: reporter }
  const parsed = parseNotice(notice.text)
  let fromNotice = readNotice(parsed, reading)
  // Whoever wrote to himself is named all the same.
  if (fromNotice.length === 0 && fromDsn.length === 0)
    fromNotice = readNotice(parsed, { ...reading, isStranger: () => false, domain: '' })
  // Whom the report or the header names the words may tell of in any form.
  const isInReport = fromDsn.some(({ address }) => address.includes('@'))
  const failed = isInReport ? [] : failedRecipients(sources)
  const reported = isInReport ? fromDsn.map(({ address }) => address) : failed
  if (reported.length > 1) fromNotice = readReported(parsed, reading, reported, fromNotice)
  const delayed = once(() => looksDelayed(sources, notice.text))

  const speaksOf = once(() => ofAll(notice.text))
  const toldOf = (address: string): NoticeRecipient => ({
    address,
    ...speaksOf()(address),
    section: notice.text,
  })
  const drafts: Draft[] = []
  for (const recipient of fromDsn) {
    const inWords = fromNotice.find((named) => named.address.toLowerCase() === recipient.address.toLowerCase())
    drafts.push({ ...recipient, told: inWords ?? (fromDsn.length === 1 ? toldOf(recipient.address) : nothing) })
    if (evidence.length >= evidenceMax) continue
    evidence.push(sources.at('recipient', 'rfc3464:final-recipient', ...recipient.range))
    if (recipient.statusRange !== null) evidence.push(sources.at('status', 'rfc3464:status', ...recipient.statusRange))
  }
  const dsnNamed = drafts.filter((draft) => draft.address.includes('@'))
  if (dsnNamed.length === 0) {
    const first = drafts[0]
    drafts.length = 0
    const byHeader = failed.length > 0 && !isOutvoted(failed, fromNotice, sources)
    const told = byHeader
      ? failed.map(
          (address) =>
            fromNotice.find((known) => known.address.toLowerCase() === address.toLowerCase()) ?? toldOf(address),
        )
      : fromNotice.length > 0
        ? fromNotice
        : lastResort(sources, options.returnTo, parsed, reading, toldOf)
    for (const each of told) {
      const { address } = each
      drafts.push({
        address,
        originalAddress: '',
        action: first?.action ?? '',
        status: first?.status ?? '',
        diagnostic: first?.diagnostic ?? '',
        remoteMta: first?.remoteMta ?? '',
        category: first?.category ?? '',
        diagnosticRange: first?.diagnosticRange ?? null,
        told: each,
      })
      if (evidence.length < evidenceMax) {
        evidence.push(sources.find('recipient', byHeader ? 'field:x-failed-recipients' : 'text:recipient', address))
      }
    }
  }
  const isOwn = ({ told }: Draft): boolean => told.section !== '' && told.section !== notice.text
  // Where a notice says of some that they are late, the others are not.
  const areLateBySelf = once(
    () => drafts.length > 1 && drafts.some((draft) => isOwn(draft) && saysDelay(draft.told.section)),
  )
  const said = {
    delayed: (draft: Draft): boolean => (isOwn(draft) && areLateBySelf() ? saysDelay(draft.told.section) : delayed()),
    reached: once(() => saysReached(`${sources.subject()}\n${notice.text.slice(0, reachedTextMax)}`)),
    command: once(() => commandOf(notice.text)),
    notice: notice.text,
    subject: sources.subject(),
    host: answeredBy(notice.text) ?? reporter,
    textMax: Math.floor(reasonTextMax / Math.max(1, drafts.length) / (options.share ?? 1)),
  }
  let last: { readonly draft: Draft; readonly judged: Judged } | null = null
  const recipients = drafts.map((draft) => {
    // What is said once of many is judged once.
    if (last === null || !saysTheSame(last.draft, draft)) last = { draft, judged: judge(draft, said, options) }
    const { found, ...judged } = last.judged
    if (evidence.length >= evidenceMax) {
      // Those of the first tell enough.
    } else if (draft.diagnosticRange !== null && found.text === 0) {
      evidence.push(sources.at('reason', found.rule, ...draft.diagnosticRange))
    } else if (found.match !== '') evidence.push(sources.find('reason', found.rule, found.match))
    return { address: draft.address, originalAddress: draft.originalAddress, ...judged }
  })
  const original = originalOf(sources, dsn)
  return { recipients, evidence, reporter, original, variant: variantOf(recipients, delayed) }
}

/** What the words tell of those whom the report or the header names, where in the usual forms they tell of fewer: `told`. */
function readReported(
  notice: Notice,
  reading: NoticeOptions,
  reported: readonly string[],
  told: NoticeRecipient[],
): NoticeRecipient[] {
  const isTold = oneOf(told.map(({ address }) => address))
  if (reported.every(isTold)) return told
  const isReported = oneOf(reported)
  const inAnyForm = readNotice(notice, {
    ...reading,
    isStranger: (address) => !isReported(address),
    isOffice: () => false,
    isLast: true,
  })
  return inAnyForm.length > reported.filter(isTold).length ? inAnyForm : told
}

function failedRecipients(sources: Sources): string[] {
  if (!sources.has('x-failed-recipients')) return []
  return listedAddresses(sources.header('x-failed-recipients')).slice(0, recipientsMax)
}

/** Whether an address is one of those. */
function oneOf(those: readonly string[]): (address: string) => boolean {
  const addresses = new Set(those.map((address) => address.toLowerCase()))
  return (address) => addresses.has(address.toLowerCase())
}

/** What is asked for each of many recipients, and the same for all. */
function once<T>(read: () => T): () => T {
  let known: { readonly value: T } | null = null
  return () => {
    known ??= { value: read() }
    return known.value
  }
}

function originalOf(
  sources: Sources,
  { envelopeId, messageId }: Omit<Dsn, 'recipients' | 'reporter'>,
): Bounce['original'] {
  const isMissing = (name: string): boolean => sources.returnedHeader(name) === ''
  const told =
    isMissing('message-id') || isMissing('subject')
      ? toldOriginal(sources.notice().text)
      : { messageId: '', subject: '' }
  const original: Record<string, string> = {}
  const add = (name: string, value: string): void => {
    if (value !== '') original[name] = value.slice(0, 300)
  }
  add('messageId', isMissing('message-id') ? messageId || told.messageId : '')
  add('subject', isMissing('subject') && told.subject !== sources.subject() ? told.subject : '')
  add('envelopeId', envelopeId)
  return original
}

/** Whether the words and the returned message's own field agree on others than X-Failed-Recipients: a host in between rewrote that. */
function isOutvoted(failed: readonly string[], named: readonly NoticeRecipient[], sources: Sources): boolean {
  const sentTo = sources.returnedHeader('to').toLowerCase()
  const header = new Set(failed.map((address) => address.toLowerCase()))
  return (
    named.length === failed.length &&
    named.every(({ address }) => !header.has(address.toLowerCase()) && sentTo.includes(address.toLowerCase())) &&
    !failed.some((address) => sentTo.includes(address.toLowerCase()))
  )
}

const nothing: Omit<NoticeRecipient, 'address'> = { diagnostic: '', words: '', section: '' }

type Draft = {
  readonly address: string
  readonly originalAddress: string
  readonly action: string
  readonly status: string
  readonly diagnostic: string
  readonly remoteMta: string
  readonly category: string
  readonly diagnosticRange: readonly [number, number] | null
  /** What the notice says of it. */
  readonly told: Omit<NoticeRecipient, 'address'>
}

/** What the bounce says of all of them, and how much of what it says of each is looked at for a reason, in characters. */
type Said = {
  readonly delayed: (draft: Draft) => boolean
  /** Whether it says that the message arrived. */
  readonly reached: () => boolean
  /** That the notice speaks of. */
  readonly command: () => Command
  readonly notice: string
  readonly subject: string
  /** Who refused, where no Remote-MTA says so; empty: unknown. */
  readonly host: string
  readonly textMax: number
}

type Judged = Omit<VerdictRecipient, 'address' | 'originalAddress'> & { readonly found: FoundReason }

const saysTheSame = (one: Draft, other: Draft): boolean =>
  one.action === other.action &&
  one.status === other.status &&
  one.diagnostic === other.diagnostic &&
  one.remoteMta === other.remoteMta &&
  one.category === other.category &&
  one.told.diagnostic === other.told.diagnostic &&
  one.told.words === other.told.words &&
  one.told.section === other.told.section

/** What a subject may say of a recipient; of the rest, it may be the subject of the message that came back. */
const ofSubject: ReadonlySet<string> = new Set(['mailboxfull', 'userunknown', 'hostunknown', 'networkerror', 'expired'])

/** What Exchange says of itself, though another one refused. */
const generatingServer = /generating server: \S{1,255}/i
/** As Gmail says that a reply is not its own, and whose it is. */
const otherServer = /the (?:error|response) (?:that the other server returned|from the (?:remote|other) server) was/i
const otherHost = /\bby ([\w-][\w.-]{1,250}\w)\.? \[[\da-f.:]{2,45}\]/i
/** Of a notice so far: it says that at the front. */
const answeredTextMax = 4_000

/** The host whose reply the notice quotes, empty where it does not name it; null: it does not say that it quotes one. */
function answeredBy(notice: string): string | null {
  const text = notice.slice(0, answeredTextMax)
  return otherServer.test(text) ? (otherHost.exec(text)?.[1] ?? '') : null
}

function judge(
  draft: Draft,
  { delayed, reached, command, notice, subject, host, textMax }: Said,
  options: BounceOptions,
): Judged {
  const fromCode = readCodes(draft.diagnostic)
  const { told } = draft
  const fromWords = readCodes(told.diagnostic)
  const reply =
    fromCode.reply ||
    fromWords.reply ||
    (/^(?:delivered|relayed|expanded)$/.test(draft.action)
      ? (/\b(2[0-5]\d)[ -]/.exec(draft.diagnostic)?.[1] ?? '')
      : '')
  const vague = draft.status === '' || /^[245]\.0\.0$/.test(draft.status)
  // What the remote side said is nearer to the truth than what the reporting side made of it.
  const said = fromCode.status || (vague ? fromWords.status : '')
  const agrees = said !== '' && (draft.status === '' || said[0] === draft.status[0] || vague || said[0] === reply[0])
  const status = agrees ? said : draft.status
  const isRefused = /^[45]/.test(reply)
  const action = draft.action || (delayed(draft) ? 'delayed' : !isRefused && reached() ? 'delivered' : 'failed')
  const diagnostic = [draft.diagnostic, draft.diagnostic === told.diagnostic ? '' : told.diagnostic]
    .filter((text) => text !== '')
    .join(' ')
  const diagnosis = {
    action,
    status,
    reply,
    command:
      commandOf(draft.diagnostic === told.diagnostic ? told.diagnostic : `${draft.diagnostic}\n${told.diagnostic}`) ||
      (told.section === notice ? command() : commandOf(told.section)),
    host: draft.remoteMta || host,
    category: draft.category,
    texts: [draft.diagnostic, told.words, told.general ?? notice].map((text) => {
      const own = withoutSubject(text.slice(0, textMax))
      return draft.remoteMta === '' ? own : own.replace(generatingServer, '')
    }),
  }
  let found = findReason(diagnosis, options)
  if (options.isListRefusal === true && (found.rule === 'none' || hardReasons.has(found.reason)))
    found = { ...found, reason: 'rejected' }
  if (found.rule === 'none') {
    const named = findReason({ ...diagnosis, texts: ['', subject] }, options)
    if (ofSubject.has(named.reason)) found = named
  }
  return {
    found,
    action,
    status,
    reply,
    reason: found.reason,
    permanent: isPermanent(found.reason, { action, status, reply }, options.hardReasons),
    remoteMta: draft.remoteMta,
    diagnostic: diagnostic.slice(0, 1_000),
  }
}

function variantOf(recipients: readonly VerdictRecipient[], delayed: () => boolean): Bounce['variant'] {
  if (recipients.some((recipient) => recipient.permanent)) return 'hard'
  if (recipients.length > 0 && recipients.every((recipient) => recipient.action === 'delivered')) return 'delivered'
  if (
    recipients.length > 0 &&
    recipients.every((recipient) => recipient.action === 'relayed' || recipient.action === 'expanded')
  ) {
    return 'relayed'
  }
  if (recipients.length > 0 ? recipients.every((recipient) => recipient.action === 'delayed') : delayed())
    return 'delayed'
  return 'soft'
}

const delayPattern = wordsOf('delay')
const saysDelay = (text: string): boolean =>
  delayPattern.test(text) && delayPattern.test(replaceAddresses(text, () => ' '))
/** Of a notice so far: what is delivered is said at its front. */
const reachedTextMax = 500
/** Of a notice so far: behind it may stand what came back. */
const delayTextMax = 1_500

function looksDelayed(sources: Sources, notice: string): boolean {
  if (saysDelay(sources.subject())) return true
  const text = withoutSubject(notice.slice(0, delayTextMax))
  return saysDelay(text) && !/given up|permanent|giving up|failed permanently|will no longer/i.test(text)
}

/** Addresses that a notice mentions but that are no recipients: who sent the message, who reports. */
function strangers(sources: Sources, returned: Part | null): (address: string) => boolean {
  const known = new Set<string>()
  const add = (text: string): void => {
    const address = findAddress(text).toLowerCase()
    if (address !== '') known.add(address)
  }
  for (const name of ['from', 'reply-to', 'return-path', 'sender']) {
    add(sources.header(name))
    if (returned !== null && name !== 'reply-to') add(sources.returnedHeader(name))
  }
  add(sources.header('to'))
  // Whom to write to for help with a list, or to join it: RFC 2369.
  for (const name of ['list-help', 'list-subscribe', 'list-unsubscribe', 'list-owner', 'list-post']) {
    if (!sources.has(name)) continue
    for (const [, address = ''] of sources.header(name).matchAll(mailtoLinks)) add(address)
  }
  for (const path of sources.envelope?.forwardPaths ?? []) known.add(path.address.toLowerCase())
  const to = returned === null ? '' : findAddress(sources.returnedHeader('to')).toLowerCase()
  return (address) => {
    const lower = address.toLowerCase()
    if (lower === to) return false
    return known.has(lower)
  }
}

/** Whether the returned message's own fields name an address as a recipient. */
function recipientsOf(sources: Sources): (address: string) => boolean {
  const sentTo = once(
    () =>
      new Set(
        addressesIn(`${sources.returnedHeader('to')} ${sources.returnedHeader('cc')}`).map((each) =>
          each.toLowerCase(),
        ),
      ),
  )
  return (address) => sentTo().has(address.toLowerCase())
}

/** Addresses of offices, not of recipients. */
const isOffice = (address: string): boolean =>
  /^(?:mailer-daemon|post_?master|abuse|hostmaster|noreply|no-reply|support|helpdesk)@/i.test(address) ||
  isListOffice(address)

/** The list that speaks of itself; empty: none does. */
function listOf(sources: Sources, notice: string): string {
  const offices = [findAddress(sources.header('from')), ...addressesIn(notice.slice(0, 4_000))]
  for (const office of offices) {
    const list = listOfOffice(office)
    if (list !== '') return list
  }
  return ''
}

/**
 * The last resort: our return address, the last host that took the message for someone (RFC 5321 section 4.4, `for`), a
 * returned message to one person, who is mentioned in the notice, the subject, or the list whose office speaks, is the one whom it did not reach.
 *
 * @param toldOf what the whole notice says of somebody
 */
function lastResort(
  sources: Sources,
  returnTo: string,
  notice: Notice,
  reading: NoticeOptions,
  toldOf: (address: string) => NoticeRecipient,
): readonly NoticeRecipient[] {
  const one = (address: string): readonly NoticeRecipient[] => [toldOf(address)]
  if (returnTo !== '') return one(returnTo)
  const taken = takenFor(sources.returnedHeader('received'))
  if (taken !== '') return one(taken)
  const addresses = listedAddresses(sources.returnedHeader('to'))
  const [first = '', ...more] = addresses
  if (first !== '' && more.length === 0) return one(first)
  const isStranger = (address: string): boolean => reading.isStranger(address) || reading.isOffice?.(address) === true
  const mentioned = readNotice(notice, { ...reading, isLast: true })
  if (mentioned.length > 0) return mentioned
  const only = onlyAddress(notice, isStranger)
  if (only !== '')
    return first === '' || addresses.some((each) => each.toLowerCase() === only.toLowerCase()) ? one(only) : []
  if (first !== '') return []
  const named = findAddress(sources.subject())
  if (named !== '' && !isStranger(named)) return one(named)
  const list = listOf(sources, notice.text)
  if (list !== '' && !isStranger(list)) return one(list)
  // Mail is sent to offices, too.
  return readNotice(notice, { ...reading, isOffice: () => false })
}
