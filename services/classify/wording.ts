/**
 * What was said, as the rules of reasons look at it: each paragraph in one line, without what mail systems put around a reply, and without what
 * somebody is called.
 */
import { replaceAddresses } from './bounce/address.ts'

/** Stands for a dot that ends no sentence. */
export const closedDot = '\u2024'
/** Characters of each text. */
const textMax = 4_000

/**
 * The dots of an address or of a host's name end no sentence: "user [a@b.example] does not exist". Nor is what somebody is called a reason:
 * "blocked@b.example". As long as the text.
 */
export const closed = (text: string): string =>
  replaceAddresses(text, masked).replace(/(?<=\w)\.(?!\d)(?=[\w-]{1,63}\.|[a-z]{2,63}\b)/gi, closedDot)

/** A dot that ends the sentence does so behind an address, too. */
function masked(address: string): string {
  let mask = ''
  for (let at = 0; at < address.length; at++) {
    const char = address.charCodeAt(at)
    mask += char === atSign ? '@' : char !== dot ? '_' : at < address.length - 1 ? closedDot : '.'
  }
  return mask
}
const [atSign, dot] = [0x40, 0x2e]

/** As much as is shown of what a rule matched. */
const matchMax = 200

/** What a rule matched in a closed text, as it stands in the text itself. */
export function asItWas(match: string, text: string): string {
  const start = match.slice(0, matchMax).replaceAll(closedDot, '.')
  if (!start.includes('_')) return start
  const shape = start.replace(/[^\w\s]/g, '\\$&').replaceAll('_', '.')
  return new RegExp(shape).exec(text)?.[0] ?? start
}

/** What says nothing of why, though it stands in every refusal of a recipient by Postfix and Cisco's gateways. */
const idle = /recipient address rejected: (?!access denied|undeliverable|unknown)|- unknown address error (?=\d{3}-)/gi
/**
 * What mail systems put around a reply in words, no more telling; each with words that only it has, which begin with a letter
 * that is rare, so that they are looked for fast.
 */
const wrappings: readonly (readonly [word: string, pattern: RegExp, reply?: string])[] = [
  ['] said:', /\bhost \S{1,255}\[[\da-f.:]{2,45}\] said:/gi],
  [
    'SMTP error from remote mail',
    /(?:\bhost \S{1,255} \[[\da-f.:]{2,45}\](?::\d{1,5})?:? )?smtp error from remote mail ?(?:er|server) after [a-z -]{1,40}(?::\s?<[^<>]{0,320}>)?[^:<>]{0,20}:(?: host \S{1,255} \[[\da-f.:]{2,45}\]:)?/gi,
  ],
  [
    'SMTP communication problem',
    /there was an? smtp communication problem with the recipient.s email server\.( please contact your system administrator\.)?/gi,
  ],
  ['ERROR_CODE', /(?:invalid address|error), error_code ?:(?:\d{3})?, error_code ?:/gi],
  ['Failure Reason: ', /intended recipients: \S{1,330} failure reason: /gi],
  ['The error that the other server', /the error that the other server returned was:/gi],
  ['Remote host said:', /(?<![\da-f.:])(?:[\da-f.:]{2,45} does not like recipient\.? )?remote host said:/gi],
  ['Giving up on ', /(?<!too long\. )giving up on [\da-f.:]+\.?/gi],
  ["I've given up.", /this is a permanent error; i.ve given up\./gi],
  // Stalwart takes the reply apart: the code in words, the enhanced one in parentheses, the text in quotes.
  [
    "' rejected command '",
    /\(?host '[^']{1,255}' rejected command '[^']{0,400}' with code ([45]\d\d) \(([45]\.\d{1,3}\.\d{1,3})\) '/g,
    ': $1 $2 ',
  ],
]

/** Between two sentences: what a colon introduces, and what begins with a small letter, goes on with what stands above it. */
const emptyLine = /(?<![:：][^\S\n]*)\n[^\S\n]*\n\s*(?![\sa-z])/
/** Each paragraph in one line. */
export function plain(text: string): string {
  const start = text.slice(0, textMax)
  const paragraphs = start.includes('\n') ? start.split(emptyLine) : [start]
  return unbroken(paragraphs.map(inOneLine).join('\n')).replace(idle, ': ')
}
const inOneLine = (text: string): string => text.replace(/[^\S ]\s*| \s+/g, ' ')

/** The same without what is put around a reply. */
export function plainWords(words: string): string {
  let line = plain(words)
  for (const [word, pattern, reply = ': '] of wrappings) if (line.includes(word)) line = line.replace(pattern, reply)
  return line
}

/** The lines of a reply (RFC 5321, section 4.2.1) each begin with its code, in the middle of a sentence: it is told once. */
function unbroken(text: string): string {
  const first = /\b([45]\d\d)-/.exec(text)
  if (first === null) return text
  const at = first.index + first[0].length
  return (
    text.slice(0, at) +
    text.slice(at).replace(codeWithin, (found, code: string, hyphen: string, enhanced?: string) =>
      // Only the last line has a space behind its code.
      hyphen === '-' || code === first[1] || enhanced !== undefined ? ' ' : found,
    )
  )
}
const codeWithin = / (?:<<< )?([45]\d\d)([- ])(?=\S)([45]\.\d{1,3}\.\d{1,3} )?/g
