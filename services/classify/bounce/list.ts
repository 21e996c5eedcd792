/**
 * Recipients that a line lists, each with what is wrong with it or all with one reason: "ann@x.example (full), bob@y.example and
 * eve@z.example".
 */
import { anyWord } from '../words.ts'

/** Of a line so many characters are looked at. */
export const lineMax = 2_000

export const anyAddress = /[^\s<>()[\]{}"',;:@，。、；：「」（）]{1,64}@[\w.-]{1,255}/g

/** What goes on with a list of recipients: a comma or an "and", or the reply for the next one. */
const comma = `[,;、，；/&]\\s*(?:[45]\\d\\d[ -](?:[45]\\.\\d{1,3}\\.\\d{1,3} )?)?|(?:${anyWord('and')})(?:\\s+|$)|(?:和|与|與|及|と|および|및)\\s*`
/** What stands between two recipients of one line; what is wrong with the first may stand in front of the comma. */
const enumerated = (() => {
  const wrong = `\\s*\\([^()]{0,200}\\)|\\s*[-–:]\\s[^.;@()]{0,200}(?=[,;])|\\s[^.;@()]{0,100}(?=[,;]\\s*[45]\\d\\d[ -])`
  const name = `(?:"[^"]{0,60}"\\s*|(?:\\p{Lu}[\\p{L}.'-]{0,30}\\s+){1,4})(?=<)`
  const opens = `(?:${name})?[<(["'“‘]{0,3}(?:mailto:|smtp:)?`
  return new RegExp(`^(?:>\\s*<|[>)\\]"'”’]{0,3}(?:${wrong})?\\s*(?:${comma})+${opens})$`, 'u')
})()
/** Of a line that a list of recipients breaks, and of the next. */
const brokenList = new RegExp(`@[\\w.-]{1,255}[>)\\]"']{0,3}\\s*(?:${comma})$`, 'u')
const listGoesOn = /^\s*[<("']{0,3}[^\s<>@"',;:()]{1,64}@[\w.-]/

type Named = { readonly text: string; readonly index: number }

/** A recipient of a line, the first one unless it is given, and those that are listed behind it: "ann@x.example (full) and bob@y.example". */
export function listFrom(line: string, address = ''): Named[] {
  if (line.indexOf('@') === line.lastIndexOf('@')) return []
  const all = Array.from(line.matchAll(anyAddress), ({ 0: text, index }) => ({ text, index }))
  const start = all.findIndex(({ text }) => text.includes(address))
  const list: Named[] = []
  for (const next of start < 0 ? [] : all.slice(start)) {
    const last = list.at(-1)
    if (last !== undefined && !enumerated.test(line.slice(last.index + last.text.length, next.index))) break
    list.push(next)
  }
  return list
}

export function withoutPeers(line: string): string {
  const list = listFrom(line)
  const [first, last] = [list[0], list.at(-1)]
  if (first === undefined || last === undefined || first === last) return line
  return line.slice(0, first.index + first.text.length) + line.slice(last.index + last.text.length)
}

/** A list of recipients in a sentence may go on in the next line; where each has a line of its own (`isAlone`), it is none. */
export function unbroken(given: readonly string[], isAlone: (line: string) => boolean): string[] {
  const lines: string[] = []
  for (const line of given) {
    const before = lines.at(-1)
    const goesOn =
      before !== undefined &&
      before.length + line.length < lineMax &&
      listGoesOn.test(line) &&
      brokenList.test(before) &&
      !isAlone(before)
    if (goesOn) lines[lines.length - 1] = `${before} ${line.trimStart()}`
    else lines.push(line)
  }
  return lines
}
