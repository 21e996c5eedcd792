/**
 * One message on its way in: its receiver, how large it has become, and the reply that it gets whatever still comes. A message that
 * is refused in its midst is read to its end all the same, because only there a reply can be given.
 */
import { DataParser } from './data-parser.ts'
import { replyFor } from './errors.ts'
import { replies } from './replies.ts'
import type { Reply } from './reply.ts'
import type { Receiver } from './server.ts'

export class Incoming {
  readonly #sizeMax: number
  readonly #parser = new DataParser()
  #receiver: Receiver | null
  #verdict: Reply | null
  #size = 0

  /** @param verdict the refusal of a message that nobody receives */
  constructor(receiver: Receiver | null, sizeMax: number, verdict: Reply | null = null) {
    this.#receiver = receiver
    this.#sizeMax = sizeMax
    this.#verdict = verdict
  }

  get verdict(): Reply | null {
    return this.#verdict
  }

  /** Bytes of DATA. `end`: where the next command starts, or -1; `room`: false where `ready` has to be waited for. */
  feed(chunk: Buffer): { readonly room: boolean; readonly end: number } {
    const { content, end } = this.#parser.feed(chunk)
    let room = true
    for (const piece of content) room = this.write(piece) && room
    return { room, end }
  }

  /** Bytes of the message; false where `ready` has to be waited for. */
  write(piece: Buffer): boolean {
    this.#size += piece.length
    if (this.#size > this.#sizeMax && this.#verdict === null) {
      this.#verdict = replies.messageTooLarge
      this.abort(new Error('the message is too large'))
    }
    return this.#receiver?.write(piece) ?? true
  }

  /** Never rejects: a receiver that failed gives the verdict. */
  async ready(): Promise<void> {
    try {
      await this.#receiver?.ready()
    } catch (error) {
      this.#verdict ??= replyFor(error)
      this.abort(new Error('the receiver failed', { cause: error }))
    }
  }

  /** The reply to the end of data, or a promise of it that never rejects. */
  end(): Reply | Promise<Reply> {
    const receiver = this.#receiver
    this.#receiver = null
    if (this.#verdict !== null || receiver === null) {
      receiver?.abort(new Error('refused'))
      return this.#verdict ?? replies.localError
    }
    return receiver.end().catch(replyFor)
  }

  abort(error: Error): void {
    this.#receiver?.abort(error)
    this.#receiver = null
  }
}
