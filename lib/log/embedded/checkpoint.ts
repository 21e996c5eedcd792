/**
 * The checkpoint's thread: copies what the write-ahead log holds into the file, while the writer goes on (a PASSIVE checkpoint
 * waits for nobody: sqlite.org/wal.html). The copying would hold up the writer for 20 ms and more, every 16 MB.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadData } from '#lib/runtime/thread.ts'
import { openRecords } from './database.ts'

const { path } = (workerData as ThreadData<{ path: string }>).data // Set by writer.ts, which starts this thread.
const records = openRecords(path)

parentPort?.on('message', () => {
  try {
    records.exec('PRAGMA wal_checkpoint(PASSIVE)')
  } catch {
    // A full disk, or an error of it: the writer meets it too, and says so.
  }
  parentPort?.postMessage('done')
})
