/**
 * The words by which mail systems, and people, say what happened, by purpose and language: `rules/words.json`. Reviewed data: each entry
 * is a pattern, tried without case; a language is its code of ISO 639-1, several where they share the words.
 */
import words from './rules/words.json' with { type: 'json' }

export type Purpose = keyof typeof words

/** Of reviewed data: without "u" where nothing asks for it, since it takes twice as long. */
export const expression = (pattern: string): RegExp => new RegExp(pattern, /\\[pu]\{/.test(pattern) ? 'iu' : 'i')

/** The source of a pattern that any of the words matches. */
export const anyWord = (purpose: Purpose): string => Object.values<string[]>(words[purpose]).flat().join('|')

/** Whether a text holds any of the words, in any language. */
export const wordsOf = (purpose: Purpose): RegExp => expression(anyWord(purpose))
