/** Retention classes: kind and variant → class → days, and the lifecycle rules that follow from them. Pure. */
import { type LifecycleRule, lifecyclePrefix } from '#lib/objects/objects.ts'
import type { Verdict } from '#schemas/types.ts'

export type RetentionEntry = {
  readonly kind: string
  readonly variant: string
  readonly class: string
  readonly days: number
}
export type Retention = readonly RetentionEntry[]

export const defaultRetention: Retention = [
  { kind: 'bounce', variant: 'delayed', class: 'short', days: 30 },
  { kind: 'bounce', variant: '*', class: 'bounces', days: 90 },
  { kind: 'auto-reply', variant: '*', class: 'short', days: 30 },
  { kind: 'complaint', variant: '*', class: 'proof', days: 365 },
  { kind: 'opt-out', variant: '*', class: 'proof', days: 365 },
  { kind: '*', variant: '*', class: 'other', days: 180 },
]

/** Checks what a person wrote; null: not of that form. */
export function parseRetention(value: unknown): Retention | null {
  if (!Array.isArray(value) || value.length === 0 || value.length > 100) return null
  const days = new Map<string, number>()
  for (const entry of value) {
    if (typeof entry !== 'object' || entry === null) return null
    const { kind, variant, class: name, days: count } = entry
    if (typeof kind !== 'string' || typeof variant !== 'string' || typeof name !== 'string') return null
    if (!/^[a-z0-9][a-z0-9-]{0,30}$/.test(name) || !Number.isInteger(count) || count < 1 || count > 3_650) return null
    if ((days.get(name) ?? count) !== count) return null
    days.set(name, count)
  }
  const last = value.at(-1)
  return last.kind === '*' && last.variant === '*' ? value : null
}

export function retentionOf(retention: Retention, verdict: Pick<Verdict, 'kind' | 'variant'>): RetentionEntry {
  const entry = retention.find(
    (candidate) =>
      (candidate.kind === '*' || candidate.kind === verdict.kind) &&
      (candidate.variant === '*' || candidate.variant === verdict.variant),
  )
  if (entry === undefined) throw new Error('the last entry of the retention table fits any message')
  return entry
}

const dayMs = 86_400_000

export const classPrefix = (name: string): string => `quarantine/${name}/`
export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

/**
 * When the index stops showing a message: a bucket counts days from the upload, which is never before the message was
 * received, so at that instant the store still has it.
 */
export const expiresAt = (receivedAt: number, days: number): number => receivedAt + days * dayMs

/**
 * A rule for each class; claims live as long as the longest, and a day more, since they are stored before the segment that
 * names them.
 */
export function lifecycleRules(retention: Retention): LifecycleRule[] {
  const classes = new Map(retention.map((entry) => [entry.class, entry.days]))
  const longest = Math.max(...classes.values())
  return [
    ...[...classes].map(([name, days]) => ({ id: `${lifecyclePrefix}${name}`, prefix: classPrefix(name), days })),
    { id: `${lifecyclePrefix}claims`, prefix: 'claims/', days: longest + 1 },
  ]
}
