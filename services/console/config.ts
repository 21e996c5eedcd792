/** Settings of the console. */
import { isLoopbackHost } from '#lib/runtime/listen.ts'
import * as setting from '#lib/runtime/settings.ts'
import { defaultPolicy, parsePolicy } from './suppressions/policy.ts'

/** What a line of a log looks like that tells of a suppression, where nobody said it otherwise. */
export const defaultAuditLog =
  '^(?<at>\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d\\S*)?.*?\\b(?:suppress|unsubscrib|blacklist|blocklist|deactivat|opted? ?out)\\w*\\b.*?(?<address>[^\\s<>"\'(),;:=]{1,64}@[\\w.-]{1,255})(?:.*?\\breason[=: ]+"?(?<reason>[^",;]{1,100}))?'

export const consoleSettings = {
  consoleListen: setting.listen('CONSOLE_LISTEN', '127.0.0.1:8080', { meaning: 'page, API, health and metrics' }),
  consoleConnectionsMax: setting.integer('CONSOLE_CONNECTIONS_MAX', 256, {
    min: 1,
    max: 100_000,
    meaning: 'connections at once; more are closed',
  }),
  consoleToken: setting.text('CONSOLE_TOKEN', '', {
    meaning:
      'whoever asks for the page or the API has to know it (Bearer, or the password of Basic); needed where CONSOLE_LISTEN is not on loopback',
    secret: true,
  }),
  consoleTokens: setting.json('CONSOLE_TOKENS', '[]', {
    meaning: 'further tokens with a role: viewer (reads), operator (changes, too) or admin; CONSOLE_TOKEN is an admin',
    expected: 'a JSON array of {"name", "role", "token"}, each token of 16 characters or more',
    check: parseTokens,
    secret: true,
  }),
  suppressionPolicy: setting.json('SUPPRESSION_POLICY', JSON.stringify(defaultPolicy), {
    meaning:
      'what suppresses an address, and for how many days (0: no end; null: it does not); soft bounces after "count" of them in "days"',
    expected: '{"hard": days, "complaint": days, "optOut": days, "soft": {"count", "days", "holds"}}',
    check: parsePolicy,
  }),
  auditLog: setting.pattern('AUDIT_LOG_PATTERN', defaultAuditLog, {
    meaning:
      'a line of the log of the legacy system that suppresses an address: a regular expression with the named group address, and if there are any at and reason; what it does not fit is passed over',
    expected: 'a regular expression with the named group address',
    fits: (pattern) => pattern.source.includes('(?<address>'),
  }),
  consoleDays: setting.integer('CONSOLE_DAYS', 30, {
    unit: 'days',
    min: 1,
    max: 3_650,
    meaning: 'how long the console remembers a message; mail.events has to be kept as long',
  }),
  consoleMessagesMax: setting.integer('CONSOLE_MESSAGES_MAX', 5_000_000, {
    unit: 'messages',
    min: 1_000,
    max: 1_000_000_000,
    meaning: 'and how many messages; the oldest go first, their counts stay',
  }),
} as const

export type Role = 'viewer' | 'operator' | 'admin'
export type Token = { readonly name: string; readonly role: Role; readonly token: string }

function parseTokens(value: unknown): readonly Token[] | null {
  if (!Array.isArray(value) || value.length > 1_000) return null
  for (const entry of value) {
    const { name, role, token } = (entry ?? {}) as Record<string, unknown>
    if (typeof name !== 'string' || typeof token !== 'string' || !/^\S{16,}$/.test(token)) return null
    if (role !== 'viewer' && role !== 'operator' && role !== 'admin') return null
  }
  return value
}

export type ConsoleConfig = setting.Values<typeof consoleSettings> & { readonly otlpEndpoint: string | null }

export function checkConsole(values: ConsoleConfig): readonly setting.Problem[] {
  return [...checkToken(values), ...checkEndpoint(values)]
}

function checkEndpoint({ otlpEndpoint }: ConsoleConfig): readonly setting.Problem[] {
  if (otlpEndpoint === null || (/^https?:\/\/\S+$/.test(otlpEndpoint) && URL.canParse(otlpEndpoint))) return []
  const variable = 'OTEL_EXPORTER_OTLP_ENDPOINT'
  return [{ variable, line: `${variable}=${JSON.stringify(otlpEndpoint)}: expected http://… or https://…` }]
}

/** A console that others can reach shows people's mail: it has to ask for a token. */
function checkToken(values: ConsoleConfig): readonly setting.Problem[] {
  if (values.consoleToken !== '' && !/^\S{16,}$/.test(values.consoleToken)) {
    return [
      { variable: 'CONSOLE_TOKEN', line: 'CONSOLE_TOKEN=(hidden): expected 16 characters or more, and no blanks' },
    ]
  }
  if (values.consoleToken === '' && values.consoleTokens.length === 0 && !isLoopbackHost(values.consoleListen.host)) {
    return [
      {
        variable: 'CONSOLE_TOKEN',
        line: `CONSOLE_TOKEN is not set with CONSOLE_LISTEN on ${values.consoleListen.host}: expected a secret of 16 characters or more, because everybody's mail would be readable from outside`,
      },
    ]
  }
  return []
}
