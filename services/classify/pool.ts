/**
 * Who calls `classify`: this thread, or a pool of others. What waits for a thread goes to it as one batch. A thread that dies
 * over a message, or is silent for too long, is replaced and what it held goes to another, one by one; a message that costs a second
 * thread is `unknown`, with that as evidence. So no message holds up those behind it for long.
 */
import type { Worker } from 'node:worker_threads'
import type { Clock } from '#lib/runtime/clock.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { startThread } from '#lib/runtime/thread.ts'
import type { Envelope, Verdict } from '#schemas/types.ts'
import { type ClassifyOptions, examine, failed } from './classify.ts'
import { type ClassifyConfig, classifyOptions } from './config.ts'

export type ClassifierConfig = Parameters<typeof classifyOptions>[0]
export type Question = {
  readonly id: string
  readonly bytes: Uint8Array
  readonly envelope: Pick<Envelope, 'reversePath' | 'forwardPaths'>
}
export type Answer = { readonly verdict: Verdict; readonly subject: string; readonly seconds: number }

export type Classifier = {
  /** Rejects only where the classifier is closed. */
  ask(question: Question): Promise<Answer>
  close(): Promise<void>
}

export function answer({ bytes, envelope }: Question, options: ClassifyOptions): Answer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const started = performance.now()
  const found = examine(buffer, envelope, options)
  return { ...found, seconds: (performance.now() - started) / 1000 }
}

export type ClassifierPorts = {
  readonly logger: Logger
  readonly clock: Clock
  /** Told of each thread that was lost. */
  lost(): void
}

export function openClassifier(
  config: Pick<ClassifyConfig, 'classifyThreads'> & ClassifierConfig,
  ports: ClassifierPorts,
): Classifier {
  if (config.classifyThreads > 0) return new Pool(config, config.classifyThreads, ports)
  const options = classifyOptions(config)
  return { ask: async (question) => answer(question, options), close: async () => {} }
}

const batchMax = 16
/** One in the making, one on its way. */
const batchesInHand = 2
const lossesMax = 2
/** The worst message that is known takes 0.1 s. */
const silentMs = 15_000
/** To begin takes a second of a core, of which a container may have a tenth: one that is replaced too soon never begins. */
const beginMs = 120_000
const lookMs = 1_000
/** Before another takes the place of a thread that could not even begin: a file of the rules may be on its way. */
const beginAgainMs = 1_000

type Job = {
  readonly question: Question
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
  losses: number
}

type Thread = { readonly worker: Worker; readonly batches: Job[][]; busySince: number; ready: boolean }

class Pool implements Classifier {
  readonly #data: ClassifierConfig
  readonly #ports: ClassifierPorts
  readonly #threads: Thread[] = []
  readonly #watch: NodeJS.Timeout
  #waiting: Job[] = []
  #scheduled = false
  #closed = false

  constructor(config: ClassifierConfig, threads: number, ports: ClassifierPorts) {
    const { optOutAddresses, addressPatterns, originalFields, hardReasons, reasonRules } = config
    this.#data = { optOutAddresses, addressPatterns, originalFields, hardReasons, reasonRules }
    this.#ports = ports
    for (let n = 0; n < threads; n++) this.#start()
    this.#watch = setInterval(() => this.#look(), lookMs).unref()
  }

  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closed())
      this.#waiting.push({ question, resolve, reject, losses: 0 })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => {
        this.#scheduled = false
        this.#hand()
      })
    })
  }

  /** What waits, to the threads that have least in hand. */
  #hand(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#threads.reduce<Thread | undefined>(
        (least, each) =>
          each.ready && (least === undefined || each.batches.length < least.batches.length) ? each : least,
        undefined,
      )
      if (thread === undefined || thread.batches.length >= batchesInHand) return
      // One that has cost a thread goes alone.
      const suspect = this.#waiting.findIndex(({ losses }) => losses > 0)
      const count = suspect === 0 ? 1 : Math.min(batchMax, suspect < 0 ? batchMax : suspect)
      const batch = this.#waiting.splice(0, count)
      if (thread.batches.length === 0) thread.busySince = this.#ports.clock.now()
      thread.batches.push(batch)
      // A copy of its own, which the thread may keep: the bytes are a view into all that was fetched with them.
      const questions = batch.map(({ question }) => ({ ...question, bytes: new Uint8Array(question.bytes) }))
      thread.worker.postMessage(
        questions,
        questions.map(({ bytes }) => bytes.buffer),
      )
    }
  }

  #start(): void {
    const worker = startThread({
      name: 'classify',
      file: new URL('./thread.ts', import.meta.url),
      data: this.#data,
      youngMb: 16,
    })
    const thread: Thread = { worker, batches: [], busySince: this.#ports.clock.now(), ready: false }
    worker.on('message', (answers: 'ready' | readonly Answer[]) => {
      if (answers === 'ready') {
        thread.ready = true
        return this.#hand()
      }
      const batch = thread.batches.shift() ?? []
      thread.busySince = this.#ports.clock.now()
      batch.forEach(({ resolve, reject }, index) => {
        const found = answers[index]
        if (found === undefined) reject(new Error('a thread answered fewer than it was asked'))
        else resolve(found)
      })
      this.#hand()
    })
    worker.on('error', (error) => this.#lost(thread, error))
    worker.on('exit', (code) => this.#lost(thread, new Error(`the thread ended with ${code}`)))
    this.#threads.push(thread)
  }

  #look(): void {
    for (const thread of [...this.#threads]) {
      const isIdle = thread.ready && thread.batches.length === 0
      const limitMs = thread.ready ? silentMs : beginMs
      if (isIdle || this.#ports.clock.now() - thread.busySince < limitMs) continue
      this.#lost(thread, new Error(`the thread gave no answer for ${limitMs} ms`))
      void thread.worker.terminate()
    }
  }

  #lost(thread: Thread, error: unknown): void {
    const at = this.#threads.indexOf(thread)
    if (at < 0) return
    this.#threads.splice(at, 1)
    if (this.#closed) return
    this.#ports.lost()
    const [inHand = [], ...untouched] = thread.batches
    this.#ports.logger.error(
      { event: 'classify.thread-lost', messageIds: inHand.map(({ question }) => question.id), err: error },
      'a thread that classifies is lost: another takes its place',
    )
    const again: Job[] = []
    for (const job of inHand) {
      job.losses++
      if (job.losses < lossesMax) again.push(job)
      else job.resolve({ verdict: failed('the thread that read it was lost'), subject: '', seconds: 0 })
    }
    this.#waiting = [...again, ...untouched.flat(), ...this.#waiting]
    if (thread.ready) this.#start()
    else
      void this.#ports.clock.sleep(beginAgainMs).then(() => {
        if (!this.#closed) this.#start()
      })
    this.#hand()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#watch)
    for (const { reject } of this.#waiting.splice(0)) reject(closed())
    for (const { batches, worker } of this.#threads.splice(0)) {
      for (const { reject } of batches.flat()) reject(closed())
      await worker.terminate()
    }
  }
}

const closed = () => new MailweirError('LOG_CLOSED', 'Classify is stopping', { retriable: true })
