/**
 * Many patterns over one text, of which few can match: a pattern needs one of its literals in the text, so the text is read once for
 * the literals of all of them, and only those are tried whose literals it holds. RE2 calls it a prefilter (`FilteredRE2`; Cox, "Regular
 * Expression Matching with a Trigram Index", 2012); the literals are found by a rolling hash (Rabin and Karp, 1987).
 */

/** Stands for any character outside of ASCII. */
const beyondAscii = '\u0080'
/** Shorter ones stand in nearly every text. */
const literalMin = 3
const hashShift = 5
const hashMask = 0x7fff

/** One of these stands in all that matches; null: there may be none. */
type Needed = readonly string[] | null

/** An atom, or what opens, parts or closes a group; then what makes it optional, or repeats it. */
const token =
  /(\((?:\?(?:[:=!]|<[=!]|<\w+>))?|\[(?:\\.|[^\]\\])*\]|\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|.)|.)(?:([?*]|\{0(?:,\d*)?\})|(\+|\{\d+(?:,\d*)?\}))?\??/gsu

/**
 * Literals in lower case, one of which stands in each text that the pattern matches; null: it may match without any.
 * @param pattern with the flag "i" or the flags "iu", and without backreferences
 */
export function literalsOf({ source, unicode }: RegExp): Needed {
  const tokens = Array.from(source.matchAll(token), ([, atom = '', optional, repeated]) => ({
    atom,
    least: optional !== undefined ? 0 : repeated !== undefined ? 2 : 1,
  }))
  let at = 0
  /** The alternatives up to the end of the group, which is read. */
  const group = (): Needed => {
    const all: Needed[] = []
    do all.push(sequence())
    while (tokens[at++]?.atom === '|')
    return all.includes(null) ? null : [...new Set(all.flatMap((needed) => needed ?? []))]
  }
  /** Of all that one alternative needs, what is told from the fewest texts. */
  const sequence = (): Needed => {
    let best: Needed = null
    let run = ''
    const offer = (needed: Needed): void => {
      if (needed !== null && (best === null || frequency(needed) < frequency(best))) best = needed
    }
    const flush = (): void => {
      if (run.length >= literalMin) offer([run])
      run = ''
    }
    for (let next = tokens[at]; next !== undefined && !/^[|)]$/.test(next.atom); next = tokens[at]) {
      const { atom, least } = next
      at++
      const char = characterOf(atom)
      if (atom.startsWith('(')) {
        flush()
        const needed = group()
        if (!/^\(\?<?[=!]/.test(atom) && tokens[at - 1]?.least !== 0) offer(needed)
      } else if (char >= beyondAscii) {
        flush()
        if (least > 0) offer([beyondAscii])
      } else {
        if (least > 0) run += char
        if (least !== 1 || char === '') flush()
      }
    }
    flush()
    return best
  }
  const needed = group()
  // With "u", two letters outside of ASCII match "s" and "k".
  return needed === null || !unicode ? needed : [...new Set([...needed, beyondAscii])]
}

/** Empty: the atom stands for no character of its own. */
function characterOf(atom: string): string {
  if (atom.length === 1) return /[.^$(]/.test(atom) ? '' : atom.toLowerCase()
  return /^\\[^a-z\d]$/i.test(atom) ? atom.slice(1) : ''
}

/** A guess at how many texts hold one of them: a character more is found in a third of the texts. */
const frequency = (literals: readonly string[]): number =>
  literals.reduce((sum, literal) => sum + (literal === beyondAscii ? 0.01 : 3 ** -literal.length), 0)

/** Of a literal, `end` is where the piece ends by whose hash it is found. */
type Entry = { readonly literal: string; readonly end: number; readonly rules: readonly number[] }

/** Which of a list of rules, each with a pattern, can match a text. */
export class LiteralIndex<Rule> {
  readonly #rules: readonly Rule[]
  readonly #always: number[] = []
  readonly #beyondAscii: number[] = []
  readonly #entries: (Entry[] | undefined)[] = Array.from({ length: hashMask + 1 })
  /** The text in which a literal of the rule was found last. */
  readonly #found: Float64Array
  #texts = 0

  constructor(rules: readonly Rule[], patternOf: (rule: Rule) => RegExp) {
    this.#rules = rules
    this.#found = new Float64Array(rules.length)
    const byLiteral = new Map<string, number[]>()
    for (const [index, rule] of rules.entries()) {
      const literals = literalsOf(patternOf(rule))
      if (literals === null) this.#always.push(index)
      for (const literal of literals ?? []) {
        if (literal === beyondAscii) this.#beyondAscii.push(index)
        else byLiteral.set(literal, [...(byLiteral.get(literal) ?? []), index])
      }
    }
    // Each is found by the piece that the fewest others have.
    const uses = new Uint16Array(hashMask + 1)
    for (const literal of byLiteral.keys()) for (const { hash } of pieces(literal)) uses[hash] = (uses[hash] ?? 0) + 1
    for (const [literal, found] of byLiteral) {
      const { hash, end } = pieces(literal).reduce((a, b) => ((uses[b.hash] ?? 0) < (uses[a.hash] ?? 0) ? b : a))
      this.#entries[hash] = [...(this.#entries[hash] ?? []), { literal, end, rules: found }]
    }
  }

  /** Those that may match, in their order. */
  candidates(text: string): Rule[] {
    const lower = text.toLowerCase()
    const byHash = this.#entries
    const round = ++this.#texts
    this.#mark(this.#always)
    let hash = 0
    let bits = 0
    for (let at = 0; at < lower.length; at++) {
      const code = lower.charCodeAt(at)
      bits |= code
      hash = hashed(hash, code)
      const entries = byHash[hash]
      if (entries === undefined) continue
      for (const { literal, end, rules } of entries) {
        if (lower.startsWith(literal, at + 1 - end)) this.#mark(rules)
      }
    }
    if (bits >= beyondAscii.charCodeAt(0)) this.#mark(this.#beyondAscii)
    return this.#rules.filter((_, index) => this.#found[index] === round)
  }

  #mark(rules: readonly number[]): void {
    for (const index of rules) this.#found[index] = this.#texts
  }
}

/** Of the last three characters. */
const hashed = (hash: number, code: number): number => ((hash << hashShift) ^ code) & hashMask

const pieces = (literal: string): { readonly hash: number; readonly end: number }[] => {
  let hash = 0
  return Array.from(literal, (char, at) => {
    hash = hashed(hash, char.charCodeAt(0))
    return { hash, end: at + 1 }
  }).slice(literalMin - 1)
}
