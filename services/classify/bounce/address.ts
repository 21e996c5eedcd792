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
 * The address of SMTP within one of X.400: a domain-defined attribute, where "(a)" stands for @ (RFC 2156 sections 3.4 and 4.2), as gateways and
 * Exchange write it: "c=US;a= ;p=Org;dda:SMTP=ann@example.com;", "/C=US/DD.RFC-822=ann(a)example.com/".
 */
const ofX400 =
  /(?<=(?:\bdda?[:.]|[;/])(?:smtp|rfc-?822)=)([^\s<>"',;:/@]{1,80})(?:@|\(a\))([^\s<>"',;:/()@]{1,255})(?=[;/]|\s|$)/i
const plainX400 = (_: string, local: string, domain: string): string => `${local.replaceAll('(u)', '_')}@${domain}`

/** Empty: there is none. */
export function smtpOfX400(text: string): string {
  const found = ofX400.exec(text)
  return found === null ? '' : plainX400('', found[1] ?? '', found[2] ?? '')
}

/** A text in which that has its @. */
export const withX400Plain = (text: string): string => (text.includes('(a)') ? text.replace(ofX400, plainX400) : text)

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
