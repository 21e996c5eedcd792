/**
 * Which SMTP command a quoted reply answered. The same words mean other things in answer to MAIL, RCPT and the end of data: a
 * recipient that is unknown at RCPT does not exist, one that is so after the data was refused by a filter.
 *
 * Each mail system says it in its own way: Postfix in parentheses, Exim and GMX with "after", qmail in a sentence, Sendmail by
 * the transcript, DragonFly and Yahoo by name.
 */
import { LiteralIndex } from '../literals.ts'

export type Command = 'CONN' | 'HELO' | 'MAIL' | 'RCPT' | 'DATA' | ''

const phrases: readonly (readonly [Command, RegExp])[] = [
  [
    'DATA',
    /in reply to (?:end of )?data|after end of (?:message|data)|after sending the (?:message|data|body)|after (?:pipelined )?data command|did not like our (?:final )?data|failed after i sent the message|failed on data command|\[(?:eod|data)\]|\(state 1[5-8]\)|rejected the message (?:text|content|body)|smtp error, (?:dot|data):/i,
  ],
  [
    'HELO',
    /in reply to (?:ehlo|helo|lhlo)|after (?:ehlo|helo|lhlo)|but my name was rejected|did not like our (?:ehlo|helo)|\[(?:ehlo|helo)\]/i,
  ],
  [
    'MAIL',
    /in reply to mail from|after (?:pipelined )?mail from|after mail command|but sender was rejected|did not like our mail from|\[mail_from\]|rejected mail from address|\(state 13\)|mail from command|smtp error, mail from:/i,
  ],
  [
    'RCPT',
    /in reply to rcpt to|after (?:pipelined )?rcpt to|after rcpt command|does(?: not|n.t) like recipient|did not like our rcpt to|\[rcpt_to\]|rejected rcpt to address|\(state (?:9|14)\)|rcpt to command|recipient address rejected: |smtp error, rcpt to:/i,
  ],
  [
    'CONN',
    /refused to talk to me|after initial connection|but (?:the )?greeting failed|on (?:the )?(?:initial )?connect(?:ion)? command|while (?:receiving|waiting for) the initial server greeting|did not like our connect/i,
  ],
]

/** In a transcript a reply (<<<) stands behind the command (>>>) that it answers; MDaemon has arrows, and the time in front of them. */
const transcript =
  /(?:>>>\s*(ehlo|helo|mail|rcpt|data|\.)\b[^\n]{0,400}?\s+<<<|-->\s*(ehlo|helo|mail|rcpt|data|\.)(?:\s[^\n]{0,400})?\n[^\n]{0,60}<--)\s*[45]\d\d/i
/** m-FILTER names the command on a line of its own, Stalwart in quotes. */
const named =
  /smtp command(?:\s*:)?\s*(ehlo|helo|mail|rcpt|data)\b|error following (ehlo|helo|mail|rcpt|data) command|rejected command ['"]?(ehlo|helo|mail|rcpt|data)\b/i
const verbs: Readonly<Record<string, Command>> = {
  ehlo: 'HELO',
  helo: 'HELO',
  lhlo: 'HELO',
  mail: 'MAIL',
  rcpt: 'RCPT',
  data: 'DATA',
  '.': 'DATA',
}

/** As Postfix says it, behind each reply that it quotes. */
const inReply = /\(in reply to (?:end of )?(data|mail|rcpt|ehlo|helo|lhlo)\b/i

/** From the surest to the least sure; without a command of its own a pattern has the verb in a group. */
const forms: readonly (readonly [Command, RegExp])[] = [['', inReply], ...phrases, ['', transcript], ['', named]]
/** Most texts hold the words of none. */
const index = new LiteralIndex(forms, ([, pattern]) => pattern)

/** @param text what a notice or a diagnostic says of one recipient; empty result: it does not tell */
export function commandOf(text: string): Command {
  for (const [command, pattern] of index.candidates(text)) {
    const match = pattern.exec(text)
    if (match !== null) return command || (verbs[match.slice(1).find(Boolean)?.toLowerCase() ?? ''] ?? '')
  }
  return ''
}
