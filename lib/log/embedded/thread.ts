/** The writer's thread: answers one request after the other, each when the disk has it. */
import { parentPort, workerData } from 'node:worker_threads'
import type { ThreadData } from '#lib/runtime/thread.ts'
import { openRecords, storageError } from './database.ts'
import { Records } from './records.ts'
import type { Reply, Request } from './writer.ts'

const { path } = (workerData as ThreadData<{ path: string }>).data // Set by writer.ts, which starts this thread.
const records = new Records(openRecords(path))

function answer(request: Request): unknown {
  switch (request.kind) {
    case 'append':
      return records.append(request.batch)
    case 'drop':
      return records.drop(request.topic, request.partition, request.before)
    case 'compact':
      return records.compact(request.topic, request.partition, request.tombstonesBefore)
    case 'close':
      return records.close()
  }
}

parentPort?.on('message', (request: Request) => {
  let reply: Reply
  try {
    reply = { result: answer(request) }
  } catch (error) {
    const { code, message, retriable, fields } = storageError(error)
    reply = { failure: { code, message, retriable, fields } }
  }
  parentPort?.postMessage(reply)
  if (request.kind === 'close') parentPort?.close()
})
