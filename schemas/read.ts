/** Records as a view reads them: what cannot be read is counted, told and passed over. */
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Codec, RecordName, RecordTypes } from './codec.ts'

export type ReadPorts = {
  readonly codec: Codec
  readonly logger: Logger
  undecodable(): void
}

/** What we need of a record of the log. */
type Placed = {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly value: Buffer | null
}

/** Null: it cannot be read. Throws where it may be later (a schema that is not there yet). */
export function readRecord<N extends RecordName>(
  name: N,
  { topic, partition, offset, value }: Placed,
  { codec, logger, undecodable }: ReadPorts,
): RecordTypes[N] | null {
  try {
    return codec.decode(name, value)
  } catch (error) {
    if (error instanceof MailweirError && error.retriable) throw error
    undecodable()
    logger.error(
      { event: 'record.undecodable', topic, partition, offset: offset.toString(), err: error },
      'a record cannot be read: it is passed over',
    )
    return null
  }
}
