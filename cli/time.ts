/** Times as a person writes them on the command line. */
import { MailweirError } from '#lib/runtime/errors.ts'

/** Epoch milliseconds of a date or a time with its zone; throws SETTINGS_WRONG. */
export function timeOf(option: string, text: string): number {
  const isTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
  const at = isTime ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) {
    throw new MailweirError(
      'SETTINGS_WRONG',
      `${option}=${JSON.stringify(text)}: expected a date or a time with its zone, for example 2026-11-24 or 2026-11-24T12:00:00Z`,
    )
  }
  return at
}
