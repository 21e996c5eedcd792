/** `mailweir classify FILE…`: what messages are, without the log and the store; files, mboxes, Maildirs, the standard input. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from '#lib/runtime/errors.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import type { Verdict } from '#schemas/types.ts'
import { type ClassifyOptions, classify } from '#services/classify/classify.ts'
import { checkClassify, classifyOptions, classifySettings } from '#services/classify/config.ts'
import { messageBytesMax, messagesOf } from '../messages.ts'
import { sourceOf } from '../settings.ts'

export async function runClassify(
  configFile: string | undefined,
  files: readonly string[],
  options: { readonly json?: boolean; readonly table?: boolean; readonly explain?: boolean },
): Promise<number> {
  const values = readSettings('mailweir classify', classifySettings, sourceOf(configFile), { check: checkClassify })
  const how = classifyOptions(values)
  const lineOf = options.json === true ? jsonOf : options.table === true ? rowsOf : lineForPerson
  if (options.table === true) await write(`${columns.join('\t')}\n`)
  let failed = false
  for (const given of files.length === 0 ? ['-'] : files) {
    try {
      for (const file of messagesBelow(given)) {
        for (const { name, bytes, isCut } of messagesOf(file)) {
          if (isCut) process.stderr.write(`${name}: only its first ${messageBytesMax} bytes are read\n`)
          if (options.explain === true) await write(explain(name, bytes, how))
          else await write(`${lineOf(name, classify(bytes, null, how))}\n`)
        }
      }
    } catch (error) {
      failed = true
      process.stderr.write(`${given}: ${describeError(error)}\n`)
    }
  }
  return failed ? 1 : 0
}

function* messagesBelow(path: string): Generator<string> {
  if (path === '-' || !statSync(path).isDirectory()) {
    yield path
    return
  }
  for (const entry of readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.isDirectory()) yield* messagesBelow(join(path, entry.name))
    else if (entry.isFile()) yield join(path, entry.name)
  }
}

/** A reader that is slower than we are is waited for. */
function write(line: string): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(line)) resolve()
    else process.stdout.once('drain', resolve)
  })
}

/** The verdict, the bytes that decided, and each rule of reasons that was tried, up to the one that matched. */
function explain(file: string, bytes: Buffer, how: ClassifyOptions): string {
  const tried: string[] = []
  const verdict = classify(bytes, null, {
    ...how,
    tried: (rule, matched) => tried.push(`  ${matched ? 'matched' : '      -'} ${rule}`),
  })
  const evidence = verdict.evidence.map(
    ({ decided, rule, start, end, text }) =>
      `  ${decided} by ${rule}, bytes ${start} to ${end}: ${JSON.stringify(text.replace(/\s+/g, ' '))}`,
  )
  const original = Object.entries(verdict.original).map(([name, value]) => `  ${name}: ${value}`)
  return [
    lineForPerson(file, verdict),
    'evidence',
    ...evidence,
    'of the message',
    ...original,
    'rules tried',
    ...tried,
    '',
  ].join('\n')
}

const jsonOf = (file: string, verdict: Verdict): string => JSON.stringify({ file, ...verdict })

const columns = ['file', 'kind', 'variant', 'recipient', 'action', 'status', 'reply', 'reason', 'permanent'] as const

/** A row for each recipient, cells between tabs. */
function rowsOf(file: string, { kind, variant, recipients }: Verdict): string {
  const cell = (value: string): string => value.replace(/\s+/g, ' ')
  const rows = recipients.map(({ address, action, status, reply, reason, permanent }) =>
    [file, kind, variant, address, action, status, reply, reason, String(permanent)].map(cell).join('\t'),
  )
  return rows.length === 0 ? [file, kind, variant, '', '', '', '', '', ''].map(cell).join('\t') : rows.join('\n')
}

const lineForPerson = (file: string, verdict: Verdict): string => `${file}: ${sentenceOf(verdict)}`

function sentenceOf({ kind, variant, recipients }: Verdict): string {
  const what = variant === '' ? kind : `${kind} (${variant})`
  const whom = recipients.map(({ address, status, reply, reason, permanent }) =>
    [address, status, reply, reason, reason === '' ? '' : permanent ? 'permanent' : 'temporary']
      .filter((part) => part !== '')
      .join(' '),
  )
  return whom.length === 0 ? what : `${what}: ${whom.join('; ')}`
}
