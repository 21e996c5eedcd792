/**
 * Many patterns over one text, of which few can match: a pattern needs one of its literals in the text, so the text is read once for
 * the literals of all of them, and only those are tried whose literals it holds. RE2 calls it a prefilter (`FilteredRE2`; Cox, "Regular
 * Expression Matching with a Trigram Index", 2012); the literals are found by a rolling hash (Rabin and Karp, 1987).
 */

/** As literals they stand for any character outside of ASCII, and for any of the scripts of East Asia (from the first radical on). */
const [beyondAscii, eastAsian] = ['\u0080', '\u2e80']
/** Shorter ones stand in nearly every text; of East Asia two characters are a word. */
const [literalMin, pairMin] = [3, 2]

/** One of these stands in all that matches. */
type Needed = readonly string[]

/** An atom, or what opens, parts or closes a group; then what makes it optional, or repeats it. */
const token =
  /(\((?:\?(?:[:=!]|<[=!]|<\w+>))?|\[(?:\\.|[^\]\\])*\]|\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[\da-fA-F]{4}|x[\da-fA-F]{2}|.)|.)(?:([?*]|\{0(?:,\d*)?\})|(\+|\{\d+(?:,\d*)?\}))?\??/gsu

/**
 * What each alternative of a pattern needs: of each of these lists of literals, in any case, one stands in each text that it matches.
 * Without any list it may match whatever there is.
 * @param pattern with the flag "i" or the flags "iu", and without backreferences
 */
export function literalsOf({ source, unicode }: RegExp): readonly (readonly Needed[])[] {
  const tokens = Array.from(source.matchAll(token), ([, atom = '', optional, repeated]) => ({
    atom,
    least: optional !== undefined ? 0 : repeated !== undefined ? 2 : 1,
  }))
  let at = 0
  /** The alternatives up to the end of the group, which is read. */
  const group = (): Needed[][] => {
    const all: Needed[][] = []
    do all.push(sequence())
    while (tokens[at++]?.atom === '|')
    return all
  }
  /** Of a group within an alternative: of each of its own what is told from the fewest texts. */
  const ofGroup = (alternatives: readonly Needed[][]): Needed[] => {
    const rarest = alternatives.map(([first]) => first)
    const all = rarest.flatMap((needed) => needed ?? [])
    return rarest.includes(undefined) ? [] : [[...new Set(all)]]
  }
  /** What is told from the fewest texts comes first. */
  const sequence = (): Needed[] => {
    const needs: Needed[] = []
    let run = ''
    const flush = (): void => {
      if (run.length >= literalMin) needs.push([run])
      else {
        const highest = run.split('').reduce((high, char) => (char > high ? char : high), '')
        if (highest >= eastAsian) needs.push([run.length >= pairMin ? run : eastAsian])
        else if (highest >= beyondAscii) needs.push([beyondAscii])
      }
      run = ''
    }
    for (let next = tokens[at]; next !== undefined && !/^[|)]$/.test(next.atom); next = tokens[at]) {
      const { atom, least } = next
      at++
      const char = characterOf(atom)
      if (atom.startsWith('(')) {
        flush()
        const needed = ofGroup(group())
        if (!/^\(\?<?[=!]/.test(atom) && tokens[at - 1]?.least !== 0) needs.push(...needed)
      } else {
        if (least > 0) run += char
        if (least !== 1 || char === '') flush()
      }
    }
    flush()
    return needs.toSorted((one, other) => frequency(one) - frequency(other))
  }
  const alternatives = group()
  // With "u", two letters outside of ASCII match "s" and "k".
  return unicode
    ? alternatives.map((needs) => needs.map((needed) => [...new Set([...needed, beyondAscii])]))
    : alternatives
}

