/**
 * Opt-outs: mail to an unsubscribe address (the mailto of List-Unsubscribe, RFC 2369 and RFC 8058), or a request as subject or at the
 * top of the text, above the quoted part. What people write is data, by language: `rules/opt-outs.json`.
 */

import type { Evidence } from '#schemas/types.ts'
import { listOfOffice } from './bounce/list.ts'
import { aboveQuote, startsQuote } from './quoted.ts'
import rules from './rules/opt-outs.json' with { type: 'json' }
import type { Sources } from './sources.ts'
import { forwardPrefix, replyPrefix } from './subject.ts'
import { marksOptional } from './words.ts'

// These meet a line in small letters: to compile \p{L} without regard to case takes three times as long.
const courtesy = `(?:(?:${marksOptional(rules.courtesy)})(?![\\p{L}])[\\s,.:;!…-]*){0,3}`
const commands = marksOptional(rules.languages.map(({ command }) => command).join('|'))
const prefixes = `^(?:(?:${replyPrefix}|${forwardPrefix})\\s*)*`
/** All that a line says, but for courtesies. */
const commandPattern = new RegExp(`${prefixes}${courtesy}(?:${commands})[\\s,.:;!…-]*${courtesy}[\\s.!。！]*$`, 'u')
/** What a sender writes into the subject or the body of a mailto (RFC 6068), to know it again: a word with a digit in it. */
const token = '(?=[^\\s\\d]{0,100}\\d)[\\w.+=:/@~-]{4,200}'
const tokenAlone = new RegExp(`^${token}$`)
const tokenNamed = new RegExp(`^(?:token|id|key|code|ref|subscriber)\\s*[:=]\\s*(${token})$`, 'i')
/** As a mailto has it: a person writes no colon behind a request. */
const requestWithToken = new RegExp(`${prefixes}(?:${commands})[:#]\\s*(?=\\S{0,200}[a-z])${token}$`, 'u')
const tokenBehindCommand = new RegExp(`${prefixes}(?:${commands})[\\s:;,#-]+(${token})$`, 'u')
const requestPatterns = rules.languages.map(({ request }) => new RegExp(marksOptional(request), 'u'))
/** Who says that he did not ask for it, or that he was removed, asks for something else. */
const denialPattern = new RegExp(marksOptional(rules.denial), 'u')

/** A sentence that tells others how they can ask for it. */
const offerPattern = new RegExp(marksOptional(rules.offer), 'u')

/** What is to be cancelled, deleted or sent no more is something else. */
const otherPattern = new RegExp(marksOptional(rules.other), 'u')
const mailingPattern = new RegExp(marksOptional(rules.mailing), 'u')

const linesMax = 5
const lineMax = 300

export function readOptOut(sources: Sources, addresses: readonly RegExp[]): Evidence | null {
  for (const { address } of sources.envelope?.forwardPaths ?? []) {
    if (addresses.some((pattern) => pattern.test(address))) {
      return { decided: 'kind', rule: 'envelope:opt-out-address', start: 0, end: 0, text: address.slice(0, 200) }
    }
  }
  const to = sources.header('to')
  if (sources.envelope === null && addresses.some((pattern) => pattern.test(to))) {
    return sources.field('kind', 'field:opt-out-address', 'to')
  }
  if (sources.has('x-apple-unsubscribe'))
    return sources.field('kind', 'field:x-apple-unsubscribe', 'x-apple-unsubscribe')
  // What is sent to many speaks of its own list.
  if (sources.has('list-unsubscribe') || sources.has('list-id') || listOfOffice(sources.sender()) !== '') return null
  if (isRequest(sources.subject().trim())) return sources.field('kind', 'text:subject-command', 'subject')
  // Above a long text of its own it is what a newsletter offers to others.
  const { text } = sources.notice()
  if (!sources.isAnswer() && aboveQuote(text).length > letterMax) return null
  for (const line of topLines(text)) if (isRequest(line)) return sources.find('kind', 'text:body-command', line)
  return null
}
/** Characters of a letter that asks for it. */
const letterMax = 1_200

/** What the mailto of List-Unsubscribe had in its subject or its body, to tell whose subscription ends; empty: nothing. */
export function readToken(sources: Sources): string {
  const subject = sources.subject().trim().slice(0, lineMax)
  const inSubject = behindCommand(subject) ?? tokenAlone.exec(subject)?.[0]
  if (inSubject !== undefined) return inSubject
  for (const line of topLines(sources.notice().text)) {
    const found = tokenNamed.exec(line)?.[1] ?? behindCommand(line) ?? tokenAlone.exec(line)?.[0]
    if (found !== undefined && !/^https?:/i.test(found)) return found
  }
  return ''
}

/** The token at the end, as it was written. */
function behindCommand(line: string): string | undefined {
  const found = tokenBehindCommand.exec(line.toLowerCase())?.[1]
  return found === undefined ? undefined : line.slice(-found.length)
}

/** Whether a line asks to be sent no more. */
export function isRequest(line: string): boolean {
  if (line === '' || line.length > lineMax) return false
  const text = line.replace(/\s+/g, ' ').toLowerCase()
  if (commandPattern.test(text) || requestWithToken.test(text)) return true
  const sentences = text.split(/(?<![.!?。！？])[.!?。！？]+(?=\s|$|[^\x00-\x7f])/)
  // "Stop! I never asked for this." Further on, so short a word may be about anything.
  const commands = sentences.filter((sentence, index) => index === 0 || sentence.trim().length >= commandMin)
  if (commands.some((sentence) => commandPattern.test(sentence.trim()))) return true
  return sentences.some((sentence) => requestPatterns.some((pattern) => pattern.test(sentence)) && !isOther(sentence))
}

const commandMin = 8

const isOther = (sentence: string): boolean =>
  denialPattern.test(sentence) ||
  offerPattern.test(sentence) ||
  (otherPattern.test(sentence) && !mailingPattern.test(sentence))

/** The first lines that the sender wrote: above any quoted part, or below it where nothing stands above and marks tell where it ends. */
function topLines(text: string): string[] {
  const all = text.split(/\r?\n/).slice(0, quotedLinesMax)
  const above = written(all.slice(0, 50))
  const last = above.length > 0 ? -1 : all.findLastIndex((line) => line.startsWith('>'))
  return last < 0 ? above : written(all.slice(last + 1))
}

function written(all: readonly string[]): string[] {
  const lines: string[] = []
  for (const line of all) {
    const trimmed = line.trim()
    if (startsQuote(trimmed)) break
    if (trimmed === '') continue
    lines.push(trimmed.slice(0, lineMax + 1))
    if (lines.length >= linesMax) break
  }
  return lines
}
const quotedLinesMax = 2_000
