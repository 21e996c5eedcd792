/**
 * What one recipient's diagnostic says → a reason in Sisimai's vocabulary, and whether it is for good. Pure; the rules are
 * data: `rules/texts.json` (phrases, first match wins) and `rules/statuses.json` (enhanced status codes).
 *
 * The text is more telling than the code: large systems use one code for many things. The code decides where the text
 * says nothing, and wins where both it and the registry are unmistakable.
 */
import statuses from './rules/statuses.json' with { type: 'json' }
import texts from './rules/texts.json' with { type: 'json' }

export const reasons = [
  'authfailure',
  'badreputation',
  'blocked',
  'contenterror',
  'delivered',
  'exceedlimit',
  'expired',
  'feedback',
  'filtered',
  'hasmoved',
  'hostunknown',
  'mailboxfull',
  'mailererror',
  'mesgtoobig',
  'networkerror',
  'norelaying',
  'notaccept',
  'notcompliantrfc',
  'onhold',
  'policyviolation',
  'rejected',
  'requireptr',
  'securityerror',
  'spamdetected',
  'speeding',
  'suspend',
  'syntaxerror',
  'systemerror',
  'systemfull',
  'toomanyconn',
  'undefined',
  'userunknown',
  'vacation',
  'virusdetected',
] as const
export type Reason = (typeof reasons)[number]

type TextRule = { readonly reason: Reason; readonly pattern: RegExp; readonly name: string }

// The file is reviewed and a test checks that each reason is one of ours.
const textRules: readonly TextRule[] = texts.rules.map((rule, index) => ({
  reason: rule.reason as Reason,
  pattern: new RegExp(rule.pattern, 'iu'),
  name: `text:${rule.reason}:${index}`,
}))
const byStatus = new Map(Object.entries(statuses.reasons) as [string, Reason][])

/** Trying again with the same address will not help. */
const permanentReasons: ReadonlySet<Reason> = new Set(['userunknown', 'hasmoved', 'hostunknown', 'notaccept'])

/** Codes that mean one thing everywhere. */
const unmistakable: ReadonlySet<string> = new Set([
  '5.1.10',
  '5.1.6',
  '5.2.2',
  '4.2.2',
  '5.3.4',
  '5.4.6',
  '5.7.25',
  '5.7.26',
  '4.7.26',
  '5.7.23',
  '4.4.7',
  '5.4.7',
  '5.7.27',
])

export type Diagnosis = {
  readonly action: string
  readonly status: string
  readonly reply: string
  readonly diagnostic: string
}

const textMax = 4_000

export function findReason(diagnosis: Diagnosis): { reason: Reason; rule: string; match: string } {
  if (diagnosis.action === 'delivered' || diagnosis.action === 'relayed' || diagnosis.action === 'expanded') {
    return { reason: 'delivered', rule: 'action', match: '' }
  }
  const statusReason = byStatus.get(diagnosis.status)
  if (statusReason !== undefined && unmistakable.has(diagnosis.status)) {
    return { reason: statusReason, rule: `status:${diagnosis.status}`, match: '' }
  }
  const text = diagnosis.diagnostic.slice(0, textMax).replace(/\s+/g, ' ')
  for (const rule of textRules) {
    const match = rule.pattern.exec(text)
    if (match !== null) return { reason: rule.reason, rule: rule.name, match: match[0] }
  }
  if (statusReason !== undefined) return { reason: statusReason, rule: `status:${diagnosis.status}`, match: '' }
  if (diagnosis.action === 'delayed') return { reason: 'expired', rule: 'action', match: '' }
  return { reason: text === '' || diagnosis.reply === '' ? 'onhold' : 'undefined', rule: 'none', match: '' }
}

/** Hard or soft, from the reason, the action and the code. */
export function isPermanent(reason: Reason, diagnosis: Pick<Diagnosis, 'action' | 'status' | 'reply'>): boolean {
  if (!permanentReasons.has(reason) || diagnosis.action === 'delayed') return false
  // "User unknown" with a temporary code is greylisting or a lookup that failed.
  return !(reason === 'userunknown' && diagnosis.reply.startsWith('4') && !diagnosis.status.startsWith('5'))
}
