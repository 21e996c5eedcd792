import type { Reader } from '../grammar.ts'
import type { Session } from '../session.ts'

export type Command = {
  readonly state: 'any' | 'not authenticated' | 'authenticated' | 'selected'
  /** FETCH, STORE and SEARCH by message number: no EXPUNGE may be told (RFC 9051 section 7.5.1). */
  readonly keepsNumbers?: boolean
  /** Gives the text of OK, or null where the command has answered by itself; throws a `SyntaxProblem` (BAD) or `Refusal` (NO). */
  run(session: Session, reader: Reader, tag: string): Promise<string | null> | string | null
}
