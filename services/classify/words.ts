/**
 * The words by which mail systems, and people, say what happened, by purpose and language: `rules/words.json`. Reviewed data: each entry
 * is a pattern, tried without case; a language is its code of ISO 639-1, several where they share the words.
 */
import words from './rules/words.json' with { type: 'json' }

export type Purpose = keyof typeof words

/** Letters that stand for others where there is ASCII alone, besides those that lose their marks (CLDR, transform Latin-ASCII; DIN 5007-2). */
const spellings: Readonly<Record<string, string>> = {
  ä: 'ae',
  ö: 'oe',
  ü: 'ue',
  ø: 'oe',
  å: 'aa',
  æ: 'ae',
  ß: 'ss',
  ł: 'l',
  đ: 'd',
  ı: 'i',
  ё: 'е',
}
/** Those that people write without their marks; a kana without its mark is another one. */
const markedScripts = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Arabic}]/u
/** How a letter is written without its marks; empty: it has none. */
function unmarked(letter: string): string {
  const bare = spellings[letter] ?? (markedScripts.test(letter) ? (letter.normalize('NFD')[0] ?? '') : '')
  return bare === letter ? '' : bare
}
const escapeOrClass = /\\[pP]\{[^}]*\}|\\.|\[\^?(?:\\.|[^\]\\])*\]|[^\x00-\x7f]/gsu

/** What stands where a gateway had no letter; for one of UTF-8 there may be two. */
const lost = '?\ufffd'

/** The source of a pattern that matches its letters without their diacritical marks, too, or where they were lost. */
export const marksOptional = (pattern: string): string =>
  pattern.replace(escapeOrClass, (atom, at: number, given: string) => {
    if (atom.startsWith('\\') || atom.startsWith('[^')) return atom
    const letters = atom.startsWith('[') ? atom.slice(1, -1) : atom
    const bare = Array.from(letters, unmarked).filter((letter) => letter !== '')
    if (bare.length === 0) return atom
    const [first, second] = [0, 1].map((place) => bare.map((letter) => letter.charAt(place)).join(''))
    const both = `[${letters}${first}${lost}][${second}${lost}]?`
    return /^[?*+{]/.test(given.slice(at + atom.length)) ? `(?:${both})` : both
  })

/** Without "u" where nothing asks for it, since it takes twice as long. */
export const compiled = (source: string): RegExp => new RegExp(source, /\\[pu]\{/.test(source) ? 'iu' : 'i')

/** Of reviewed data. */
export const expression = (pattern: string): RegExp => compiled(marksOptional(pattern))

/** The source of a pattern that any of the words matches. */
export const anyWord = (purpose: Purpose): string =>
  marksOptional(Object.values<string[]>(words[purpose]).flat().join('|'))

/** The text with each paragraph in one line, and one space where there were several: a sentence goes on behind the end of a line. */
export const withoutLineEnds = (text: string): string =>
  text.replace(/[^\S\n]+/g, ' ').replace(/ ?(?<!\n) ?\n(?! ?\n) ?/g, ' ')

/** Whether a text holds any of the words, in any language. */
export const wordsOf = (purpose: Purpose): RegExp => compiled(anyWord(purpose))
