/** HTML to what a person would read, in one pass: of a stranger's mail, so that its shape costs nothing. */
import { Tokenizer } from 'htmlparser2'

/** A line ends where these stand. */
const lineTags: ReadonlySet<string> = new Set(['br', 'hr'])
/** A line ends where these are closed. */
const lineEnds: ReadonlySet<string> = new Set(
  'p div tr li dt dd table pre blockquote center address section article header footer h1 h2 h3 h4 h5 h6'.split(' '),
)
/** What stands in these nobody reads. */
const unread: ReadonlySet<string> = new Set(['script', 'style', 'title'])
/** Stands for a tag within a line: in the midst of an address there is no space. */
const within = '\u0001'
/** Stands for a space that is seen, also at the front of a line. */
const seen = '\u0002'
const nothing = (): void => {}

/** Lines are those of `br`, of paragraphs, rows and items, and of `pre`; an address in angle brackets that were not escaped is text. */
export function htmlToText(html: string): string {
  const text: string[] = []
  let skipped = ''
  let isPre = false
  /** The line ended with a `br`: that of a paragraph that is closed at once is the same. */
  let isBroken = false
  const say = (piece: string): void => {
    if (skipped === '') text.push(piece)
  }
  const tokenizer = new Tokenizer(
    { decodeEntities: true },
    {
      ontext: (start, end) => {
        const piece = html.slice(start, end)
        if (isBroken && piece.trim() !== '') isBroken = false
        say(isPre ? piece.replace(/\n[ \t]/g, `\n${seen}`) : piece.replace(/\r?\n/g, ' '))
      },
      ontextentity: (code) => say(code === noBreakSpace ? seen : String.fromCodePoint(code)),
      onopentagname: (start, end) => {
        const name = html.slice(start, end).toLowerCase()
        if (name.includes('@')) return say(`<${html.slice(start, end)}>`)
        const isLine = lineTags.has(name)
        isBroken = isLine || (isBroken && !lineEnds.has(name))
        say(isLine ? '\n' : name === 'wbr' ? '' : within)
        if (name === 'pre') isPre = true
        if (unread.has(name)) skipped = name
      },
      onclosetag: (start, end) => {
        const name = html.slice(start, end).toLowerCase()
        if (name === skipped) skipped = ''
        if (name === 'pre') isPre = false
        const isLine = lineEnds.has(name)
        say(isLine && !isBroken ? '\n' : within)
        if (isLine) isBroken = false
      },
      onattribdata: nothing,
      onattribentity: nothing,
      onattribend: nothing,
      onattribname: nothing,
      oncdata: nothing,
      oncomment: nothing,
      ondeclaration: nothing,
      onend: nothing,
      onopentagend: nothing,
      onprocessinginstruction: nothing,
      onselfclosingtag: nothing,
    },
  )
  tokenizer.write(html)
  tokenizer.end()
  return text
    .join('')
    .replace(/(?<=[\w.+-])\u0001{0,9}@\u0001{0,9}(?=\w)/g, '@')
    .replace(/[ \t\u0001]+/g, ' ')
    .replace(/ ?\n ?/g, '\n')
    .replace(/^ /, '')
    .replace(/[ \u0002]+/g, ' ')
}
const noBreakSpace = 0xa0
