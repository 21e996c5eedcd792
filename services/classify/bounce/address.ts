/** Addresses as they stand in the text of a notice: between words, quotes and brackets of any script. */
import { cleanAddress, findAddress } from '#lib/mail/smtp-address.ts'

/** The sources of patterns. */
export const local = `[^\\s<>()[\\]{}"',;:@，。、；：「」（）]{1,64}`
export const address = `${local}@[\\w.-]{1,255}`

const placesMax = 1_000

export type Place = { readonly address: string; readonly start: number; readonly end: number }
/** From the @ to both sides. */
const around = new RegExp(`(?<=(${local}))@[\\w.-]{1,255}`, 'g')

/** Where addresses stand in a text, in its order: as many as a list has. */
export function placesOf(text: string): Place[] {
  const places: Place[] = []
  if (!text.includes('@')) return places
  for (const { 0: behind, 1: local = '', index } of text.matchAll(around)) {
    const [start, end] = [index - local.length, index + behind.length]
    if (start >= (places.at(-1)?.end ?? 0)) places.push({ address: local + behind, start, end })
    if (places.length >= placesMax) break
  }
  return places
}

/** Where no space stands between words and an address, they are not of it. */
const wordsBefore =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}：、。，；「『（]+(?=[a-z0-9][\w.+-]*@)/iu

/** The address that a piece of text is, but for what stands around it; empty: it is none. */
export function bareAddress(text: string): string {
  const cleaned = cleanAddress(text)
    .replace(wordsBefore, '')
    .replace(/^(?:rcpt|to|recipient|addr(?:ess)?|e-?mail)=/i, '')
  return /^[^@]+@[^@]+$/.test(cleaned) && findAddress(cleaned) === cleaned ? cleaned : ''
}

/**
 * The address of SMTP within one of X.400 is an attribute of it (RFC 2156 sections 3.4 and 4.2), which Exchange writes as "c=US;a= ;p=Org;dda:SMTP=ann@example.com;",
 * and gateways with "(a)" for @: "/C=US/DD.RFC-822=ann(a)example.com/". Whoever signs up chooses his own address, "a/smtp=bob@dest.example" or
 * "…;SMTP=bob@dest.example;"@x.example: so none of the characters that stand in one without quotes introduces it, and no @ follows it.
 */
const attribute = '(?:smtp|rfc-?822)='
const introduced = `(?:\\bdda?:|;)${attribute}`
const [localX400, domainX400] = [`([^\\s<>"',;:/@]{1,80})`, `([^\\s<>"',;:/()@]{1,255})(?=[;/]|\\s|$)(?![^\\n]*@)`]
const ofX400 = new RegExp(`${introduced}${localX400}@${domainX400}`, 'i')
const encodedX400 = new RegExp(`(?:\\bdda?[:.]|[;/])${attribute}${localX400}\\(a\\)${domainX400}`, 'i')

/** What stands in front of it in a text with its @. */
export const endsInX400 = new RegExp(`${introduced}$`, 'i')

/** A text in which it has its @, as Exchange writes it. */
export const withX400Plain = (text: string): string =>
  text.includes('(a)')
    ? text.replace(encodedX400, (_, local: string, at: string) => `;smtp=${local.replaceAll('(u)', '_')}@${at};`)
    : text

/** Empty: there is none. */
export function smtpOfX400(text: string): string {
  const [, local, domain] = ofX400.exec(text) ?? []
  return local === undefined ? '' : `${local}@${domain}`
}

/** A local part in quotes, with its @: whoever signs up chooses what stands in one. */
const quotedLocal = /"(?:[^"\\\n]|\\.){1,200}"@/g

/** A text without those that hold an address of somebody else: "x;bob@dest.example;"@x.example. */
export const withoutNested = (text: string): string =>
  text.includes('"@')
    ? text.replace(quotedLocal, (local) => (local.indexOf('@') < local.length - 1 ? ' ' : local))
    : text

/** The addresses of a list with commas between them, none within quotes. */
export const listedAddresses = (text: string): string[] =>
  (text.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? []).map(findAddress).filter((address) => address !== '')

/** All addresses that stand in a text, in its order. */
export const addressesIn = (text: string): string[] =>
  placesOf(text)
    .map(({ address }) => bareAddress(address))
    .filter((address) => address !== '')

/** A text with something else in the place of each address: what somebody is called tells nothing. */
export function replaceAddresses(text: string, by: (address: string) => string): string {
  let replaced = ''
  let from = 0
  for (const { address, start, end } of placesOf(text)) {
    replaced += text.slice(from, start) + by(address)
    from = end
  }
  return replaced + text.slice(from)
}
