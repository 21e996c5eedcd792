/** Addresses as they stand in the text of a notice: between words, quotes and brackets of any script. */
import { cleanAddress, findAddress } from '#lib/mail/smtp-address.ts'

/** The source of a pattern. */
export const address = `[^\\s<>()[\\]{}"',;:@，。、；：「」（）]{1,64}@[\\w.-]{1,255}`
export const anyAddress = new RegExp(address, 'g')

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

/** All addresses that stand in a text, in its order. */
export const addressesIn = (text: string): string[] =>
  (text.match(anyAddress) ?? []).map(bareAddress).filter((address) => address !== '')
