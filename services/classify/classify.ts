/**
 * `classify(bytes, envelope) → Verdict`: what a message is, of whom it speaks, and which bytes say so.
 *
 * Pure: no I/O, no clock. It never throws: broken mail ends in the verdict that its readable part supports, or in `unknown` with
 * the error as evidence.
 */
import { mimeLimits, type Part, walkParts } from '#lib/mail/mime.ts'
import { findAddress } from '#lib/mail/smtp-address.ts'
import type { Envelope, Evidence, Verdict, VerdictRecipient } from '#schemas/types.ts'
import { readAbsence } from './absence.ts'
import { type AddressFacts, readAddresses, returnPaths } from './addresses.ts'
import { acknowledgement, readAutoReply } from './auto-reply.ts'
import { isStatusPart, readBounce } from './bounce/bounce.ts'
import { commandOf } from './bounce/command.ts'
import { recipientsMax } from './bounce/dsn.ts'
import { readCodes } from './bounce/notice.ts'
import { bounded } from './bounded.ts'
import { type Notification, readNotification } from './notification.ts'
import { readOptOut, readToken } from './opt-out.ts'
import { readPasted } from './pasted.ts'
import { findReason, isPermanent, type ReasonOptions } from './reason.ts'
import { nobody } from './recipient.ts'
import { isDispositionPart, isRefusal, type Report, readReport, readReportInWords } from './report.ts'
import { evidenceMax, Sources } from './sources.ts'
import { isReply } from './subject.ts'
import { wordsOf } from './words.ts'

/** Changes with every change of what verdicts say. */
export const classifierVersion = '0.9.0'

export const kinds = ['bounce', 'auto-reply', 'opt-out', 'complaint', 'report', 'reply', 'unknown'] as const
export type Kind = (typeof kinds)[number]

export type ClassifyOptions = ReasonOptions & {
  /** Addresses of ours that take opt-outs. */
  readonly optOutAddresses?: readonly RegExp[]
  /** Of our reverse-paths, with the named groups recipient, campaign and customer. */
  readonly addressPatterns?: readonly RegExp[]
  /** Further header fields of the returned message that the verdict carries. */
  readonly originalFields?: readonly string[]
  /** Reasons that are for good; absent: those of the table. */
  readonly hardReasons?: ReadonlySet<string>
}

export function classify(
  bytes: Buffer,
  envelope: Pick<Envelope, 'reversePath' | 'forwardPaths'> | null = null,
  options: ClassifyOptions = {},
): Verdict {
  return examine(bytes, envelope, options).verdict
}

/** The verdict, and the message's own subject for lists: decoded, at most 200 characters. */
export function examine(
  bytes: Buffer,
  envelope: Pick<Envelope, 'reversePath' | 'forwardPaths'> | null,
  options: ClassifyOptions,
): { readonly verdict: Verdict; readonly subject: string } {
  let subject = ''
  try {
    const outer = new Sources(bytes, envelope)
    subject = outer.header('subject').slice(0, 200)
    const { bounces, leftOut } = attachedBounces(outer)
    const verdicts = bounces
      .map((attached) => judge([outer, attached], attached, options))
      .filter(({ kind }) => kind === 'bounce')
    // Of what turns out to be none, the message itself is judged.
    const verdict = merged(verdicts, leftOut) ?? judgePasted(outer, options) ?? judge([outer], outer, options)
    return { verdict: outer.parts().length < mimeLimits.parts ? verdict : withoutParts(verdict), subject }
  } catch (error) {
    return { verdict: failed(String(error instanceof Error ? error.message : error)), subject }
  }
}

/** @param addressed the messages whose recipients are ours */
function judge(addressed: readonly Sources[], sources: Sources, options: ClassifyOptions): Verdict {
  const patterns = options.addressPatterns ?? []
  const ours = readAddresses(addressed.flatMap(ourAddresses), patterns)
  const facts = { ...readAddresses(returnPaths(sources), patterns), ...ours }
  const verdict = decide(sources, options, facts)
  return bounded({
    ...verdict,
    // What a person passes on may have another sender's return address.
    original: {
      ...(isOfReturned(verdict) ? facts : ours),
      ...original(sources, options.originalFields ?? []),
      ...verdict.original,
    },
  })
}

const isOfReturned = ({ kind }: Verdict): boolean => kind === 'bounce' || kind === 'complaint' || kind === 'report'

/** Tells that what stands behind so many parts was not read. */
const withoutParts = (verdict: Verdict): Verdict => {
  const text = `what is behind ${mimeLimits.parts} parts is left out`
  const limit = { decided: 'kind', rule: 'limit:parts', start: 0, end: 0, text }
  return bounded({ ...verdict, evidence: [limit, ...verdict.evidence].slice(0, evidenceMax) })
}

