/**
 * Bounces in words: what a mail system wrote for a person, before or instead of the machine-readable part.
 *
 * Nothing here is about one system: a notice names recipients on lines of their own or next to a reply, quotes the reply that
 * it heard, and then returns the message. That holds for qmail, Exim, Sendmail, Exchange, Courier, Domino and the rest.
 */
import { findAddress } from '#lib/mail/smtp-address.ts'
import { anyWord, wordsOf } from '../words.ts'
import { addressesIn, bareAddress, local, placesOf, smtpOfX400, withoutNested, withX400Plain } from './address.ts'
import { recipientsMax } from './dsn.ts'
import { endsInList, lineMax, namesSeveral, peersOf, unbroken, withoutPeers } from './list.ts'
import { blankLine, ofAll, pickDiagnostic, replyLine } from './reply.ts'
import {
  type Found,
  failureWords,
  saysWhy,
  sectionsOf,
  threeWords,
  withoutBystanders,
  withoutDelivered,
} from './sections.ts'
import { isOfContact, isOfRecipient, ofOther } from './standing.ts'

export type NoticeRecipient = {
  readonly address: string
  readonly diagnostic: string
  /** The same for whoever looks for a reason: where all of the notice speaks for it, the paragraphs that are nearest to it first. */
  readonly words: string
  /** All that stands between it and the next. */
  readonly section: string
  /** What is said of all of several, where there are words of their own; absent: all of the notice is. */
  readonly general?: string
}

