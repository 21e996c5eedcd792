/**
 * What a verdict means for an address: the policy as a pure function from a state and an event to the next state. Hard bounces,
 * complaints and opt-outs suppress at once; soft ones after so many in so many days, and fade; what is delayed, automatic or a challenge
 * never counts. A state that a person lifted comes back only by mail that is newer than the lifting.
 */
import type { Event, Suppression } from '#schemas/types.ts'

export type Policy = {
  /** Days that a suppression holds; 0: no end. Null: such mail does not suppress. */
  readonly hard: number | null
  readonly complaint: number | null
  readonly optOut: number | null
  readonly soft: { readonly count: number; readonly days: number; readonly holds: number } | null
}

export const defaultPolicy: Policy = { hard: 0, complaint: 0, optOut: 0, soft: { count: 5, days: 14, holds: 30 } }

const isDays = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 3_650

/** Checks what a person wrote; null: not of that form. */
export function parsePolicy(value: unknown): Policy | null {
  if (typeof value !== 'object' || value === null) return null
  const { hard, complaint, optOut, soft } = value as Record<string, unknown>
  for (const days of [hard, complaint, optOut]) if (days !== null && !isDays(days)) return null
  if (soft !== null) {
    if (typeof soft !== 'object') return null
    const { count, days, holds } = soft as Record<string, unknown>
    if (!isDays(count) || count < 1 || !isDays(days) || days < 1 || !isDays(holds)) return null
  }
  return value as Policy
}

const dayMs = 86_400_000
const evidenceMax = 20

export type Cause = 'hard-bounce' | 'soft-bounces' | 'complaint' | 'opt-out' | 'person'

/** What an event says of each address that it names; nothing where it must not count. */
export function causesOf(
  event: Pick<Event, 'type' | 'kind' | 'variant' | 'recipients'>,
): { readonly address: string; readonly cause: Cause }[] {
  if (event.type !== 'classified') return []
  const all = (cause: Cause) =>
    event.recipients
      .filter(({ address }) => address.includes('@'))
      .map(({ address }) => ({ address: address.toLowerCase(), cause }))
  if (event.kind === 'complaint') return all('complaint')
  if (event.kind === 'opt-out') return all('opt-out')
  if (
    event.kind !== 'bounce' ||
    event.variant === 'delayed' ||
    event.variant === 'delivered' ||
    event.variant === 'relayed'
  )
    return []
  return event.recipients
    .filter(({ address, reason }) => address.includes('@') && reason !== 'delivered')
    .map(({ address, permanent }) => ({
      address: address.toLowerCase(),
      cause: permanent ? 'hard-bounce' : 'soft-bounces',
    }))
}

/** Whether an address must not be written to at a time. */
export const isSuppressed = ({ state, until }: Suppression, now: number): boolean =>
  state === 'suppressed' && (until === 0 || until > now)

/** Null: nothing changes. */
export function next(
  known: Suppression | null,
  { address, cause, messageId, at }: { address: string; cause: Cause; messageId: string; at: number },
  policy: Policy,
): Suppression | null {
  if (known !== null && (known.evidence.includes(messageId) || (known.state === 'lifted' && at <= known.since)))
    return null
  const holds = cause === 'hard-bounce' ? policy.hard : cause === 'complaint' ? policy.complaint : policy.optOut
  const isKept =
    known !== null &&
    known.state === 'suppressed' &&
    known.cause !== 'soft-bounces' &&
    (known.until === 0 || known.until > at)
  const evidence = [messageId, ...(known === null || known.state === 'lifted' ? [] : known.evidence)].slice(
    0,
    evidenceMax,
  )
  if (cause === 'soft-bounces') {
    if (policy.soft === null || isKept) return null
    const { count: needed, days, holds: held } = policy.soft
    const isGoing =
      known !== null && known.cause === 'soft-bounces' && known.state !== 'lifted' && at - known.since <= days * dayMs
    const count = isGoing ? known.count + 1 : 1
    const since = isGoing ? known.since : at
    const state = count >= needed ? 'suppressed' : 'watched'
    const until = state === 'suppressed' ? (held === 0 ? 0 : at + held * dayMs) : since + days * dayMs
    return { address, state, cause, since, until, count, evidence: isGoing ? evidence : [messageId], note: '' }
  }
  if (holds === null) return null
  return {
    address,
    state: 'suppressed',
    cause: isKept && known.cause === 'complaint' ? 'complaint' : cause,
    since: isKept ? known.since : at,
    until: holds === 0 ? 0 : at + holds * dayMs,
    count: isKept ? known.count + 1 : 1,
    evidence,
    note: '',
  }
}

/** A person's word: the address is suppressed, or may be written to again. */
export const byPerson = (
  known: Suppression | null,
  given: { address: string; state: 'suppressed' | 'lifted'; at: number; note: string },
): Suppression => ({
  address: given.address,
  state: given.state,
  cause: 'person',
  since: given.at,
  until: 0,
  count: known?.count ?? 0,
  evidence: known?.evidence ?? [],
  note: given.note.slice(0, 500),
})
