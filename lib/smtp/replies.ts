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
  notOurDomain: reply(550, '5.7.1', 'We do not accept mail for that domain'),
  badAddress: reply(501, '5.1.3', 'Bad address syntax'),
  badReversePath: reply(501, '5.1.7', 'Bad reverse-path syntax'),
  messageTooLarge: reply(552, '5.3.4', 'Message is larger than we accept'),
  looping: reply(554, '5.4.6', 'Too many Received fields: the message is looping'),
  tooManyRecipients: reply(452, '4.5.3', 'Too many recipients, send the rest in another transaction'),
  overloaded: reply(452, '4.3.1', 'Too much in flight, try again later'),
  localError: reply(451, '4.3.0', 'Local error, try again later'),
} as const satisfies Record<string, Reply>

export const queuedAs = (id: string): Reply => reply(250, '2.0.0', `Queued as ${id}`)