/** Where the notice ends and the returned message starts: in English, and in other languages. */
const separator =
  /^[-_=*\s>]*(?:(?:this is a copy of (?:the|your)|below this line is a copy|(?:the )?(?:original|returned|undelivered|unsent|failed|bounced|rejected) (?:message|mail)(?: (?:follows|headers?|body|text|info|below|is attached|included)\b|\s*[-_=*:.]*\s*$)|(?:unsent|original|returned) message (?:follows|below|body|headers?)|message headers? (?:follow|from)|(?:the )?headers? of (?:the )?(?:original|message)|start of (?:original|returned)|enclosed is a copy|included is a copy|copy of (?:the )?(?:original |your )?message|received header|message text follows|text of (?:the )?original|original-message|the first \d+ (?:lines|bytes))|(?:ursprüngliche nachricht|nachricht im original|message d'origine|mensaje original|mensagem original|messaggio originale|以下.{0,8}(?:元の|送信した|送られた|オリジナル).{0,8}(?:メール|メッセージ)|(?:元の|オリジナル)(?:メール|メッセージ)|原文))/i

const headerLine =
  /^(?:[>|] ?)?(?:return-path|received|x-[a-z-]+|message-id|mime-version|dkim-signature|delivered-to|(from|to|date|subject)):\s?\S/i
const anyField = /^(?:[>|] ?)?(?:([A-Za-z][A-Za-z-]*):\s?\S|[ \t]+\S)/
const headerLinesMax = 12
/** What a message has that is returned without the fields of its transport; a notice that sums it up leaves out one, or stands before it. */
const ownFields = ['from', 'to', 'date', 'subject']

/** Whether a header begins with the line, on which `headerLine` found a field; `isOwn`: one of those that it must have all. */
function startsHeader(lines: readonly string[], at: number, isOwn: boolean): boolean {
  if (!isOwn) return lines.slice(at + 1, at + 6).filter((line) => anyField.test(line)).length >= 3
  const names = new Set<string>()
  for (const line of lines.slice(at, at + headerLinesMax)) {
    const field = anyField.exec(line)
    if (field === null) break
    names.add((field[1] ?? '').toLowerCase())
  }
  return ownFields.every((name) => names.has(name))
}

/** The text of a bounce: what was written for a person, and what came back with it. */
export type SplitText = { readonly text: string; readonly returned: string }

/** Splits the text of a bounce, with LF, into the notice and what was returned with it. */
export function splitNotice(text: string): SplitText {
  const lines = text.split('\n')
  let at = 0
  /** Somebody is: what sums up the message that was sent stands in front of that. */
  let isNamed = false
  for (const [index, line] of lines.entries()) {
    const field = headerLine.exec(line)
    const isOwn = field?.[1] !== undefined
    const starts =
      (index > 0 && separator.test(line)) ||
      (field !== null && (isNamed || !isOwn) && startsHeader(lines, index, isOwn))
    if (starts) return { text: text.slice(0, Math.max(0, at - 1)), returned: text.slice(at) }
    at += line.length + 1
    isNamed ||= line.includes('@')
  }
  return { text, returned: '' }
}

/** What stands in front of a line that is quoted, or one of a list. */
const marks = /^[\s>*•·\-–|]+/
/** Of all of these, an address's local part has 64 characters at most (RFC 5321 section 4.5.3.1.1): that keeps a hostile line cheap. */
const aloneOnLine =
  /^(?:\d+[.)]\s*)?(?:(?:failed |undeliverable |final |original )?(?:recipient|addressee|to|rcpt to|user|e-?mail address|address|for|an|à|para|宛先)s?\s*(?:address)?\s*:\s*)?(?:"[^"]{0,100}"\s*)?(?:\(?[^<>@()]{0,60}\)?(?:\s+|(?=[<([{"])|(?<=[\s:])(?=')))?[<([{"']{0,9}(?:smtp:|mailto:)?([^\s<>()[\]{}"',;:@][^\s<>()[\]{}",;:@]{0,63}@[^\s<>()[\]{}"',;:]+)[>)\]}"']*\s*(?:\((?:[^()]*)\))?[\s.:;,。、]*(?:\.\.\.)?\s*$/i
/** How a line ends on which an address stands alone: told at once, where the whole pattern has to try much. */
const lineEnds = /@(?=([^\s<>()[\]{}"',;:@]{1,255}))\1[>)\]}"']{0,10}(?:[^\S\n]*\([^()]*\))?[\s.:;,。、]*$/
const withReason =
  /^[<(["']*([^\s<>()[\]"',;:@][^\s<>()[\]",;:@]{0,63}@[^\s<>()[\]"',;:]+)[>)\]"']*\s*(?:\([^()]*\))?\s*(?::|\.\.\.|;|,|\s[-–]\s|\bon\b|\bhas\b|\bwas\b|\bis\b|\[|\(host\b|\b(?:error|invalid|unknown|no such|rejected|failed|not)\b|\s{2,}|\t)/i
const named =
  /(?:rcpt to|(?:rejected )?recipient|failed to|delivered? to|deliver(?:y|ed)?(?: (?:message|mail|your message))? to|sent to|message to|mail to|address(?:ee)?|users?|for|following|to)(?:\s*address)?(?:\s*[:=])?\s*[<("'「]+\s*([^\s<>()"',;:@]{1,64}@[^\s<>()"',;:」]+?)\s*[>)"'」]/gi
const inSentence =
  /\b(?:delivered|deliver|delivering|sent|send|message|mail|e-?mail) to:? ["']?([^\s<>()"',;:@]{1,64}@[^\s<>()"',;:]+?)["']?[.,]? (?:because|was|could|has|had|failed|is|did|due|since|:)/gi

/** "To the address", where nothing in front of it or behind it needs to say more. */
const toWords = wordsOf('towards')
const toAddress = new RegExp(`(?:${anyWord('towards')})[\\s:：<"']{0,6}([^\\s<>()"',;:@]{1,64}@[\\w.-]{1,255})`, 'giu')

/** Fields of the returned message that a notice repeats, MDaemon behind the time of each step. */
const sender = `(?:mail from|from|sender|reply-to|cc|return-path|${anyWord('sender')})`
const senderLine = new RegExp(`^[\\s>*•·-]*(?:\\w{3} [\\d-]{10} [\\d:]{8}:[\\s*]+)?${sender}(?:\\s*[:：]|\\t)`, 'i')
/** The name of such a field, whose value stands on the next line. */
const senderAlone = new RegExp(`^[\\s>*•·-]*${sender}(?:\\s*[:：])?\\s*$`, 'i')
/** Who a recipient was before a list or an alias was expanded: no recipient where what came of it is one. */
const expandedLine =
  /^[\s>*-]*(?:(?:expanded|generated|forwarded|redirected) from\s*:|\((?:ultimately )?(?:expanded|generated|forwarded|redirected) from\b)/i

const rcptTo = /^[\s>]*RCPT TO:\s*<?([^\s<>@]{1,64}@[^\s<>]+?)>?\s*$/i

/** What stands in front of names without a domain: those of the system that reports. */
const listsNames =
  /(?:following|these|this|intended) (?:recipient|address(?:ee)?|user|mailbox|account|name)(?:s|es|\(s\)|\(es\))?\b|not (?:be )?delivered to(?: the following)?\s*:|problems? with (?:the )?(?:following|recipient)/i
/** Lines below that. */
const namesMax = 20
const nameAlone = /^[ \t]+<?([a-z0-9][\w.+-]{1,63})>?[ \t]*$/i

export const subjectLine =
  /^[ \t>*•·-]*(?:subject|betreff|objet|sujet|asunto|assunto|oggetto|onderwerp|件名|主题|主旨|제목|тема|θέμα|subiect|ämne|emne|aihe|temat|předmět|tárgy|konu)\s*[:：]/i
/** Without what a notice repeats of the message's own subject: that says nothing of why it came back. */
export const withoutSubject = (text: string): string => (text.includes('\n') ? text.replace(subjectLines, '') : text)
const subjectLines = new RegExp(`${subjectLine.source}[^\\n]*`, 'gim')
const fieldLine = /^[\s>*•·-]*\p{L}[\p{L}-]{0,20}(?: \p{L}{1,12}){0,2}\s*[:：]/u
/** As a notice names the message that came back, in a line of its own or in a sentence. */
const messageId =
  /\bmessage[- ]?id\b["']?\s{0,9}[:=]?\s{0,9}(<[^<>\s@]{1,250}@[^<>\s]{1,250}>|[^\s<>()"',;@]{1,250}@[\w.-]{1,250})/i
/** What looks like an address and is the name of something else. */
const otherId =
  /\b(?:references?|in-reply-to|(?:ticket|case|incident)(?:[- ]?(?:id|number|no\.?|#))?|(?:e?smtp|queue|session|transaction|tracking|message|log)[- ]?(?:id|token|number|no\.?|#))["']?\s{0,9}[:=]\s{0,9}<?[^\s<>()"',;@]{1,250}@[\w.-]{1,250}>?/i
const link = /\bhttps?:\/\/\S+/gi
/** Most lines hold none of their words. */
const anyId = /\bid\b|-id\b|messageid|reference|reply-to|ticket|case|incident|token|number|\bno\b|#|https?:/i
const withoutIds = (line: string): string =>
  line.includes('@') && anyId.test(line) ? line.replace(messageId, ' ').replace(otherId, ' ').replace(link, ' ') : line
/** Whether a reply stands in front of the address: it may name whom the recipient forwards to. */
const isOfReply = (line: string): boolean => (replyLine.exec(line)?.index ?? line.length) < line.indexOf('@')
/** Whether the line before ends with the word for who wrote, or has moved, and the address goes on with it: "your message from" and "ann@example.com". */
const isFrom = (before: string, line: string): boolean =>
  (ofOther.test(before.trimEnd()) || senderAlone.test(before)) && /^\s*[<"'(]{0,3}[^\s<>"'()@]{1,64}@/.test(line)
/** Where nothing stands on that, the one before. */
const lineBefore = (lines: readonly string[], index: number): string =>
  lines[index - 1]?.trim() || (lines[index - 2] ?? '')
const isOfOthers = (line: string): boolean => senderLine.test(line) || expandedLine.test(line)
export const toLine = new RegExp(
  `^[\\s>*•·-]*(?:to|an|à|a|para|do|naar|кому|till|til|komu|(?:${anyWord('recipient')}|${anyWord('recipientLabel')})[^\\s:：]{0,12})\\s*[:：]\\s*(.*)$`,
  'i',
)

/** The lines that sum up the message that was sent: To, Cc, Subject, when. Whom they name need not be whom it did not reach. */
function summaryLines(lines: readonly string[]): ReadonlySet<number> {
  const summary = new Set<number>()
  for (const [index, line] of lines.entries()) {
    if (!subjectLine.test(line)) continue
    summary.add(index)
    for (const step of [-1, 1]) {
      for (let at = index + step; Math.abs(at - index) <= 8 && fieldLine.test(lines[at] ?? ''); at += step)
        summary.add(at)
    }
  }
  return summary
}

/** The Message-ID and the subject of the message that came back, as a notice tells them; empty: it does not. */
export function toldOriginal(notice: string): { readonly messageId: string; readonly subject: string } {
  const text = notice.slice(0, originalTextMax)
  const id = messageId.exec(text)?.[1] ?? ''
  const line = text.split('\n').find((each) => subjectLine.test(each)) ?? ''
  return { messageId: id.startsWith('<') || id === '' ? id : `<${id}>`, subject: line.replace(subjectLine, '').trim() }
}
const originalTextMax = 16 * 1024

/**
 * Behind a line of "-- " a footer speaks of others (RFC 3676, section 4.3), and so it does where HTML or a gateway changed the spaces and
 * somebody was named before; a notice that is nothing but one is read.
 */
function withoutSignature(notice: string): string {
  const at = notice.indexOf('\n-- \n')
  if (at > noticeMin) return notice.slice(0, at)
  const loose = at < 0 ? notice.search(/\n[^\S\n]*--[^\S\n]*\n/) : -1
  return loose > noticeMin && notice.slice(0, loose).includes('@') ? notice.slice(0, loose) : notice
}
const noticeMin = 40
const linesMax = 2_000
/** Lines that name somebody, at the front and at the end. */
const askedMax = 200

export type NoticeOptions = {
  /** Who never is a recipient. */
  readonly isStranger: (address: string) => boolean
  /** Who is a recipient only where something was answered for him: postmaster, support. */
  readonly isOffice?: (address: string) => boolean
  /** Whether the message that came back names it as its recipient. */
  readonly isSentTo?: (address: string) => boolean
  /** Where a name without a domain belongs; empty: nowhere. */
  readonly domain: string
  /** Nothing else tells anybody: who is only mentioned is taken, too. */
  readonly isLast?: boolean
}

/** A notice taken apart: it may be asked more than once whom it names. */
export type Notice = {
  readonly text: string
  readonly lines: readonly string[]
  /** Those on which an address stands. */
  readonly mentions: readonly Mentioned[]
  /** Without those whose address is to be written to, say: but what quotes a reply says what became of somebody. */
  readonly meant: readonly Mentioned[]
}

/** An address in a sentence that is said to be who wrote: "from ann@example.com to …", "ann@example.com から". */
const fromInFront = new RegExp(`(?<![\\p{L}\\p{N}])(?:${anyWord('from')})\\s{0,3}[<("']{0,3}${local}$`, 'iu')
const toBehind = new RegExp(`[>)"']{0,3}\\s{1,3}(?:${anyWord('to')})[\\s<("']`, 'iuy')
const fromBehind = new RegExp(`[>)"']{0,2}\\s?(?:${anyWord('fromBehind')})`, 'iuy')
const sentenceEnd = /(?<=[.!?;])\s+|(?<=[。！？；])/
/** Characters up to the @, and addresses on a line: a sentence has few. */
const [frontMax, sentenceMax] = [100, 10]

/** Without who wrote, where the line names somebody else. */
function withoutSender(line: string): string {
  if (!namesSeveral(line)) return line
  const places = placesOf(line)
  if (places.length > sentenceMax) return line
  let rest = ''
  let from = 0
  const leaveOut = (start: number, end: number): void => {
    rest += `${line.slice(from, start)} `
    from = end
  }
  for (const { start, end } of places) {
    toBehind.lastIndex = fromBehind.lastIndex = end
    const at = line.indexOf('@', start)
    const front = toBehind.test(line) ? fromInFront.exec(line.slice(Math.max(from, at - frontMax), at)) : null
    if (front !== null) leaveOut(at - front[0].length, end)
    else if (fromBehind.test(line)) leaveOut(start, fromBehind.lastIndex)
  }
  rest += line.slice(from)
  return rest.includes('@') ? rest : line
}

export function parseNotice(text: string): Notice {
  const lines = unbroken(
    withoutSignature(text)
      .split('\n')
      .slice(0, linesMax)
      .map((line) => withoutNested(withX400Plain(line.slice(0, lineMax)))),
    (line) => aloneOnLine.test(line.replace(marks, '')),
  )
  const summary = summaryLines(lines)
  const mentions: Mentioned[] = []
  for (const [index, line] of lines.entries()) {
    const named = withoutSender(withoutIds(line))
    if (!named.includes('@')) continue
    const isSummary = summary.has(index)
    const alone = isSummary || isOfOthers(named) || isFrom(lineBefore(lines, index), named) ? undefined : onLine(named)
    mentions.push({ text: named, index, isSummary, alone })
  }
  // Whom to write to is said in front of a list or behind it.
  const isAsked = (at: number): boolean => at < askedMax || at >= mentions.length - askedMax
  const meant = mentions.filter(
    ({ text: named, index }, at) =>
      !isAsked(at) || replyLine.test(named) || !isOfContact(named, lines[index - 1] ?? ''),
  )
  return { text, lines, mentions, meant }
}

type Candidate = { readonly address: string; readonly index: number }
/** A way in which notices name recipients: whom the lines name so. A name without a domain is one of the system that reports. */
type Form = (notice: Notice, those: readonly Mentioned[]) => readonly Candidate[]

const aloneIn = (those: readonly Mentioned[]): Alone[] =>
  those.flatMap(({ text, index, alone }) => (alone === undefined ? [] : [{ text, index, address: alone }]))
const labelledIn = (those: readonly Mentioned[]): Alone[] =>
  aloneIn(those).filter(({ text, address }) => isOfRecipient(text.slice(0, text.indexOf(address))))

/** From the surest form to the least sure: the first under which anyone is found is the notice's. */
const forms: readonly Form[] = [
  (_, those) => labelledIn(those).filter(({ text }) => !isOfReply(text)),
  (_, those) => labelledIn(those),
  ({ text: notice }, those) => {
    const patterns = toWords.test(notice) ? [named, inSentence, toAddress] : [named, inSentence]
    const found: Candidate[] = []
    for (const { text, index, isSummary } of those) {
      if (isSummary) continue
      for (const pattern of patterns)
        for (const [, address = ''] of text.matchAll(pattern)) found.push({ address, index })
    }
    return found
  },
  (_, those) => those.map(({ text, index }) => ({ address: rcptTo.exec(text)?.[1] ?? '', index })),
  ({ lines }) => {
    const introduced = lines.findIndex((line) => listsNames.test(line))
    const listed = introduced < 0 ? [] : lines.slice(introduced + 1, introduced + namesMax)
    return listed.map((line, at) => ({ address: nameAlone.exec(line)?.[1] ?? '', index: introduced + 1 + at }))
  },
  (_, those) => {
    const found: Candidate[] = []
    for (const { text, index, isSummary } of those) {
      if (isSummary || isOfOthers(text)) continue
      // Whose mail was refused is no recipient.
      const rest = text.replace(/\b(?:from|sender)(?:\s*:)?\s*[<"']{0,4}[^\s<>"'@:]{1,64}@\S{1,255}/gi, ' ')
      for (const sentence of namesSeveral(rest) ? rest.split(sentenceEnd) : [rest]) {
        const address = findAddress(sentence)
        if (address === '') continue
        if (/^.{0,200}(?:[45]\d\d[ -]|<)/.test(sentence) || failureWords.test(sentence)) found.push({ address, index })
      }
    }
    return found
  },
  (_, those) =>
    those.flatMap(({ text, index }) =>
      (toLine.exec(text)?.[1] ?? '').split(/[;,]/).map((each) => ({ address: findAddress(each), index })),
    ),
  (_, those) =>
    those
      .filter(({ text }) => expandedLine.test(text))
      .map(({ text, index }) => ({ address: findAddress(text), index })),
]

/** Those that only the last resort goes by. */
const lastForms: readonly Form[] = [
  ({ mentions, meant }, those) => {
    const alone = aloneIn(those)
    // Where others stand apart, or are to be written to, the only one in a sentence is meant.
    if (alone.length === 0 && meant.length === mentions.length) return []
    const apart = new Set(alone.map(({ index }) => index))
    const told = meant.filter(({ text, index, isSummary }) => !isSummary && !isOfOthers(text) && !apart.has(index))
    const [first, second] = firstTwo(told, () => true)
    return first !== undefined && second === undefined ? [first] : []
  },
  (_, those) => aloneIn(those).filter(({ text }) => !isOfReply(text)),
  (_, those) => aloneIn(those),
]

/** A notice is asked more than once: what its lines name in each form is looked for once. */
const candidates = new WeakMap<readonly Mentioned[], Map<Form, readonly Candidate[]>>()
function candidatesOf(notice: Notice, those: readonly Mentioned[], form: Form): readonly Candidate[] {
  const ofThose = candidates.get(those) ?? new Map<Form, readonly Candidate[]>()
  candidates.set(those, ofThose)
  const found = ofThose.get(form) ?? form(notice, those).filter(({ address }) => address !== '')
  ofThose.set(form, found)
  return found
}

/** Recipients that the notice names, each with the text that follows it up to the next. */
export function readNotice(
  notice: Notice,
  { isStranger, isOffice = () => false, isSentTo = () => false, domain, isLast = false }: NoticeOptions,
): NoticeRecipient[] {
  const { text: whole, lines, mentions, meant } = notice
  const found: Found[] = []
  const known = new Set<string>()
  const isNew = (address: string, line: number): boolean => {
    const lower = address.toLowerCase()
    if (address === '' || isStranger(address) || known.has(lower) || found.length >= recipientsMax) return false
    if (isOffice(address) && !isAnswered(line)) return false
    known.add(lower)
    found.push({ address, line, at: Math.max(0, (lines[line] ?? '').indexOf(address)) })
    return true
  }
  const isAnswered = (line: number): boolean =>
    replyLine.test(lines[line] ?? '') || replyLine.test(lines[line + 1] ?? '')
  const add = (address: string, line: number): void => {
    const cleaned = bareAddress(address)
    if (!isNew(cleaned, line)) return
    for (const peer of peersOf(cleaned, lines[line] ?? '')) isNew(bareAddress(peer), line)
  }
  for (const those of isLast && meant.length < mentions.length ? [meant, mentions] : [meant])
    for (const form of isLast ? [...forms, ...lastForms] : forms) {
      if (found.length > 0) break
      for (const { address, index } of candidatesOf(notice, those, form))
        if (address.includes('@')) add(address, index)
        else if (domain !== '') add(`${address}@${domain}`, index)
    }
  const recipients = withoutDelivered(lines, withoutBystanders(lines, found, isSentTo))
  const sections = sectionsOf(lines, recipients)
  const isOne = recipients.length === 1
  const general = isOne ? {} : { general: lines.slice(0, recipients[0]?.line).join('\n') }
  // Of the whole notice it is asked once, however many share it.
  let ofNotice: Pick<NoticeRecipient, 'diagnostic' | 'words'> | null = null
  const owns = sections.map(({ address, text }) => text.replace(address, '').trim())
  // What was quoted for none of them was quoted for all, but for those of whom something else is said.
  const quotedElsewhere = !owns.some((own) => replyLine.test(own)) && replyLine.test(whole)
  // Of the last one so many paragraphs as of the others: what is added below is about none of them.
  const earlier = sections.slice(0, -1).map(({ text }) => text.trimEnd().split(blankLine).length)
  const longest = earlier.reduce((most, each) => Math.max(most, each), 1)
  return sections.map(({ address, isShared, text: all, heading }, index) => {
    // Where its own words say nothing, all of the notice speaks for it: several recipients may share one reason.
    const words = owns[index] ?? ''
    const isOfAll = quotedElsewhere && (isOne || !failureWords.test(words))
    const isLong = index === earlier.length && !replyLine.test(words)
    const own = isLong ? all.split(blankLine).slice(0, longest).join('\n\n') : all
    const text = heading === '' ? own : `${own}\n\n${heading}`
    const told = text.replace(address, '').trim()
    const [line = 0, next] = [recipients[index]?.line, recipients[index + 1]?.line]
    const isListed = next === line + 1 && endsInList(lines[line] ?? '')
    const hasWords = !isOfAll && !isListed && ((!isShared && threeWords.test(told)) || saysWhy(told))
    if (hasWords) {
      const diagnostic = pickDiagnostic(text)
      return { address, diagnostic, words: diagnostic, section: text, ...general }
    }
    ofNotice ??= ofAll(whole)(address)
    return { address, ...ofNotice, section: whole }
  })
}

/** Of columns a few are enough: the patterns try each of them at each place. */
const [longBlank, blanks] = [/\s{9,}/g, ' '.repeat(8)]

/** The address that stands alone on a line, or at its front with what became of it; undefined: none does. */
function onLine(line: string): string | undefined {
  // Of a list the first stands for all.
  const one = withoutPeers(line.replace(longBlank, blanks)).replace(marks, '')
  return (
    (smtpOfX400(one) || undefined) ??
    (lineEnds.test(one) ? aloneOnLine.exec(one)?.[1] : undefined) ??
    withReason.exec(one)?.[1]
  )
}

/** A line on which an address stands. */
type Mentioned = {
  readonly text: string
  readonly index: number
  readonly isSummary: boolean
  /** The address that stands alone on it, or at its front. */
  readonly alone: string | undefined
}
type Alone = { readonly text: string; readonly index: number; readonly address: string }

/** The one address that a notice speaks of, in whatever words and language; empty: it speaks of none, or of several. */
export function onlyAddress({ mentions, meant }: Notice, isStranger: (address: string) => boolean): string {
  for (const those of [meant, mentions]) {
    const told = those.filter(({ text, isSummary }) => !isSummary && !isOfOthers(text))
    const [first, second] = firstTwo(told, (address) => !isStranger(address))
    if (first !== undefined) return second === undefined ? first.address : ''
  }
  return ''
}

/** Lines: who is told of in a sentence stands near the front. */
const toldMax = 200
/** The addresses that lines name, with their lines: whether they are several, the first two tell. */
function firstTwo(
  those: readonly Mentioned[],
  isCounted: (address: string) => boolean,
): readonly { readonly address: string; readonly index: number }[] {
  const found: { readonly address: string; readonly index: number }[] = []
  for (const { text, index } of those.slice(0, toldMax))
    for (const address of addressesIn(text)) {
      if (!isCounted(address) || address.toLowerCase() === found[0]?.address.toLowerCase()) continue
      found.push({ address, index })
      if (found.length === 2) return found
    }
  return found
}
