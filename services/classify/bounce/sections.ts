/** Which of a notice's words are about which of the recipients that it names. */
import { anyWord, wordsOf } from '../words.ts'
import { bareAddress, placesOf } from './address.ts'
import { lineMax } from './list.ts'
import { blankLine, replyLine } from './reply.ts'

const rcptLine = /^[\s>]*(?:\w{3} [\d-]{10} [\d:]{8}:\s*)?(?:\S{1,3}\s*)?rcpt to:/i
/** With the first digit of its code. */
const answerLine = /^\s*(?:\w{3} [\d-]{10} [\d:]{8}:\s*)?(?:(?:<<<|<--|S:)\s*)?([2-5])\d\d[ -]/
/** What is told of one behind the address: "| delivered", ": 250 2.1.5 Ok". */
const saysDelivered = new RegExp(
  `^[\\s>)\\]"'|:;,=–→-]*(?:2\\d\\d[ -]|(?:[^\\s@]{1,20}\\s{1,5}){0,4}(?:${anyWord('delivered')}))`,
  'i',
)
/** What heads a list of those whom the message reached. */
const headsDelivered = new RegExp(`^.{0,100}(?:${anyWord('delivered')}).{0,50}[:：]\\s*$`, 'i')
const deliveredWords = wordsOf('delivered')
const negation = wordsOf('negation')
const transcriptLine = /^\s*(?:<<<|>>>|(?:\.\.\. )?while talking to)/i

/** What is wrong with a mailbox, in a sentence that names it. */
export const failureWords = wordsOf('failure')

/** A recipient, its line, and where it stands in that. */
export type Found = { readonly address: string; readonly line: number; readonly at: number }
/** What the notice says of one, and of all of its list above that; `isShared`: its line names others, too. */
export type Section = {
  readonly address: string
  readonly isShared: boolean
  readonly text: string
  readonly heading: string
}

/**
 * Without those whom the message was not sent to, where others are named whom it was: who signs a notice stands apart, is named once,
 * and nothing is told of him.
 */
export function withoutBystanders(
  lines: readonly string[],
  found: readonly Found[],
  isSentTo: (address: string) => boolean,
): readonly Found[] {
  if (found.length < 2) return found
  const isSent = found.map(({ address }) => isSentTo(address))
  if (!isSent.includes(true) || !isSent.includes(false)) return found
  const isListed = (one: Found | undefined, other: Found | undefined): boolean =>
    one !== undefined &&
    other !== undefined &&
    lines.slice(one.line + 1, other.line).every((line) => line.trim() === '' || line.includes('@'))
  return found.filter((each, index) => {
    const [before, next] = [found[index - 1], found[index + 1]]
    if (isSent[index] === true || isListed(before, each) || isListed(each, next)) return true
    const behind = [
      (lines[each.line] ?? '').slice(each.at + each.address.length),
      ...lines.slice(each.line + 1, next?.line),
    ]
    return threeWords.test(behind.join('\n')) || lines.filter((line) => line.includes(each.address)).length > 1
  })
}

export const threeWords = /\S\s+\S+\s+\S/
export const saysWhy = (text: string): boolean => replyLine.test(text) || failureWords.test(text)

/**
 * Without those whom the message reached, where others are named whom it did not: the remote side accepted them in a dialogue that ends with
 * the recipients, or what is told of them says so.
 */
export function withoutDelivered(lines: readonly string[], found: readonly Found[]): readonly Found[] {
  if (found.length < 2) return found
  const isOfDialogue = found.map(({ line }) => rcptLine.test(lines[line] ?? ''))
  const isRefusedLater =
    isOfDialogue.includes(true) &&
    lines.some((line, at) => /[45]/.test(answerLine.exec(line)?.[1] ?? '') && !rcptLine.test(lines[at - 1] ?? ''))
  const isReached = found.map((each, index) =>
    isOfDialogue[index] === true
      ? answerLine.exec(lines[each.line + 1] ?? '')?.[1] === '2' && !isRefusedLater
      : isDelivered(lines, each, found[index + 1]),
  )
  if (!isReached.includes(true) || !isReached.includes(false)) return found
  return found.filter((_, index) => isReached[index] !== true)
}

/** Lines, and characters: that somebody was reached is said at once. */
const [deliveredLinesMax, deliveredMax] = [2, 200]
/** Lines of a list below a heading. */
const listMax = 50

