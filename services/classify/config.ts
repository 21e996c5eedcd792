/** Settings of classify. */
import { readFileSync } from 'node:fs'
import { describeError } from '#lib/runtime/errors.ts'
import * as setting from '#lib/runtime/settings.ts'
import type { ClassifyOptions } from './classify.ts'
import { parseRules, reasons } from './reason.ts'

export const classifySettings = {
  optOutAddresses: setting.list('OPT_OUT_ADDRESSES', ['unsubscribe', 'unsub', 'optout', 'opt-out', 'leave'], {
    meaning:
      'local-parts that take opt-outs, in front of the @ or of a + - = or digit (the mailto of List-Unsubscribe); a whole address stands for itself',
    expected: 'local-part[,local-part…]',
    item: /^[^\s,<>]+$/,
  }),
  addressPatterns: setting.patterns('ADDRESS_PATTERNS', {
    meaning:
      'regular expressions of our own reverse-paths, with the named groups recipient (= or @ in it), campaign and customer; VERP, SRS and BATV are known without',
    expected: 'a JSON array of regular expressions, for example ["^b-(?<campaign>\\d+)-(?<recipient>[^@]+=[^@]+)@"]',
    fits: ({ source }) => /\(\?<(?:recipient|campaign|customer)>/.test(source),
  }),
  originalFields: setting.list('ORIGINAL_FIELDS', [], {
    meaning: 'further header fields of the returned message that the verdict carries, by their names in lower case',
    expected: 'name[,name…], for example x-customer-id',
    item: /^[!-9;-~]{1,80}$/,
  }),
  hardReasons: setting.list('HARD_REASONS', ['userunknown', 'hasmoved', 'hostunknown', 'notaccept'], {
    meaning: 'reasons that are for good: trying again with the same address will not help',
    expected: 'reason[,reason…]',
    item: /^[a-z]+$/,
  }),
  reasonRules: setting.optionalText('REASON_RULES', {
    meaning: 'file of rules of your own for reasons, JSON, tried before ours: docs/classify.md; absent: there are none',
  }),
  classifyWindow: setting.integer('CLASSIFY_WINDOW', 500, {
    unit: 'messages',
    min: 1,
    max: 100_000,
    meaning: 'messages in flight for each partition',
  }),
  classifyThreads: setting.integer('CLASSIFY_THREADS', 0, {
    unit: 'threads',
    min: 0,
    max: 64,
    meaning: 'threads that classify; 0: the thread that reads and writes does it; 1 with npm start',
  }),
  classifyWindowBytes: setting.integer('CLASSIFY_WINDOW_BYTES', 33_554_432, {
    unit: 'bytes',
    min: 1_048_576,
    max: 4_294_967_296,
    meaning: 'bytes in flight for each partition',
  }),
} as const

export type ClassifyConfig = setting.Values<typeof classifySettings>

/**
 * The classifier's options as they are set.
 * @throws {Error} the rules cannot be read: to go without them would be other verdicts, and nobody told
 */
export const classifyOptions = (
  config: Pick<
    ClassifyConfig,
    'optOutAddresses' | 'addressPatterns' | 'originalFields' | 'hardReasons' | 'reasonRules'
  >,
): ClassifyOptions => {
  const { rules, problems } = readRules(config.reasonRules)
  if (problems.length > 0) throw new Error(`REASON_RULES: ${problems[0]}`)
  return {
    optOutAddresses: optOutPatterns(config.optOutAddresses),
    addressPatterns: config.addressPatterns,
    originalFields: config.originalFields,
    hardReasons: new Set(config.hardReasons),
    rules,
  }
}

function readRules(path: string | null): ReturnType<typeof parseRules> {
  if (path === null) return { rules: [], problems: [] }
  try {
    return parseRules(readFileSync(path, 'utf8'))
  } catch (error) {
    return { rules: [], problems: [`${path} cannot be read: ${describeError(error)}`] }
  }
}

/** Rules of these settings. */
export const checkClassify = (
  config: Pick<ClassifyConfig, 'hardReasons' | 'reasonRules'>,
): readonly setting.Problem[] => [
  ...checkHardReasons(config),
  ...readRules(config.reasonRules).problems.map((problem) => ({
    variable: 'REASON_RULES',
    line: `REASON_RULES=${JSON.stringify(config.reasonRules)}: ${problem}`,
  })),
]

const checkHardReasons = ({ hardReasons }: Pick<ClassifyConfig, 'hardReasons'>): readonly setting.Problem[] => {
  const unknown = hardReasons.filter((reason) => !(reasons as readonly string[]).includes(reason))
  return unknown.length === 0
    ? []
    : [
        {
          variable: 'HARD_REASONS',
          line: `HARD_REASONS: ${unknown.join(', ')}: expected reasons: ${reasons.join(', ')}`,
        },
      ]
}

/** `unsubscribe` matches unsubscribe@, unsubscribe+token@, unsubscribe-123@; an address matches itself. */
export const optOutPatterns = (addresses: readonly string[]): RegExp[] =>
  addresses.map((address) => {
    const literal = address.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    return new RegExp(address.includes('@') ? `^${literal}$` : `^(?:[^@]*[-_.+=])?${literal}(?:[-_.+=0-9][^@]*)?@`, 'i')
  })
