/**
 * Many patterns over one text, of which few can match: a pattern needs one of its literals in the text, so the text is read once for
 * the literals of all of them, and only those are tried whose literals it holds. RE2 calls it a prefilter (`FilteredRE2`; Cox, "Regular
 * Expression Matching with a Trigram Index", 2012); the literals are found by a rolling hash (Rabin and Karp, 1987).
 */

/** As literals they stand for any character outside of ASCII, and for any of the scripts of East Asia (from their symbols on). */
const [beyondAscii, eastAsian] = ['\u0080', '\u3000']
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

/** What they begin with in UTF-8. */
const [firstBeyondAscii, firstEastAsian] = [0xc2, 0xe3]
const isMarker = (literal: string): boolean => literal === beyondAscii || literal === eastAsian

/** A guess at how many texts hold one of them: a character more is found in a third of the texts. */
const frequency = (literals: readonly string[]): number =>
  literals.reduce((sum, literal) => sum + (isMarker(literal) ? 0.01 : 3 ** -literal.length), 0)

/** Of what an alternative needs, more than this tells little. */
const needsMax = 3
/** Of a use, the bits of what its alternative needs, below the alternative. */
const needBits = needsMax

/** Of the hash of three bytes, for each of them. */
const byteBits = 5
const hashes = 1 << (3 * byteBits)

/** Texts and literals are compared as UTF-8: its bytes stand in an array, where those of a string have to be asked for. */
let bytes = new Uint8Array(64 * 1024)
const encoder = new TextEncoder()
/** UTF-8 has three bytes at most for a character of UTF-16. */
const bytesOfChar = 3

/**
 * Which of a list of rules, each with a pattern, can match a text. What is known of the literals stands in a few arrays of numbers: as
 * objects they would be spread over more memory than the processor's caches hold beside all else that reads a message.
 */
export class LiteralIndex<Rule> {
  readonly #rules: readonly Rule[]
  readonly #always: number[] = []
  /** A bit for each hash that has entries: few have. */
  readonly #filter = new Uint32Array(hashes / 32)
  /** By hash, where its entries start. */
  readonly #starts: Uint16Array
  /** Entries, one after the other up to a 0: length, where the piece ends by whose hash it is found, where its uses start, bytes. */
  readonly #entries: Int32Array
  /** How many, and each alternative that needs the literal with the bit of the list that it is of. */
  readonly #uses: Int32Array
  readonly #beyondAscii: number
  readonly #eastAsian: number
  /** By alternative: its rule, the bits of all that it needs, and of those that were found in this text. */
  readonly #ruleOf: Uint16Array
  readonly #all: Uint8Array
  readonly #bits: Uint8Array
  /** Alternatives of which anything was found in this text. */
  readonly #touched: Uint16Array
  #touchedCount = 0
  /** By rule. */
  readonly #found: Uint8Array

