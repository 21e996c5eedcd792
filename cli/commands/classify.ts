/** `mailweir classify --json FILE…`: what messages are, without the log and the store. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from '#lib/runtime/errors.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import type { Verdict } from '#schemas/types.ts'
import { type ClassifyOptions, classify } from '#services/classify/classify.ts'
import { classifySettings, optOutPatterns } from '#services/classify/config.ts'
import { readMessage } from '../messages.ts'
import { sourceOf } from '../settings.ts'

export async function runClassify(
  configFile: string | undefined,
  files: readonly string[],
  options: { readonly json?: boolean },
): Promise<number> {
  const values = readSettings('mailweir classify', classifySettings, sourceOf(configFile))
  const classifyOptions = { optOutAddresses: optOutPatterns(values.optOutAddresses) }
  let failed = false
  for (const given of files.length === 0 ? ['-'] : files) {
    try {
      for (const file of messagesBelow(given)) {
        await write(lineOf(file, readMessage(file), classifyOptions, options.json === true))
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

function lineOf(file: string, bytes: Buffer, options: ClassifyOptions, json: boolean): string {
  const verdict = classify(bytes, null, options)
  return json ? `${JSON.stringify({ file, ...verdict })}\n` : `${file}: ${sentenceOf(verdict)}\n`
}

function sentenceOf({ kind, variant, recipients }: Verdict): string {
  const what = variant === '' ? kind : `${kind} (${variant})`
  const whom = recipients.map(({ address, status, reply, reason, permanent }) =>
    [address, status, reply, reason, reason === '' ? '' : permanent ? 'permanent' : 'temporary']
      .filter((part) => part !== '')
      .join(' '),
  )
  return whom.length === 0 ? what : `${what}: ${whom.join('; ')}`
}
