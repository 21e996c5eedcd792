/**
 * How surely an address is a recipient, by what stands in front of it on its line: mail systems list recipients, and name others, too,
 * whom to write to or who reports.
 */
import { anyWord, compiled } from '../words.ts'
import { endsInX400 } from './address.ts'
import { failureWords } from './sections.ts'

const bullet = `^[\\s>*•·\\-–|]*(?:\\d+[.)]\\s*)?`
/** Nothing but somebody's name. */
const listed = new RegExp(
  `${bullet}(?:"[^"]{0,100}"\\s*|(?:\\p{L}[\\p{L}.'’-]{0,30},?[ \\t]+){1,4}(?=[<([]))?[<([{"'“‘]*(?:smtp:|mailto:)?$`,
  'iu',
)
const towards = compiled(
  `(?:\\b(?:to|for|user|mailbox|account)s?(?:\\(e?s\\))?|${anyWord('towards')}|(?:${anyWord('recipient')}|${anyWord('recipientLabel')})[^\\s:：@]{0,20})(?: (?:e-?mail )?address(?:es)?)?[\\s:：=<([{"'“‘]*$`,
)
/** Whose mail was refused is named, too, and where somebody has moved to: "after MAIL FROM:<ann@example.com>", "new address: bob@example.com". */
export const ofOther =
  /\b(?:from|sender|sent by|(?:new|neue|nouvelle|nueva|nuovo|novo|nieuwe?|nya?|nowy) (?:e-?mail[ -]?)?(?:addr?ess?e?|dirección|indirizzo|endereço|adres)(?: (?:is|ist|est|es|è|é))?)\s?[:=]?\s?[<("']{0,4}$/i
/** From the beginning of a word, where a script has spaces between them: from each letter it would take six times as long. */
const contact = compiled(`(?<![a-z])(?:${anyWord('contact')})`)
const endsSentence = /[.!?。！？]\s*$/
const beforeMax = 100
/** On each side of an address. */
const sentenceMax = 300
const aroundAddress = /[\s<>()[\]{}"',;:]/
const hasWords = /\p{L}{2}/u

/** @param before what stands on a line in front of an address: whether that is one, by a list, or by words that say so or what became of it */
export const isOfRecipient = (before: string): boolean =>
  listed.test(before) ||
  endsInX400.test(before) ||
  (!ofOther.test(before) && (towards.test(before) || failureWords.test(before)))

/** Whether a line asks to write to the address on it, or names who else is concerned; the line in front may say so. */
export function isOfContact(line: string, lineBefore: string): boolean {
  const at = line.indexOf('@')
  let start = at
  while (start > 0 && !aroundAddress.test(line.charAt(start - 1))) start--
  const before = line.slice(Math.max(0, start - sentenceMax), start)
  const lead = endsSentence.test(lineBefore) ? '' : lineBefore.slice(-beforeMax)
  // What stands behind one of a list is what became of it.
  const behind = listed.test(before) ? '' : line.slice(at, at + sentenceMax)
  const said = `${lead} ${before}${behind}`
  return hasWords.test(said) && contact.test(said)
}
