/** Binding a listener, with an error that says what to do. */
import type { Server } from 'node:net'
import { MailweirError } from './errors.ts'
import type { ListenAddress } from './settings.ts'

/** Whether only this machine can reach an address to listen on. */
export const isLoopbackHost = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)

/** Listens and gives the port, which differs from the asked one where that was 0. */
export function listenOn(server: Server, listen: ListenAddress, setting: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      server.removeListener('listening', listening)
      const where = `${listen.host}:${listen.port}`
      if (error.code === 'EADDRINUSE') {
        reject(
          new MailweirError(
            'ADDRESS_IN_USE',
            `Cannot listen on ${where}: another program does. Stop it, or set ${setting} to a free port`,
            { cause: error, fields: { setting, address: where } },
          ),
        )
      } else if (error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL') {
        reject(
          new MailweirError('SETTINGS_WRONG', `Cannot listen on ${where} (${error.code}): change ${setting}`, {
            cause: error,
            fields: { setting, address: where },
          }),
        )
      } else reject(error)
    }
    const listening = () => {
      server.removeListener('error', failed)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : listen.port)
    }
    server.once('error', failed)
    server.once('listening', listening)
    server.listen({ host: listen.host, port: listen.port, backlog: 1024 })
  })
}
