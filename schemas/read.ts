/** Records of which one that cannot be read is passed over. */
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

/** As a view reads it: null: it cannot be read, which is counted and told. Throws where it may be later (a schema that is not there yet). */
export function readRecord<N extends RecordName>(
  name: N,
  { topic, partition, offset, value }: Placed,
  { codec, logger, undecodable }: ReadPorts,
): RecordTypes[N] | null {
  return decodeOrNull(codec, name, value, (err) => {
    undecodable()
    logger.error(
      { event: 'record.undecodable', topic, partition, offset: offset.toString(), err },
      'a record cannot be read: it is passed over',
    )
  })
}

/** The same for who leaves the counting to others: one reader of a topic counts what nobody can read. */
export function decodeOrNull<N extends RecordName>(
  codec: Codec,
  name: N,
  value: Buffer | null,
  told: (error: unknown) => void = () => {},
): RecordTypes[N] | null {
  try {
    return codec.decode(name, value)
  } catch (error) {
    if (error instanceof MailweirError && error.retriable) throw error
    told(error)
    return null
  }
}
