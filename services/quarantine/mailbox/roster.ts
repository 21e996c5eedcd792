/**
 * What most commands ask of a mailbox, in memory: by message number - 1 its UID, flags, MODSEQ, size and date, in arrays of 28
 * bytes a message. Nothing here is the truth: it is made from the view's database and follows its changes.
 *
 * `uids` is never changed below `length`: a session keeps the array and the length that its client knows of. An expunge makes
 * another array.
 */
const smallest = 1_024

export class Roster {
  uids: Uint32Array
  modseqs: Float64Array
  sizes: Uint32Array
  dates: Float64Array
  length = 0
  /** Sessions that have it open. */
  users = 0
  #flags: Uint32Array
  /** Each set of flags that there is, once: as text and apart. */
  readonly #sets: { readonly text: string; readonly flags: readonly string[] }[] = []
  readonly #ids = new Map<string, number>()

  constructor(capacity: number) {
    const size = Math.max(smallest, capacity)
    this.uids = new Uint32Array(size)
    this.modseqs = new Float64Array(size)
    this.sizes = new Uint32Array(size)
    this.dates = new Float64Array(size)
    this.#flags = new Uint32Array(size)
  }

  /** UIDs come in ascending order. */
  push(message: { uid: number; flags: string; modseq: number; size: number; receivedAt: number }): void {
    if (this.length === this.uids.length) this.#resize(this.length * 2, () => true)
    const at = this.length++
    this.uids[at] = message.uid
    this.modseqs[at] = message.modseq
    this.sizes[at] = message.size
    this.dates[at] = message.receivedAt
    this.#flags[at] = this.#idOf(message.flags)
  }

  #idOf(text: string): number {
    let id = this.#ids.get(text)
    if (id === undefined) {
      id = this.#sets.length
      this.#sets.push({ text, flags: text === '' ? [] : text.split(' ') })
      this.#ids.set(text, id)
    }
    return id
  }

  #resize(size: number, keep: (uid: number) => boolean): void {
    const { uids, modseqs, sizes, dates, length } = this
    const flags = this.#flags
    this.uids = new Uint32Array(size)
    this.modseqs = new Float64Array(size)
    this.sizes = new Uint32Array(size)
    this.dates = new Float64Array(size)
    this.#flags = new Uint32Array(size)
    let at = 0
    for (let index = 0; index < length; index++) {
      if (!keep(uids[index] ?? 0)) continue
      this.uids[at] = uids[index] ?? 0
      this.modseqs[at] = modseqs[index] ?? 0
      this.sizes[at] = sizes[index] ?? 0
      this.dates[at] = dates[index] ?? 0
      this.#flags[at] = flags[index] ?? 0
      at++
    }
    this.length = at
  }

  remove(gone: ReadonlySet<number>): void {
    this.#resize(Math.max(smallest, this.length), (uid) => !gone.has(uid))
  }

  /** Index of a UID; -1: there is none. */
  find(uid: number): number {
    const at = firstFrom(this.uids, this.length, uid)
    return at < this.length && this.uids[at] === uid ? at : -1
  }

  setFlags(uid: number, flags: string, modseq: number): void {
    const at = this.find(uid)
    if (at < 0) return
    this.#flags[at] = this.#idOf(flags)
    this.modseqs[at] = modseq
  }

  flagsAt(index: number): readonly string[] {
    return this.#sets[this.#flags[index] ?? 0]?.flags ?? []
  }

  /** Flags with spaces between. */
  flagTextAt(index: number): string {
    return this.#sets[this.#flags[index] ?? 0]?.text ?? ''
  }

  /** For a flag in lower case: whether the message at an index has it. */
  hasFlag(flag: string): (index: number) => boolean {
    const has = this.#sets.map(({ flags }) => flags.some((each) => each.toLowerCase() === flag))
    return (index) => has[this.#flags[index] ?? 0] ?? false
  }

  /** All flags and keywords that occur, at most `max` of them. */
  flagNames(max: number): string[] {
    const found = new Set<string>()
    for (const { flags } of this.#sets) {
      for (const flag of flags) {
        if (found.size >= max) return [...found]
        found.add(flag)
      }
    }
    return [...found]
  }
}

/** The first index whose UID is at least `uid`. */
export function firstFrom(uids: Uint32Array, length: number, uid: number): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((uids[middle] ?? 0) < uid) low = middle + 1
    else high = middle
  }
  return low
}
