/**
 * JSON lines through pino. Each line has a stable `event`, fields with the house's names, and a short sentence that is
 * never built from data. Message bodies are never logged; addresses are cut to their domain unless a setting asks otherwise.
 */
import { type Logger as PinoLogger, pino } from 'pino'

export type Logger = PinoLogger

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

export function createLogger(options: { level: LogLevel; service: string; destination?: 'stdout' | 'stderr' }): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: serializeError },
    },
    pino.destination({ dest: options.destination === 'stdout' ? 1 : 2, sync: true }),
  )
}

export const silentLogger: Logger = pino({ level: 'silent' })

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return String(error)
  return {
    message: error.message,
    ...('code' in error ? { code: error.code } : {}),
    ...('fields' in error ? { fields: jsonSafe(error.fields) } : {}),
    ...(error.cause === undefined ? {} : { cause: serializeError(error.cause) }),
    stack: error.stack?.split('\n').slice(1, 6).join('\n'),
  }
}

const jsonSafe = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? Number(inner) : inner)) ?? 'null')

/** The part of an address that may be logged by default: its domain. */
export const addressForLog = (address: string): string => {
  const at = address.lastIndexOf('@')
  return at < 0 ? (address === '' ? '<>' : '…') : `…${address.slice(at)}`
}
