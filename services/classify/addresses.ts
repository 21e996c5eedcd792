/**
 * What our own address says of the message that comes back to it: the recipient, campaign or customer that the sender wrote into
 * the reverse-path. VERP (the recipient with = for @), SRS (what a forwarder made of it), BATV (a signature in front), and whatever
 * form the operator names.
 */
import { reportFields } from '#lib/mail/report-fields.ts'
import { findAddress } from '#lib/mail/smtp-address.ts'
import type { Sources } from './sources.ts'

export type AddressFacts = { readonly recipient?: string; readonly campaign?: string; readonly customer?: string }

const facts = ['recipient', 'campaign', 'customer'] as const

/** SRS0=hash=tt=domain=local and SRS1=hash=forwarder==hash=tt=domain=local (libsrs2, "The Sender Rewriting Scheme", 2004). */
const srs0 = /^srs0[=+-][^=]+=[^=]+=([^=@]+)=([^@]+)@/i
const srs1 = /^srs1[=+-][^=]+=[^=@]+=[=+-][^=]+=[^=]+=([^=@]+)=([^@]+)@/i
const batv = /^prvs=[0-9a-z]{10}=(.+)$/i
/** `anything-local=domain.example@ours`, with + or - in front of it, or nothing. */
const [verp, verpAlone] = [/(?<=[-+])([^@=+\s]+)=([^@=\s]+)@/, /^([^@=+\s]+)=([^@=\s]+)@/]

/** What forwarders and signatures have put around an address is taken off. */
export function unwrapped(address: string): string {
  let bare = address
  for (let turn = 0; turn < 4 && bare.includes('='); turn++) {
    const [, domain, local] = srs0.exec(bare) ?? srs1.exec(bare) ?? []
    if (domain !== undefined && local !== undefined) bare = `${local}@${domain}`
    else {
      const inner = batv.exec(bare)?.[1]
      if (inner === undefined) break
      bare = inner
    }
  }
  return bare
}

/**
 * @param addresses of ours: forward-paths of the envelope, or To where there is none, and return addresses
 * @param patterns with the named groups recipient, campaign and customer; in a recipient = stands for @
 */
export function readAddresses(addresses: readonly string[], patterns: readonly RegExp[]): AddressFacts {
  for (const address of addresses) {
    const bare = unwrapped(address)
    for (const pattern of patterns) {
      const groups = pattern.exec(bare)?.groups
      if (groups === undefined) continue
      const found: Record<string, string> = {}
      for (const fact of facts) {
        const value = groups[fact]
        if (value !== undefined && value !== '')
          found[fact] = fact === 'recipient' ? mailbox(value) : value.slice(0, 200)
      }
      return found
    }
    const [, local, domain = ''] = (bare.includes('=') ? (verp.exec(bare) ?? verpAlone.exec(bare)) : null) ?? []
    if (local !== undefined && domain.slice(1, -2).includes('.')) {
      const recipient = findAddress(`${local}@${domain}`)
      if (recipient !== '') return { recipient }
    }
  }
  return {}
}

function mailbox(value: string): string {
  if (value.includes('@')) return findAddress(value)
  const at = value.lastIndexOf('=')
  return at < 0 ? '' : findAddress(`${value.slice(0, at)}@${value.slice(at + 1)}`)
}

/** For whom a host took a message (RFC 5321 section 4.4, `for`), by its Received field; empty: it does not say. */
export function takenFor(received: string): string {
  const [, taken = ''] = /\sfor\s+<?([^\s<>;@]{1,64}@[^\s<>;]{1,255})>?\s*(?:;|\()/i.exec(received) ?? []
  return findAddress(taken) === taken ? taken : ''
}

/** Addresses in the fields of a list (RFC 2369). */
export const mailtoLinks = /<mailto:([^>?]{3,320})/gi

/** Our return address, and the one to unsubscribe at, as a report or the returned message has them; empty strings where they do not. */
export function returnPaths(sources: Sources): string[] {
  const feedback = sources.parts().find(({ type }) => type === 'message/feedback-report')
  const told = feedback === undefined ? [] : reportFields(sources.bytes, feedback)('original-mail-from').slice(0, 1)
  const paths = ['return-path', 'x-envelope-from', 'errors-to'].map((name) => sources.returnedHeader(name))
  const links = [...sources.returnedHeader('list-unsubscribe').matchAll(mailtoLinks)].map(([, address = '']) => address)
  return [...told, ...paths, ...links.slice(0, 1)].map(findAddress)
}
