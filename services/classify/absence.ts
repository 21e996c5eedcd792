/**
 * What an automatic reply says besides that it is one: until when somebody is away, and where he has moved to. Dates in the forms and
 * languages that people use; one that could be two days (4/5) is left out.
 */
import { findAddress } from '#lib/mail/smtp-address.ts'
import { onlyAddress, parseNotice } from './bounce/notice.ts'

export type Absence = {
  /** ISO 8601 date; absent: not said. */
  readonly until?: string
  readonly newAddress?: string
}

/** Whose names of months are known: ICU has them (CLDR), as they stand beside a day and alone; also without their accents. */
const languages =
  'en en-GB de de-AT fr es it pt nl sv da nb fi pl cs sk hu ro bg tr el ru uk ar he th id et lv lt hr sl sr-Latn ca'.split(
    ' ',
  )
let monthNames: ReadonlyMap<string, number> | null = null

function readMonths(): ReadonlyMap<string, number> {
  const names = new Map<string, number>()
  for (const language of languages) {
    for (const form of [
      { month: 'long', day: 'numeric' },
      { month: 'short', day: 'numeric' },
      { month: 'long' },
    ] as const) {
      const format = new Intl.DateTimeFormat(language, { ...form, timeZone: 'UTC', calendar: 'gregory' })
      for (let month = 1; month <= 12; month++) {
        const parts = format.formatToParts(Date.UTC(2026, month - 1, 15))
        const name = nameOf(parts.find(({ type }) => type === 'month')?.value ?? '')
        for (const spelling of [
          name,
          name.normalize('NFD').replace(/\p{M}/gu, ''),
          name.replace('ä', 'ae'),
          declined(language, name),
        ])
          if (spelling.length >= 3 && !names.has(spelling)) names.set(spelling, month)
      }
    }
  }
  return names
}

/** "Until November" in one word, where CLDR has no such case: Estonian's terminative, Latvian's dative. */
function declined(language: string, name: string): string {
  if (language === 'et') return `${name.replace(/er$/, 'r')}${name.endsWith('i') ? 'ni' : 'ini'}`
  return language === 'lv' ? name.replace(/s$/, 'm') : name
}

const nameOf = (word: string): string => word.toLowerCase().replace(/\.$/, '')

function monthOf(word: string | undefined): number | null {
  monthNames ??= readMonths()
  const name = nameOf(word ?? '')
  // In Hebrew "in" is part of the word.
  return monthNames.get(name) ?? monthNames.get(name.replace(/^ב/, '')) ?? null
}

/** Words in front of the day until which, or on which again. */
const until =
  /(?<![\p{L}\p{M}])(?:until|till|through|thru|back (?:on|in the office)?|return(?:ing)?(?: to the office)?|ends? on|up to|to(?= (?:the )?\d)|bis|zurück|wieder (?:im büro|erreichbar|da)|tot(?: en met)?|t\/m|terug|jusqu.au|au(?= \d)|retour|de retour|hasta|al(?= \d)|regres\p{L}*|vuelv\p{L}*|volver\p{L}*|fino al|rientr\p{L}*|até|volt(?:o|arei)|a(?= \d{1,2} de\b)|retorn\p{L}*|re-?open(?:s|ing)?|weer (?:bereikbaar|aanwezig|terug|op kantoor)|förrän|til|tillbaka|till och med|åter|tilbage|tilbake|palaan|takaisin|do(?: dnia)?|wracam|vrátím se|până|revin|μέχρι|έως|ως|επιστρέφω|sampai|hingga|kembali|kuni|līdz|iki)(?![\p{L}\p{M}])|(?<!\p{L})(?:до|вернусь|повернусь|по)(?!\p{L})|(?<!\p{L})(?:حتى|إلى|עד)(?!\p{L})|đến|จนถึง|ถึง|至|到(?!办公|辦公|公司)/giu
