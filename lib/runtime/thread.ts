/** Threads that run a TypeScript file of ours. */
import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'

/** A thread does not inherit the compile cache; without it, stripping types costs it 18 MB. */
const code = `const { workerData } = require('node:worker_threads')
if (workerData.cache !== null) require('node:module').enableCompileCache(workerData.cache)
import(workerData.file)`

export type ThreadData<T> = { readonly file: string; readonly cache: string | null; readonly data: T }

/**
 * @param file of the thread, which finds `data` in `workerData.data` (`ThreadData`)
 * @param youngMb what is young in its heap may take so much, MiB
 */
export function startThread(options: {
  readonly name: string
  readonly file: URL
  readonly data: unknown
  readonly youngMb: number
}): Worker {
  const folder = getCompileCacheDir()
  return new Worker(code, {
    eval: true,
    name: options.name,
    workerData: {
      file: options.file.href,
      cache: folder === undefined ? null : dirname(folder), // The last part is Node's version.
      data: options.data,
    } satisfies ThreadData<unknown>,
    resourceLimits: { maxYoungGenerationSizeMb: options.youngMb },
  })
}