/** The verdict on a message over which the classifier itself failed. */
export const failed = (why: string): Verdict =>
  blank('unknown', '', 0, [{ decided: 'kind', rule: 'error', start: 0, end: 0, text: why.slice(0, 200) }])

const blank = (kind: Kind, variant: string, confidence: number, evidence: readonly Evidence[]): Verdict => ({
  kind,
  variant,
  confidence,
  version: classifierVersion,
  recipients: [],
  evidence,
  original: {},
  reporter: '',
})

/** Where the message was sent to: by the envelope, or by its fields where there is none. */
function ourAddresses(sources: Sources): string[] {
  if (sources.envelope !== null) return sources.envelope.forwardPaths.map(({ address }) => address)
  return ['delivered-to', 'x-original-to', 'envelope-to', 'to']
    .map((name) => findAddress(sources.header(name)))
    .filter((address) => address !== '')
}

function decide(sources: Sources, options: ClassifyOptions, facts: AddressFacts): Verdict {
  const report = readReport(sources, facts.recipient ?? '')
  if (report !== null) return reportVerdict(report, 0.98)
  const notified = readNotification(sources)
  if (notified !== null) return notifiedVerdict(sources, notified, options)
  const byForm = bounceByForm(sources)
  if (byForm !== null) {
    const verdict = bounceVerdict(sources, byForm, 0.97, options, facts)
    // Some that ask the sender to prove himself do so in the form of a delivery report.
    const isAsked = verdict.recipients.some(({ diagnostic }) => askingPattern.test(diagnostic))
    return isAsked ? { ...verdict, kind: 'auto-reply', variant: 'challenge' } : verdict
  }
  // What a mail program sends for its user is no reply: Apple Mail marks its unsubscribes as automatic.
  const isDaemon = /^(?:mailer-?daemon|post_?master)\b/i.test(
    findAddress(sources.header('from')) || sources.header('from'),
  )
  const byWords = bounceByWords(sources)
  const inWords = byWords === null ? readReportInWords(sources) : null
  if (inWords !== null) return reportVerdict(inWords, 0.9)
  // Some mark their bounces as automatic replies; those of people do not quote a code.
  const isNotice =
    byWords !== null &&
    (byWords.rule === listRefusal ||
      (subjectPattern.test(sources.subject()) && technicalPattern.test(sources.notice().text.slice(0, 8_000))))
  const autoReply = sources.has('x-apple-unsubscribe') || isDaemon || isNotice ? null : readAutoReply(sources)
  if (autoReply !== null && (byWords === null || autoReply.evidence.rule !== acknowledgement)) {
    const address = findAddress(sources.header('from'))
    const text = `${sources.subject()}\n${sources.notice().text}`
    const own = [address, ...ourAddresses(sources)].map((each) => each.toLowerCase())
    const absence = readAbsence(text, Date.parse(sources.header('date')), autoReply.variant === 'moved', own)
    // Who has left and names another address has moved; who is away has not.
    const hasMoved = absence.newAddress !== undefined
    const reason = hasMoved ? 'hasmoved' : 'vacation'
    return {
      ...blank('auto-reply', autoReply.variant, 0.95, [autoReply.evidence]),
      recipients: address === '' ? [] : [{ ...nobody, address, reason, permanent: hasMoved }],
      original: { ...absence },
    }
  }
  if (byWords !== null) {
    const verdict = bounceVerdict(sources, byWords, 0.9, options, facts)
    if (verdict.recipients.length > 0 || byWords.rule !== 'text:notice') return verdict
  }
  const optOut = readOptOut(sources, options.optOutAddresses ?? [])
  if (optOut !== null) {
    // Our own address tells which subscription it is; people write from others, too.
    const token = readToken(sources)
    const told: AddressFacts & { readonly token?: string } =
      token === '' ? {} : { ...readAddresses([token], options.addressPatterns ?? []), token }
    const address = facts.recipient ?? told.recipient ?? findAddress(sources.header('from'))
    return {
      ...blank('opt-out', optOut.rule.includes('command') ? 'command' : 'address', 0.93, [optOut]),
      recipients: address === '' ? [] : [{ ...nobody, address, reason: 'feedback' }],
      original: told,
    }
  }
  if (sources.has('in-reply-to') || sources.has('references') || isReply(sources.subject())) {
    const name = ['in-reply-to', 'references', 'subject'].find((field) => sources.has(field)) ?? 'subject'
    return blank('reply', 'person', 0.8, [sources.field('kind', `field:${name}`, name)])
  }
  return blank('unknown', '', 0.5, [])
}

