/** Everything that a topic holds at this moment, partition by partition in order. */
import type { Log, LogRecord } from './log.ts'

export async function* readAll(log: Pick<Log, 'admin' | 'read'>, topic: string): AsyncGenerator<LogRecord> {
  const offsets = await log.admin.offsets(topic)
  const range = {
    from: new Map(offsets.map(({ partition, earliest }) => [partition, earliest])),
    to: new Map(offsets.map(({ partition, end }) => [partition, end])),
  }
  for await (const records of log.read(topic, range)) yield* records
}
