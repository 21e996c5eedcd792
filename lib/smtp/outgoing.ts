/** What the relay sends: a message with its envelope, and the commands that say it to a host. */
import type { Readable } from 'node:stream'
import type { Origin } from './origin.ts'

export type OutgoingOrigin = Origin & { readonly by: 'xclient' | 'xforward' }

export type OutgoingPath = { readonly address: string; readonly parameters: Readonly<Record<string, string>> }

export type OutgoingMessage = {
  readonly reversePath: OutgoingPath
  readonly forwardPaths: readonly OutgoingPath[]
  readonly size: number
  /** Bytes at hand, or a stream of `size` bytes. */
  readonly content: Buffer | Readable
  /** A field that goes before the content; `size` is without it. */
  readonly prefix?: Buffer
  /** Who gave us the message, and how the host is told: with XCLIENT, or else XFORWARD, or XFORWARD alone, where it is offered. */
  readonly origin?: OutgoingOrigin
}

/** The extension of each parameter of MAIL that is passed on as it came. */
const extensionOf: Readonly<Record<string, string>> = {
  BODY: '8BITMIME',
  SMTPUTF8: 'SMTPUTF8',
  RET: 'DSN',
  ENVID: 'DSN',
}

/** MAIL with those of the parameters that the host knows. */
export function mailCommand(
  { reversePath, size, prefix }: OutgoingMessage,
  offers: (keyword: string) => boolean,
): string {
  let text = `MAIL FROM:<${reversePath.address}>`
  if (offers('SIZE')) text += ` SIZE=${size + (prefix?.length ?? 0)}`
  for (const [name, value] of Object.entries(reversePath.parameters)) {
    const extension = extensionOf[name]
    if (extension !== undefined && offers(extension)) text += value === '' ? ` ${name}` : ` ${name}=${value}`
  }
  return text
}

/** RCPT with those of the parameters that the host knows. */
export function rcptCommand(path: OutgoingPath, offers: (keyword: string) => boolean): string {
  const command = `RCPT TO:<${path.address}>`
  if (!offers('DSN')) return command
  const known = Object.entries(path.parameters).filter(([name]) => name === 'NOTIFY' || name === 'ORCPT')
  return command + known.map(([name, value]) => ` ${name}=${value}`).join('')
}