/** Empty: the atom stands for no character of its own. */
function characterOf(atom: string): string {
  if (Array.from(atom).length === 1) return /[.^$(]/.test(atom) ? '' : atom
  return /^\\[^a-z\d]$/i.test(atom) ? atom.slice(1) : ''
}

const [beyondAsciiCode, eastAsianCode] = [beyondAscii.charCodeAt(0), eastAsian.charCodeAt(0)]
const pairOf = (first: number, second: number): number => first * 0x10000 + second
const isMarker = (literal: string): boolean => literal === beyondAscii || literal === eastAsian

/** A guess at how many texts hold one of them: a character more is found in a third of the texts. */
const frequency = (literals: readonly string[]): number =>
  literals.reduce((sum, literal) => sum + (isMarker(literal) ? 0.01 : 3 ** -literal.length), 0)

const manyLiterals = 100

/** Of what an alternative needs, more than this tells little. */
const needsMax = 3

/** Of a literal, `end` is where the piece ends by whose hash it is found. */
type Entry = { readonly literal: string; readonly end: number; readonly uses: Uses }
/** The alternatives that need a literal, with the bit of the list that it is of: one after the other. */
type Uses = readonly number[]

/** Which of a list of rules, each with a pattern, can match a text. */
export class LiteralIndex<Rule> {
  readonly #rules: readonly Rule[]
  readonly #always: number[] = []
  readonly #entries: (Entry[] | undefined)[]
  /** Of a hash, for each of its three characters: few literals need a small table. */
  readonly #charBits: number
  readonly #beyondAscii: Uses
  readonly #eastAsian: Uses
  /** By the codes of two characters. */
  readonly #pairs = new Map<number, Uses>()
  /** By alternative: its rule, the bits of all that it needs, those that were found in the last text that held any, and that text. */
  readonly #ruleOf: readonly number[]
  readonly #all: readonly number[]
  readonly #bits: Uint8Array
  readonly #seen: Float64Array
  /** By rule, the text that can match. */
  readonly #found: Float64Array
  #texts = 0

  constructor(rules: readonly Rule[], patternOf: (rule: Rule) => RegExp) {
    this.#rules = rules
    this.#found = new Float64Array(rules.length)
    const byLiteral = new Map<string, number[]>()
    const ruleOf: number[] = []
    const all: number[] = []
    for (const [index, rule] of rules.entries()) {
      const alternatives = literalsOf(patternOf(rule))
      if (alternatives.some((needs) => needs.length === 0)) {
        this.#always.push(index)
        continue
      }
      for (const given of alternatives) {
        const needs = given.slice(0, needsMax)
        for (const [place, literals] of needs.entries()) {
          for (const literal of literals.map(folded)) {
            const uses = byLiteral.get(literal)
            if (uses === undefined) byLiteral.set(literal, [ruleOf.length, 1 << place])
            else uses.push(ruleOf.length, 1 << place)
          }
        }
        ruleOf.push(index)
        all.push((1 << needs.length) - 1)
      }
    }
    this.#ruleOf = ruleOf
    this.#all = all
    this.#bits = new Uint8Array(ruleOf.length)
    this.#seen = new Float64Array(ruleOf.length)
    this.#beyondAscii = byLiteral.get(beyondAscii) ?? []
    this.#eastAsian = byLiteral.get(eastAsian) ?? []
    for (const [literal, uses] of byLiteral) {
      if (literal.length >= literalMin) continue
      if (!isMarker(literal)) this.#pairs.set(pairOf(literal.charCodeAt(0), literal.charCodeAt(1)), uses)
      byLiteral.delete(literal)
    }
    // Each is found by the piece that the fewest others have.
    this.#charBits = byLiteral.size > manyLiterals ? 5 : 3
    this.#entries = Array.from({ length: 1 << (3 * this.#charBits) })
    const used = new Uint16Array(this.#entries.length)
    const piecesOf = (literal: string): Piece[] => pieces(literal, this.#charBits)
    for (const literal of byLiteral.keys()) for (const { hash } of piecesOf(literal)) used[hash] = (used[hash] ?? 0) + 1
    for (const [literal, uses] of byLiteral) {
      const { hash, end } = piecesOf(literal).reduce((a, b) => ((used[b.hash] ?? 0) < (used[a.hash] ?? 0) ? b : a))
      this.#entries[hash] = [...(this.#entries[hash] ?? []), { literal, end, uses }]
    }
  }

  /** Those that may match, in their order. */
  candidates(text: string): Rule[] {
    const upper = folded(text)
    const byHash = this.#entries
    const round = ++this.#texts
    for (const rule of this.#always) this.#found[rule] = round
    const bits = this.#charBits
    const mask = byHash.length - 1
    let hash = 0
    let highest = 0
    let before = 0
    for (let at = 0; at < upper.length; at++) {
      const code = upper.charCodeAt(at)
      if (code > highest) highest = code
      if (code >= eastAsianCode || before >= eastAsianCode) {
        const uses = this.#pairs.get(pairOf(before, code))
        if (uses !== undefined) this.#mark(uses)
      }
      before = code
      hash = ((hash << bits) ^ code) & mask
      const entries = byHash[hash]
      if (entries === undefined) continue
      for (const { literal, end, uses } of entries) {
        if (upper.startsWith(literal, at + 1 - end)) this.#mark(uses)
      }
    }
    if (highest >= beyondAsciiCode) this.#mark(this.#beyondAscii)
    if (highest >= eastAsianCode) this.#mark(this.#eastAsian)
    return this.#rules.filter((_, index) => this.#found[index] === round)
  }

  #mark(uses: Uses): void {
    const round = this.#texts
    for (let at = 0; at < uses.length; at += 2) {
      const alternative = uses[at] ?? 0
      const before = this.#seen[alternative] === round ? (this.#bits[alternative] ?? 0) : 0
      const bits = before | (uses[at + 1] ?? 0)
      this.#seen[alternative] = round
      this.#bits[alternative] = bits
      if (bits === this.#all[alternative]) this.#found[this.#ruleOf[alternative] ?? 0] = round
    }
  }
}

/** What a pattern without "u" takes for the same letter has the same capital (ECMA-262, Canonicalize). */
const folded = (text: string): string => text.toUpperCase()

type Piece = { readonly hash: number; readonly end: number }

/** The hashes of its characters, three by three. */
const pieces = (literal: string, bits: number): Piece[] => {
  let hash = 0
  return literal
    .split('')
    .map((char, at) => {
      hash = ((hash << bits) ^ char.charCodeAt(0)) & ((1 << (3 * bits)) - 1)
      return { hash, end: at + 1 }
    })
    .slice(literalMin - 1)
}