/** Words behind it. */
const untilThen =
  /まで|까지|(?<=[\p{L}\d])-ig(?!\p{L})|(?<!\p{L})(?:asti|saakka|kadar|dek)(?!\p{L})|(?<!\p{L})(?:wieder|zurück)(?!\p{L})|(?<=\d)\.?-[éáő]n (?:újra |ismét )?(?:térek|jövök|leszek)|['’](?:da|de|ta|te) (?:dön|ofis|iş)|放假|(?:返回|回到|回来|回來|より|復帰|出社|복귀)/giu

type Read = (groups: readonly (string | undefined)[]) => readonly [string | undefined, number | null, number]
/** Forms of a date, the surest first, each with how its year, month and day are read. */
const forms: readonly (readonly [RegExp, Read])[] = [
  [/\b(20\d\d)-(\d{1,2})-(\d{1,2})\b/g, ([year, month, day]) => [year, Number(month), Number(day)]],
  [
    // Of a span the second day may go without its month.
    /(?:(20\d\d)\s*[年년]\s*)?(\d{1,2})\s*[月월]\s*(?:\d{1,2}\s*[日일]?\s*(?:から|부터|〜|～|~|-|至|到|－|–)\s*)?(\d{1,2})\s*[日일]/gu,
    ([year, month, day]) => [year, Number(month), Number(day)],
  ],
  [/\b(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(20\d\d|\d\d)\b)?/g, ([day, month, year]) => [year, Number(month), Number(day)]],
  [
    /(?<!\d)(\d{1,2})(?:st|nd|rd|th|\.|er|º)?(?: de| of)?\s+([\p{L}\p{M}]{3,}(?:\.\p{L}\.?)?)\.?,?(?: de)?(?:\s+(20\d\d))?/gu,
    ([day, month, year]) => [year, monthOf(month), Number(day)],
  ],
  [
    /(?<!\d)(\d{1,2}) tháng (\d{1,2})(?:(?: năm|,)? (20\d\d))?/gu,
    ([day, month, year]) => [year, Number(month), Number(day)],
  ],
  [
    /([\p{L}\p{M}]{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(20\d\d))?(?!\d)/gu,
    ([month, day, year]) => [year, monthOf(month), Number(day)],
  ],
  [
    /(?<![\d/])(\d{1,2})\/(\d{1,2})(?=\s?(?:[（(][^）)\n]{1,3}[）)])?\s?(?:まで|に|より|から))/g,
    ([month, day]) => [undefined, Number(month), Number(day)],
  ],
  [
    // "10.11": not a time.
    /(?<![\d.])(\d{1,2})\.(\d{1,2})(?![.\d]|\s?(?:uhr|h|pm|am)\b)/gi,
    ([day, month]) => [undefined, Number(month), Number(day)],
  ],
  [
    /\b(\d{1,2})[/-](\d{1,2})(?:[/-](20\d\d|\d\d))?\b/g,
    // Which is the month, only a number above twelve tells.
    ([one, two, year]) =>
      Number(one) > 12 ? [year, Number(two), Number(one)] : [year, Number(two) > 12 ? Number(one) : null, Number(two)],
  ],
]

/** Letters from the word in which its date stands. */
const reach = 60
const textMax = 4_000
/** Words at which a date is looked for. */
const placesMax = 100

/**
 * @param sentAt epoch milliseconds of the message, for dates without a year; NaN: not known
 * @param own addresses that are no new ones: the sender's, ours
 */
export function readAbsence(text: string, sentAt: number, isMoved: boolean, own: readonly string[] = []): Absence {
  const words = text.slice(0, textMax)
  const isKnown = (address: string): boolean => own.includes(address.toLowerCase())
  const newAddress = isMoved ? findNewAddress(words, isKnown) || onlyAddress(parseNotice(words), isKnown) : ''
  const end = endOf(words, sentAt)
  return { ...(end === null ? {} : { until: end }), ...(newAddress === '' ? {} : { newAddress }) }
}

function endOf(words: string, sentAt: number): string | null {
  for (const match of [...words.matchAll(untilThen)].slice(0, placesMax)) {
    const date = datesIn(words.slice(Math.max(0, match.index - reach), match.index + match[0].length), sentAt).at(-1)
    if (date !== undefined) return date
  }
  for (const match of [...words.matchAll(until)].slice(0, placesMax)) {
    const from = match.index + match[0].length
    const [date] = datesIn(words.slice(from, from + reach), sentAt)
    if (date !== undefined) return date
  }
  return null
}

/** In the order of the text. */
function datesIn(text: string, sentAt: number): string[] {
  const found: { readonly at: number; readonly end: number; readonly date: string }[] = []
  for (const [form, read] of forms) {
    for (const match of text.matchAll(form)) {
      const [at, end] = [match.index, match.index + match[0].length]
      const date = dateOf(...read(match.slice(1)), sentAt)
      if (date !== null && !found.some((known) => at < known.end && known.at < end)) found.push({ at, end, date })
    }
  }
  return found.sort((a, b) => a.at - b.at).map(({ date }) => date)
}

function dateOf(year: string | undefined, month: number | null, day: number, sentAt: number): string | null {
  if (month === null || month < 1 || month > 12 || day < 1 || day > 31) return null
  const two = (number: number): string => String(number).padStart(2, '0')
  const given = year === undefined ? null : Number(year.length === 2 ? `20${year}` : year)
  if (given !== null) return `${given}-${two(month)}-${two(day)}`
  if (Number.isNaN(sentAt)) return null
  const sent = new Date(sentAt)
  // Without a year it is the next such day.
  const isPast = month < sent.getUTCMonth() + 1 || (month === sent.getUTCMonth() + 1 && day < sent.getUTCDate())
  return `${sent.getUTCFullYear() + (isPast ? 1 : 0)}-${two(month)}-${two(day)}`
}

const newAddressWords =
  /\b(?:new|neue|neuen|nieuwe?|nouvelle?|nueva?|nuovo|nuova|novo|nova|nowy|ny|nya|instead|now at|reach me at|yeni)\b|(?<!\p{L})(?:новый|новая|новому)(?!\p{L})|新しい|新邮|新的|새/iu

/** An address on the line that speaks of a new one, or on the next. */
function findNewAddress(text: string, isKnown: (address: string) => boolean): string {
  const lines = text.split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    if (!newAddressWords.test(line)) continue
    const address = findAddress(line) || findAddress(lines[index + 1] ?? '')
    if (address !== '' && !isKnown(address)) return address
  }
  return ''
}
