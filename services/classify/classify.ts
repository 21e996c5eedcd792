/**
 * `classify(bytes, envelope) → Verdict`: what a message is, of whom it speaks, and which bytes say so.
 *
 * Pure: no I/O, no clock. It never throws: broken mail ends in the verdict that its readable part supports, or in `unknown` with
 * the error as evidence.
 */
import { mimeLimits } from '#lib/mail/mime.ts'
import { findAddress } from '#lib/mail/smtp-address.ts'
import type { Envelope, Evidence, Verdict, VerdictRecipient } from '#schemas/types.ts'
import { readAbsence } from './absence.ts'
import { type AddressFacts, readAddresses, returnPaths } from './addresses.ts'
import { attachedBounces, merged } from './attached.ts'
import { readAutoReply, weakRules } from './auto-reply.ts'
import { type BounceOptions, readBounce } from './bounce/bounce.ts'
import { commandOf } from './bounce/command.ts'
import { recipientsMax } from './bounce/dsn.ts'
import { readCodes } from './bounce/reply.ts'
import { bounceByForm, bounceByWords, isMarked, listRefusal } from './bounce/signs.ts'
import { bounded } from './bounded.ts'
import { type Notification, readNotification } from './notification.ts'
import { readOptOut, readToken } from './opt-out.ts'
import { pastedBounce } from './pasted.ts'
import { aboveQuote } from './quoted.ts'
import { findReason, isPermanent, type ReasonOptions } from './reason.ts'
import { nobody } from './recipient.ts'
import { type Report, readReport, readReportInWords } from './report.ts'
import { evidenceMax, Sources } from './sources.ts'
import { isReply } from './subject.ts'

/** Changes with every change of what verdicts say. */
export const classifierVersion = '0.18.0'

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

/** `share`: among how many bounces what is looked at for reasons is divided. */
type JudgeOptions = ClassifyOptions & Pick<BounceOptions, 'share'>

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
    const outer = new Sources(withLineFeeds(bytes), envelope)
    subject = outer.header('subject').slice(0, 200)
    // Of what turns out to be none, the message itself is judged.
    const verdict = judgeAttached(outer, options) ?? judgePasted(outer, options) ?? judge([outer], outer, options)
    return { verdict: outer.parts().length < mimeLimits.parts ? verdict : withoutParts(verdict), subject }
  } catch (error) {
    return { verdict: failed(String(error instanceof Error ? error.message : error)), subject }
  }
}

const [cr, lf] = [0x0d, 0x0a]

/** Of a longer message only the front is read: what is looked at stands there. */
const convertedMax = 8 * 1024 * 1024

/** A file of the old Mac OS ends its lines with CR alone: as many bytes with LF, so that offsets stay what they are. */
function withLineFeeds(bytes: Buffer): Buffer {
  if (bytes.includes(lf) || !bytes.includes(cr)) return bytes
  const converted = Buffer.from(bytes.subarray(0, convertedMax))
  for (let at = 0; at < converted.length; at++) if (converted[at] === cr) converted[at] = lf
  return converted
}

/** The verdict on all bounces that are attached, up to as many recipients as one verdict has; null: there is none. */
function judgeAttached(outer: Sources, options: ClassifyOptions): Verdict | null {
  const { bounces, leftOut } = attachedBounces(outer)
  const verdicts: Verdict[] = []
  let recipients = 0
  for (const [index, attached] of bounces.entries()) {
    if (recipients >= recipientsMax) return merged(verdicts, leftOut + bounces.length - index)
    const verdict = judge([outer, attached], attached, { ...options, share: bounces.length })
    if (verdict.kind !== 'bounce') continue
    verdicts.push(verdict)
    recipients += verdict.recipients.length
  }
  return merged(verdicts, leftOut)
}

/** @param addressed the messages whose recipients are ours */
function judge(addressed: readonly Sources[], sources: Sources, options: JudgeOptions): Verdict {
  const patterns = options.addressPatterns ?? []
  const ours = readAddresses(addressed.flatMap(ourAddresses), patterns)
  const facts = { ...readAddresses(returnPaths(sources), patterns), ...ours }
  const verdict = decide(sources, options, facts, ours)
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

/** @param ours what the address says to which the message came; `facts` are those of what came back, too */
function decide(sources: Sources, options: JudgeOptions, facts: AddressFacts, ours: AddressFacts): Verdict {
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
  const isNotice = isDaemon || (byWords !== null && isMarked(sources, byWords))
  const autoReply = sources.has('x-apple-unsubscribe') || isNotice ? null : readAutoReply(sources)
  if (autoReply !== null && (byWords === null || !weakRules.includes(autoReply.evidence.rule))) {
    const address = findAddress(sources.header('from'))
    const text = `${sources.subject()}\n${aboveQuote(sources.notice().text)}`
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
    const address = ours.recipient ?? told.recipient ?? findAddress(sources.header('from'))
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
  { hardReasons, rules, tried, share }: JudgeOptions,
  { recipient }: AddressFacts,
): Verdict {
  const isListRefusal = evidence.rule === listRefusal
  const bounce = readBounce(sources, { hardReasons, rules, tried, share, isListRefusal, returnTo: recipient ?? '' })
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

/** The verdict on the bounce that a person pastes into a message of his own; null: there is none. */
function judgePasted(outer: Sources, options: ClassifyOptions): Verdict | null {
  const pasted = pastedBounce(outer)
  const verdict = pasted === null ? null : judge([outer, pasted], pasted, options)
  if (verdict?.kind !== 'bounce' || verdict.recipients.length === 0) return null
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