const reportVerdict = ({ kind, variant, recipients, evidence, facts = {} }: Report, confidence: number): Verdict => ({
  ...blank(kind, variant, confidence, evidence),
  recipients,
  original: facts,
  reporter: facts['reporter'] ?? '',
})

function notifiedVerdict(
  sources: Sources,
  { type, feedback, recipients }: Notification,
  { hardReasons, rules, tried }: ClassifyOptions,
): Verdict {
  const evidence = sources.find('kind', 'ses:notification', '"notificationType"')
  if (type === 'complaint') {
    return {
      ...blank('complaint', feedback === '' || feedback === 'not-spam' ? 'abuse' : feedback, 0.98, [evidence]),
      recipients: recipients.map(({ address }) => ({ ...nobody, address, reason: 'feedback' })),
    }
  }
  const read = recipients.map(({ address, action, status, diagnostic }): VerdictRecipient => {
    const codes = readCodes(diagnostic)
    const diagnosis = {
      action: action || (type === 'delivery' ? 'delivered' : 'failed'),
      status: status || codes.status || (/(?:^|\s)(2\.\d{1,3}\.\d{1,3})\b/.exec(diagnostic)?.[1] ?? ''),
      reply: codes.reply || (/^(2\d\d)\b/.exec(diagnostic)?.[1] ?? ''),
      command: commandOf(diagnostic),
      host: '',
      texts: [diagnostic],
    }
    const { reason } = findReason(diagnosis, { rules, tried })
    return {
      ...nobody,
      address,
      action: diagnosis.action,
      status: diagnosis.status,
      reply: diagnosis.reply,
      reason,
      permanent: isPermanent(reason, diagnosis, hardReasons),
      diagnostic: diagnostic.slice(0, 1_000),
    }
  })
  const variant = type === 'delivery' ? 'delivered' : read.some(({ permanent }) => permanent) ? 'hard' : 'soft'
  return { ...blank('bounce', variant, 0.97, [evidence]), recipients: read }
}

function bounceVerdict(
  sources: Sources,
  evidence: Evidence,
  confidence: number,
  { hardReasons, rules, tried }: ClassifyOptions,
  { recipient }: AddressFacts,
): Verdict {
  const bounce = readBounce(sources, { hardReasons, rules, tried, returnTo: recipient ?? '' })
  return {
    ...blank(
      'bounce',
      bounce.variant,
      bounce.recipients.length > 0 ? confidence : 0.6,
      [evidence, ...bounce.evidence].slice(0, evidenceMax),
    ),
    recipients: bounce.recipients,
    reporter: bounce.reporter,
    original: bounce.original,
  }
}

const askingPattern = /x-boxbe-notice|sender not pre-approved|(?:message|mail) (?:has been|was) waitlisted/i

/** RFC 3464 by its form, and fields that only bounces have. */
function bounceByForm(sources: Sources): Evidence | null {
  const status = sources.parts().find(isStatusPart)
  if (status !== undefined) return sources.at('kind', 'rfc3464:delivery-status', status.start, status.bodyStart)
  if (
    sources.root.type === 'multipart/report' &&
    (sources.root.parameters['report-type'] ?? '').toLowerCase() === 'delivery-status'
  ) {
    return sources.field('kind', 'rfc6522:report-type', 'content-type')
  }
  const refusal = sources.parts().find((part) => isDispositionPart(part) && isRefusal(sources, part))
  if (refusal !== undefined) return sources.at('kind', 'rfc5429:refusal', refusal.start, refusal.bodyStart)
  if (sources.has('x-failed-recipients'))
    return sources.field('kind', 'field:x-failed-recipients', 'x-failed-recipients')
  return null
}

const daemonPattern =
  /mail(?:er)?[- ]?daemon|content-?filter\b|spam ?firewall|scanmail|group-?shield|post_?master|mail ?server\b|listserv|mail-?sweeper|mailscanner|mail-?marshal|uucp|mail(?:er)?[ -]?(?:delivery|administrator|system)|delivery[ -](?:subsystem|status)|mdaemon|system administrator|bounce|mail-?router|majordomo|antivirus|smtp-?gateway|majorcool|no-?reply@(?:[\w.-]*\.)?(?:google|googlemail|gmail)\.com/i
const subjectPattern = wordsOf('bounceSubject')
const noticePattern = wordsOf('bounceText')

/** Of all bounces that one message has attached, without what they return: as much as a hundred take. */
const attachedBytesMax = 512 * 1024