  constructor(rules: readonly Rule[], patternOf: (rule: Rule) => RegExp) {
    this.#rules = rules
    this.#found = new Uint8Array(rules.length)
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
            const use = (ruleOf.length << needBits) | (1 << place)
            const uses = byLiteral.get(literal)
            if (uses === undefined) byLiteral.set(literal, [use])
            else uses.push(use)
          }
        }
        ruleOf.push(index)
        all.push((1 << needs.length) - 1)
      }
    }
    this.#ruleOf = Uint16Array.from(ruleOf)
    this.#all = Uint8Array.from(all)
    this.#bits = new Uint8Array(ruleOf.length)
    this.#touched = new Uint16Array(ruleOf.length)
    const uses: number[] = [0]
    const placed = (given: readonly number[] | undefined): number => {
      if (given === undefined) return 0
      return uses.push(given.length, ...given) - given.length - 1
    }
    this.#beyondAscii = placed(byLiteral.get(beyondAscii))
    this.#eastAsian = placed(byLiteral.get(eastAsian))
    for (const marker of [beyondAscii, eastAsian]) byLiteral.delete(marker)
    // Each is found by the piece that the fewest others have.
    const used = new Uint16Array(hashes)
    for (const literal of byLiteral.keys()) for (const { hash } of pieces(literal)) used[hash] = (used[hash] ?? 0) + 1
    const byHash = new Map<number, number[]>()
    for (const [literal, given] of byLiteral) {
      const { hash, end } = pieces(literal).reduce((a, b) => ((used[b.hash] ?? 0) < (used[a.hash] ?? 0) ? b : a))
      const encoded = encoder.encode(literal)
      const entry = [encoded.length, end, placed(given), ...encoded]
      byHash.set(hash, [...(byHash.get(hash) ?? []), ...entry])
    }
    this.#starts = new Uint16Array(hashes)
    const entries = [0]
    for (const [hash, given] of byHash) {
      this.#starts[hash] = entries.push(...given, 0) - given.length - 1
      this.#filter[hash >> 5] = (this.#filter[hash >> 5] ?? 0) | (1 << (hash & 31))
    }
    if (Math.max(entries.length, ruleOf.length) > 0xffff) throw new RangeError('too many literals for an index')
    this.#entries = Int32Array.from(entries)
    this.#uses = Int32Array.from(uses)
  }

  /** Those that may match, in their order. */
  candidates(text: string): Rule[] {
    const upper = folded(text)
    if (bytes.length < upper.length * bytesOfChar) bytes = new Uint8Array(upper.length * bytesOfChar)
    const { written } = encoder.encodeInto(upper, bytes)
    const [given, filter, starts, entries] = [bytes, this.#filter, this.#starts, this.#entries]
    let hash = 0
    /** Of UTF-8: the first byte tells how far from ASCII a character is. */
    let highest = 0
    for (let at = 0; at < written; at++) {
      const byte = given[at] ?? 0
      if (byte > highest) highest = byte
      hash = ((hash << byteBits) ^ byte) & (hashes - 1)
      if ((((filter[hash >> 5] ?? 0) >>> (hash & 31)) & 1) === 0) continue
      let entry = starts[hash] ?? 0
      for (let length = entries[entry] ?? 0; length > 0; length = entries[entry] ?? 0) {
        const from = at + 1 - (entries[entry + 1] ?? 0)
        const uses = entries[entry + 2] ?? 0
        entry += 3
        let same = 0
        if (from >= 0 && from + length <= written)
          while (same < length && given[from + same] === entries[entry + same]) same++
        if (same === length) this.#mark(uses)
        entry += length
      }
    }
    if (highest >= firstBeyondAscii) this.#mark(this.#beyondAscii)
    if (highest >= firstEastAsian) this.#mark(this.#eastAsian)
    return this.#taken()
  }

  #mark(start: number): void {
    const end = start + (this.#uses[start] ?? 0)
    for (let at = start + 1; at <= end; at++) {
      const use = this.#uses[at] ?? 0
      const alternative = use >> needBits
      const before = this.#bits[alternative] ?? 0
      if (before === 0) this.#touched[this.#touchedCount++] = alternative
      const bits = before | (use & ((1 << needBits) - 1))
      this.#bits[alternative] = bits
      if (bits === this.#all[alternative]) this.#found[this.#ruleOf[alternative] ?? 0] = 1
    }
  }

  /** Those that were found, which nothing is known of after that. */
  #taken(): Rule[] {
    for (const rule of this.#always) this.#found[rule] = 1
    for (let at = 0; at < this.#touchedCount; at++) this.#bits[this.#touched[at] ?? 0] = 0
    this.#touchedCount = 0
    const taken = this.#rules.filter((_, index) => this.#found[index] === 1)
    this.#found.fill(0)
    return taken
  }
}

/** What a pattern without "u" takes for the same letter has the same capital (ECMA-262, Canonicalize). */
const folded = (text: string): string => text.toUpperCase()

type Piece = { readonly hash: number; readonly end: number }

/** The hashes of its bytes, three by three. */
const pieces = (literal: string): Piece[] => {
  let hash = 0
  return Array.from(encoder.encode(literal), (byte, at) => {
    hash = ((hash << byteBits) ^ byte) & (hashes - 1)
    return { hash, end: at + 1 }
  }).slice(2)
}
