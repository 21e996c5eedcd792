/**
 * All replies that we give, most severe first: a message can fail many ways and hears one. The class digit of the
 * enhanced status is the first digit of the code.
 */
import type { Reply } from './reply.ts'

const reply = (code: number, enhancedStatus: string, text: string): Reply => ({ code, enhancedStatus, text })

export const replies = {
  shuttingDown: reply(421, '4.3.2', 'Shutting down, try again later'),
  tooManyConnections: reply(421, '4.7.0', 'Too many connections, try again later'),
  idleTooLong: reply(421, '4.4.2', 'Idle for too long'),
  tooManyErrors: reply(421, '4.7.0', 'Too many errors'),
  tooManyCommands: reply(421, '4.7.0', 'Too many commands without a message'),
  tooFast: reply(421, '4.7.0', 'Too many messages in so short a time, try again later'),
  lineTooLong421: reply(421, '4.5.2', 'Line too long'),
  localError421: reply(421, '4.3.0', 'Local error, try again later'),
  earlyTalker: reply(554, '5.5.1', 'Wait for the greeting before you speak'),
  notOurDomain: reply(550, '5.7.1', 'We do not accept mail for that domain'),
  badAddress: reply(501, '5.1.3', 'Bad address syntax'),
  badReversePath: reply(501, '5.1.7', 'Bad reverse-path syntax'),
  unknownRecipient: reply(550, '5.1.1', 'No such recipient here'),
  bareLineEnd: reply(550, '5.6.11', 'Lines have to end with CR LF'),
  lookAlike: reply(550, '5.6.11', 'A dot alone between bare line ends'),
  messageTooLarge: reply(552, '5.3.4', 'Message is larger than we accept'),
  looping: reply(554, '5.4.6', 'Too many Received fields: the message is looping'),
  tooManyRecipients: reply(452, '4.5.3', 'Too many recipients, send the rest in another transaction'),
  overloaded: reply(452, '4.3.1', 'Too much in flight, try again later'),
  unknownCommand: reply(500, '5.5.1', 'Unknown command'),
  lineTooLong: reply(500, '5.5.2', 'Line too long'),
  badHello: reply(501, '5.5.4', 'Expected a host name'),
  badParameter: reply(501, '5.5.4', 'Bad parameter'),
  noExpand: reply(502, '5.5.1', 'EXPN is not available'),
  noTls: reply(502, '5.5.1', 'TLS is not available'),
  helloFirst: reply(503, '5.5.1', 'Say EHLO first'),
  mailFirst: reply(503, '5.5.1', 'Say MAIL first'),
  rcptFirst: reply(503, '5.5.1', 'Say RCPT first'),
  nestedMail: reply(503, '5.5.1', 'A transaction is under way'),
  mixedData: reply(503, '5.5.1', 'DATA does not go with BDAT'),
  noRecipients: reply(554, '5.5.1', 'No valid recipients'),
  unknownParameter: reply(555, '5.5.4', 'Unknown parameter'),
  localError: reply(451, '4.3.0', 'Local error, try again later'),
  help: reply(214, '2.0.0', 'RFC 5321'),
  startTls: reply(220, '2.0.0', 'Ready to start TLS'),
  goodbye: reply(221, '2.0.0', 'Goodbye'),
  reset: reply(250, '2.0.0', 'Reset'),
  noop: reply(250, '2.0.0', 'OK'),
  mailOk: reply(250, '2.1.0', 'OK'),
  rcptOk: reply(250, '2.1.5', 'OK'),
  chunkOk: reply(250, '2.0.0', 'Chunk taken'),
  noVerify: reply(252, '2.5.2', 'Send it, and it will be tried'),
} as const satisfies Record<string, Reply>

export const queuedAs = (id: string): Reply => reply(250, '2.0.0', `Queued as ${id}`)
