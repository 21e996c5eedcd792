/** The bounces that a person attaches to a message of his own: found, and their verdicts made one. */
import { isMessage, type Part, walkParts } from '#lib/mail/mime.ts'
import type { Verdict, VerdictRecipient } from '#schemas/types.ts'
import { recipientsMax } from './bounce/dsn.ts'
import { bounceByForm, bounceByWords, isByPerson } from './bounce/signs.ts'
import { isStatusPart } from './bounce/status-parts.ts'
import { bounded } from './bounded.ts'
import { readNotification } from './notification.ts'
import { evidenceMax, Sources } from './sources.ts'

/** Of all bounces that one message has attached, without what they return: as much as a hundred take. */
const attachedBytesMax = 512 * 1024
/** As many bytes as a small one counts for: it takes as long to read. */
const attachedBytesMin = 2 * 1024

/** The bounces that a person attaches to a message of his own, in their order, and how many more there are than are read. */
export function attachedBounces(outer: Sources): { readonly bounces: readonly Sources[]; readonly leftOut: number } {
  const none = { bounces: [], leftOut: 0 }
  if (outer.root.children.length === 0 || !isByPerson(outer)) return none
  const attached = outermost(outer.parts().filter((part) => isMessage(part) && part.children[0]))
  if (attached.length === 0) return none
  const isOwn = (part: Part): boolean => !attached.some(({ start, end }) => part.start >= start && part.end <= end)
  if (outer.parts().some((part) => isStatusPart(part) && isOwn(part))) return none
  const bounces: Sources[] = []
  let room = attachedBytesMax
  for (const [index, { children }] of attached.entries()) {
    const [root] = children
    if (root === undefined) continue
    // The first is read whatever its size: a message by itself is so, too.
    if (room <= 0) return { bounces, leftOut: attached.length - index }
    room -= Math.max(attachedBytesMin, bytesWithoutReturned(root))
    const inner = new Sources(outer.bytes, null, root)
    if (readNotification(inner) !== null || bounceByForm(inner) !== null || bounceByWords(inner) !== null)
      bounces.push(inner)
  }
  return { bounces, leftOut: 0 }
}

/** Those of them that are in no other. */
function outermost(parts: readonly Part[]): Part[] {
  let behind = -1
  return parts.filter(({ start, end }) => {
    if (start < behind) return false
    behind = end
    return true
  })
}

const bytesWithoutReturned = (root: Part): number =>
  outermost(walkParts(root).filter((part) => part !== root && isMessage(part))).reduce(
    (bytes, { bodyStart, end }) => bytes - (end - bodyStart),
    root.end - root.start,
  )

/** One verdict of several bounces that came in one message, each recipient once; what is said of the original is that of the first. */
export function merged(verdicts: readonly Verdict[], leftOut: number): Verdict | null {
  const [first] = verdicts
  if (first === undefined || (verdicts.length === 1 && leftOut === 0)) return first ?? null
  const recipients = new Map<string, VerdictRecipient>()
  for (const recipient of verdicts.flatMap((verdict) => verdict.recipients)) {
    const address = recipient.address.toLowerCase()
    if (!recipients.has(address)) recipients.set(address, recipient)
  }
  const variants = new Set(verdicts.map(({ variant }) => variant))
  const text = `${leftOut} attached messages are left out`
  return bounded({
    ...first,
    variant: variants.has('hard') ? 'hard' : variants.size === 1 ? first.variant : 'soft',
    confidence: Math.min(...verdicts.map(({ confidence }) => confidence)),
    recipients: [...recipients.values()].slice(0, recipientsMax),
    evidence: [
      ...(leftOut > 0 ? [{ decided: 'recipient', rule: 'limit:attached', start: 0, end: 0, text }] : []),
      ...verdicts.flatMap(({ evidence }) => evidence),
    ].slice(0, evidenceMax),
  })
}