function isDelivered(lines: readonly string[], { address, line, at }: Found, next: Found | undefined): boolean {
  const behind = (lines[line] ?? '').slice(at + address.length, next?.line === line ? next.at : undefined)
  const end = Math.min(next?.line ?? lines.length, line + 1 + deliveredLinesMax)
  const [told = ''] = [behind, ...lines.slice(line + 1, end)].join('\n').slice(0, deliveredMax).split(blankLine)
  if (saysWhy(told)) return false
  if (isSaid(saysDelivered, told)) return true
  let above = line - 1
  while (line - above < listMax && (lines[above]?.trim() === '' || lines[above]?.includes('@'))) above--
  const heading = lines[above]?.slice(0, deliveredMax) ?? ''
  return isSaid(headsDelivered, heading) && !saysWhy(heading)
}

/** Whether a notice says that the message reached somebody, and nothing of a failure. */
export const saysReached = (notice: string): boolean =>
  !saysWhy(notice) && deliveredWords.test(notice) && !negation.test(notice)

const isSaid = (words: RegExp, text: string): boolean => {
  const said = words.exec(text)?.[0]
  return said !== undefined && !negation.test(said)
}

/** Of each the words from it to the next one, or those in front of it where a notice says there what is wrong. */
export function sectionsOf(lines: readonly string[], found: readonly Found[]): Section[] {
  const [one] = found
  if (one !== undefined && found.length === 1) {
    const place = { ...one, isShared: false, before: undefined, next: undefined, end: lines.length }
    return [{ address: one.address, isShared: false, text: behind(lines, place), heading: '' }]
  }
  const isOnLine = (line: number, index: number): boolean =>
    found[index - 1]?.line === line || found[index + 1]?.line === line
  const fronts = wordsInFront(lines, found)
  if (fronts !== null)
    return found.map(({ address, line }, index) => ({
      address,
      isShared: isOnLine(line, index),
      text: fronts[index] ?? '',
      heading: '',
    }))
  const headings = headingsOf(lines, found)
  const mentions = mentionsOf(lines, found)
  const sections = found.map(({ address, line, at }, index): Section => {
    const [before, next] = [found[index - 1], found[index + 1]]
    const isShared = isOnLine(line, index)
    const ends = [next?.line, headings[index + 1]?.start, mentions[index]?.[0]?.endLine].filter(
      (end) => end !== undefined,
    )
    const end = Math.max(Math.min(lines.length, ...ends), line + 1)
    const heading = headings[index]?.text ?? ''
    return { address, isShared, text: behind(lines, { line, at, isShared, before, next, end }), heading }
  })
  // Many list all of them first, and tell behind what became of each.
  const isList = saysTheSame(sections)
  return sections.map((section, index) => {
    if (replyLine.test(section.text)) return section
    const texts = mentions[index]?.map((mention) => ({ mention, text: textOf(lines, mention) })) ?? []
    const isListed = (mention: Mention): boolean =>
      mention.line === found[index]?.line && mention.at <= found[index].at + section.address.length
    const isBare = !threeWords.test(section.text.replace(section.address, '')) && !saysWhy(section.text)
    const told =
      texts.find(({ text }) => replyLine.test(text)) ??
      (isList || isBare ? texts.find(({ mention, text }) => !isListed(mention) && saysWhy(text)) : undefined)
    return told === undefined ? section : { ...section, isShared: false, text: told.text }
  })
}

/** Whether a list says the same of all, or nothing: behind the last of them the notice goes on. */
function saysTheSame(sections: readonly Section[]): boolean {
  const [first = '', ...others] = sections.map(({ address, text }) =>
    text
      .replaceAll(address, '')
      .replace(/[^\p{L}\p{N}]+/gu, ' ')
      .trim(),
  )
  const last = others.pop() ?? ''
  return others.every((other) => other === first) && last.startsWith(first)
}

/** Ends with a colon, or stands between rules. */
const headingLine = /^(?!.*@).{0,200}[\p{L})][^\p{L}]{0,3}(?:[:：]\s*|-{2,}\s*)$/u
const isHeading = (line: string): boolean => /[:：-]\s*$/.test(line.slice(-3)) && headingLine.test(line)
type Heading = { readonly text: string; readonly start: number }

/** What stands above the list in which each is, where there are several lists with something above them. */
function headingsOf(lines: readonly string[], found: readonly Found[]): readonly (Heading | undefined)[] {
  let current: Heading | undefined
  const starts = new Set<number>()
  const headings = found.map(({ line }, index) => {
    const before = found[index - 1]?.line ?? -1
    let end = line
    while (end - 1 > before && lines[end - 1]?.trim() === '') end--
    if (end - 1 <= before || !isHeading(lines[end - 1] ?? '')) return current
    let start = end - 1
    const isRuled = lines[start]?.trimEnd().endsWith('--') === true
    while (
      !isRuled &&
      start - 1 > before &&
      lines[start - 1]?.trim() !== '' &&
      lines[start - 1]?.includes('@') === false
    )
      start--
    starts.add(start)
    current = { text: lines.slice(start, end).join(' ').trim(), start }
    return current
  })
  return starts.size > 1 ? headings : []
}