/** The bounces that a person attaches to a message of his own, in their order, and how many more there are than are read. */
function attachedBounces(outer: Sources): { readonly bounces: readonly Sources[]; readonly leftOut: number } {
  const none = { bounces: [], leftOut: 0 }
  if (outer.root.children.length === 0 || outer.root.type === 'multipart/report' || outer.has('list-id')) return none
  const attached = outermost(outer.parts().filter(({ type, children }) => isMessage(type) && children[0]))
  if (attached.length === 0 || isFromDaemon(outer)) return none
  const isOwn = (part: Part): boolean => !attached.some(({ start, end }) => part.start >= start && part.end <= end)
  if (outer.parts().some((part) => isStatusPart(part) && isOwn(part))) return none
  const bounces: Sources[] = []
  let room = attachedBytesMax
  for (const [index, { children }] of attached.entries()) {
    const [root] = children
    if (root === undefined) continue
    // The first is read whatever its size: a message by itself is so, too.
    if (room <= 0) return { bounces, leftOut: attached.length - index }
    room -= bytesWithoutReturned(root)
    const inner = new Sources(outer.bytes, null, root)
    if (readNotification(inner) !== null || bounceByForm(inner) !== null || bounceByWords(inner) !== null)
      bounces.push(inner)
  }
  return { bounces, leftOut: 0 }
}

const isMessage = (type: string): boolean => type === 'message/rfc822' || type === 'message/global'

/** Those of them that are in no other. */
function outermost(parts: readonly Part[]): Part[] {
  let behind = -1
  return parts.filter(({ start, end }) => {
    if (start < behind) return false
    behind = end
    return true
  })
}

const bytesWithoutReturned = (root: Part): number =>
  outermost([...walkParts(root)].filter((part) => part !== root && isMessage(part.type))).reduce(
    (bytes, { bodyStart, end }) => bytes - (end - bodyStart),
    root.end - root.start,
  )

/** One verdict of several bounces that came in one message, each recipient once; what is said of the original is that of the first. */
function merged(verdicts: readonly Verdict[], leftOut: number): Verdict | null {
  const [first] = verdicts
  if (first === undefined || (verdicts.length === 1 && leftOut === 0)) return first ?? null
  const recipients = new Map<string, VerdictRecipient>()
  for (const recipient of verdicts.flatMap((verdict) => verdict.recipients)) {
    const address = recipient.address.toLowerCase()
    if (!recipients.has(address)) recipients.set(address, recipient)
  }
  const variants = new Set(verdicts.map(({ variant }) => variant))
  const text = `${leftOut} attached messages are left out`
  return bounded({
    ...first,
    variant: variants.has('hard') ? 'hard' : variants.size === 1 ? first.variant : 'soft',
    confidence: Math.min(...verdicts.map(({ confidence }) => confidence)),
    recipients: [...recipients.values()].slice(0, recipientsMax),
    evidence: [
      ...(leftOut > 0 ? [{ decided: 'recipient', rule: 'limit:attached', start: 0, end: 0, text }] : []),
      ...verdicts.flatMap(({ evidence }) => evidence),
    ].slice(0, evidenceMax),
  })
}

const isFromDaemon = (sources: Sources): boolean =>
  daemonPattern.test(sources.header('from')) || sources.has('x-failed-recipients')

/** What Mailman, LISTSERV, Majordomo, Sympa, ezmlm and hosts of groups say of mail that a list does not take. */
const listRefusalPattern =
  /\brequest to mailing list .{1,200} rejected\b|\bposting of your message[^.]{0,300} rejected\b|\byour message to .{1,320} (?:was|has been) (?:automatically )?(?:rejected|refused|not posted)\b|\brejected posting to\b|\bnot (?:allowed|permitted|authorized|authorised) to (?:post|send mail|send this message)\b[^.]{0,60}\b(?:list|group|reason)\b|\bonly (?:subscribers|members) (?:may|can|are allowed to) post\b|^bounce \S{1,320}@\S{1,255}:/i

