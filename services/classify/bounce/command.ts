/**
 * Which SMTP command a quoted reply answered. The same words mean other things in answer to MAIL, RCPT and the end of data: a
 * recipient that is unknown at RCPT does not exist, one that is so after the data was refused by a filter.
 *
 * Each mail system says it in its own way: Postfix in parentheses, Exim and GMX with "after", qmail in a sentence, Sendmail by
 * the transcript, DragonFly and Yahoo by name.
 */
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

/** A word of each phrase: what holds none of them tells no command, and is not read seven times. */
const anyPhrase =
  /in reply to|after |like|\[(?:eod|data|[eh]+lo|mail_from|rcpt_to)\]|\(state|rejected|failed |refused to|greeting|connect|command|smtp error|>>>|-->/i

/** As Postfix says it, behind each reply that it quotes. */
const inReply = /\(in reply to (?:end of )?(data|mail|rcpt|ehlo|helo|lhlo)\b/i

/** @param text what a notice or a diagnostic says of one recipient; empty result: it does not tell */
export function commandOf(text: string): Command {
  if (!anyPhrase.test(text)) return ''
  const replied = inReply.exec(text)?.[1]
  if (replied !== undefined) return verbs[replied.toLowerCase()] ?? ''
  for (const [command, pattern] of phrases) if (pattern.test(text)) return command
  const [, sent, shown] = transcript.exec(text.slice(0, 20_000)) ?? []
  const verb = sent ?? shown ?? ''
  const alone = verb === '' ? (named.exec(text)?.slice(1).find(Boolean) ?? '') : ''
  return verbs[(verb || alone).toLowerCase()] ?? ''
}
