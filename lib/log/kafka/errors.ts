/** kafkajs's errors and log lines in our terms. */
import kafkajs, { type logCreator } from 'kafkajs'
import { describeError, MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'

export function kafkaError(what: string, error: unknown): MailweirError {
  const type = protocolType(error)
  const cause = { cause: error }
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    return new MailweirError('LOG_TOPIC_MISSING', `Cannot ${what}: Kafka has no such topic; run "mailweir topics"`, {
      ...cause,
      retriable: true,
    })
  }
  if (type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE') {
    return new MailweirError(
      'LOG_RECORD_TOO_LARGE',
      `Cannot ${what}: larger than max.message.bytes of the topic`,
      cause,
    )
  }
  return new MailweirError('LOG_UNAVAILABLE', `Cannot ${what}: ${describeError(error)}`, { ...cause, retriable: true })
}

/** kafkajs wraps the broker's answer once or twice. */
function protocolType(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ('type' in at && typeof at.type === 'string') return at.type
  }
  return ''
}

/**
 * kafkajs reports each retry of its own as an error; for us only what comes out of a call is one, so its lines are
 * debug, and its errors warnings.
 */
export function kafkaLogCreator(logger: Logger): logCreator {
  const child = logger.child({ component: 'kafkajs' })
  return () =>
    ({ level, log, namespace }) => {
      const line = { event: 'kafka.client', namespace, detail: log.message, error: log['error'] }
      if (level === kafkajs.logLevel.ERROR) child.warn(line, 'the Kafka client reports a problem')
      else child.debug(line, 'the Kafka client reports')
    }
}