const technicalPattern =
  /(?:^|[\s:<(])[45]\d\d[ -](?:#?[45]\.\d{1,3}\.\d{1,3}|[<\p{L}][^\n]{0,200}(?:user|mailbox|recipient|address|host|domain|relay|spam|denied|rejected|unknown|quota|メール|アドレス|エラー|存在))|\b[45]\.\d{1,3}\.\d{1,3}\b|mailer-daemon|remote (?:host|server) said|smtp|\brcpt to:\s{0,20}<?[^\s@]{1,64}@|(?:following|these) (?:recipient|user|address|mailbox)[^\n]{0,60}:|not a member of (?:this|the) mailing list|delivered to:?[^\S\n]{0,20}\r?\n[^\S\n]{0,20}<?[^\s@]{1,64}@\S|\S@[\w.-]{1,255}[^\n\w][^\n]{0,80}(?:user unknown|unknown user|no such user|mailbox full|does not exist)/iu

/** What some systems put behind the subject of the message that they answer. */
const undeliveredPattern =
  /[:(]\s*(?:delivery failed|undeliver(?:able|ed)|not delivered|non remis|unzustellbar)\b[^:]{0,20}$/i

/** The rule by which a list's refusal is known: also where it is marked as automatic. */
const listRefusal = 'text:list-refusal'

/** Bounces in words: a daemon that says so, or a subject and a text that do. */
function bounceByWords(sources: Sources): Evidence | null {
  const from = `${sources.header('from')} ${sources.header('return-path') === '<>' ? 'null' : ''}`
  const isDaemon = daemonPattern.test(from)
  const nullPath = sources.envelope?.reversePath === '' || /^<>$/.test(sources.header('return-path').trim())
  // A person, too, tells that he may not post to a list.
  const isByMachine = isDaemon || nullPath || sources.has('x-list-administrivia') || sources.has('precedence')
  const refusal = isByMachine
    ? listRefusalPattern.exec(`${sources.subject()}\n${sources.notice().text.slice(0, 2_000)}`)?.[0]
    : undefined
  if (refusal !== undefined && !sources.has('in-reply-to')) return sources.find('kind', listRefusal, refusal)
  const saysSubject = subjectPattern.test(sources.subject())
  const notice = sources.notice().text.slice(0, 8_000)
  const saysText = noticePattern.test(notice)
  // Of a mailer daemon nobody has to know the language: what it returns, or an address, tells enough.
  const isMailerDaemon =
    nullPath &&
    /^mailer-?daemon\b/i.test(findAddress(sources.header('from'))) &&
    (sources.returned() !== null || findAddress(notice) !== '')
  if (isDaemon && (saysSubject || saysText || isMailerDaemon)) return sources.field('kind', 'field:from-daemon', 'from')
  if (saysSubject && nullPath) return sources.field('kind', 'text:subject', 'subject')
  // A shop speaks of deliveries, too, and people ask about bounces: without a daemon it takes a reply or a returned message.
  const isAnswer =
    sources.has('in-reply-to') || (isReply(sources.subject()) && !undeliveredPattern.test(sources.subject()))
  const isTechnical = sources.returned() !== null || technicalPattern.test(notice)
  if (saysSubject && saysText && isTechnical && !isAnswer) return sources.field('kind', 'text:subject', 'subject')
  if (nullPath && saysText) return sources.find('kind', 'text:notice', noticePattern.exec(notice)?.[0] ?? '')
  if (saysText && sources.returned() !== null && !sources.has('in-reply-to')) {
    return sources.find('kind', 'text:notice', noticePattern.exec(notice)?.[0] ?? '')
  }
  return null
}

/** The verdict on the bounce that a person pastes into a message of his own; null: there is none. */
function judgePasted(outer: Sources, options: ClassifyOptions): Verdict | null {
  if (outer.root.type === 'multipart/report' || outer.has('list-id') || isFromDaemon(outer)) return null
  if (outer.parts().some(isStatusPart)) return null
  const pasted = readPasted(outer)
  if (pasted === null || !isFromDaemon(pasted) || bounceByWords(pasted) === null) return null
  const verdict = judge([outer, pasted], pasted, options)
  if (verdict.kind !== 'bounce' || verdict.recipients.length === 0) return null
  // It was taken from the text: where in the bytes each word stands, is not known.
  const { bodyStart: start, end } = outer.root
  return { ...verdict, evidence: verdict.evidence.map((evidence) => ({ ...evidence, start, end })) }
}

/** What identifies the message that this one is about. */
function original(sources: Sources, more: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {}
  const add = (name: string, value: string): void => {
    if (value !== '') found[name] = value.slice(0, 300)
  }
  add('messageId', sources.returnedHeader('message-id') || sources.header('in-reply-to').split(/\s+/)[0] || '')
  add('subject', sources.returnedHeader('subject'))
  add('from', findAddress(sources.returnedHeader('from')))
  add('to', findAddress(sources.returnedHeader('to')))
  add('listId', sources.returnedHeader('list-id'))
  add('feedbackId', sources.returnedHeader('feedback-id'))
  add(
    'campaign',
    sources.returnedHeader('x-campaign') ||
      sources.returnedHeader('x-campaign-id') ||
      sources.returnedHeader('x-mailer-campaign'),
  )
  for (const name of more) add(name.toLowerCase(), sources.returnedHeader(name.toLowerCase()))
  return found
}
