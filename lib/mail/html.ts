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
  /** The line before ended with a `br`: where a block is closed at once it is the end of that, too. */
  let isBroken = false
  const say = (piece: string): void => {
    if (skipped === '') text.push(piece)
  }
  const begin = (): void => {
    isBegun = true
    isBroken = false
  }
  const endLine = (isBreak: boolean): void => {
    say('\n')
    isBegun = false
    isBroken = isBreak
  }
  const tokenizer = new Tokenizer(
    { decodeEntities: true },
    {
      ontext: (start, end) => {
        const piece = html.slice(start, end)
        if (piece.trim() !== '') begin()
        say(isPre ? piece.replace(/\n[ \t]/g, `\n${seen}`) : piece.replace(/\r?\n/g, ' '))
      },
      ontextentity: (code) => {
        begin()
        say(code === noBreakSpace ? seen : String.fromCodePoint(code))
      },
      onopentagname: (start, end) => {
        const name = html.slice(start, end).toLowerCase()
        if (name.includes('@')) return say(`<${html.slice(start, end)}>`)
        if (lineTags.has(name)) endLine(true)
        else if (!blocks.has(name)) say(name === 'wbr' ? '' : within)
        else if (isBegun) endLine(false)
        if (name === 'pre') isPre = true
        if (unread.has(name)) skipped = name
      },
      onclosetag: (start, end) => {
        const name = html.slice(start, end).toLowerCase()
        if (name === skipped) skipped = ''
        if (name === 'pre') isPre = false
        if (!blocks.has(name)) say(within)
        else if (isBroken) isBroken = false
        else endLine(false)
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
