/**
 * What is said not to exist, or to take no mail, need not be the recipient: the sender, whoever writes or logs in, an attachment, or a table of
 * the host may not; and what is so for a time only is not for good. The sentence tells, in whichever language.
 */
import { namesSeveral } from './bounce/list.ts'
import { LiteralIndex } from './literals.ts'
import { wordsOf } from './words.ts'

/** By whose words in `rules/words.json` it is known, the surest first. */
const doubts = ['ofLogin', 'ofSystem', 'ofContent', 'temporary', 'ofSender'] as const
export type Doubt = (typeof doubts)[number]

/** Most sentences hold the words of none. */
const index = new LiteralIndex(
  doubts.map((doubt) => ({ doubt, words: wordsOf(doubt) })),
  ({ words }) => words,
)
const recipient = wordsOf('recipient')

/** Characters on each side of what was found: a sentence is seldom longer. */
const sideMax = 200
const [endsBefore, endsBehind] = [/^[\s\S]*(?:[.!?;](?=\s)|--|[()\n。！？；])/, /[.!?;](?=\s|$)|--|[()\n。！？；]/]
/** What goes on behind a comma has another subject: "no such user, returned to the sender". */
const comma = /[,，、،]/

const upTo = (text: string, end: RegExp): string => text.slice(0, end.exec(text)?.index)

/** Why, and where the sentence stands that says so. */
type Doubted = { readonly doubt: Doubt; readonly start: number; readonly end: number }

/**
 * @param match what says of somebody that he is not there
 * @returns why its sentence does not say so of the recipient, for good; null: it may
 */
export function doubtOf(
  text: string,
  { 0: match, index: at }: { readonly 0: string; readonly index: number },
): Doubted | null {
  const before = text.slice(Math.max(0, at - sideMax), at).replace(endsBefore, '')
  const found = upTo(text.slice(at, at + match.length + sideMax), endsBehind)
  const sentence = before + found
  const same = before + upTo(found, comma)
  const place = { start: at - before.length, end: at + found.length }
  for (const { doubt, words } of index.candidates(sentence)) {
    if (doubt === 'ofLogin' || doubt === 'temporary') {
      if (words.test(sentence)) return { doubt, ...place }
    } else if (words.test(same)) {
      // Where it names the recipient, or who wrote and to whom, it is about the one to whom.
      if (doubt === 'ofSystem' || !(recipient.test(sentence) || namesSeveral(sentence))) return { doubt, ...place }
    }
  }
  return null
}
