/**
 * Commands of any state, and those that lead to a login: RFC 9051 sections 6.1 and 6.2, ID (RFC 2971), ENABLE (RFC 5161), COMPRESS
 * (RFC 4978), OAUTHBEARER (RFC 7628).
 */

import type { Account } from '../accounts.ts'
import { SyntaxProblem } from '../grammar.ts'
import { Refusal } from '../refusal.ts'
import type { Enabled, Session } from '../session.ts'
import { accountLimits } from '../wire.ts'
import type { Command } from './command.ts'

async function welcome(session: Session, account: Account): Promise<string> {
  session.account = account
  session.wire.limits = accountLimits
  session.ports.metrics.logins.inc({ outcome: 'ok' })
  await session.ports.audit(account, 'login', '', session.address)
  return `[CAPABILITY ${session.capabilities()}] logged in`
}

function refused(session: Session): never {
  session.ports.metrics.logins.inc({ outcome: 'refused' })
  session.ports.logger.warn(
    { event: 'imap.login.refused', session: session.id, client: session.address },
    'refused a login',
  )
  throw new Refusal('[AUTHENTICATIONFAILED] wrong user or password')
}

async function login(session: Session, user: string, password: string): Promise<string> {
  if (!session.mayLogin) throw new Refusal('[PRIVACYREQUIRED] use STARTTLS first')
  const account = await session.ports.authenticate(user, password, session.address)
  return account === null ? refused(session) : welcome(session, account)
}

/** RFC 7628: `n,a=user,^Ahost=…^Aport=…^Aauth=Bearer token^A^A`. */
async function loginByToken(session: Session, response: string): Promise<string> {
  const { authenticateToken } = session.ports
  if (authenticateToken === null) throw new Refusal('[CANNOT] only PLAIN is offered')
  if (!session.mayLogin) throw new Refusal('[PRIVACYREQUIRED] use STARTTLS first')
  const [, token = ''] = /\x01auth=Bearer +([A-Za-z0-9._~+/=-]{1,8000})\x01/i.exec(response) ?? []
  const account = token === '' ? null : await authenticateToken(token)
  if (account !== null) return welcome(session, account)
  // The client hears why, answers with ^A, and is refused.
  session.wire.write(`+ ${Buffer.from('{"status":"invalid_token"}').toString('base64')}\r\n`)
  await session.wire.line()
  return refused(session)
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
      const isToken = mechanism === 'OAUTHBEARER' && session.ports.authenticateToken !== null
      if (mechanism !== 'PLAIN' && !isToken) throw new Refusal('[CANNOT] there is no such mechanism')
      if (!session.mayLogin) throw new Refusal('[PRIVACYREQUIRED] use STARTTLS first')
      if (response === null) {
        session.wire.write('+ \r\n')
        const line = await session.wire.line()
        if (line === null || line === 'too long') throw new SyntaxProblem('expected a response')
        response = line.toString('latin1')
      }
      if (response === '*') throw new SyntaxProblem('cancelled')
      if (isToken) return loginByToken(session, Buffer.from(response, 'base64').toString('utf8'))
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
      const asked: string[] = []
      while (reader.match(/ /) !== null) asked.push(reader.atom().toUpperCase())
      reader.end()
      if (asked.length === 0) throw new SyntaxProblem('expected a capability')
      const known = asked.filter((word): word is Enabled => enableable.has(word))
      for (const word of known) session.enabled.add(word)
      if (session.enabled.has('QRESYNC')) session.enabled.add('CONDSTORE')
      session.wire.write(
        `* ENABLED${known.map((word) => ` ${word === 'IMAP4REV2' ? 'IMAP4rev2' : word}`).join('')}\r\n`,
      )
      return 'done'
    },
  },
  // Its windows take memory, which a stranger does not get.
  COMPRESS: {
    state: 'authenticated',
    run: async (session, reader, tag) => {
      reader.space()
      if (reader.atom().toUpperCase() !== 'DEFLATE') throw new SyntaxProblem('there is no such method')
      reader.end()
      if (session.wire.isCompressed) throw new Refusal('[COMPRESSIONACTIVE] it is compressed already')
      session.wire.write(`${tag} OK compressing\r\n`)
      session.wire.compress()
      return null
    },
  },
}

const enableable: ReadonlySet<string> = new Set(['CONDSTORE', 'QRESYNC', 'IMAP4REV2', 'UIDONLY'])
