/**
 * The object store. This is the port; `open.ts` names the adapters.
 *
 * What an adapter promises:
 * - An object is there whole or not at all, and is durable when `put` or `putStream` resolved.
 * - `put` never changes an object that exists: it says so.
 * - What is not there is `null`, not an error.
 * - `putStream` holds a bounded part of the stream in memory, whatever its length.
 * - Errors: OBJECTS_UNAVAILABLE and OBJECTS_FULL are retriable; OBJECTS_DENIED and OBJECTS_BUCKET_MISSING need a person.
 *
 * Keys are ASCII letters, digits and `-_.=/`, at most 512 characters, no empty part and none of dots alone, and no
 * key is the folder of another (MinIO and files cannot hold both). Days are whole days.
 */
import type { Readable } from 'node:stream'
import { MailweirError } from '#lib/runtime/errors.ts'

export type ObjectInfo = { readonly key: string; readonly size: number; readonly modifiedAt: number }

export type LifecycleRule = {
  /** Our rules are named `mailweir-…`; others on the same bucket are left alone. */
  readonly id: string
  readonly prefix: string
  readonly days: number
}

export type ByteRange = { readonly offset: number; readonly length: number }

export interface Objects {
  readonly adapter: 's3' | 'files'
  put(key: string, bytes: Buffer): Promise<'stored' | 'exists'>
  /** Stores a stream of unknown length; resolves to its bytes. A key that exists is written again: keys of streams are never reused. */
  putStream(key: string, stream: Readable): Promise<number>
  /** The bytes, or the part of them in `range`; a range that starts behind the end gives no bytes. */
  get(key: string, range?: ByteRange): Promise<Buffer | null>
  getStream(key: string): Promise<Readable | null>
  /** Up to `limit` objects whose key starts with `prefix`, in the order of their keys, behind `after`. */
  list(prefix: string, options: { readonly after?: string; readonly limit: number }): Promise<readonly ObjectInfo[]>
  /** Removes an object; one that is not there is removed already. */
  remove(key: string): Promise<void>
  /** Puts our rules in place of our former ones. */
  setLifecycle(rules: readonly LifecycleRule[]): Promise<void>
  lifecycle(): Promise<readonly LifecycleRule[]>
  /** Rejects with the reason why the store cannot be used now. */
  check(): Promise<void>
  /** Makes the bucket or folder if it is missing. */
  prepare(): Promise<void>
  close(): Promise<void>
}

export const lifecyclePrefix = 'mailweir-'

const keyPattern = /^(?!.*(?:^|\/)\.{0,2}(?:\/|$))[A-Za-z0-9\-_.=/]{1,512}$/

export function checkKey(key: string): void {
  if (!keyPattern.test(key)) {
    throw new MailweirError('OBJECTS_KEY_WRONG', `Not an object key: ${JSON.stringify(key.slice(0, 100))}`)
  }
}

const pageMax = 1_000

/** All objects whose key starts with `prefix`, in the order of their keys, a page at a time; they may be removed meanwhile. */
export async function* listAll(objects: Pick<Objects, 'list'>, prefix: string): AsyncGenerator<ObjectInfo> {
  let after: string | undefined
  do {
    const page = await objects.list(prefix, { limit: pageMax, ...(after !== undefined && { after }) })
    yield* page
    after = page.length < pageMax ? undefined : page.at(-1)?.key
  } while (after !== undefined)
}
