/** The rivals on smtp-server: as it comes with an empty handler (its own ceiling), or appending to a file that many sync together. */
import { fdatasync, openSync, readFileSync, writeSync } from 'node:fs'
import { SMTPServer } from 'smtp-server'

const [port, path = '', pem = ''] = process.argv.slice(2)
const file = path === '' ? null : openSync(path, 'a')
let waiting: (() => void)[] = []
let syncing = false

function sync(): void {
  if (syncing || waiting.length === 0 || file === null) return
  syncing = true
  const batch = waiting
  waiting = []
  fdatasync(file, () => {
    syncing = false
    for (const done of batch) done()
    sync()
  })
}

new SMTPServer({
  authOptional: true,
  disabledCommands: ['AUTH'],
  disableReverseLookup: true,
  logger: false,
  ...(pem === '' ? {} : { cert: readFileSync(pem), key: readFileSync(pem) }),
  onData: (stream, _session, callback) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => {
      if (file !== null) chunks.push(chunk)
    })
    stream.on('end', () => {
      if (file === null) return callback(null, 'taken')
      writeSync(file, Buffer.concat(chunks))
      waiting.push(() => callback(null, 'taken'))
      sync()
    })
  },
}).listen(Number(port), '127.0.0.1')
