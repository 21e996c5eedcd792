/**
 * What one recipient's diagnostic says → a reason in Sisimai's vocabulary, and whether it is for good. Pure; the rules are
 * data: `rules/receivers.json` (what large receivers mean by their own codes), `rules/texts.json` (phrases, first match wins) and
 * `rules/statuses.json` (enhanced status codes).
 *
 * The receiver's own language goes first, then the text, which is more telling than the code: large systems use one code for many
 * things. The code decides where the text says nothing, and wins where the registry is unmistakable. The command that was answered
 * tells whom the words are about: at MAIL the sender, at RCPT the recipient, after the data the message.
 */
import type { Command } from './bounce/command.ts'
import { replyLine } from './bounce/reply.ts'
import { type Doubt, doubtOf } from './doubt.ts'
import { LiteralIndex } from './literals.ts'
import receivers from './rules/receivers.json' with { type: 'json' }
import statuses from './rules/statuses.json' with { type: 'json' }
import texts from './rules/texts.json' with { type: 'json' }
import { asItWas, closed, closedDot, plain, plainWords } from './wording.ts'
import { expression } from './words.ts'

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

export type TextRule = {
  readonly reason: Reason
  readonly pattern: RegExp
  readonly name: string
  /** Only in answer to these; absent: to any. */
  readonly commands: readonly string[] | undefined
  /** Only with these enhanced status codes; absent: with any. */
  readonly statuses: readonly string[] | undefined
  /** An unknown user is one whatever the code and the command are. */
  readonly isCertain: boolean
}

type GivenRule = {
  readonly reason: string
  readonly pattern: string
  readonly command?: readonly string[]
  readonly status?: readonly string[]
  readonly certain?: boolean
}

const compile = (rule: GivenRule, name: string, pattern: RegExp): TextRule => ({
  reason: rule.reason as Reason, // Of reviewed files, which a test checks, or checked by parseRules.
  pattern,
  name,
  commands: rule.command,
  statuses: rule.status,
  isCertain: rule.certain ?? false,
})

/** Those of `rules/texts.json`, in its order. */
export const textRules: readonly TextRule[] = (texts.rules as readonly GivenRule[]).map((rule, index) =>
  compile(rule, `text:${rule.reason}:${index}`, expression(rule.pattern.replaceAll('\\.', `[.${closedDot}]`))),
)

/** Most texts hold the words of few rules: the others are not tried. */
const textIndex = new LiteralIndex(textRules, ({ pattern }) => pattern)

const rulesMax = 1_000
const commandNames: readonly string[] = ['CONN', 'HELO', 'MAIL', 'RCPT', 'DATA']
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')

/**
 * Rules that an operator adds, in the form of `rules/texts.json`; they are tried before ours.
 * @returns the rules, and a line for each thing that is wrong; with any, the rules must not be used
 */
