/**
 * The one base of all errors that we make ourselves.
 *
 * Callers test `code` and `retriable`, never the message. The list of codes is closed; `docs/ERRORS.md` explains each.
 */

export const errorCodes = {
  AUDIT_LIST_WRONG: 'a suppression list is no CSV with a column of addresses',
  SETTINGS_WRONG: 'a setting is missing or has a value that is not allowed',
  LOG_UNAVAILABLE: 'the record log did not acknowledge in time',
  LOG_CLOSED: 'the record log was closed while a call was under way',
  LOG_TOPIC_MISSING: 'a topic does not exist or has another number of partitions than its neighbours',
  LOG_RECORD_TOO_LARGE: 'a record is larger than the log takes',
  LOG_FULL: 'the disk under the embedded log is full',
  OBJECTS_UNAVAILABLE: 'the object store did not answer, or answered with a server error',
  OBJECTS_DENIED: 'the object store refused the credentials',
  OBJECTS_BUCKET_MISSING: 'the bucket does not exist',
  OBJECTS_FULL: 'the disk under the files store is full',
  OBJECTS_KEY_WRONG: 'an object key holds something that no store of ours takes',
  RECORD_UNDECODABLE: 'bytes from a topic are not a record of the schema that the topic holds',
  RECORD_SCHEMA_UNKNOWN: 'a record names a schema that is neither in schemas/ nor in the registry',
  REGISTRY_UNAVAILABLE: 'the schema registry did not answer',
  SMTP_REFUSED: 'a peer hears a negative reply',
  SMTP_CONNECTION: 'the connection to an SMTP server failed',
  SEGMENT_CORRUPT: 'an object of the archive is not the segment that the index says it is',
  MESSAGE_GONE: 'a message is no longer stored',
  ADDRESS_IN_USE: 'the address to listen on is taken',
} as const satisfies Record<string, string>

export type ErrorCode = keyof typeof errorCodes

export type ErrorFields = Readonly<Record<string, string | number | bigint | boolean | null | undefined>>

export class MailweirError extends Error {
  readonly code: ErrorCode
  /** True where the same call may succeed later without anybody changing anything but the outside world. */
  readonly retriable: boolean
  /** For the logger; names are ours, values are short. */
  readonly fields: ErrorFields

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; retriable?: boolean; fields?: ErrorFields } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MailweirError'
    this.code = code
    this.retriable = options.retriable ?? false
    this.fields = options.fields ?? {}
  }
}

export const hasCode = (error: unknown, code: ErrorCode): boolean =>
  error instanceof MailweirError && error.code === code

/** One line for a person: the message of the error and of what caused it. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `: ${describeError(error.cause)}`
  const own =
    error.message === '' && error instanceof AggregateError
      ? error.errors.map(describeError).join('; ')
      : error.message || error.name
  return `${own}${cause}`
}

/** The `code` that Node puts on system errors (ECONNREFUSED, ENOSPC), if there is one anywhere along the causes. */
export function systemCode(error: unknown): string | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if ('code' in at && typeof at.code === 'string' && !(at instanceof MailweirError)) return at.code
    if (at instanceof AggregateError && at.errors.length > 0) return systemCode(at.errors[0])
  }
  return undefined
}
