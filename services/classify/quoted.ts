/** What a person or a program wrote, without what it quotes of the mail that is answered. */

/** Where a mail program quotes, or tells of, what is answered. */
const quotePattern =
  /^(?:>|on .{5,100} wrote:|am .{5,100} schrieb|le .{5,100} a écrit|el .{5,100} escribi[óo]|il .{5,100} ha scritto|em .{5,100} escreveu|op .{5,100} schreef|den .{5,100} skrev|.{5,100} napisał|.{5,100} писал|-{3,}\s*(?:original|ursprüngliche|forwarded|message|mensaje|messaggio)|_{10,}|(?:from|von|de|da|van|från|fra|od|от|发件人|差出人|보낸 사람)\s*:\s)/iu

/** @param line without spaces around it */
export const startsQuote = (line: string): boolean => quotePattern.test(line)

/** The text above the quoted part; all of it where that stands first. */
export function aboveQuote(text: string): string {
  const lines = text.split('\n')
  const at = lines.findIndex((line) => startsQuote(line.trim()))
  const above = at < 0 ? text : lines.slice(0, at).join('\n')
  return above.trim() === '' ? text : above
}
