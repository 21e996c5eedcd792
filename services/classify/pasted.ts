/**
 * A bounce that a person pastes into a message of his own, as mail programs forward and quote in their languages: a block of fields with
 * From and Subject in front of it, or a line that says who wrote and marks in front of the lines.
 */

import { subjectLine, toLine } from './bounce/notice.ts'
import { bounceByWords, isByPerson, isFromDaemon } from './bounce/signs.ts'
import { isStatusPart } from './bounce/status-parts.ts'
import { Sources } from './sources.ts'
import { forwardPrefix, isReply } from './subject.ts'

const fromLine =
  /^(?:from|von|de|da|van|fr[aå]n?|lähettäjä|od|feladó|kimden|gönderen|от(?: кого)?|від|差出人|送信者|发件人|寄件者|寄件人|보낸 사람)\s*[:：]\s*(.*)$/iu
const fieldLine = /^\p{L}[\p{L}\p{M}-]{0,20}(?: [\p{L}\p{M}]{1,12}){0,2}\s*[:：]/u
/** Whoever has such an address sent it, in whatever language that is said. */
const daemonLine = /^[^:：]{0,80}[:：].*\b(?:mailer-?daemon|post_?master)@/i
const daemonWrote = /\b(?:mailer-?daemon|post_?master)@[^:：]{0,300}[:：]\s*$/i
const label = /^[^:：]*[:：]\s*/
const [blockMin, fieldsMax] = [3, 8]
const linesMax = 2_000
const forwarded = new RegExp(`^${forwardPrefix}\\s*`, 'iu')

/** @returns a bounce of its own bytes, so that the offsets of its evidence mean nothing to others; null: none is pasted */
export function pastedBounce(outer: Sources): Sources | null {
  if (!isByPerson(outer) || outer.parts().some(isStatusPart) || isAnswer(outer)) return null
  const { text, returned } = outer.notice()
  const lines = `${text}\n${returned}`.split('\n').slice(0, linesMax)
  const subject = outer.subject().replace(forwarded, '')
  const pasted =
    readForwarded(lines, subject) ?? readForwarded(lines.map(unquoted), subject) ?? readQuoted(lines, subject)
  const inner = pasted === null ? null : messageOf(pasted)
  return inner !== null && isFromDaemon(inner) && bounceByWords(inner) !== null ? inner : null
}

/** Some mark what they forward as an answer, too. */
const isAnswer = (sources: Sources): boolean =>
  isReply(sources.subject()) || (sources.has('in-reply-to') && !forwarded.test(sources.subject()))

type Pasted = { readonly from: string; readonly to: string; readonly subject: string; readonly text: string }

const unquoted = (line: string): string => line.replace(/^(?:> ?)+/, '')

/** The first block of fields that has both; where its language is not known, of a daemon's mail with the subject that it was passed on with. */
function readForwarded(lines: readonly string[], given: string): Pasted | null {
  for (let at = 0; at < lines.length; at++) {
    if (!fieldLine.test(lines[at] ?? '')) continue
    let end = at
    while (end < lines.length && end - at < fieldsMax && fieldLine.test(lines[end] ?? '')) end++
    const block = lines.slice(at, end)
    const from = block.map((line) => fromLine.exec(line)?.[1]).find((name) => name !== undefined)
    const to = block.map((line) => toLine.exec(line)?.[1]).find((name) => name !== undefined) ?? ''
    const subject = block.find((line) => subjectLine.test(line))
    const text = (): string => lines.slice(end).join('\n')
    if (from !== undefined && subject !== undefined)
      return { from, to, subject: subject.replace(subjectLine, ''), text: text() }
    const daemon = block.length >= blockMin ? block.find((line) => daemonLine.test(line)) : undefined
    if (daemon !== undefined) return { from: daemon.replace(label, ''), to, subject: given, text: text() }
    // The next line is looked at, too: the loop goes on behind this one.
    at = end - 1
  }
  return null
}

/** "On Monday, Mail Delivery Subsystem wrote:" and what is marked below it; the subject is that of the message around it. */
function readQuoted(lines: readonly string[], subject: string): Pasted | null {
  const first = lines.findIndex((line) => line.startsWith('>'))
  if (first < 0) return readBelow(lines, subject)
  const before = lines.slice(Math.max(0, first - 4), first).filter((line) => line.trim() !== '')
  const from = before.slice(-2).join(' ')
  const text = lines.slice(first).filter((line) => line.startsWith('>'))
  return /[:：]\s*$/.test(from) ? { from, to: '', subject, text: text.map(unquoted).join('\n') } : null
}

/** A page has no marks: what stands below the line that says that a daemon wrote. */
function readBelow(lines: readonly string[], subject: string): Pasted | null {
  const at = lines.findIndex((line) => daemonWrote.test(line))
  return at < 0 ? null : { from: lines[at] ?? '', to: '', subject, text: lines.slice(at + 1).join('\n') }
}

function messageOf({ from, to, subject, text }: Pasted): Sources {
  const oneLine = (value: string): string => value.replace(/\s+/g, ' ').trim().slice(0, fieldMax)
  const fields = [`From: ${oneLine(from)}`, `To: ${oneLine(to)}`, `Subject: ${oneLine(subject)}`]
  return new Sources(Buffer.from([...fields, 'Content-Type: text/plain; charset=utf-8', '', text].join('\n')), null)
}
const fieldMax = 1_000
