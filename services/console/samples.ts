/**
 * Labelled samples: messages of which a person said that the verdict is wrong, and what is right. Each is two objects below `samples/`,
 * where no lifecycle rule reaches: the exact bytes, and the label. From there they go to whoever writes rules.
 */
import type { Objects } from '#lib/objects/objects.ts'

export type Label = {
  readonly id: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly person: string
  readonly kind: string
  /** Empty: nothing was said of it. */
  readonly reason: string
  readonly note: string
  /** What the classifier had said. */
  readonly said: { readonly kind: string; readonly variant: string; readonly reason: string }
}

export type SampleStore = Pick<Samples, 'add' | 'list'>

const listMax = 1_000

export class Samples {
  readonly #objects: Objects

  constructor(objects: Objects) {
    this.#objects = objects
  }

  /** Of one message the last label counts; all are kept. */
  async add(label: Label, bytes: Buffer): Promise<void> {
    const name = label.id.replace(/[^A-Za-z0-9-]/g, '_')
    await this.#objects.put(`samples/${name}.eml`, bytes)
    await this.#objects.put(`samples/${name}-${label.at}.json`, Buffer.from(JSON.stringify(label)))
  }

  /** Labels in the order of their keys, of at most 1,000 objects behind `after`. */
  async list(after?: string): Promise<{ readonly labels: readonly Label[]; readonly next: string | null }> {
    const page = await this.#objects.list('samples/', { limit: listMax, ...(after !== undefined && { after }) })
    const labels: Label[] = []
    for (const { key } of page) {
      const bytes = key.endsWith('.json') ? await this.#objects.get(key) : null
      if (bytes !== null) labels.push(JSON.parse(bytes.toString('utf8')) as Label) // As `add` wrote it.
    }
    return { labels, next: page.length < listMax ? null : (page.at(-1)?.key ?? null) }
  }
}
