/** Connections to SMTP servers, in the clear and under TLS, and what goes wrong with them. */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describeError, MailweirError, systemCode } from '#lib/runtime/errors.ts'
import type { Reply } from './reply.ts'

export type SmtpHost = { readonly host: string; readonly port: number; readonly tls: boolean }

export type SmtpClientTls = {
  /** STARTTLS where it is offered, or always, or never. */
  readonly startTls: 'offered' | 'required' | 'off'
  readonly verify: boolean
  /** Certificate authority, PEM; absent: those of the system. */
  readonly ca?: Buffer
}

export class SmtpConnectionError extends MailweirError {
  readonly reply: Reply | null
  /** True: the peer may have taken the message, since it broke off after the end of data was sent. */
  readonly afterData: boolean
  constructor(message: string, options: { cause?: unknown; reply?: Reply; afterData?: boolean } = {}) {
    super('SMTP_CONNECTION', message, { cause: options.cause, retriable: true })
    this.reply = options.reply ?? null
    this.afterData = options.afterData ?? false
  }
}

/** The peer and we could not agree on TLS. */
export class HandshakeError extends SmtpConnectionError {}

export const isLoopback = (socket: Socket): boolean => /^(?:::ffff:)?127\.|^::1$/.test(socket.remoteAddress ?? '')

const tlsOptions = (host: SmtpHost, tls: SmtpClientTls | undefined) => ({
  ...(isIP(host.host) === 0 ? { servername: host.host } : {}),
  rejectUnauthorized: tls?.verify ?? true,
  ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
})

export function openSocket(host: SmtpHost, connectMs: number, tls: SmtpClientTls | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const where = `${host.host}:${host.port}`
    const socket: Socket = host.tls
      ? connectTls({ host: host.host, port: host.port, ...tlsOptions(host, tls) })
      : connectTcp({ host: host.host, port: host.port })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new SmtpConnectionError(`${where} did not answer within ${connectMs} ms`))
    }, connectMs)
    socket.once(host.tls ? 'secureConnect' : 'connect', () => {
      clearTimeout(timer)
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.once('error', (error) => {
      clearTimeout(timer)
      reject(
        new SmtpConnectionError(`cannot connect to ${where} (${systemCode(error) ?? describeError(error)})`, {
          cause: error,
        }),
      )
    })
  })
}

/** Puts TLS on a socket that speaks SMTP; rejects with a `HandshakeError`. */
export function upgrade(
  plain: Socket,
  host: SmtpHost,
  connectMs: number,
  tls: SmtpClientTls | undefined,
): Promise<Socket> {
  plain.removeAllListeners('data')
  plain.removeAllListeners('close')
  return new Promise((resolve, reject) => {
    const fail = (error?: Error): void =>
      reject(new HandshakeError(`${host.host}:${host.port} and we found no common TLS`, { cause: error }))
    const secure = connectTls({ socket: plain, ...tlsOptions(host, tls) }, () => {
      clearTimeout(timer)
      secure.removeAllListeners('error')
      resolve(secure)
    })
    const timer = setTimeout(() => secure.destroy(new Error('the handshake took too long')), connectMs)
    secure.once('error', fail)
    plain.once('close', () => fail())
  })
}