export function parseRules(text: string): {
  readonly rules: readonly TextRule[]
  readonly problems: readonly string[]
} {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch (error) {
    return { rules: [], problems: [`not JSON: ${error instanceof Error ? error.message : String(error)}`] }
  }
  if (!Array.isArray(given) || given.length > rulesMax) {
    return { rules: [], problems: [`expected an array of at most ${rulesMax} rules`] }
  }
  const rules: TextRule[] = []
  const problems: string[] = []
  for (const [index, entry] of given.entries()) {
    const fields: Record<string, unknown> = typeof entry === 'object' && entry !== null ? { ...entry } : {}
    const { reason, pattern, example, command, status } = fields
    const wrong = (what: string): void => void problems.push(`rules[${index}]: ${what}`)
    if (typeof reason !== 'string' || !(reasons as readonly string[]).includes(reason)) {
      wrong(`reason: expected one of ${reasons.join(', ')}`)
    } else if (typeof pattern !== 'string' || typeof example !== 'string') {
      wrong('expected a pattern and an example that it matches')
    } else if (command !== undefined && !(isTexts(command) && command.every((each) => commandNames.includes(each)))) {
      wrong(`command: expected an array of ${commandNames.join(', ')}`)
    } else if (status !== undefined && !isTexts(status)) wrong('status: expected an array of codes like 5.7.1')
    else {
      try {
        const rule = compile(
          { reason, pattern, ...(command && { command }), ...(status && { status }) },
          `own:${index}`,
          new RegExp(pattern, 'iu'),
        )
        if (rule.pattern.test(example)) rules.push(rule)
        else wrong(`the pattern does not match its example ${JSON.stringify(example)}`)
      } catch (error) {
        wrong(`pattern: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  return { rules, problems }
}
const receiverRules = receivers.receivers.map(({ name, host, rules }) => {
  const compiled = (
    rules as readonly { reason: string; pattern: string; command?: string[]; status?: string[]; notice?: boolean }[]
  ).map((rule) => ({
    reason: rule.reason as Reason,
    pattern: expression(rule.pattern),
    name: `receiver:${name}:${rule.reason}`,
    commands: rule.command,
    statuses: rule.status,
    isOfNotice: rule.notice ?? false,
  }))
  return {
    host: expression(host),
    rules: new LiteralIndex(compiled, ({ pattern }) => pattern),
    hasNotice: compiled.some(({ isOfNotice }) => isOfNotice),
  }
})
const receiverIndex = new LiteralIndex(receiverRules, ({ host }) => host)
const byStatus = new Map(Object.entries(statuses.reasons) as [string, Reason][])

/** Trying again with the same address will not help; an operator may say otherwise. */
export const hardReasons: ReadonlySet<string> = new Set(['userunknown', 'hasmoved', 'hostunknown', 'notaccept'])

/** Codes that mean one thing everywhere. */
const unmistakable: ReadonlySet<string> = new Set([
  '5.1.6',
  '5.2.2',
  '4.2.2',
  '5.2.3',
  '5.3.4',
  '5.7.25',
  '5.7.26',
  '4.7.26',
  '5.7.23',
  '4.4.7',
  '5.4.7',
  '5.7.27',
  '5.1.7',
  '5.1.8',
])

/** What speaks of others so often says nothing of the recipient: no more of it is looked at. */
const doubtsMax = 5
/** What a sentence says of others than the recipient, or for a time. */
const reasonOfDoubt: Readonly<Record<Doubt, Reason>> = {
  ofSender: 'rejected',
  ofLogin: 'securityerror',
  ofSystem: 'systemerror',
  ofContent: 'contenterror',
  temporary: 'onhold',
}

export type Diagnosis = {
  readonly action: string
  readonly status: string
  readonly reply: string
  /** The command that was answered. */
  readonly command: Command
  /** Host that refused, if it is known. */
  readonly host: string
  /** X-PowerMTA-BounceCategory. */
  readonly category?: string
  /** What was said, the most telling first: the quoted reply, the notice's words for this recipient, the whole notice. */
  readonly texts: readonly string[]
}

export type FoundReason = {
  readonly reason: Reason
  readonly rule: string
  readonly match: string
  /** Index of the text that decided; -1: none did. */
  readonly text: number
}

const ofContent: ReadonlySet<string> = new Set(['spamdetected', 'virusdetected'])
const without = { match: '', text: -1 } as const

export type ReasonOptions = {
  /** Tried before ours. */
  readonly rules?: readonly TextRule[] | undefined
  /** Told of each rule that is tried. */
  readonly tried?: ((rule: string, matched: boolean) => void) | undefined
}

export function findReason(diagnosis: Diagnosis, { rules = [], tried }: ReasonOptions = {}): FoundReason {
  const { action, status, command } = diagnosis
  // Before DATA nobody has seen the message: what speaks of spam then is about whoever sends it.
  const isUnseen = command !== '' && command !== 'DATA'
  if (action === 'delivered' || action === 'relayed' || action === 'expanded') {
    return { reason: 'delivered', rule: 'action', ...without }
  }
  const [diagnostic = '', words = ''] = diagnosis.texts
  const said = [plain(diagnostic), words === diagnostic ? '' : plainWords(words)]
  const applies = (rule: TextRule): boolean =>
    rule.commands?.includes(command) !== false && rule.statuses?.includes(status) !== false
  const isOfUnseen = ({ reason }: TextRule): boolean => isUnseen && ofContent.has(reason)
  for (const [index, text] of (rules.length === 0 ? [] : diagnosis.texts.map(plain)).entries()) {
    for (const rule of rules) {
      const match = applies(rule) && !isOfUnseen(rule) ? rule.pattern.exec(text) : null
      tried?.(rule.name, match !== null)
      if (match !== null) return { reason: rule.reason, rule: rule.name, match: match[0].slice(0, 200), text: index }
    }
  }
  const ofReceiver = findByCategory(diagnosis) ?? findByReceiver(diagnosis, said, tried)
  if (ofReceiver !== null) return ofReceiver
  const ofStatus = byStatus.get(status)
  if (ofStatus !== undefined && unmistakable.has(status)) {
    return { reason: ofStatus, rule: `status:${status}`, ...without }
  }
  // The whole notice speaks of much; where a code tells enough, it is not asked.
  const isCodeEnough = ofStatus !== undefined && said.some((text) => text !== '')
  if (!isCodeEnough) said.push(...diagnosis.texts.slice(2).map(plainWords))
  /** What would be so, had the command been another: nearer to the truth than the class of a code. */
  let despite: FoundReason | null = null
  /** What somebody else is refused for, where it was not the recipient of whom something hard was said. */
  let doubted: Doubt | null = null
  let doubts = 0
  for (const [index, each] of said.entries()) {
    if (each === '' || doubts >= doubtsMax) continue
    const whole = closed(each)
    const candidates = textIndex.candidates(each)
    // What the remote side answered says more than what is put around it, and what is said first more than what is added.
    const at = replyLine.exec(each)?.index ?? 0
    const paragraphs = at === 0 ? whole.split('\n') : [whole.slice(at), ...whole.split('\n')]
    // The words of a link say less than those around it, and less than a code that is not of policy at large.
    const isLinked = whole.includes('://')
    const unlinked = isLinked ? paragraphs.map((text) => text.replace(linkPath, '$1')) : paragraphs
    const isLinkAsked = isLinked && (ofStatus === undefined || /^.\.7\./.test(status))
    for (const text of isLinkAsked ? [...unlinked, ...paragraphs] : unlinked) {
      /** Without the sentences that speak of others, or of a time: what is hard has to stand in another. */
      let rest = text
      for (const rule of doubts < doubtsMax ? candidates : []) {
        const isHard = hardReasons.has(rule.reason)
        let match = applies(rule) ? rule.pattern.exec(isHard ? rest : text) : null
        while (isHard && match !== null) {
          const doubt = doubtOf(rest, match)
          if (doubt === null) break
          tried?.(`doubt:${doubt.doubt}`, true)
          doubted ??= doubt.doubt
          rest = `${rest.slice(0, doubt.start)}\n${rest.slice(doubt.end)}`
          match = ++doubts < doubtsMax ? rule.pattern.exec(rest) : null
        }
        tried?.(rule.name, match !== null)
        if (match === null) continue
        const told = { rule: rule.name, match: asItWas(match[0], each), text: index }
        if (isOfUnseen(rule)) {
          if (index < 2) despite ??= { reason: rule.reason, ...told }
          continue
        }
        const isDoubtful = rule.reason === 'userunknown' && !rule.isCertain
        // "Recipient rejected" is no filter where the code for an unknown mailbox answers RCPT.
        const isUnknown = rule.reason === 'filtered' && command === 'RCPT' && /^[45]\.1\.1$/.test(status)
        const reason = isUnknown
          ? 'userunknown'
          : isDoubtful
            ? unknownUser(diagnosis, () => rule.pattern.test(ownWords(said)))
            : rule.reason
        return { reason: ofWhom(command, reason), ...told }
      }
    }
  }
  if (despite !== null && (ofStatus === undefined || /^.\.7\./.test(status))) return despite
  if (ofStatus !== undefined) return { reason: ofWhom(command, ofStatus), rule: `status:${status}`, ...without }
  if (doubted !== null) return { reason: reasonOfDoubt[doubted], rule: `doubt:${doubted}`, ...without }
  if (/^[45]\.7\.\d+$/.test(status)) return { reason: 'securityerror', rule: 'status:x.7', ...without }
  if (/^[45]\.6\.\d+$/.test(status)) return { reason: 'contenterror', rule: 'status:x.6', ...without }
  if (action === 'delayed') return { reason: 'expired', rule: 'action', ...without }
  if (command === 'CONN' || command === 'HELO') return { reason: 'blocked', rule: 'command', ...without }
  if (command === 'MAIL') return { reason: 'rejected', rule: 'command', ...without }
  return { reason: (said[0] ?? '') === '' && diagnosis.reply === '' ? 'undefined' : 'onhold', rule: 'none', ...without }
}

const linkPath = /\b(https?:\/\/[^\s/]{1,255})\/\S*/gi

/** Before RCPT no recipient has been named: the address or domain that is unknown, or refused, is the sender's; before MAIL it is the client. */
function ofWhom(command: Command, reason: Reason): Reason {
  if (command === 'MAIL' && (ofMailbox.has(reason) || reason === 'hostunknown')) return 'rejected'
  return (command === 'CONN' || command === 'HELO') && ofMailbox.has(reason) ? 'blocked' : reason
}
const ofMailbox: ReadonlySet<Reason> = new Set(['userunknown', 'filtered'])

/**
 * "User unknown" in answer to RCPT, or with the code for it, means what it says. After the data it is what a filter says, and so
 * it may be where a remote reply is quoted and neither the code nor the command nor the reporting system's own words bear it out:
 * the mailbox may exist.
 */
function unknownUser({ status, command, reply }: Diagnosis, isBorneOut: () => boolean): Reason {
  if (command === 'RCPT' || /^[45]\.1\.(?:1|10|3|0)$/.test(status)) return 'userunknown'
  if (command === 'DATA' || /^5\.2\.[01]$/.test(status)) return 'filtered'
  return reply !== '' && (status === '' || status === '5.0.0') && !isBorneOut() ? 'filtered' : 'userunknown'
}

/** What the notice says beside a reply that a report quotes; empty: nothing of its own. */
const ownWords = ([diagnostic = '', words = '']: readonly string[]): string =>
  diagnostic === '' || /(?:^|[\s<(:'"])[45]\d\d[ -]/.test(words) ? '' : words

/** Categories of PowerMTA (user's guide, "Bounce categories") that say more than "other". */
const categories: Readonly<Record<string, Reason>> = {
  'bad-mailbox': 'userunknown',
  'bad-domain': 'hostunknown',
  'inactive-mailbox': 'suspend',
  'quota-issues': 'mailboxfull',
  'message-expired': 'expired',
  'no-answer-from-host': 'networkerror',
  'bad-connection': 'networkerror',
  'routing-errors': 'networkerror',
  'spam-related': 'spamdetected',
  'virus-related': 'virusdetected',
  'content-related': 'contenterror',
  'policy-related': 'policyviolation',
  'relaying-issues': 'norelaying',
  'invalid-sender': 'rejected',
  'protocol-errors': 'syntaxerror',
}

function findByCategory({ category }: Diagnosis): FoundReason | null {
  const reason = category === undefined ? undefined : categories[category.toLowerCase()]
  return reason === undefined ? null : { reason, rule: `powermta:${category}`, ...without }
}

function findByReceiver(
  { host, command, status, texts: all }: Diagnosis,
  said: readonly string[],
  tried: ReasonOptions['tried'],
): FoundReason | null {
  const named = [host, ...said].join(' ')
  for (const receiver of receiverIndex.candidates(named)) {
    if (!receiver.host.test(named)) continue
    // What such a rule is about, the notice says once for all of its recipients.
    for (const [index, text] of (receiver.hasNotice ? [...said, plainWords(all[2] ?? '')] : said).entries()) {
      for (const { reason, pattern, name, commands, statuses, isOfNotice } of receiver.rules.candidates(text)) {
        if (commands?.includes(command) === false || statuses?.includes(status) === false) continue
        if (index === 2 && !isOfNotice) continue
        const match = pattern.exec(text)
        tried?.(name, match !== null)
        if (match !== null) return { reason, rule: name, match: match[0].slice(0, 200), text: index }
      }
    }
  }
  return null
}

/** Hard or soft, from the reason, the action and the code. */
export function isPermanent(
  reason: string,
  diagnosis: Pick<Diagnosis, 'action' | 'status' | 'reply'>,
  hard: ReadonlySet<string> = hardReasons,
): boolean {
  if (!hard.has(reason) || diagnosis.action === 'delayed') return false
  // With a temporary code "user unknown" is greylisting or a lookup that failed, and who takes no mail may take it later.
  const isTemporary = diagnosis.reply.startsWith('4') && !diagnosis.status.startsWith('5')
  return !(isTemporary && (reason === 'userunknown' || reason === 'notaccept'))
}
