/**
 * What is in flight for one partition of a consumer: records are started in order, finish in any order, and the offset
 * that may be committed is the one behind the last record of the finished run at the head. Both adapters use it.
 */
import type { Assignment, LogRecord, PartitionHandler } from './log.ts'

type Entry = { offset: bigint; bytes: number; done: boolean; metadata: string | undefined }

/** Bytes that a record costs besides its value: headers, bookkeeping, the promise. */
const recordOverheadBytes = 256

export class Window {
  readonly topic: string
  readonly partition: number
  /** The next offset to hand over. */
  next: bigint
  failed: unknown
  #entries: Entry[] = []
  #head = 0
  #bytes = 0
  #committable: { offset: bigint; metadata: string } | null = null
  #metadata: string
  #closed = false
  readonly #handler: PartitionHandler
  readonly #limits: { records: number; bytes: number }
  readonly #changed: () => void

  /** @param changed called when a record finished or failed */
  constructor(
    assignment: Assignment,
    assign: (assignment: Assignment) => PartitionHandler,
    limits: { records: number; bytes: number },
    changed: () => void,
  ) {
    this.topic = assignment.topic
    this.partition = assignment.partition
    this.next = assignment.offset
    this.#metadata = assignment.metadata
    this.#handler = assign(assignment)
    this.#limits = limits
    this.#changed = changed
  }

  get inFlight(): number {
    return this.#entries.length - this.#head
  }

  get hasRoom(): boolean {
    return (
      !this.#closed &&
      this.failed === undefined &&
      (this.inFlight === 0 || (this.inFlight < this.#limits.records && this.#bytes < this.#limits.bytes))
    )
  }

  /** How many records and bytes more may be in flight; one record always may where none is. */
  get room(): { readonly records: number; readonly bytes: number } {
    return {
      records: Math.max(1, this.#limits.records - this.inFlight),
      bytes: Math.max(1, this.#limits.bytes - this.#bytes),
    }
  }

  /** Starts a record; one that was started before is passed over. */
  offer(record: LogRecord): void {
    if (this.#closed || this.failed !== undefined || record.offset < this.next) return
    this.next = record.offset + 1n
    const entry: Entry = {
      offset: record.offset,
      bytes: (record.value?.length ?? 0) + recordOverheadBytes,
      done: false,
      metadata: undefined,
    }
    this.#entries.push(entry)
    this.#bytes += entry.bytes
    let processed: Promise<string | undefined | void>
    try {
      processed = this.#handler.process(record)
    } catch (error) {
      processed = Promise.reject(error)
    }
    processed.then(
      (metadata) => this.#finish(entry, metadata ?? undefined),
      (error: unknown) => {
        if (this.#closed) return
        this.failed ??= error ?? new Error('process rejected without a reason')
        this.#changed()
      },
    )
  }

  #finish(entry: Entry, metadata: string | undefined): void {
    if (this.#closed) return
    entry.done = true
    entry.metadata = metadata
    for (let first = this.#entries[this.#head]; first?.done; first = this.#entries[this.#head]) {
      this.#head++
      this.#bytes -= first.bytes
      this.#metadata = first.metadata ?? this.#metadata
      this.#committable = { offset: first.offset + 1n, metadata: this.#metadata }
    }
    if (this.#head > 1024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
    this.#changed()
  }

  /** Where to start again after a failure: behind the finished run at the head. */
  get resumeAt(): { offset: bigint; metadata: string } {
    return { offset: this.#entries[this.#head]?.offset ?? this.next, metadata: this.#metadata }
  }

  /** What to commit since the last time it was asked; null: nothing new. */
  takeCommittable(): { offset: bigint; metadata: string } | null {
    const taken = this.#committable
    this.#committable = null
    return taken
  }

  /** Puts back what could not be committed, unless there is something newer. */
  putBack(taken: { offset: bigint; metadata: string }): void {
    this.#committable ??= taken
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#handler.revoked?.()
  }
}
