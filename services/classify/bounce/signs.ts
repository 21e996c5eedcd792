/**
 * By what a bounce is known: the form of a delivery report, fields that only bounces have, or the words of a daemon, or of a subject and a
 * text.
 */
import { findAddress } from '#lib/mail/smtp-address.ts'
import type { Evidence } from '#schemas/types.ts'
import { isDispositionPart, isRefusal } from '../report.ts'
import type { Sources } from '../sources.ts'
import { isReply } from '../subject.ts'
import { anyWord, withoutLineEnds, wordsOf } from '../words.ts'
import { listOfOffice } from './list.ts'
import { failureWords } from './sections.ts'
import { isStatusPart } from './status-parts.ts'

const daemonPattern =
  /mail(?:er)?[- ]?daemon|microsoftexchange[\da-f]{32}@|content-?filter\b|spam ?firewall|scanmail|group-?shield|post_?master|mail ?server\b|listserv|mail-?sweeper|mailscanner|mail-?marshal|uucp|mail(?:er)?[ -]?(?:delivery|administrator|system)|delivery[ -](?:subsystem|status)|mdaemon|system administrator|bounce|mail-?router|majordomo|antivirus|smtp-?gateway|majorcool|no-?reply@(?:[\w.-]*\.)?(?:google|googlemail|gmail)\.com/i
const subjectPattern = wordsOf('bounceSubject')
const noticePattern = wordsOf('bounceText')

