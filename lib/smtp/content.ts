/**
 * Message bytes on the wire of DATA: dot-stuffing and the look-alikes of the end of data.
 */
import { Transform, type TransformCallback } from 'node:stream'

const CR = 0x0d
const LF = 0x0a
const DOT = 0x2e
const dot = Buffer.from('.')

/** Dot-stuffs a message as it passes (RFC 5321 section 4.5.2): behind CR LF and at the start, nowhere else. */
export class DotStuffer {
  /** The last bytes that passed: 2: CR LF or nothing yet, 1: CR, 0: anything else. */
  #state: 0 | 1 | 2 = 2

  /** Slices of `chunk`, with dots between them. */
  feed(chunk: Buffer): Buffer[] {
    const pieces: Buffer[] = []
    let from = 0
    let at = 0
    while (at < chunk.length) {
      if (this.#state === 0) {
        const found = chunk.indexOf(CR, at)
        if (found < 0) break
        at = found + 1
        this.#state = 1
        continue
      }
      const byte = chunk[at]
      if (this.#state === 2 && byte === DOT) {
        if (at > from) pieces.push(chunk.subarray(from, at))
        pieces.push(dot)
        from = at
      }
      this.#state = byte === CR ? 1 : this.#state === 1 && byte === LF ? 2 : 0
      at++
    }
    if (chunk.length > from) pieces.push(chunk.subarray(from))
    return pieces
  }

  /** What ends the data: the message's last line end is added only where it is missing. */
  end(): Buffer {
    return Buffer.from(this.#state === 2 ? '.\r\n' : '\r\n.\r\n')
  }
}

/**
 * Looks for a dot alone between a bare CR or LF and any CR or LF: a lenient server could take it for the end of data, and what
 * follows for commands (SMTP smuggling). A lone dot behind CR LF is none, because it is stuffed.
 */
export class LookAlikeFinder {
  found = false
  /** The last three bytes; only the last two and the kind of the line end before them count. */
  #last: [number, number, number] = [-1, CR, LF]

  feed(chunk: Buffer): void {
    if (this.found) return
    for (let at = chunk.indexOf(DOT); at >= 0; at = chunk.indexOf(DOT, at + 1)) {
      const after = chunk[at + 1]
      if (after !== CR && after !== LF) {
        if (after !== undefined) continue
        break // The dot is the last byte: judged with the next chunk.
      }
      if (this.#isBareLineEnd(this.#byte(chunk, at - 2), this.#byte(chunk, at - 1))) {
        this.found = true
        return
      }
    }
    const [a, b, c] = this.#last
    const first = chunk[0]
    if (c === DOT && (first === CR || first === LF) && this.#isBareLineEnd(a, b)) this.found = true
    for (const byte of chunk.subarray(-3)) this.#last = [this.#last[1], this.#last[2], byte]
  }

  #byte(chunk: Buffer, at: number): number {
    return at >= 0 ? (chunk[at] ?? -1) : (this.#last[3 + at] ?? -1)
  }

  #isBareLineEnd(beforeThat: number, last: number): boolean {
    return (last === LF && beforeThat !== CR) || last === CR
  }
}

export function hasLookAlike(message: Buffer): boolean {
  const finder = new LookAlikeFinder()
  finder.feed(message)
  return finder.found
}

/** Looks for a CR or an LF that is not part of a CR LF. */
export class BareLineEndFinder {
  found = false
  #afterCr = false

  feed(chunk: Buffer): void {
    if (this.found || chunk.length === 0) return
    if (this.#afterCr && chunk[0] !== LF) this.found = true
    for (let at = chunk.indexOf(LF); at >= 0 && !this.found; at = chunk.indexOf(LF, at + 1)) {
      if (at === 0 ? !this.#afterCr : chunk[at - 1] !== CR) this.found = true
    }
    for (let at = chunk.indexOf(CR); at >= 0 && !this.found; at = chunk.indexOf(CR, at + 1)) {
      if (at + 1 < chunk.length && chunk[at + 1] !== LF) this.found = true
    }
    this.#afterCr = chunk[chunk.length - 1] === CR
  }
}

/** Makes every bare CR and bare LF a CR LF. */
export class LineEndNormaliser extends Transform {
  #afterCr = false

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done(null, this.normalise(chunk))
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#afterCr ? Buffer.from('\r\n') : null)
  }

  normalise(chunk: Buffer): Buffer {
    const out = Buffer.allocUnsafe(chunk.length * 2 + 2)
    let length = 0
    for (const byte of chunk) {
      if (this.#afterCr) {
        out[length++] = CR
        out[length++] = LF
        this.#afterCr = false
        if (byte === LF) continue
      }
      if (byte === CR) this.#afterCr = true
      else {
        if (byte === LF) out[length++] = CR
        out[length++] = byte
      }
    }
    return out.subarray(0, length)
  }
}
