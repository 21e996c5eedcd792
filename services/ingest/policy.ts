/**
 * Which clients, paths and sizes we take. Pure: values in, a reply or null out.
 */

import type { Path } from '#lib/mail/path.ts'
import { domainOf } from '#lib/mail/smtp-address.ts'
import { replies } from '#lib/smtp/replies.ts'
import type { Reply } from '#lib/smtp/reply.ts'

export type PolicyLimits = {
  readonly domains: readonly string[]
  readonly messageBytesMax: number
  readonly recipientsMax: number
  readonly connectionsPerAddressMax: number
}

export class Policy {
  readonly #domains: ReadonlySet<string>
  readonly #limits: PolicyLimits

  constructor(limits: PolicyLimits) {
    this.#limits = limits
    this.#domains = new Set(limits.domains.map((domain) => domain.toLowerCase()))
  }

  connect(connectionsOfAddress: number): Reply | null {
    return connectionsOfAddress > this.#limits.connectionsPerAddressMax ? replies.tooManyConnections : null
  }

  mail(path: Path): Reply | null {
    const size = path.parameters['SIZE']
    if (size !== undefined && /^\d{1,20}$/.test(size) && Number(size) > this.#limits.messageBytesMax) {
      return replies.messageTooLarge
    }
    return null
  }

  rcpt(path: Path, recipients: number): Reply | null {
    if (recipients >= this.#limits.recipientsMax) return replies.tooManyRecipients
    // RFC 5321 section 4.5.1: postmaster without a domain is ours.
    if (path.address.toLowerCase() === 'postmaster') return null
    if (this.#domains.has('*') || this.#domains.has(domainOf(path.address).replace(/\.$/, ''))) return null
    return replies.notOurDomain
  }
}
