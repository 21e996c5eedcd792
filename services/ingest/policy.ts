/**
 * Which clients, paths and sizes we take, and how many of them. Values in, a reply or null out; the time is handed in.
 */
import { type BatvKeys, isBatv, openBatv } from '#lib/mail/batv.ts'
import type { Path } from '#lib/mail/path.ts'
import { domainOf } from '#lib/mail/smtp-address.ts'
import { networkOf } from '#lib/runtime/network.ts'
import { replies } from '#lib/smtp/replies.ts'
import type { Reply } from '#lib/smtp/reply.ts'

export type PolicyLimits = {
  readonly domains: readonly string[]
  readonly recipientsMax: number
  readonly connectionsPerAddressMax: number
  readonly connectionsPerNetworkMax: number
  /** Messages in a minute from one address; 0: any number. */
  readonly ratePerAddressMax: number
  /** Local-parts and domains of ours that may be written to, as patterns of whole addresses; empty: any. */
  readonly recipientPatterns: readonly RegExp[]
  /** Empty: signatures are not looked at. */
  readonly batvKeys: BatvKeys
  readonly recipientCheck: 'reject' | 'mark'
}

const minuteMs = 60_000
/** Addresses whose rate is remembered; over it the oldest are forgotten. */
const ratesMax = 100_000

/** Of the recipients of one message with their parameters, so that it fits into a record with the message and its verdict. */
export const envelopeBytesMax = 128 * 1024
const recipientsMin = 100

export class Policy {
  readonly #limits: PolicyLimits
  readonly #domains: ReadonlySet<string>
  readonly #addresses = new Map<string, number>()
  readonly #networks = new Map<string, number>()
  /** Bytes of the recipients of a transaction, as far as they were counted. */
  readonly #envelopes = new WeakMap<readonly Path[], { count: number; bytes: number }>()
  /** Messages that an address may still send, and since when. */
  readonly #rates = new Map<string, { left: number; at: number }>()

  constructor(limits: PolicyLimits) {
    this.#limits = limits
    this.#domains = new Set(limits.domains.map((domain) => domain.toLowerCase()))
  }

  /** A connection is counted from here on, unless it is refused. */
  connect(address: string): Reply | null {
    const network = networkOf(address)
    const ofAddress = (this.#addresses.get(address) ?? 0) + 1
    const ofNetwork = (this.#networks.get(network) ?? 0) + 1
    if (ofAddress > this.#limits.connectionsPerAddressMax || ofNetwork > this.#limits.connectionsPerNetworkMax) {
      return replies.tooManyConnections
    }
    this.#addresses.set(address, ofAddress)
    this.#networks.set(network, ofNetwork)
    return null
  }

  disconnected(address: string): void {
    for (const [counts, key] of [
      [this.#addresses, address],
      [this.#networks, networkOf(address)],
    ] as const) {
      const count = (counts.get(key) ?? 1) - 1
      if (count <= 0) counts.delete(key)
      else counts.set(key, count)
    }
  }

  mail(address: string, now: number): Reply | null {
    const perMinute = this.#limits.ratePerAddressMax
    if (perMinute === 0) return null
    const known = this.#rates.get(address) ?? { left: perMinute, at: now }
    const left = Math.min(perMinute, known.left + ((now - known.at) * perMinute) / minuteMs)
    this.#rates.delete(address) // The newest are last.
    this.#rates.set(address, { left: Math.max(0, left - 1), at: now })
    if (this.#rates.size > ratesMax) {
      for (const oldest of this.#rates.keys()) {
        this.#rates.delete(oldest)
        break
      }
    }
    return left < 1 ? replies.tooFast : null
  }

  /** @param before the recipients of the transaction up to now */
  rcpt(path: Path, before: readonly Path[], now: number): Reply | null {
    if (before.length >= this.#limits.recipientsMax) return replies.tooManyRecipients
    // A hundred are taken, whatever they are like (RFC 5321 section 4.5.3.1.8).
    if (before.length >= recipientsMin && this.#bytesOf(before) > envelopeBytesMax) return replies.tooManyRecipients
    // RFC 5321 section 4.5.1: postmaster is always taken, also without a domain.
    if (path.address.toLowerCase() === 'postmaster') return null
    if (!this.#domains.has('*') && !this.#domains.has(domainOf(path.address).replace(/\.$/, ''))) {
      return replies.notOurDomain
    }
    if (this.#limits.recipientCheck === 'reject' && !this.isKnown(path.address, now)) return replies.unknownRecipient
    return null
  }

  /** Of the recipients of a transaction, each counted once. */
  #bytesOf(paths: readonly Path[]): number {
    const known = this.#envelopes.get(paths) ?? { count: 0, bytes: 0 }
    for (const { address, parameters } of paths.slice(known.count)) {
      known.bytes += Buffer.byteLength(address)
      for (const [name, value] of Object.entries(parameters)) known.bytes += name.length + Buffer.byteLength(value)
    }
    known.count = paths.length
    this.#envelopes.set(paths, known)
    return known.bytes
  }

  /** Whether an address fits one of the patterns, or is signed. */
  isKnown(address: string, now: number): boolean {
    const { recipientPatterns, batvKeys } = this.#limits
    if (batvKeys.size > 0 && isBatv(address)) return openBatv(address, batvKeys, now) !== null
    return (
      recipientPatterns.length === 0 ||
      /^postmaster@/i.test(address) ||
      recipientPatterns.some((pattern) => pattern.test(address))
    )
  }
}
