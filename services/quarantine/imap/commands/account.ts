/** Commands of any state, and those that lead to a login: RFC 9051 sections 6.1 and 6.2, ID (RFC 2971), ENABLE (RFC 5161). */
import { SyntaxProblem } from '../grammar.ts'
import { Refusal } from '../refusal.ts'
import type { Session } from '../session.ts'
import type { Command } from './command.ts'

const failedLoginMs = 1_000

async function login(session: Session, user: string, password: string): Promise<string> {
  if (!session.mayLogin) throw new Refusal('[PRIVACYREQUIRED] use STARTTLS first')
  if (!(await session.ports.authenticate(user, password))) {
    session.ports.metrics.logins.inc({ outcome: 'refused' })
    session.ports.logger.warn(
      { event: 'imap.login.refused', session: session.id, client: session.address },
      'refused a login',
    )
    await session.ports.clock.sleep(failedLoginMs)
    throw new Refusal('[AUTHENTICATIONFAILED] wrong user or password')
  }
  session.user = user
  session.ports.metrics.logins.inc({ outcome: 'ok' })
  session.ports.logger.info({ event: 'imap.login', session: session.id, client: session.address, user }, 'logged in')
  return `[CAPABILITY ${session.capabilities()}] logged in`
}

export const accountCommands: Readonly<Record<string, Command>> = {
  CAPABILITY: {
    state: 'any',
    run: (session, reader) => {
      reader.end()
      session.wire.write(`* CAPABILITY ${session.capabilities()}\r\n`)
      return 'done'
    },
  },
  NOOP: {
    state: 'any',
    run: (_session, reader) => {
      reader.end()
      return 'done'
    },
  },
  LOGOUT: {
    state: 'any',
    run: (session, reader) => {
      reader.end()
      session.bye('goodbye')
      return 'done'
    },
  },
  ID: {
    state: 'any',
    run: (session, reader) => {
      reader.space()
      if (reader.match(/NIL/i) === null) reader.list(() => (reader.match(/NIL/i) === null ? reader.string() : ''))
      reader.end()
      session.wire.write('* ID ("name" "Mailweir")\r\n')
      return 'done'
    },
  },
  STARTTLS: {
    state: 'not authenticated',
    run: async (session, reader, tag) => {
      reader.end()
      if (session.isTls) throw new SyntaxProblem('the connection is encrypted already')
      if (session.ports.startTls === null) throw new Refusal('there is no certificate')
      session.wire.write(`${tag} OK begin TLS\r\n`)
      await session.ports.startTls(session.wire)
      session.isTls = true
      return null
    },
  },
  LOGIN: {
    state: 'not authenticated',
    run: (session, reader) => {
      reader.space()
      const user = reader.astring()
      reader.space()
      const password = reader.astring()
      reader.end()
      return login(session, user, password)
    },
  },
  AUTHENTICATE: {
    state: 'not authenticated',
    run: async (session, reader) => {
      reader.space()
      const mechanism = reader.atom().toUpperCase()
      let response = reader.match(/ [A-Za-z0-9+/=]+/)?.slice(1) ?? null
      reader.end()
      if (mechanism !== 'PLAIN') throw new Refusal('[CANNOT] only PLAIN is offered')
      if (!session.mayLogin) throw new Refusal('[PRIVACYREQUIRED] use STARTTLS first')
      if (response === null) {
        session.wire.write('+ \r\n')
        const line = await session.wire.line()
        if (line === null || line === 'too long') throw new SyntaxProblem('expected a response')
        response = line.toString('latin1')
      }
      if (response === '*') throw new SyntaxProblem('cancelled')
      // RFC 4616: authorization identity, NUL, authentication identity, NUL, password.
      const words = Buffer.from(response === '=' ? '' : response, 'base64')
        .toString('utf8')
        .split('\0')
      if (words.length !== 3) throw new SyntaxProblem('that is not SASL PLAIN')
      const [as = '', user = '', password = ''] = words
      if (as !== '' && as !== user) throw new Refusal('[AUTHORIZATIONFAILED] you may not act for another')
      return login(session, user, password)
    },
  },
  ENABLE: {
    state: 'authenticated',
    run: (session, reader) => {
      while (reader.match(/ /) !== null) reader.atom()
      reader.end()
      session.wire.write('* ENABLED\r\n')
      return 'done'
    },
  },
}
