/** Errors with two faces: the reply is for a stranger, the cause is for us. */
import { MailweirError } from '#lib/runtime/errors.ts'
import { replies } from './replies.ts'
import type { Reply } from './reply.ts'

export class SmtpError extends MailweirError {
  readonly reply: Reply
  constructor(reply: Reply, options: { cause?: unknown } = {}) {
    super('SMTP_REFUSED', reply.text, options)
    this.reply = reply
  }
}

/** What an unforeseen error says to the client: always a temporary one, because nobody is told of a bounce that is refused. */
export const replyFor = (error: unknown): Reply => (error instanceof SmtpError ? error.reply : replies.localError)
