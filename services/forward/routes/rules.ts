/** The table of routes: what it may say, and which messages a route takes. Pure. */
import type { Envelope, Verdict } from '#schemas/types.ts'

export type WebhookTarget = {
  readonly kind: 'webhook'
  readonly url: string
  /** Key of the signature; empty: none. */
  readonly secret: string
  /** Messages in one POST, and how long the first of them waits for the rest; null: one POST for each. */
  readonly batch: { readonly count: number; readonly ms: number } | null
}

export type SmtpTarget = {
  readonly kind: 'smtp'
  readonly hosts: readonly string[]
  /** Empty: those of the envelope. */
  readonly recipients: readonly string[]
}

export type Route = {
  readonly name: string
  /** Patterns by condition: each condition has to hold, by any of its patterns. */
  readonly when: Readonly<Partial<Record<Condition, readonly string[]>>>
  readonly to: WebhookTarget | SmtpTarget
}

export const conditions = ['kind', 'variant', 'reason', 'recipient', 'campaign'] as const
export type Condition = (typeof conditions)[number]

/** The consumer group of a route. */
export const routeGroup = (name: string): string => `route-${name}`

export type RoutedMessage = { readonly envelope: Envelope; readonly verdict: Verdict }

const routesMax = 100

/**
 * Reads the table.
 * @returns the routes, and a line for each thing that is wrong; with any, the routes must not be used
 */
export function parseRoutes(text: string): { readonly routes: readonly Route[]; readonly problems: readonly string[] } {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch (error) {
    return { routes: [], problems: [`not JSON: ${error instanceof Error ? error.message : String(error)}`] }
  }
  if (!Array.isArray(given) || given.length > routesMax) {
    return { routes: [], problems: [`expected an array of at most ${routesMax} routes`] }
  }
  const problems: string[] = []
  const names = new Set<string>()
  const routes = given.map((entry: unknown, index): Route => {
    const at = `routes[${index}]`
    const wrong = (field: string, expected: string): void =>
      void problems.push(`${at}${field === '' ? '' : `.${field}`}: expected ${expected}`)
    const fields = objectOf(entry)
    if (fields === null) wrong('', 'an object with name, when and to')
    for (const key of Object.keys(fields ?? {})) {
      if (!['name', 'when', 'to'].includes(key)) wrong(key, 'no such field: name, when and to')
    }
    const name = String(fields?.['name'] ?? '')
    if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(name)) wrong('name', 'lower-case letters, digits and hyphens, at most 40')
    else if (names.has(name)) wrong('name', `another name than ${name}, which an earlier route has`)
    names.add(name)
    return { name, when: parseWhen(fields?.['when'] ?? {}, wrong), to: parseTarget(fields?.['to'], wrong) }
  })
  return { routes, problems }
}

type Wrong = (field: string, expected: string) => void

function parseWhen(given: unknown, wrong: Wrong): Route['when'] {
  const fields = objectOf(given)
  if (fields === null) {
    wrong('when', `an object of ${conditions.join(', ')}`)
    return {}
  }
  const when: Partial<Record<Condition, readonly string[]>> = {}
  for (const [key, value] of Object.entries(fields)) {
    const condition = conditions.find((each) => each === key)
    const patterns = typeof value === 'string' ? [value] : value
    if (condition === undefined) wrong(`when.${key}`, `one of ${conditions.join(', ')}`)
    else if (!isTexts(patterns) || patterns.length === 0) wrong(`when.${key}`, 'a pattern, or an array of patterns')
    else when[condition] = patterns
  }
  return when
}

function parseTarget(given: unknown, wrong: Wrong): Route['to'] {
  const nowhere: WebhookTarget = { kind: 'webhook', url: '', secret: '', batch: null }
  const fields = objectOf(given)
  if (fields === null || 'webhook' in fields === 'smtp' in fields) {
    wrong('to', 'an object with either webhook or smtp')
    return nowhere
  }
  const known = 'webhook' in fields ? ['webhook', 'secret', 'batch'] : ['smtp', 'recipients']
  for (const key of Object.keys(fields)) if (!known.includes(key)) wrong(`to.${key}`, `one of ${known.join(', ')}`)
  if ('smtp' in fields) {
    const hosts = typeof fields['smtp'] === 'string' ? [fields['smtp']] : fields['smtp']
    const recipients = fields['recipients'] ?? []
    if (!isTexts(hosts) || hosts.length === 0 || !hosts.every((host) => /^smtps?:\/\/[^/\s]+$/.test(host))) {
      wrong('to.smtp', 'smtp://host:port, or an array of such')
      return nowhere
    }
    if (!isTexts(recipients) || !recipients.every((address) => /^[^\s<>]+@[^\s<>]+$/.test(address))) {
      wrong('to.recipients', 'an array of addresses')
      return nowhere
    }
    return { kind: 'smtp', hosts, recipients }
  }
  const url = String(fields['webhook'])
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) wrong('to.webhook', 'an address of http or https')
  const secret = fields['secret'] ?? ''
  if (typeof secret !== 'string') wrong('to.secret', 'text')
  const batch = fields['batch'] === undefined ? null : objectOf(fields['batch'])
  if (fields['batch'] !== undefined) {
    const isBetween = (value: unknown, min: number, max: number): boolean =>
      Number.isInteger(value) && Number(value) >= min && Number(value) <= max
    if (!isBetween(batch?.['count'], 1, 1_000) || !isBetween(batch?.['ms'], 1, 60_000)) {
      wrong('to.batch', 'an object with count (1 to 1000) and ms (1 to 60000)')
    }
  }
  return {
    kind: 'webhook',
    url,
    secret: String(secret),
    batch: batch === null ? null : { count: Number(batch['count']), ms: Number(batch['ms']) },
  }
}

const objectOf = (value: unknown): Record<string, unknown> | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string' && each !== '')

/** Why a route does not take a message; null: it does. */
export function mismatch(route: Route, message: RoutedMessage): string | null {
  for (const condition of conditions) {
    const patterns = route.when[condition]
    if (patterns === undefined) continue
    const values = valuesOf(condition, message)
    if (patterns.some((pattern) => values.some((value) => fits(pattern, value)))) continue
    const has = values.length === 0 ? 'is not known' : `is ${values.join(', ')}`
    return `${condition} ${has}, not ${patterns.join(' or ')}`
  }
  return null
}

function valuesOf(condition: Condition, { envelope, verdict }: RoutedMessage): string[] {
  const values: Record<Condition, () => readonly string[]> = {
    kind: () => [verdict.kind],
    variant: () => [verdict.variant],
    reason: () => verdict.recipients.map(({ reason }) => reason),
    recipient: () => [
      ...verdict.recipients.flatMap(({ address, originalAddress }) => [address, originalAddress]),
      ...envelope.forwardPaths.map(({ address }) => address),
    ],
    campaign: () => [verdict.original['campaign'] ?? ''],
  }
  return [...new Set(values[condition]().filter((value) => value !== ''))]
}

/** `*` stands for any text; upper and lower case are the same. */
function fits(pattern: string, value: string): boolean {
  const [first = '', ...rest] = pattern.toLowerCase().split('*')
  let left = value.toLowerCase()
  if (rest.length === 0) return left === first
  if (!left.startsWith(first)) return false
  left = left.slice(first.length)
  const last = rest.pop() ?? ''
  for (const part of rest) {
    const at = left.indexOf(part)
    if (at < 0) return false
    left = left.slice(at + part.length)
  }
  return left.length >= last.length && left.endsWith(last)
}
