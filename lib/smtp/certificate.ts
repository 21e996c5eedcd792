/** A certificate on disk that may change while it is used: looked at when it is asked for, not more often than every second. */
import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContext } from 'node:tls'
import { MailweirError } from '#lib/runtime/errors.ts'

const lookMs = 1_000

export class Certificate {
  readonly #cert: string
  readonly #key: string
  readonly #failed: (error: unknown) => void
  #context: SecureContext
  #version: string
  #lookedAt: number
  #expiresAt = 0

  /** Throws SETTINGS_WRONG where the two files are not a certificate and its key. */
  constructor(cert: string, key: string, failed: (error: unknown) => void) {
    this.#cert = cert
    this.#key = key
    this.#failed = failed
    try {
      this.#version = this.#look()
      this.#context = this.#load()
    } catch (error) {
      throw new MailweirError('SETTINGS_WRONG', `Cannot use the certificate ${cert} with the key ${key}`, {
        cause: error,
      })
    }
    this.#lookedAt = Date.now()
  }

  /** The certificate of now. One that cannot be read is reported, and the last one stays. */
  get context(): SecureContext {
    const now = Date.now()
    if (now - this.#lookedAt < lookMs) return this.#context
    this.#lookedAt = now
    try {
      const version = this.#look()
      if (version !== this.#version) {
        this.#context = this.#load()
        this.#version = version
      }
    } catch (error) {
      this.#failed(error)
    }
    return this.#context
  }

  /** When the certificate in use ends, epoch milliseconds. */
  get expiresAt(): number {
    return this.#expiresAt
  }

  #look(): string {
    return [this.#cert, this.#key]
      .map((path) => {
        const { mtimeMs, size, ino } = statSync(path)
        return `${mtimeMs} ${size} ${ino}`
      })
      .join(' ')
  }

  #load(): SecureContext {
    const cert = readFileSync(this.#cert)
    const context = createSecureContext({
      cert,
      key: readFileSync(this.#key),
      minVersion: 'TLSv1.2',
      honorCipherOrder: true,
    })
    this.#expiresAt = endOf(cert)
    return context
  }
}

/** When the first certificate of a chain ends, epoch milliseconds. */
export const endOf = (cert: Buffer | string): number => Date.parse(new X509Certificate(cert).validTo)
