/** What stands for an address in mail.suppressions after its owner asked to be forgotten: who knows the address finds it, nobody else. */
import { createHash } from 'node:crypto'

/** `sha256:` and 64 hexadecimal digits, of the address in lower case. */
export const pseudonymOf = (address: string): string =>
  `sha256:${createHash('sha256').update(address.toLowerCase()).digest('hex')}`