type Place = Omit<Found, 'address'> & {
  readonly isShared: boolean
  readonly before: Found | undefined
  readonly next: Found | undefined
  /** Line behind the last. */
  readonly end: number
}

/** What stands behind a recipient. */
function behind(lines: readonly string[], { line, at, isShared, before, next, end }: Place): string {
  if (next?.line === line) return (lines[line] ?? '').slice(at, Math.max(at, next.at))
  if (isShared) return [lines[line]?.slice(at), ...lines.slice(line + 1, end)].join('\n')
  // In a transcript the recipient stands behind the dialogue that failed.
  let start = line
  if (!rcptLine.test(lines[line] ?? ''))
    while (start - 1 > (before?.line ?? -1) && transcriptLine.test(lines[start - 1] ?? '')) start--
  return lines.slice(start, end).join('\n')
}

/** A place where a recipient is named, up to where another one is. */
type Mention = { readonly line: number; readonly at: number; readonly endLine: number; readonly endAt: number }
/** Of all recipients together, and of one. */
const placesMax = 5_000
const mentionsMax = 5
/** A reply is short, and stands near its recipient. */
const mentionLinesMax = 8

/** Of each of several recipients such places, in the order of the text. */
function mentionsOf(lines: readonly string[], found: readonly Found[]): readonly (readonly Mention[])[] {
  const known = new Map(found.map(({ address }, index) => [address.toLowerCase(), index]))
  const places: { readonly of: number; readonly line: number; readonly at: number }[] = []
  for (let line = 0; line < lines.length && places.length < placesMax; line++) {
    const text = lines[line] ?? ''
    if (!text.includes('@')) continue
    let isFirst = true
    for (const { address, start } of placesOf(text)) {
      const of = known.get(bareAddress(address).toLowerCase())
      if (of === undefined) continue
      // A reply in front of whom it names is his: "550 no such user: <ann@x.example>".
      const at = isFirst && saysWhy(text.slice(0, start)) ? 0 : start
      isFirst = false
      const last = places.at(-1)
      const isListed = last !== undefined && found[of]?.line === last.line && last.line < line
      // Who is told of first again, though nobody else is between, is listed in the one place and told of in the other.
      if (last?.of !== of || isListed) places.push({ of, line, at })
    }
  }
  const mentions = found.map((): Mention[] => [])
  for (const [index, { of, line, at }] of places.entries()) {
    const next = places[index + 1]?.of === of ? places[index + 2] : places[index + 1]
    const { line: endLine, at: endAt } = next ?? { line: lines.length, at: 0 }
    const ofOne = mentions[of]
    if (ofOne !== undefined && ofOne.length < mentionsMax) ofOne.push({ line, at, endLine, endAt })
  }
  return mentions
}

function textOf(lines: readonly string[], { line, at, endLine, endAt }: Mention): string {
  const first = lines[line] ?? ''
  if (endLine === line) return first.slice(at, endAt)
  const end = Math.min(endLine, line + mentionLinesMax)
  const last = end === endLine ? (lines[end]?.slice(0, endAt) ?? '') : ''
  return [first.slice(at), ...lines.slice(line + 1, end), last].join('\n').slice(0, lineMax)
}

/** What stands in front of each in its paragraph, where all of that says what is wrong, and nothing behind the last does; null: not so. */
function wordsInFront(lines: readonly string[], found: readonly Found[]): string[] | null {
  const [first, last] = [found[0], found.at(-1)]
  if (first === undefined || last === undefined || first.line === last.line) return null
  const behind = [lines[last.line]?.slice(last.at + last.address.length), ...lines.slice(last.line + 1)].join('\n')
  if (saysWhy(behind)) return null
  const fronts: string[] = []
  for (const [index, { line, at }] of found.entries()) {
    const before = found[index - 1]
    let start = line
    while (start - 1 > (before?.line ?? -1) && lines[start - 1]?.trim() !== '') start--
    const front =
      before?.line === line ? fronts.at(-1) : [...lines.slice(start, line), lines[line]?.slice(0, at)].join('\n')
    if (front === undefined || !saysWhy(front)) return null
    fronts.push(front)
  }
  return fronts
}
