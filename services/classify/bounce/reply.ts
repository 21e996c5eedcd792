/** What was answered, as a text quotes it: the reply, its codes, and the words where there is none. */

/** Where a text quotes a reply. */
export const replyLine = /(?:^|[\s:>(#;,'"])([45]\d\d)[ -]{1,3}(?=[\p{L}#<\d(*:["'])/u
export const blankLine = /\n[^\S\n]*\n/

/** A permanent reply, as transcripts and lists of attempts quote it. */
const permanentReply =
  /(?:\bsaid: |<<< |<-- |\.[a-z]{2,24}(?:\[[\da-f.:]{2,45}\])?:? )(?!503|5\d\d[ -]5\.5\.1\b)(?=5\d\d[ -])|[\s:>("'](?!5\d\d[ -]{1,3}5\.5\.1\b)(?=5\d\d[ -]{1,3}5\.\d{1,3}\.\d{1,3}\b)/i

/** What Sendmail makes of any reply that it has no words of its own for (its sysexits.c, EX_UNAVAILABLE), below what it heard. */
const sendmailsOwn = /^55\d (?:5\.\d\.\d )?(?:\S{1,320}\.\.\. )?service unavailable$/i

/** The reply that was quoted, with the lines that go on with it; all of the text where there is none. */
export function pickDiagnostic(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  // Of a transcript, what the remote side said.
  const heard = text.includes('<<<') ? lines.findIndex((line) => /^<<<\s*[45]\d\d[ -]/.test(line)) : -1
  const quoted = heard >= 0 ? heard : lines.findIndex((line) => replyLine.test(` ${line}`))
  const first = withWords(lines, quoted)
  const at = first >= 0 ? endOfAttempts(lines, first) : -1
  if (at < 0)
    return lines
      .join('\n')
      .trim()
      .replace(/(?<!\n)\n(?!\n)/g, ' ')
      .slice(0, 1_000)
  const picked: string[] = []
  for (const line of lines.slice(at, at + 8)) {
    if (line === '' && picked.length > 0) break
    if (heard < 0 || !sendmailsOwn.test(line)) picked.push(line)
  }
  // What led up to the reply tells in which command it was heard.
  const above = at > 0 ? (lines[at - 1] ?? '') : ''
  const before = at > first && replyLine.test(` ${above}`) ? '' : above
  return [before, ...picked]
    .filter((line) => line !== '')
    .join(' ')
    .slice(0, 1_000)
}

/** Microsoft 365 has the codes alone at the top, and further down the reply that has them: its line; else `at`. */
function withWords(lines: readonly string[], at: number): number {
  const codes = codesAlone.exec(lines[at] ?? '')?.[1]
  if (codes === undefined) return at
  const fuller = lines.findIndex((line, index) => index > at && line.includes(codes) && !codesAlone.test(line))
  return fuller < 0 ? at : fuller
}
const codesAlone = /(?:^|[\s:>(#])([45]\d\d[ -]#?[45]\.\d{1,3}\.\d{1,3})[\s).]*$/

/** Of several attempts that one permanent reply ended, its line, which begins with it where others stand in front; else the first. */
function endOfAttempts(lines: string[], first: number): number {
  if (replyDigit.exec(lines[first] ?? '')?.[1] !== '4') return first
  const end = lines.findIndex((line, at) => at >= first && line.includes('5') && permanentReply.test(` ${line}`))
  if (end < 0 || quotesAnother.test(lines.slice(first, end + 1).join(' '))) return first
  const line = lines[end] ?? ''
  const at = permanentReply.exec(` ${line}`)?.index ?? 0
  if (end === first) lines[end] = line.slice(at).trimStart()
  return end
}
/** Most replies are permanent: this is told fast. */
const replyDigit = /(?:^|[\s:>(#;,'"])([45])\d\d[ -]/
/** A reply may have what a third host answered in it. */
const quotesAnother = /\bverif|\bunverified/i

/** The reply code and enhanced status in a diagnostic; empty: none. */
const behindReply = /(?:^|[\s:;>(#,"'[])[45][0-5]\d[\s-]{1,3}#?([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\.\d)(?=\D|$)/
/** More than a reply has. */
const statuses = /(?:^|[^\d.])([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\.\d)(?=\D|$)/g
const withoutHosts = (text: string): string =>
  text.replace(/\[[^[\]]{0,100}\d\.\d{1,3}\.\d{1,3}\.\d[^[\]]{0,100}\]/g, ' ')

export function readCodes(diagnostic: string): { reply: string; status: string } {
  const reply =
    /(?:^|[\s:;>(#,"'[])([45][0-5]\d)(?=[\s:,-]+(?:#?[45]\.\d{1,3}\.\d{1,3}|[\p{L}<(*:["'#])|$|[\s-]*$)/u.exec(
      diagnostic,
    )?.[1] ?? ''
  // That of the reply itself is nearer to the truth than what whoever quotes it puts in front.
  const behind = reply === '' ? undefined : behindReply.exec(diagnostic)?.[1]
  const codes =
    behind === undefined ? [...withoutHosts(diagnostic).matchAll(statuses)].map(([, code = '']) => code) : [behind]
  const status = codes.find((code) => !code.endsWith('.0.0')) ?? codes[0] ?? ''
  return { reply, status }
}

/** What the whole notice says, told of each recipient that is asked for: it is read once, however many there are. */
export function ofAll(notice: string): (address: string) => { readonly diagnostic: string; readonly words: string } {
  const diagnostic = pickDiagnostic(notice)
  if (replyLine.test(diagnostic)) return () => ({ diagnostic, words: diagnostic })
  const paragraphs = notice.slice(0, wordsMax).split(blankLine)
  return (address) => {
    const at = Math.max(
      0,
      paragraphs.findIndex((paragraph) => paragraph.includes(address)),
    )
    const distance = (index: number): number => (index < at ? 2 * (at - index) - 1 : 2 * (index - at))
    const nearest = paragraphs
      .map((paragraph, index) => ({ paragraph, distance: distance(index) }))
      .toSorted((one, other) => one.distance - other.distance)
    return { diagnostic, words: nearest.map(({ paragraph }) => paragraph.trim()).join('\n\n') }
  }
}
/** As much as is looked at for a reason, in characters. */
const wordsMax = 4_000
