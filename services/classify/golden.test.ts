/** A message of each format that the classifier knows, of our own making, with the verdict that it has to get: `golden/`. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { classify } from './classify.ts'

type Expected = {
  readonly kind: string
  readonly variant?: string
  readonly recipients: readonly Readonly<Record<string, unknown>>[]
}

const folder = join(import.meta.dirname, 'golden')
const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Readonly<Record<string, Expected>>

describe('of each format', () => {
  for (const [name, { kind, variant = '', recipients }] of Object.entries(expected)) {
    it(name, () => {
      const verdict = classify(Buffer.from(readFileSync(join(folder, `${name}.eml`), 'utf8').replaceAll('\n', '\r\n')))
      const fields = Object.keys(recipients[0] ?? {})
      const found = verdict.recipients.map((recipient) =>
        Object.fromEntries(Object.entries(recipient).filter(([field]) => fields.includes(field))),
      )
      assert.deepEqual(
        { kind: verdict.kind, variant: verdict.variant, recipients: recipients.length === 0 ? [] : found },
        { kind, variant, recipients },
      )
      // Offsets are those of these very bytes.
      for (const { start, end } of verdict.evidence) assert.ok(start <= end)
    })
  }

  it('no sample is without its verdict', () => {
    const samples = readdirSync(folder).filter((file) => file.endsWith('.eml'))
    assert.deepEqual(
      samples.sort(),
      Object.keys(expected)
        .map((name) => `${name}.eml`)
        .sort(),
    )
  })
})
