/**
 * Automatic replies (RFC 3834): out of office, tickets, challenges, "I have moved". A null reverse-path alone decides nothing.
 */
import { findAddress } from '#lib/mail/smtp-address.ts'
import type { Evidence } from '#schemas/types.ts'
import { readAbsence } from './absence.ts'
import { addressesIn } from './bounce/address.ts'
import type { Sources } from './sources.ts'
import { forwardPrefix, replyPrefix } from './subject.ts'
import { anyWord, withoutLineEnds, wordsOf } from './words.ts'

/** The rules of those that only their words give away. */
export const acknowledgement = 'text:acknowledgement'
const [moved, away] = ['text:moved', 'text:absence']
/** What bounces say in words, too. */
export const weakRules: readonly string[] = [acknowledgement, moved, away]

export type AutoReply = {
  readonly variant: 'out-of-office' | 'ticket' | 'challenge' | 'moved' | 'other'
  readonly evidence: Evidence
}

const subjectPattern = new RegExp(
  `^(?:(?:${replyPrefix}|${forwardPrefix})\\s*|\\[[^\\]]{1,40}\\]\\s*)*(?:\\[?(?:${anyWord('autoReplySubject')})|[^:\\n]{1,40}\\s(?:${anyWord('autoReplySubject')})\\s*[:：]|(?:${anyWord('absenceSubject')})(?:\\s*(?:$|[:!.,;()–—|-]|\\b(?:re|aw|until|till|bis|jusqu|hasta|fino|até|tot|auto\\p{L}*|reply|response|notice|notification|message)\\b)))`,
  'iu',
)
/** What a responder thanks for: a person would quote what he answers. Words of a null reverse-path or of `Precedence: bulk` only. */
const courtesyPattern = wordsOf('courtesySubject')
/** Where somebody is, in a word that an offer may begin with, too: of the same. */
const holidayPattern = wordsOf('holidaySubject')
const ticketPattern =
  /\b(?:ticket|case|request|anfrage|demande)\b[^\n]{0,40}(?:#|\bid\b|received|created|opened|erhalten|reçu)|\bticket (?:cread|creat|criad|cré[ée]|erstellt|angelegt|aangemaakt|skapat|oprettet|opprettet|utworzon)\p{L}*|(?:№|\bn[°º]|\b(?:ticket|case|anfrage|vorgang)s?-?(?:nummer|nr\.?|number|no\.?)) ?:? ?#?\d{3,}|[[【][^\]】\n]{0,60}(?:#\d+|#?[A-Z]*-?\d{4,})[\]】]|(?:受付|お問い合わせ|管理)番号|工单号|접수 ?번호|\b(?:INC|RITM|REQ)\d{5,}/iu
/** What nobody but a challenge says. */
const challengeWords =
  /protecting (?:myself|my (?:inbox|mailbox|account)) from (?:receiving )?(?:junk|spam)|held because the (?:e-?mail |sender.s )?(?:address|sender) (?:has not|was not|is not|has never) (?:yet )?(?:been )?(?:verified|confirmed|approved)|(?:being |been )?held until you (?:confirm|verify|reply|prove)|to confirm (?:that )?you want to be (?:added|removed)|\bpay (?:a|the)\b[^.\n]{0,30}(?:fee|amount)[^.\n]{0,40}deliver|to (?:release|deliver|have) your (?:message|mail|e-?mail)[^.\n]{0,60}(?:deliver[^.\n]{0,30})?(?:click|send|reply|confirm|please)|(?:prove|verify|confirm)[^.\n]{0,40}\byou(?:.re| are) (?:a |not a )?(?:human|real|person|robot|spammer)|(?:sender|guest|white|safe|approved)[- ]?list[^.\n]{0,40}(?:click|confirm|request)|click[^.\n]{0,60}\b(?:your (?:e-?mail )?address|you)\b[^.\n]{0,30}\b(?:added|on) [^.\n]{0,30}\b(?:sender|guest|white|safe|approved|allowed|accept(?:ed)?)[- ]?list/i
/** The same in the languages of others. */
const askingPattern = wordsOf('challenge')
const challengePattern =
  /challenge|confirm (?:that )?you(?:r e-?mail| are)|(?:e-?mail|sender) (?:address )?verification|spamarrest|boxbe|sender authentication|please (?:verify|confirm)/i
const movedPattern = wordsOf('moved')
/** What an automatic reply says of one who is away. */
const absencePattern = wordsOf('absenceText')
/** How somebody says that he is away, or an office that it is closed. */
const statementPattern = wordsOf('absenceStatement')
/** How an automatic reply calls itself. */
const replyTextPattern = wordsOf('autoReplyText')
/** What a ticket system says that it did. */
const acknowledgePattern = wordsOf('acknowledgement')
/** The subject of what answers for an address that nobody reads. */
const unreadPattern = wordsOf('unreadSubject')
/** What a machine says of itself. */
const machinePattern = wordsOf('machine')

function isCourtesy(sources: Sources): boolean {
  const isFromMachine =
    sources.envelope?.reversePath === '' ||
    sources.header('return-path') === '<>' ||
    /^(?:bulk|junk)$/i.test(sources.header('precedence'))
  return (
    isFromMachine &&
    !sources.has('list-id') &&
    (courtesyPattern.test(sources.subject()) || holidayPattern.test(sources.subject()))
  )
}

const isOfMany = (sources: Sources): boolean => sources.has('list-id') || sources.has('list-unsubscribe')

/** Another address than those of who wrote and of who reads it. */
function namesAnother(sources: Sources, words: string): boolean {
  const own = [sources.sender(), findAddress(sources.header('to')).toLowerCase()]
  return addressesIn(words).some((address) => !own.includes(address.toLowerCase()))
}

const hasEnd = (sources: Sources, words: string): boolean =>
  readAbsence(words, Date.parse(sources.header('date')) || 0, false).until !== undefined

/** Of what no field marks: what a person wrote once, for whoever writes; who is asked something is answered by a person. */
function byWords(sources: Sources, words: string): Evidence | null {
  const top = words.slice(0, topMax)
  const said = replyTextPattern.exec(top)?.[0]
  if (said !== undefined) return sources.find('kind', away, said)
  if (sources.isAnswer() || /[?？]/.test(top) || words.length > shortMax) return null
  const gone = movedPattern.exec(words)?.[0]
  if (gone !== undefined && namesAnother(sources, words)) return sources.find('kind', moved, gone)
  const absent = statementPattern.exec(top)?.[0]
  if (absent !== undefined) return sources.find('kind', away, absent)
  const isHoliday = holidayPattern.test(sources.subject()) && absencePattern.test(words) && hasEnd(sources, words)
  return isHoliday ? sources.field('kind', 'text:subject', 'subject') : null
}
/** Characters: that stands at the front, and who is away or has gone says little else. */
const [topMax, shortMax] = [600, 1_200]

export function readAutoReply(sources: Sources): AutoReply | null {
  const autoSubmitted = sources.header('auto-submitted').toLowerCase()
  let evidence: Evidence | null = null
  if (autoSubmitted.startsWith('auto-replied') || autoSubmitted.startsWith('auto-notified')) {
    evidence = sources.field('kind', 'rfc3834:auto-submitted', 'auto-submitted')
  } else {
    const fields = [
      'x-autoreply',
      'x-autorespond',
      'x-autoresponder',
      'x-autoreply-from',
      'x-mail-autoreply',
      'x-vacation',
      'x-autogenerated',
      'x-ms-exchange-inbox-rules-loop',
      'x-ooo',
      'x-tmda-confirm',
      'x-list-administrivia',
    ]
    const field = fields.find((name) => sources.has(name))
    if (field !== undefined && !/^(?:no|false)$/i.test(sources.header(field)))
      evidence = sources.field('kind', `field:${field}`, field)
    else if (/auto[_-]?reply|vacation/i.test(sources.header('precedence')))
      evidence = sources.field('kind', 'field:precedence', 'precedence')
    else if (/vacation|autorespond|auto-?reply/i.test(sources.header('x-mailer')))
      evidence = sources.field('kind', 'field:x-mailer', 'x-mailer')
    else if (subjectPattern.test(sources.subject()) || isCourtesy(sources))
      evidence = sources.field('kind', 'text:subject', 'subject')
    else if (autoSubmitted.startsWith('auto-generated') && sources.isAnswer()) {
      evidence = sources.field('kind', 'rfc3834:auto-submitted', 'auto-submitted')
    } else if (
      sources.has('x-auto-response-suppress') &&
      sources.has('in-reply-to') &&
      subjectPattern.test(sources.header('thread-topic'))
    ) {
      evidence = sources.field('kind', 'field:x-auto-response-suppress', 'x-auto-response-suppress')
    }
  }
  const words = `${sources.subject()}\n\n${withoutLineEnds(sources.notice().text.slice(0, 4_000))}`
  const challenge = challengeWords.exec(words)?.[0] ?? askingPattern.exec(words)?.[0]
  if (evidence === null && challenge !== undefined) evidence = sources.find('kind', 'text:challenge', challenge)
  if (evidence === null && !sources.has('list-id')) {
    const said = acknowledgePattern.exec(words)?.[0]
    const isByMachine = autoSubmitted.startsWith('auto-generated') || machinePattern.test(words)
    if (said !== undefined && (isByMachine || ticketPattern.test(words)))
      evidence = sources.find('kind', acknowledgement, said)
  }
  evidence ??= isOfMany(sources) ? null : byWords(sources, words)
  if (evidence === null && unreadPattern.test(sources.subject()) && machinePattern.test(words))
    evidence = sources.field('kind', 'text:subject', 'subject')
  if (evidence === null) return null
  const variant =
    challenge !== undefined || challengePattern.test(words)
      ? 'challenge'
      : movedPattern.test(words)
        ? 'moved'
        : ticketPattern.test(words) || evidence.rule === acknowledgement
          ? 'ticket'
          : subjectPattern.test(sources.subject()) ||
              holidayPattern.test(sources.subject()) ||
              absencePattern.test(words) ||
              statementPattern.test(words.slice(0, topMax))
            ? 'out-of-office'
            : 'other'
  return { variant, evidence }
}
