/**
 * What an automatic reply says besides that it is one: until when somebody is away, and where he has moved to. Dates in the forms and
 * languages that people use; one that could be two days (4/5) is left out.
 */
import { findAddress } from '#lib/mail/smtp-address.ts'
import { onlyAddress } from './bounce/notice.ts'

export type Absence = {
  /** ISO 8601 date; absent: not said. */
  readonly until?: string
  readonly newAddress?: string
}

const monthNames: readonly (readonly string[])[] = [
  ['jan', 'januar', 'januari', 'janvier', 'enero', 'gennaio', 'janeiro', 'января', 'styczni', 'ocak', 'tammikuu'],
  ['feb', 'februar', 'februari', 'février', 'fevrier', 'febrero', 'febbraio', 'fevereiro', 'февраля', 'lut', 'şubat'],
  ['mar', 'märz', 'maerz', 'maart', 'mars', 'marzo', 'março', 'марта', 'marca', 'mart'],
  ['apr', 'april', 'avril', 'abril', 'aprile', 'апреля', 'kwietnia', 'nisan'],
  ['may', 'mai', 'mei', 'maj', 'mayo', 'maggio', 'maio', 'мая', 'mayıs'],
  ['jun', 'juni', 'juin', 'junio', 'giugno', 'junho', 'июня', 'czerwca', 'haziran'],
  ['jul', 'juli', 'juillet', 'julio', 'luglio', 'julho', 'июля', 'lipca', 'temmuz'],
  ['aug', 'august', 'augustus', 'augusti', 'août', 'aout', 'agosto', 'августа', 'sierpnia', 'ağustos'],
  ['sep', 'sept', 'september', 'septembre', 'septiembre', 'settembre', 'setembro', 'сентября', 'września', 'eylül'],
  ['oct', 'okt', 'oktober', 'octobre', 'octubre', 'ottobre', 'outubro', 'октября', 'października', 'ekim'],
  ['nov', 'november', 'novembre', 'noviembre', 'novembro', 'ноября', 'listopada', 'kasım'],
  [
    'dec',
    'dez',
    'dezember',
    'december',
    'décembre',
    'decembre',
    'diciembre',
    'dicembre',
    'dezembro',
    'декабря',
    'grudnia',
    'aralık',
  ],
]

const until =
  /(?<!\p{L})(?:until|till|through|thru|back (?:on|in the office)?|return(?:ing)?(?: to the office)?|ends? on|up to|bis|zurück|wieder (?:im büro|erreichbar|da)|tot(?: en met)?|terug|jusqu.au|retour|de retour|hasta|regres\w*|vuelv\w*|fino al|rientr\w*|até|regress\w*|retorn\w*|til|tillbaka|till och med|tilbage|tilbake|do dnia|wracam|kadar)(?!\p{L})|(?<!\p{L})(?:до|вернусь|по)(?!\p{L})|まで|より|至|까지/giu
const iso = /\b(20\d\d)-(\d{1,2})-(\d{1,2})\b/
const eastAsian = /(?:(20\d\d)\s*[年년]\s*)?(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]/u
const dotted = /\b(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(20\d\d|\d\d)\b)?/
const slashed = /\b(\d{1,2})[/-](\d{1,2})(?:[/-](20\d\d|\d\d))?\b/
const dayMonth = /\b(\d{1,2})(?:st|nd|rd|th|\.|er|º)?(?: de| of)?\s+(\p{L}{3,})\.?,?(?: de)?(?:\s+(20\d\d))?/u
const monthDay = /(\p{L}{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(20\d\d))?\b/u

/** Letters behind the word in which its date stands. */
const reach = 60
const textMax = 4_000

/**
 * @param sentAt epoch milliseconds of the message, for dates without a year; NaN: not known
 * @param own addresses that are no new ones: the sender's, ours
 */
export function readAbsence(text: string, sentAt: number, isMoved: boolean, own: readonly string[] = []): Absence {
  const words = text.slice(0, textMax)
  const isKnown = (address: string): boolean => own.includes(address.toLowerCase())
  const newAddress = isMoved ? findNewAddress(words, isKnown) || onlyAddress(words, isKnown) : ''
  let found: string | null = null
  for (const match of words.matchAll(until)) {
    const at = match.index + match[0].length
    // Where the word stands behind the date (まで), the date is in front of it.
    const around = /[^\p{ASCII}]/u.test(match[0])
      ? words.slice(Math.max(0, match.index - reach), at + reach)
      : words.slice(at, at + reach)
    found = dateIn(around, sentAt)
    if (found !== null) break
  }
  return { ...(found === null ? {} : { until: found }), ...(newAddress === '' ? {} : { newAddress }) }
}

function dateIn(text: string, sentAt: number): string | null {
  const isoMatch = iso.exec(text)
  if (isoMatch !== null) return dateOf(isoMatch[1], Number(isoMatch[2]), Number(isoMatch[3]), sentAt)
  const asian = eastAsian.exec(text)
  if (asian !== null) return dateOf(asian[1], Number(asian[2]), Number(asian[3]), sentAt)
  const dots = dotted.exec(text)
  if (dots !== null) return dateOf(dots[3], Number(dots[2]), Number(dots[1]), sentAt)
  const named = dayMonth.exec(text)
  const month = monthOf(named?.[2])
  if (named !== null && month !== null) return dateOf(named[3], month, Number(named[1]), sentAt)
  const american = monthDay.exec(text)
  const first = monthOf(american?.[1])
  if (american !== null && first !== null) return dateOf(american[3], first, Number(american[2]), sentAt)
  const slashes = slashed.exec(text)
  if (slashes === null) return null
  const [one, two] = [Number(slashes[1]), Number(slashes[2])]
  if (one > 12) return dateOf(slashes[3], two, one, sentAt)
  return two > 12 ? dateOf(slashes[3], one, two, sentAt) : null
}

/** English months in full, by what follows their short form. */
const englishEnding = /^(?:uary|ruary|ch|il|e|y|ust|tember|ober|ember)$/

function monthOf(word: string | undefined): number | null {
  const lower = (word ?? '').toLowerCase()
  if (lower.length < 3) return null
  const index = monthNames.findIndex(
    (names) => names.includes(lower) || (names.includes(lower.slice(0, 3)) && englishEnding.test(lower.slice(3))),
  )
  return index < 0 ? null : index + 1
}

function dateOf(year: string | undefined, month: number, day: number, sentAt: number): string | null {
  if (month < 1 || month > 12 || day < 1 || day > 31) return null
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
