/** Settings of classify. */
import * as setting from '#lib/runtime/settings.ts'

export const classifySettings = {
  optOutAddresses: setting.list('OPT_OUT_ADDRESSES', ['unsubscribe', 'unsub', 'optout', 'opt-out', 'leave'], {
    meaning:
      'local-parts that take opt-outs, in front of the @ or of a + - = or digit (the mailto of List-Unsubscribe); a whole address stands for itself',
    expected: 'local-part[,local-part…]',
    item: /^[^\s,<>]+$/,
  }),
  classifyWindow: setting.integer('CLASSIFY_WINDOW', 500, {
    unit: 'messages',
    min: 1,
    max: 100_000,
    meaning: 'messages in flight for each partition',
  }),
  classifyWindowBytes: setting.integer('CLASSIFY_WINDOW_BYTES', 33_554_432, {
    unit: 'bytes',
    min: 1_048_576,
    max: 4_294_967_296,
    meaning: 'bytes in flight for each partition',
  }),
} as const

export type ClassifyConfig = setting.Values<typeof classifySettings>

/** `unsubscribe` matches unsubscribe@, unsubscribe+token@, unsubscribe-123@; an address matches itself. */
export const optOutPatterns = (addresses: readonly string[]): RegExp[] =>
  addresses.map((address) => {
    const literal = address.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    return new RegExp(address.includes('@') ? `^${literal}$` : `^(?:[^@]*[-_.+=])?${literal}(?:[-_.+=0-9][^@]*)?@`, 'i')
  })
