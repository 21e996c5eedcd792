/**
 * Who may read: the account of the settings, those of a file with scrypt hashes, and holders of a token. Failures are slowed down,
 * for each network and for each account.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Clock } from '#lib/runtime/clock.ts'
import { describeError } from '#lib/runtime/errors.ts'
import { networkOf } from '#lib/runtime/network.ts'
import { isSameSecret } from '#lib/runtime/secret.ts'

export type Account = {
  readonly name: string
  readonly readOnly: boolean
  /** Top levels of the mailboxes that it may see, such as Bounces; null: all. */
  readonly tops: readonly string[] | null
}

/** Whether an account may see a mailbox. The INBOX is empty: anybody may. */
export const mayRead = ({ tops }: Account, name: string): boolean =>
  tops === null || name === 'INBOX' || tops.includes(name.split('/')[0] ?? '')

type Listed = Account & { readonly hash: string }

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt)
/** RFC 7914; 32 MiB and about 0.1 s for each try. */
const cost = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }
const keyBytes = 32
const accountsMax = 10_000

/** `scrypt$N$r$p$salt$key`, the last two in base64. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16)
  const key = await derive(password, salt, keyBytes, cost)
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64'), key.toString('base64')].join('$')
}

const hashForm = /^scrypt\$(\d{4,7})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/=]{8,100})\$([A-Za-z0-9+/=]{40,100})$/

async function isPassword(password: string, hash: string): Promise<boolean> {
  const [, n = '', r = '', p = '', salt = '', key = ''] = hashForm.exec(hash) ?? []
  const wanted = Buffer.from(key, 'base64')
  const options = { N: Number(n), r: Number(r), p: Number(p), maxmem: 256 * 1024 * 1024 }
  const found = await derive(password, Buffer.from(salt, 'base64'), wanted.length || keyBytes, options)
  return found.length === wanted.length && timingSafeEqual(found, wanted)
}

/**
 * Lines of a file of accounts: `name hash [read-only] [tops=Bounces,Complaints]`; # starts a comment.
 * @returns the accounts, and a line for each thing that is wrong
 */
export function parseAccounts(text: string): {
  readonly accounts: readonly Listed[]
  readonly problems: readonly string[]
} {
  const accounts: Listed[] = []
  const problems: string[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [name = '', hash = '', ...more] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (name === '') continue
    const tops = more
      .find((word) => word.startsWith('tops='))
      ?.slice('tops='.length)
      .split(',')
    const unknown = more.find((word) => word !== 'read-only' && !word.startsWith('tops='))
    if (!hashForm.test(hash)) problems.push(`line ${index + 1}: expected a name and a hash of "mailweir imap user add"`)
    else if (unknown !== undefined)
      problems.push(`line ${index + 1}: there is no ${JSON.stringify(unknown)}: expected read-only or tops=…`)
    else if (accounts.some((known) => known.name === name))
      problems.push(`line ${index + 1}: ${name} stands there twice`)
    else if (accounts.length >= accountsMax) problems.push(`line ${index + 1}: more than ${accountsMax} accounts`)
    else accounts.push({ name, hash, readOnly: more.includes('read-only'), tops: tops ?? null })
  }
  return { accounts, problems }
}

export function readAccounts(path: string): ReturnType<typeof parseAccounts> {
  try {
    return parseAccounts(readFileSync(path, 'utf8'))
  } catch (error) {
    return { accounts: [], problems: [`${path} cannot be read: ${describeError(error)}`] }
  }
}

const failureMs = 1_000
const failureMaxMs = 30_000
const forgetMs = 600_000
const many = 20
/** Before each try of an account that is being guessed. */
const guessedMs = 5_000
const remembered = 10_000
const checksAtOnce = 4

/** Failures, by what failed: each doubles the wait of the next, and ten minutes without one forget them. */
export class Failures {
  readonly #clock: Clock
  readonly #known = new Map<string, { count: number; at: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  failed(key: string): number {
    const now = this.#clock.now()
    const before = this.#known.get(key)
    const count = before === undefined || now - before.at > forgetMs ? 1 : before.count + 1
    this.#known.delete(key)
    this.#known.set(key, { count, at: now })
    const [oldest] = this.#known.keys()
    if (this.#known.size > remembered && oldest !== undefined) this.#known.delete(oldest)
    return Math.min(failureMaxMs, failureMs * 2 ** (count - 1))
  }

  /** So many, so lately, that somebody is guessing. */
  areMany(key: string): boolean {
    const known = this.#known.get(key)
    return known !== undefined && known.count >= many && this.#clock.now() - known.at < forgetMs
  }

  succeeded(key: string): void {
    this.#known.delete(key)
  }
}

export class Accounts {
  readonly #first: { readonly user: string; readonly password: string }
  readonly #path: string | null
  readonly #clock: Clock
  readonly #failures: Failures
  #listed: ReadonlyMap<string, Listed> = new Map()
  #readAt = ''
  #checking = 0

  /** @param path file of accounts, read again when it changes; null: there is none */
  constructor(first: { readonly user: string; readonly password: string }, path: string | null, clock: Clock) {
    this.#first = first
    this.#path = path
    this.#clock = clock
    this.#failures = new Failures(clock)
  }

  /** Null: it is not so, which takes the longer the more often it was wrong. */
  async authenticate(user: string, password: string, address: string): Promise<Account | null> {
    const from = `from ${address.includes(':') ? networkOf(address) : address}`
    const on = `on ${user.slice(0, 200)}`
    if (!this.#failures.areMany(from)) {
      // Anybody can fail on an account: that slows it down, and locks nobody out of it.
      if (this.#failures.areMany(on)) await this.#clock.sleep(guessedMs)
      const account = await this.#check(user, password)
      if (account !== null) {
        this.#failures.succeeded(from)
        this.#failures.succeeded(on)
        return account
      }
    }
    await this.#clock.sleep(Math.max(this.#failures.failed(from), this.#failures.failed(on)))
    return null
  }

  async #check(user: string, password: string): Promise<Account | null> {
    const { user: name, password: secret } = this.#first
    if (isSameSecret(user, name) && secret !== '' && isSameSecret(password, secret)) {
      return { name, readOnly: false, tops: null }
    }
    this.#read()
    const listed = this.#listed.get(user)
    if (listed === undefined) return null
    // Each check takes 32 MiB: strangers must not make many at once.
    while (this.#checking >= checksAtOnce) await this.#clock.sleep(20)
    this.#checking++
    try {
      return (await isPassword(password, listed.hash)) ? listed : null
    } finally {
      this.#checking--
    }
  }

  #read(): void {
    if (this.#path === null) return
    const { mtimeMs, size } = statSync(this.#path, { throwIfNoEntry: false }) ?? { mtimeMs: 0, size: 0 }
    if (this.#readAt === `${mtimeMs} ${size}`) return
    const { accounts, problems } = readAccounts(this.#path)
    // A file that is being written, or is wrong, changes nothing.
    if (problems.length > 0) return
    this.#readAt = `${mtimeMs} ${size}`
    this.#listed = new Map(accounts.map((account) => [account.name, account]))
  }
}
