/**
 * Recipients that a line lists, each with what is wrong with it or all with one reason: "ann@x.example (full), bob@y.example and
 * eve@z.example".
 */
import { anyWord } from '../words.ts'
import { address, placesOf } from './address.ts'

/** Of a line so many characters are looked at. */
export const lineMax = 2_000

/** What goes on with a list of recipients: a comma or an "and", or the reply for the next one. */
const sign = `[,;、，；/&]\\s*(?:[45]\\d\\d[ -](?:[45]\\.\\d{1,3}\\.\\d{1,3} )?)?|(?:和|与|與|及|と|および|및)\\s*`
const and = `(?:${anyWord('and')})(?:\\s+|$)`
const comma = `${sign}|${and}`
/** The next of a list: between two, what is wrong with the first may stand in front of the comma. */
const listed = (() => {
  const wrong = `\\s*\\([^()]{0,200}\\)|\\s*[-–:]\\s[^.;@()]{0,200}(?=[,;])|\\s[^.;@()]{0,100}(?=[,;]\\s*[45]\\d\\d[ -])`
  const name = `(?:"[^"]{0,60}"\\s*|(?:\\p{Lu}[\\p{L}.'-]{0,30}\\s+){1,4})(?=<)`
  const opens = `(?:${name})?[<(["'“‘]{0,3}(?:mailto:|smtp:)?`
  return new RegExp(`(?:>\\s*<|[>)\\]"'”’]{0,3}(?:${wrong})?\\s*(?:${comma})+${opens})(${address})`, 'uy')
})()
/** Whether a line ends in the middle of a list of recipients: what is said of its last one stands behind the list. */
export const endsInList = (line: string): boolean => line.includes('@') && listEnd.test(line)
/** A word needs a space in front: the last letter of "example" is the Italian "and". */
const listEnd = new RegExp(`@[\\w.-]{1,255}[>)\\]"']{0,3}(?:\\s*(?:${sign})(?:${and})?|\\s+${and})$`, 'iu')
const listGoesOn = /^\s*[<("']{0,3}[^\s<>@"',;:()]{1,64}@[\w.-]/

/** The recipients that a line lists behind the one that ends at `end`, and where the last of them ends. */
function listedBehind(line: string, end: number): { readonly peers: readonly string[]; readonly end: number } {
  const peers: string[] = []
  let last = end
  listed.lastIndex = end
  for (let match = listed.exec(line); match !== null; match = listed.exec(line)) {
    peers.push(match[1] ?? '')
    last = listed.lastIndex
  }
  return { peers, end: last }
}

export const namesSeveral = (line: string): boolean => line.indexOf('@') !== line.lastIndexOf('@')

/** Those whom a line lists behind a recipient: "ann@x.example (full) and bob@y.example". */
export function peersOf(address: string, line: string): readonly string[] {
  const at = namesSeveral(line) ? line.indexOf(address) : -1
  return at < 0 ? [] : listedBehind(line, at + address.length).peers
}

/** A line with the first of its list alone, who stands for all. */
export function withoutPeers(line: string): string {
  const end = namesSeveral(line) ? placesOf(line)[0]?.end : undefined
  if (end === undefined) return line
  const list = listedBehind(line, end)
  return list.peers.length === 0 ? line : line.slice(0, end) + line.slice(list.end)
}

/** A list of recipients in a sentence may go on in the next line; where each has a line of its own (`isAlone`), it is none. */
export function unbroken(given: readonly string[], isAlone: (line: string) => boolean): string[] {
  const lines: string[] = []
  for (const line of given) {
    const before = lines.at(-1)
    const goesOn =
      before !== undefined &&
      line.includes('@') &&
      before.length + line.length < lineMax &&
      listGoesOn.test(line) &&
      endsInList(before) &&
      !isAlone(before)
    if (goesOn) lines[lines.length - 1] = `${before} ${line.trimStart()}`
    else lines.push(line)
  }
  return lines
}

/** Whom to write to about a list: Mailman, ezmlm, Sympa, mlmmj; LISTSERV and Majordomo. */
const listOffice = /^(?:owner-([^@]{1,64})|([^@]{1,64})[-+](?:owner|request|bounces))(@[\w.-]{1,255})$/i

export const isListOffice = (address: string): boolean => listOffice.test(address)

/** The mailing list whose office an address is; empty: of none. */
export function listOfOffice(address: string): string {
  const [, behind, before, domain] = listOffice.exec(address) ?? []
  return domain === undefined ? '' : `${behind ?? before}${domain}`
}
