/**
 * A bound on what is in flight, by count and by bytes.
 *
 * `take` never refuses a single item that is larger than the whole bound when nothing else is in flight: it would wait
 * for ever. Waiters are served in order.
 */
export class Gate {
  readonly countMax: number
  readonly bytesMax: number
  #count = 0
  #bytes = 0
  readonly #waiting: { bytes: number; resolve: () => void }[] = []

  constructor(bounds: { countMax: number; bytesMax: number }) {
    this.countMax = bounds.countMax
    this.bytesMax = bounds.bytesMax
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  #fits(bytes: number): boolean {
    return this.#count === 0 || (this.#count < this.countMax && this.#bytes + bytes <= this.bytesMax)
  }

  /** Takes room at once, or says that there is none. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) return false
    this.#count++
    this.#bytes += bytes
    return true
  }

  /** Waits for room. */
  take(bytes: number): Promise<void> {
    if (this.tryTake(bytes)) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ bytes, resolve }))
  }

  /** Waits for room, but no longer than `ms`; false: there was none. */
  takeWithin(bytes: number, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiter = {
        bytes,
        resolve: () => {
          clearTimeout(timer)
          resolve(true)
        },
      }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
        resolve(false)
      }, ms)
      this.#waiting.push(waiter)
    })
  }

  release(bytes: number): void {
    this.#count--
    this.#bytes -= bytes
    for (;;) {
      const next = this.#waiting[0]
      if (next === undefined || !this.#fits(next.bytes)) return
      this.#waiting.shift()
      this.#count++
      this.#bytes += next.bytes
      next.resolve()
    }
  }
}
