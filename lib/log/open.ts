/** Settings → adapter. The only file that names the adapters; each is loaded when it is asked for. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MailweirError } from '#lib/runtime/errors.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Values } from '#lib/runtime/settings.ts'
import type { logSettings } from './config.ts'
import type { Log } from './log.ts'

export async function openLog(values: Values<typeof logSettings>, service: string, logger: Logger): Promise<Log> {
  if (values.kafkaBrokers.length === 0) {
    const { openEmbeddedLog } = await import('./embedded.ts')
    return openEmbeddedLog({ path: join(values.dataDir, 'log.sqlite'), logger, recordBytesMax: values.recordBytesMax })
  }
  const { openKafkaLog } = await import('./kafka.ts')
  return openKafkaLog({
    brokers: values.kafkaBrokers,
    clientId: `mailweir-${service}`,
    logger,
    recordBytesMax: values.recordBytesMax,
    compression: values.kafkaCompression,
    tls: values.kafkaTls
      ? {
          ca: readPem(values.kafkaTlsCa, 'KAFKA_TLS_CA'),
          cert: readPem(values.kafkaTlsCert, 'KAFKA_TLS_CERT'),
          key: readPem(values.kafkaTlsKey, 'KAFKA_TLS_KEY'),
        }
      : null,
    sasl:
      values.kafkaSasl === 'none'
        ? null
        : { mechanism: values.kafkaSasl, username: values.kafkaUser, password: values.kafkaPassword },
    replicationFactor: values.kafkaReplication,
    sessionTimeoutMs: values.kafkaSessionMs,
    requestTimeoutMs: values.kafkaRequestMs,
    hasTraceContext: values.otlpEndpoint !== null,
  })
}

function readPem(path: string | null, variable: string): Buffer | undefined {
  if (path === null) return undefined
  try {
    return readFileSync(path)
  } catch (error) {
    throw new MailweirError('SETTINGS_WRONG', `${variable}=${JSON.stringify(path)}: cannot read the file`, {
      cause: error,
    })
  }
}
