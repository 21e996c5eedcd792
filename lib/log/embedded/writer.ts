/**
 * The writer of the embedded log: a thread of its own, so that a sync holds up no socket. It starts at the first
 * request; should it die, what waits fails and the next request starts another.
 */
import type { Worker } from 'node:worker_threads'
import { describeError, type ErrorCode, type ErrorFields, MailweirError } from '#lib/runtime/errors.ts'
import { startThread } from '#lib/runtime/thread.ts'
import type { Appended, Batch } from './records.ts'

export type Request =
  | { readonly kind: 'append'; readonly batch: Batch }
  | { readonly kind: 'drop'; readonly topic: string; readonly partition: number; readonly before: bigint }
  | { readonly kind: 'compact'; readonly topic: string; readonly partition: number; readonly tombstonesBefore: number }
  | { readonly kind: 'close' }

export type Reply =
  | { readonly result: unknown }
  | {
      readonly failure: {
        readonly code: ErrorCode
        readonly message: string
        readonly retriable: boolean
        readonly fields: ErrorFields
      }
    }

const checkpointBytes = 16 * 1024 * 1024
const recordOverheadBytes = 128

type Waiting = { resolve(result: unknown): void; reject(error: MailweirError): void }

export class Writer {
  readonly #path: string
  #worker: Worker | null = null
  /** In the order of the requests, which is that of the replies. */
  #waiting: Waiting[] = []
  #checkpointer: Worker | null = null
  #checkpointing = false
  /** About what the write-ahead log has grown by since the last checkpoint was begun. */
  #logBytes = 0

  constructor(path: string) {
    this.#path = path
  }

  async append(batch: Batch): Promise<Appended> {
    this.#logBytes += batch.values.length + batch.topic.length * recordOverheadBytes
    const appended = await this.#ask<Appended>({ kind: 'append', batch }, [batch.values.buffer])
    if (this.#logBytes >= checkpointBytes && !this.#checkpointing) this.#checkpoint()
    return appended
  }

  /** The thread for it is started by the first who writes so much. */
  #checkpoint(): void {
    this.#checkpointing = true
    this.#logBytes = 0
    if (this.#checkpointer === null) {
      const thread = this.#thread('embedded checkpoint', './checkpoint.ts')
      const over = (): void => {
        this.#checkpointing = false
        if (this.#checkpointer === thread) this.#checkpointer = null
      }
      thread.on('message', () => {
        this.#checkpointing = false
      })
      thread.on('error', over)
      thread.on('exit', over)
      this.#checkpointer = thread
    }
    this.#checkpointer.postMessage('checkpoint')
  }

  drop(topic: string, partition: number, before: bigint): Promise<boolean> {
    return this.#ask({ kind: 'drop', topic, partition, before })
  }

  compact(topic: string, partition: number, tombstonesBefore: number): Promise<void> {
    return this.#ask({ kind: 'compact', topic, partition, tombstonesBefore })
  }

  async close(): Promise<void> {
    await this.#checkpointer?.terminate()
    if (this.#worker !== null) await this.#ask({ kind: 'close' })
  }

  #ask<T>(request: Request, transfer: ArrayBuffer[] = []): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#worker ??= this.#start()
      // The thread answers each kind with its own result: thread.ts.
      this.#waiting.push({ resolve: resolve as (result: unknown) => void, reject })
      this.#worker.postMessage(request, transfer)
    })
  }

  #thread(name: string, file: string): Worker {
    return startThread({ name, file: new URL(file, import.meta.url), data: { path: this.#path }, youngMb: 4 })
  }

  #start(): Worker {
    const worker = this.#thread('embedded log', './thread.ts')
    worker.on('message', (reply: Reply) => {
      if (this.#worker !== worker) return // Late: the request that it answers has failed already, and what waits is another's.
      const waiting = this.#waiting.shift()
      if ('result' in reply) waiting?.resolve(reply.result)
      else {
        const { code, message, retriable, fields } = reply.failure
        waiting?.reject(new MailweirError(code, message, { retriable, fields }))
      }
    })
    const died = (reason: string): void => {
      if (this.#worker !== worker) return
      this.#worker = null
      for (const { reject } of this.#waiting.splice(0)) {
        reject(new MailweirError('LOG_UNAVAILABLE', `The writer of the embedded log ${reason}`, { retriable: true }))
      }
    }
    worker.on('error', (error) => died(`failed: ${describeError(error)}`))
    worker.on('exit', (code) => died(`ended with ${code}`))
    return worker
  }
}
