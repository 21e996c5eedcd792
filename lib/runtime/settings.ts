/**
 * Settings: each is declared once, with its kind, bounds, default and meaning. The parser, the types, `mailweir config`,
 * `docs/CONFIGURATION.md` and the line printed at start all come from that declaration.
 *
 * They are read from the environment, or from a file of `NAME=value` lines; the environment wins. All problems are
 * reported together. Nobody but the command line reads `process.env`.
 */
import { readFileSync } from 'node:fs'
import { MailweirError } from './errors.ts'

export type ListenAddress = { readonly host: string; readonly port: number }

export type Setting<T> = {
  readonly variable: string
  readonly type: string
  readonly unit: string
  readonly meaning: string
  /** As a person would write it; null: none, the value is then `null` or the setting is required. */
  readonly fallback: string | null
  readonly required: boolean
  /** Secrets are never printed. */
  readonly secret: boolean
  readonly expected: string
  parse(text: string): { readonly value: T } | null
}

export type Settings = Readonly<Record<string, Setting<unknown>>>
export type Values<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never }

export type Problem = { readonly variable: string; readonly line: string }

export class SettingsError extends MailweirError {
  readonly problems: readonly Problem[]
  constructor(command: string, problems: readonly Problem[]) {
    const count = problems.length === 1 ? '1 setting is wrong' : `${problems.length} settings are wrong`
    super('SETTINGS_WRONG', [`${command}: ${count}`, ...problems.map((problem) => `  ${problem.line}`)].join('\n'))
    this.problems = problems
  }
}

type Options = { readonly meaning: string; readonly secret?: boolean }

function declare<T>(
  variable: string,
  type: string,
  unit: string,
  expected: string,
  fallback: string | null,
  required: boolean,
  options: Options,
  parse: Setting<T>['parse'],
): Setting<T> {
  return {
    variable,
    type,
    unit,
    expected,
    fallback,
    required,
    parse,
    secret: options.secret ?? false,
    meaning: options.meaning,
  }
}

export const text = (variable: string, fallback: string, options: Options): Setting<string> =>
  declare(variable, 'text', '', 'text', fallback, false, options, (value) => ({ value }))

export const optionalText = (variable: string, options: Options): Setting<string | null> =>
  declare<string | null>(variable, 'text', '', 'text', null, false, options, (value) => ({ value }))

export function integer(
  variable: string,
  fallback: number,
  options: Options & { unit?: string; min: number; max: number },
): Setting<number> {
  const expected = `a whole number${options.unit ? ` of ${options.unit}` : ''}, ${options.min} to ${options.max}`
  return declare(variable, 'integer', options.unit ?? '', expected, String(fallback), false, options, (value) => {
    if (!/^\d{1,15}$/.test(value)) return null
    const number = Number(value)
    return number < options.min || number > options.max ? null : { value: number }
  })
}

export const flag = (variable: string, fallback: boolean, options: Options): Setting<boolean> =>
  declare(variable, 'boolean', '', 'true or false', String(fallback), false, options, (value) =>
    value === 'true' ? { value: true } : value === 'false' ? { value: false } : null,
  )

export const choice = <const C extends readonly string[]>(
  variable: string,
  choices: C,
  fallback: C[number],
  options: Options,
): Setting<C[number]> =>
  declare(variable, 'choice', '', `one of ${choices.join(', ')}`, fallback, false, options, (value) =>
    choices.includes(value) ? { value } : null,
  )

export const list = (
  variable: string,
  fallback: readonly string[] | null,
  options: Options & { expected: string; item?: RegExp; required?: boolean },
): Setting<readonly string[]> =>
  declare<readonly string[]>(
    variable,
    'list',
    '',
    options.expected,
    fallback === null ? null : fallback.join(','),
    options.required ?? false,
    options,
    (value) => {
      const items = value
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== '')
      if (options.required && items.length === 0) return null
      return items.every((item) => options.item === undefined || options.item.test(item)) ? { value: items } : null
    },
  )

const listenPattern = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/

function parseListen(value: string): ListenAddress | null {
  const match = listenPattern.exec(value)
  const port = Number(match?.[2])
  if (match?.[1] === undefined || port > 65_535) return null
  return { host: match[1].replace(/^\[|\]$/g, ''), port }
}

export const listen = (variable: string, fallback: string, options: Options): Setting<ListenAddress> =>
  declare(
    variable,
    'host:port',
    '',
    'host:port, for example 127.0.0.1:2525; port 0 takes any free one',
    fallback,
    false,
    options,
    (value) => {
      const address = parseListen(value)
      return address === null ? null : { value: address }
    },
  )

