/** HTML to what a person would read, in one pass: of a stranger's mail, so that its shape costs nothing. */
import { Tokenizer } from 'htmlparser2'

/** A line ends where these stand. */
const lineTags: ReadonlySet<string> = new Set(['br', 'hr'])
/** A line ends where these are closed, and in front of them. */
const blocks: ReadonlySet<string> = new Set(
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
  /** Something stands on the line. */
  let isBegun = false
  const say = (piece: string, isSeen = false): void => {
    if (skipped !== '') return
    text.push(piece)
    isBegun ||= isSeen
  }
  const endLine = (): void => {
    say('\n')
    isBegun = false
  }
  const tokenizer = new Tokenizer(
    { decodeEntities: true },
    {
      ontext: (start, end) => {
        const piece = html.slice(start, end)
        say(isPre ? piece.replace(/\n[ \t]/g, `\n${seen}`) : piece.replace(/\r?\n/g, ' '), piece.trim() !== '')
      },
      ontextentity: (code) => say(code === noBreakSpace ? seen : String.fromCodePoint(code), true),
      onopentagname: (start, end) => {
        const name = html.slice(start, end).toLowerCase()
        if (name.includes('@')) return say(`<${html.slice(start, end)}>`, true)
        if (lineTags.has(name)) endLine()
        else if (blocks.has(name) && isBegun) endLine()
        else say(name === 'wbr' ? '' : within)
        if (name === 'pre') isPre = true
        if (unread.has(name)) skipped = name
      },
      onclosetag: (start, end) => {
        const name = html.slice(start, end).toLowerCase()
        if (name === skipped) skipped = ''
        if (name === 'pre') isPre = false
        if (blocks.has(name) && isBegun) endLine()
        else say(within)
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
