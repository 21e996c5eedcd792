/** Records of `mail.index` and `mail.folders`; what cannot be read is counted and passed over. */
import type { LogRecord } from '#lib/log/log.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Codec, RecordTypes } from '#schemas/codec.ts'

export type DecodePorts = {
  readonly codec: Codec
  readonly logger: Logger
  undecodable(): void
}

/** Null: it cannot be read. Throws where it may be later (a schema that is not there yet). */
export function decodeRecord<N extends 'index' | 'folder'>(
  name: N,
  record: LogRecord,
  { codec, logger, undecodable }: DecodePorts,
): RecordTypes[N] | null {
  try {
    return codec.decode(name, record.value)
  } catch (error) {
    if (error instanceof MailweirError && error.retriable) throw error
    undecodable()
    logger.error(
      {
        event: 'record.undecodable',
        topic: record.topic,
        partition: record.partition,
        offset: record.offset.toString(),
        err: error,
      },
      'an index record cannot be read: it is passed over',
    )
    return null
  }
}