/** RFC 3464 by its form, and fields that only bounces have. */
export function bounceByForm(sources: Sources): Evidence | null {
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

export const isFromDaemon = (sources: Sources): boolean =>
  daemonPattern.test(sources.header('from')) || sources.has('x-failed-recipients')

/** Neither a report, nor a daemon's or a list's: what comes with it, or stands in it, may be a bounce that was passed on. */
export const isByPerson = (sources: Sources): boolean =>
  sources.root.type !== 'multipart/report' && !sources.has('list-id') && !isFromDaemon(sources)

/** What Mailman, LISTSERV, Majordomo, Sympa, ezmlm and hosts of groups say of mail that a list does not take. */
const listRefusalPattern =
  /\brequest to mailing list .{1,200} rejected\b|\bposting of your message[^.]{0,300} rejected\b|\byour message to .{1,320} (?:was|has been) (?:automatically )?(?:rejected|refused|not posted)\b|\brejected posting to\b|\bnot (?:allowed|permitted|authorized|authorised) to (?:post|send mail|send this message)\b[^.]{0,60}\b(?:list|group|reason)\b|\bonly (?:subscribers|members) (?:may|can|are allowed to) post\b|^bounce \S{1,320}@\S{1,255}:/i

const technicalPattern =
  /(?:^|[\s:<(])[45]\d\d[ -](?:#?[45]\.\d{1,3}\.\d{1,3}|[<\p{L}][^\n]{0,200}(?:user|mailbox|recipient|address|host|domain|relay|spam|denied|rejected|unknown|quota|メール|アドレス|エラー|存在))|\b[45]\.\d{1,3}\.\d{1,3}\b|mailer-daemon|remote (?:host|server) said|smtp|\brcpt to:\s{0,20}<?[^\s@]{1,64}@|(?:following|these) (?:recipient|user|address|mailbox)[^\n]{0,60}:|not a member of (?:this|the) mailing list|delivered to:?[^\S\n]{0,20}\r?\n[^\S\n]{0,20}<?[^\s@]{1,64}@\S|\S@[\w.-]{1,255}[^\n\w][^\n]{0,80}(?:user unknown|unknown user|no such user|mailbox full|does not exist)/iu

/** A reply with its enhanced code (RFC 2034). */
const enhancedReply = /(?:^|[\s'"<(:])([45]\d\d[ -][45]\.\d{1,3}\.\d{1,3})\b(?!\.)/

/** What some systems put behind the subject of the message that they answer. */
const undeliveredPattern =
  /[:(]\s*(?:delivery failed|undeliver(?:able|ed)|not delivered|non remis|unzustellbar)\b[^:]{0,20}$/i

/** A list's office returns what was sent to the list, and says that it was refused: in any language of which that is known. */
function isReturnedByList(sources: Sources): boolean {
  const list = listOfOffice(sources.sender())
  if (list === '') return false
  const returned = (names: readonly string[]): string =>
    names.map((name) => sources.returnedHeader(name).toLowerCase()).join(' ')
  const ours = sources.envelope?.forwardPaths.map(({ address }) => address) ?? [findAddress(sources.header('to'))]
  // Moderators get it, too, to let it pass.
  const sender = returned(['from', 'sender', 'return-path', 'errors-to'])
  return (
    returned(['to', 'cc']).includes(list) &&
    ours.some((address) => address !== '' && sender.includes(address.toLowerCase())) &&
    (failureWords.test(sources.subject()) || failureWords.test(sources.notice().text.slice(0, refusalTextMax)))
  )
}
/** It is said at the front. */
const refusalTextMax = 1_000

/** Exchange puts what became of a message in front of its subject, also where that arrived. */
const deliveredSubject = new RegExp(`^(?:${anyWord('delivered')})\\p{L}{0,3}\\s*[:：]`, 'iu')
const isReceipt = (sources: Sources, nullPath: boolean): boolean =>
  nullPath && /^post_?master@/i.test(findAddress(sources.header('from'))) && deliveredSubject.test(sources.subject())

/** As lists and ticket systems mark their own: "[JIRA] (OPS-12) Mail delivery failed". */
const isTagged = (subject: string): boolean => /^\[[^\]\n]{1,60}\]/.test(subject)

/** The rule by which a list's refusal is known: also where it is marked as automatic. */
export const listRefusal = 'text:list-refusal'

/** Bounces in words: a daemon that says so, or a subject and a text that do. */
export function bounceByWords(sources: Sources): Evidence | null {
  const from = `${sources.header('from')} ${sources.header('return-path') === '<>' ? 'null' : ''}`
  const isDaemon = daemonPattern.test(from)
  const nullPath = hasNullPath(sources)
  // A person, too, tells that he may not post to a list.
  const isByMachine = isDaemon || nullPath || sources.has('x-list-administrivia') || sources.has('precedence')
  const refusal = isByMachine
    ? listRefusalPattern.exec(`${sources.subject()}\n${sources.notice().text.slice(0, 2_000)}`)?.[0]
    : undefined
  if (refusal !== undefined && !sources.has('in-reply-to')) return sources.find('kind', listRefusal, refusal)
  if (isReturnedByList(sources)) return sources.field('kind', listRefusal, 'subject')
  const saysSubject = subjectPattern.test(sources.subject())
  const notice = sources.notice().text.slice(0, 8_000)
  // Of a mailer daemon nobody has to know the language: what it returns, or an address, tells enough.
  const isMailerDaemon =
    nullPath &&
    /^(?:mailer-?daemon|microsoftexchange[\da-f]{32})\b/i.test(findAddress(sources.header('from'))) &&
    (sources.returned() !== null || findAddress(notice) !== '' || findAddress(sources.subject()) !== '')
  if (isDaemon && (saysSubject || isMailerDaemon)) return sources.field('kind', 'field:from-daemon', 'from')
  const saysText = noticePattern.test(notice) || noticePattern.test(withoutLineEnds(notice))
  if (isDaemon && saysText) return sources.field('kind', 'field:from-daemon', 'from')
  if (isReceipt(sources, nullPath)) return sources.field('kind', 'text:subject', 'subject')
  if (saysSubject && nullPath) return sources.field('kind', 'text:subject', 'subject')
  // A shop speaks of deliveries, too, and people ask about bounces: without a daemon it takes a reply or a returned message.
  const isAnswer =
    sources.has('in-reply-to') || (isReply(sources.subject()) && !undeliveredPattern.test(sources.subject()))
  const isTechnical = sources.returned() !== null || technicalPattern.test(notice)
  // What is written on a list, or in a ticket about one, speaks of bounces, too.
  const isOfMany = sources.has('list-id') || isTagged(sources.subject())
  if (saysSubject && saysText && isTechnical && !isAnswer && !isOfMany)
    return sources.field('kind', 'text:subject', 'subject')
  if (nullPath && saysText) return sources.find('kind', 'text:notice', noticePattern.exec(notice)?.[0] ?? '')
  if (saysText && sources.returned() !== null && !sources.has('in-reply-to')) {
    return sources.find('kind', 'text:notice', noticePattern.exec(notice)?.[0] ?? '')
  }
  // In no language that is known here, but what a mail system was answered is in the words of another.
  const reply = nullPath && !sources.has('in-reply-to') ? enhancedReply.exec(notice)?.[1] : undefined
  if (reply !== undefined && findAddress(notice) !== '') return sources.find('kind', 'text:notice', reply)
  return null
}

/**
 * Whether what is a bounce in words is one though it is marked as an automatic reply, as RFC 3834 has it of all of them: those of people
 * quote no code, and where their subject says that mail came back their text does not, nor does it come with a null reverse-path and name somebody; without a
 * subject a bounce does both.
 */
export function isMarked(sources: Sources, byWords: Evidence): boolean {
  if (byWords.rule === listRefusal) return true
  const notice = sources.notice().text.slice(0, 8_000)
  if (sources.subject() === '') return hasNullPath(sources) && noticePattern.test(notice) && findAddress(notice) !== ''
  if (!subjectPattern.test(sources.subject())) return false
  return (
    technicalPattern.test(notice) || noticePattern.test(notice) || (hasNullPath(sources) && findAddress(notice) !== '')
  )
}

const hasNullPath = (sources: Sources): boolean =>
  sources.envelope?.reversePath === '' || /^<>$/.test(sources.header('return-path').trim())
