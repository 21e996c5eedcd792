/** The rival: smtp-server as it comes, whose handler appends the message to a file and answers after a sync that many share. */
import { fdatasync, openSync, writeSync } from 'node:fs'
import { SMTPServer } from 'smtp-server'

const [port, path] = process.argv.slice(2)
const file = openSync(path ?? '', 'a')
let waiting: (() => void)[] = []
let syncing = false

function sync(): void {
  if (syncing || waiting.length === 0) return
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
  disabledCommands: ['AUTH', 'STARTTLS'],
  disableReverseLookup: true,
  logger: false,
  onData: (stream, _session, callback) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      writeSync(file, Buffer.concat(chunks))
      waiting.push(() => callback(null, 'taken'))
      sync()
    })
  },
}).listen(Number(port), '127.0.0.1')
