/**
 * A stand-in for the legacy system: takes every message over SMTP and writes a line of JSON for it, so that what was forwarded can
 * be compared with what was sent. It is for trying things out; it keeps no mail.
 */
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { listenOn } from '#lib/runtime/listen.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import type { Service } from '#lib/runtime/service.ts'
import * as setting from '#lib/runtime/settings.ts'
import { replies } from '#lib/smtp/replies.ts'
import { createSmtpServer } from '#lib/smtp/server.ts'

/** Stands for the stand-in in LEGACY_SMTP: its port is known once it listens. */
export const standInHost = 'smtp://stand-in:25'

export const standInSettings = {
  standInListen: setting.listen('STAND_IN_LISTEN', '127.0.0.1:0', {
    meaning: 'SMTP listener of the built-in stand-in for the legacy system',
  }),
} as const

/** One line of `received.jsonl`. */
export type StandInLine = {
  /** Epoch milliseconds. */
  readonly at: number
  /** Hexadecimal. */
  readonly sha256: string
  readonly size: number
  readonly reversePath: string
  readonly parameters: Readonly<Record<string, string>>
  readonly forwardPaths: readonly { readonly address: string; readonly parameters: Readonly<Record<string, string>> }[]
}

export interface StandIn extends Service {
  readonly port: number
  /** Of the file that it writes. */
  readonly path: string
}

/** The file is turned over once at this size: two of them are the most that stays. */
const fileBytesMax = 64 * 1024 * 1024
const messageBytesMax = 1_073_741_824

export function startStandIn(
  config: setting.Values<typeof standInSettings> & { readonly dataDir: string },
  logger: Logger,
): StandIn {
  const folder = join(config.dataDir, 'legacy')
  const path = join(folder, 'received.jsonl')
  mkdirSync(folder, { recursive: true })
  const write = (line: StandInLine): void => {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > fileBytesMax) renameSync(path, `${path}.1`)
    appendFileSync(path, `${JSON.stringify(line)}\n`)
  }
  const server = createSmtpServer({
    name: 'legacy.localhost',
    sizeMax: messageBytesMax,
    connectionsMax: 1_000,
    limits: { idleMs: 300_000, transactionMs: 3_600_000, errorsMax: 100, idleCommandsMax: 1_000 },
    tls: () => null,
    proxies: null,
    connect: () => null,
    disconnected: () => {},
    dismissed: () => {},
    mail: () => null,
    rcpt: () => null,
    data: ({ reversePath, forwardPaths }) => {
      const hash = createHash('sha256')
      let size = 0
      const { SIZE: _size, ...parameters } = reversePath.parameters
      return {
        write: (chunk) => {
          hash.update(chunk)
          size += chunk.length
          return true
        },
        ready: async () => {},
        end: async () => {
          const sha256 = hash.digest('hex')
          write({ at: Date.now(), sha256, size, reversePath: reversePath.address, parameters, forwardPaths })
          return { code: 250, enhancedStatus: '2.0.0', text: 'Taken' }
        },
        abort: () => {},
      }
    },
    failed: (error) => logger.debug({ event: 'smtp.failed', err: error }, 'a session failed'),
  })
  let isListening = false
  const standIn = {
    name: 'stand-in',
    port: 0,
    path,
    ready: Promise.resolve(),
    done: new Promise<void>((resolve) => server.plain.once('close', () => resolve())),
    isReady: () => isListening,
    stop: async () => {
      if (!isListening) return
      isListening = false
      server.close()
      for (const session of [...server.sessions]) session.dismiss(replies.shuttingDown)
      await standIn.done
    },
  }
  standIn.ready = listenOn(server.plain, config.standInListen, 'STAND_IN_LISTEN').then((port) => {
    standIn.port = port
    isListening = true
  })
  standIn.ready.catch(() => {})
  return standIn
}
