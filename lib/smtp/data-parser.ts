/**
 * The receiving end of DATA (RFC 5321 sections 4.1.1.4 and 4.5.2): finds the end of data, undoes dot-stuffing, touches
 * nothing else.
 *
 * A line ends with CR LF and with nothing else: `LF . LF`, `CR . CR` and every mixture are content (SMTP smuggling). The dot
 * of a line is dropped only behind CR LF or at the start. Bytes are never copied: what comes out are slices of what went in.
 *
 *   state        meaning
 *   line         within a line
 *   cr           a CR was seen
 *   start        at the start of a line
 *   dot          a dot stood at the start of a line; it is held back
 *   dotCr        the dot and a CR are held back
 */
export type DataState = 'line' | 'cr' | 'start' | 'dot' | 'dotCr'

const CR = 0x0d
const LF = 0x0a
const DOT = 0x2e
const carriageReturn = Buffer.from('\r')

export class DataParser {
  #state: DataState = 'start'

  /** @returns the content in `chunk`, and where the next command starts, or -1 while the data goes on */
  feed(chunk: Buffer): { readonly content: readonly Buffer[]; readonly end: number } {
    const content: Buffer[] = []
    let from = 0
    let at = 0
    while (at < chunk.length) {
      if (this.#state === 'line') {
        const found = chunk.indexOf(CR, at)
        if (found < 0) break
        at = found + 1
        this.#state = 'cr'
        continue
      }
      const byte = chunk[at]
      if (this.#state === 'cr') {
        this.#state = byte === LF ? 'start' : byte === CR ? 'cr' : 'line'
        at++
      } else if (this.#state === 'start') {
        if (byte === DOT) {
          if (at > from) content.push(chunk.subarray(from, at))
          from = at + 1
          this.#state = 'dot'
        } else this.#state = byte === CR ? 'cr' : 'line'
        at++
      } else if (this.#state === 'dot') {
        if (byte === CR) {
          this.#state = 'dotCr'
          at++
        } else this.#state = 'line' // The dot was stuffed; this byte is read again as the first of its line.
      } else {
        if (byte === LF) {
          this.#state = 'start'
          return { content, end: at + 1 }
        }
        // The dot was stuffed, and the CR belongs to the line.
        if (at > 0) from = at - 1
        else content.push(carriageReturn)
        this.#state = 'cr'
      }
    }
    const held = this.#state === 'dotCr' ? chunk.length - 1 : chunk.length
    if (held > from) content.push(chunk.subarray(from, held))
    return { content, end: -1 }
  }
}
