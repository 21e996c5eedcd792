/** What the IMAP facade needs and nobody gave: a password and a certificate, made once and kept below DATA_DIR. */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { generate } from 'selfsigned'
import { systemCode } from '#lib/runtime/errors.ts'

const certificateDays = 3_650

export function readOrNull(path: string): Buffer | null {
  try {
    return readFileSync(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw error
  }
}

/** Only its owner may read it. `wx`: of two processes that start at once one makes it, the other reads it. */
export function keep(path: string, content: string): Buffer {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  try {
    writeFileSync(path, content, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error
  }
  return readFileSync(path)
}

export function imapPassword(dataDir: string): string {
  const path = join(dataDir, 'imap-password')
  return (readOrNull(path) ?? keep(path, `${randomBytes(15).toString('base64url')}\n`)).toString('utf8').trim()
}

type Tls = { readonly cert: Buffer; readonly key: Buffer }

export async function imapTls(config: {
  readonly dataDir: string
  readonly imapTlsCert: string | null
  readonly imapTlsKey: string | null
}): Promise<Tls> {
  if (config.imapTlsCert !== null && config.imapTlsKey !== null) {
    return { cert: readFileSync(config.imapTlsCert), key: readFileSync(config.imapTlsKey) }
  }
  // One file holds both, so that two processes never end with the halves of two pairs.
  const path = join(config.dataDir, 'imap-self-signed.pem')
  const known = readOrNull(path)
  if (known !== null) return { cert: known, key: known }
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + certificateDays * 86_400_000),
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  const kept = keep(path, `${made.cert.trim()}\n${made.private.trim()}\n`)
  return { cert: kept, key: kept }
}
