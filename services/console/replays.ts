/**
 * Replays: stretches of mail.raw that went through the present classifier once more. What each came to is an object below `replays/`, its
 * verdicts are a topic of its own. One runs at a time here; those of `mailweir replay` are listed, too.
 */
import type { Log } from '#lib/log/log.ts'
import { listAll, type Objects } from '#lib/objects/objects.ts'
import { describeError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Codec } from '#schemas/codec.ts'
import { decodeOrNull } from '#schemas/read.ts'
import { replayTopic } from '#schemas/topics.ts'

/** Of a replay, epoch milliseconds; `to` is not in it. */
export type ReplayRange = { readonly name: string; readonly from: number; readonly to: number }

export type FinishedReplay = ReplayRange & {
  readonly at: number
  readonly messages: number
  readonly changed: number
  readonly unknown: number
  readonly undecodable: number
}

export type ChangedVerdict = { readonly id: string; readonly before: string; readonly after: string }

/** A place in the topic of a replay. */
export type ReplayPlace = { readonly partition: number; readonly offset: number }

export type ReplayPorts = {
  readonly log: Log
  readonly objects: Objects
  readonly codec: Codec
  readonly logger: Logger
  /** Rejects SETTINGS_WRONG where there is such a replay already. */
  replay(range: ReplayRange, signal: AbortSignal): Promise<unknown>
}

const listMax = 100
/** Records that one question about changes reads. */
const scannedMax = 50_000

export class Replays {
  readonly #ports: ReplayPorts
  readonly #stopping = new AbortController()
  /** What was read: a replay that is over does not change. */
  readonly #finished = new Map<string, FinishedReplay>()
  #running: (ReplayRange & { readonly done: Promise<void> }) | null = null
  #failed: { readonly name: string; readonly why: string } | null = null

  constructor(ports: ReplayPorts) {
    this.#ports = ports
  }

  /** The newest last, and what runs here now or failed last. */
  async list(): Promise<{
    readonly replays: readonly FinishedReplay[]
    readonly running: ReplayRange | null
    readonly failed: { readonly name: string; readonly why: string } | null
  }> {
    for await (const { key } of listAll(this.#ports.objects, 'replays/')) {
      if (!key.endsWith('.json')) continue
      const bytes = this.#finished.has(key) ? null : await this.#ports.objects.get(key)
      if (bytes !== null) this.#finished.set(key, JSON.parse(bytes.toString('utf8')) as FinishedReplay) // As a replay wrote it.
    }
    const running = this.#running
    return {
      replays: [...this.#finished.values()].sort((a, b) => a.at - b.at).slice(-listMax),
      running: running === null ? null : { name: running.name, from: running.from, to: running.to },
      failed: this.#failed,
    }
  }

  /** False: another one runs. */
  start(range: ReplayRange): boolean {
    if (this.#running !== null) return false
    const { logger, replay } = this.#ports
    this.#failed = null
    const done = replay(range, this.#stopping.signal).then(
      () => {},
      (err: unknown) => {
        this.#failed = { name: range.name, why: describeError(err) }
        logger.warn({ event: 'console.replay-failed', name: range.name, err }, 'a replay came to no end')
      },
    )
    this.#running = { ...range, done }
    void done.then(() => {
      this.#running = null
    })
    return true
  }

  /** Verdicts that changed, from a place on, of so many records at most; null: there is no such replay, or its topic is gone. */
  async changes(
    name: string,
    from: ReplayPlace,
    limit: number,
  ): Promise<{ readonly changes: readonly ChangedVerdict[]; readonly next: ReplayPlace | null } | null> {
    const { log, codec } = this.#ports
    const topic = replayTopic(name)
    const [state] = await log.admin.describeTopics([topic])
    if (state === null || state === undefined) return null
    const changes: ChangedVerdict[] = []
    let scanned = 0
    for (const { partition, earliest, end } of await log.admin.offsets(topic)) {
      if (partition < from.partition) continue
      const first = partition === from.partition ? BigInt(from.offset) : earliest
      const range = {
        from: new Map([[partition, first > earliest ? first : earliest]]),
        to: new Map([[partition, end]]),
      }
      for await (const records of log.read(topic, range)) {
        for (const record of records) {
          if (changes.length >= limit || ++scanned > scannedMax)
            return { changes, next: { partition, offset: Number(record.offset) } }
          const found = decodeOrNull(codec, 'replay', record.value)
          if (found?.changed) changes.push({ id: found.id, before: found.before, after: found.after })
        }
      }
    }
    return { changes, next: null }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running?.done
  }
}