export const optionalListen = (variable: string, options: Options): Setting<ListenAddress | null> =>
  declare<ListenAddress | null>(
    variable,
    'host:port',
    '',
    'host:port, for example 0.0.0.0:9090',
    null,
    false,
    options,
    (value) => {
      const address = parseListen(value)
      return address === null ? null : { value: address }
    },
  )

/** JSON checked by a function that gives null for what it does not take. */
export const json = <T>(
  variable: string,
  fallback: string,
  options: Options & { expected: string; check: (value: unknown) => T | null },
): Setting<T> =>
  declare<T>(variable, 'JSON', '', options.expected, fallback, false, options, (value) => {
    try {
      const checked = options.check(JSON.parse(value))
      return checked === null ? null : { value: checked }
    } catch {
      return null
    }
  })

const patternsMax = 100

/** A JSON array of regular expressions, read without regard to case; none by default. `fits` says which the setting takes. */
export const patterns = (
  variable: string,
  options: Options & { expected: string; fits?: (pattern: RegExp) => boolean },
): Setting<readonly RegExp[]> =>
  json<readonly RegExp[]>(variable, '[]', {
    ...options,
    check: (value) => {
      if (!Array.isArray(value) || value.length > patternsMax) return null
      const read = value.map((pattern) => new RegExp(String(pattern), 'iu'))
      return read.every(options.fits ?? (() => true)) ? read : null
    },
  })

/** One regular expression, read without regard to case; `fits` says which the setting takes. */
export const pattern = (
  variable: string,
  fallback: string,
  options: Options & { expected: string; fits: (pattern: RegExp) => boolean },
): Setting<RegExp> =>
  declare(variable, 'regular expression', '', options.expected, fallback, false, options, (value) => {
    try {
      const read = new RegExp(value, 'iu')
      return options.fits(read) ? { value: read } : null
    } catch {
      return null
    }
  })

export type Source = {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Path of a settings file, for messages, and what it holds. */
  readonly file?: { readonly path: string; readonly values: Readonly<Record<string, string>> }
}

/** Reads a file of `NAME=value` lines; blank lines and lines that start with `#` are passed over. */
export function readSettingsFile(path: string): NonNullable<Source['file']> {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    throw new MailweirError('SETTINGS_WRONG', `Cannot read the settings file ${path}`, { cause: error })
  }
  const values: Record<string, string> = {}
  content.split(/\r?\n/).forEach((line, index) => {
    if (/^\s*(#.*)?$/.test(line)) return
    const match = /^\s*([A-Z][A-Z0-9_]*)\s*=\s*(.*?)\s*$/.exec(line)
    if (match?.[1] === undefined || match[2] === undefined) {
      throw new MailweirError('SETTINGS_WRONG', `${path}, line ${index + 1}: expected NAME=value`)
    }
    values[match[1]] = /^".*"$/.test(match[2]) ? match[2].slice(1, -1) : match[2]
  })
  return { path, values }
}

/**
 * Reads all declared settings, or throws one `SettingsError` that names every problem.
 *
 * @param fallbacks values that stand in for a declared default, by variable (`npm start` has its own)
 * @param check rules between settings; each returned line is a problem
 */
export function readSettings<S extends Settings>(
  command: string,
  declared: S,
  source: Source,
  options: {
    fallbacks?: Readonly<Record<string, string>>
    check?: (values: Values<S>) => readonly Problem[]
  } = {},
): Values<S> {
  const problems: Problem[] = []
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(declared)) {
    const given = source.environment[setting.variable]
    const fromFile = source.file?.values[setting.variable]
    const where =
      given !== undefined && given !== '' ? 'environment' : fromFile !== undefined ? source.file?.path : 'default'
    const value =
      where === 'environment'
        ? given
        : where === 'default'
          ? (options.fallbacks?.[setting.variable] ?? setting.fallback)
          : fromFile
    if (value === null || value === undefined) {
      if (setting.required) {
        problems.push({
          variable: setting.variable,
          line: `${setting.variable} is not set: expected ${setting.expected}`,
        })
      }
      values[name] = setting.type === 'list' ? [] : null
      continue
    }
    const parsed = setting.parse(value)
    if (parsed === null) {
      const shown = setting.secret ? '(hidden)' : JSON.stringify(value.length > 120 ? `${value.slice(0, 120)}…` : value)
      problems.push({
        variable: setting.variable,
        line: `${setting.variable}=${shown} (${where}): expected ${setting.expected}`,
      })
    } else values[name] = parsed.value
  }
  if (problems.length === 0 && options.check) problems.push(...options.check(values as Values<S>)) // All names were read.
  if (problems.length > 0) throw new SettingsError(command, problems)
  return values as Values<S> // As above.
}
