/** Dead letters: what could not be delivered or read, whole, in mail.dead. */
import { encodeFitting } from '#lib/claims/claims.ts'
import type { Log, LogRecord } from '#lib/log/log.ts'
import { partitionOf } from '#lib/log/partition.ts'
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Codec } from '#schemas/codec.ts'
import { fewPartitions } from '#schemas/topics.ts'
import type { Dead } from '#schemas/types.ts'

export type DeadLetter = Omit<Dead, 'at'>

/** The letter of a record that cannot be read, and its key: where it stands. */
export function undecodableLetter(
  record: LogRecord,
  error: unknown,
  service: string,
): { readonly key: string; readonly letter: DeadLetter } {
  return {
    key: `${record.topic}-${record.partition}-${record.offset}`,
    letter: {
      id: '',
      position: { partition: record.partition, offset: Number(record.offset) },
      topic: record.topic,
      service,
      reason: 'undecodable',
      reply: (error instanceof Error ? error.message : String(error)).slice(0, 500),
      attempts: 0,
      envelope: null,
      open: [],
      receivedAt: 0,
      bytes: record.value,
      claim: null,
    },
  }
}

export async function bury(
  key: string,
  letter: DeadLetter,
  ports: { readonly log: Log; readonly objects: Objects; readonly codec: Codec; readonly clock: Clock },
): Promise<void> {
  const at = ports.clock.now()
  await ports.log.append('mail.dead', {
    key,
    partition: partitionOf(key, fewPartitions),
    value: await encodeFitting({ ...letter, at }, (each) => ports.codec.encode('dead', each), { key, at }, ports),
  })
}
