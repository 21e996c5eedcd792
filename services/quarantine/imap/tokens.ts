/** Logins by a token of an OpenID Connect issuer (RFC 7628, RFC 7519), checked against the keys that it publishes. */
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose'
import type { Account } from './accounts.ts'

const fetchMs = 5_000

/**
 * The account is the token's `email` or `sub`; its claim `mailweir_tops` (words apart by spaces) names the top levels that it may see, and
 * `mailweir_read_only` makes it read-only.
 */
function accountOf(payload: JWTPayload): Account | null {
  const { email, sub, mailweir_tops: tops, mailweir_read_only: readOnly } = payload
  const name = typeof email === 'string' ? email : sub
  if (name === undefined || name === '') return null
  return { name, readOnly: readOnly === true, tops: typeof tops === 'string' ? tops.split(' ') : null }
}

/** Null: no issuer is set. */
export function openTokens(config: {
  readonly imapOidcIssuer: string | null
  readonly imapOidcAudience: string
}): ((token: string) => Promise<Account | null>) | null {
  const { imapOidcIssuer: issuer, imapOidcAudience: audience } = config
  if (issuer === null) return null
  let keys: Promise<ReturnType<typeof createRemoteJWKSet>> | null = null
  const discover = async (): Promise<ReturnType<typeof createRemoteJWKSet>> => {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const response = await fetch(url, { signal: AbortSignal.timeout(fetchMs) })
    const found: unknown = await response.json()
    const uri = typeof found === 'object' && found !== null && 'jwks_uri' in found ? found.jwks_uri : null
    if (typeof uri !== 'string') throw new Error(`${url} names no keys`)
    return createRemoteJWKSet(new URL(uri), { timeoutDuration: fetchMs })
  }
  return async (token) => {
    try {
      // An issuer that did not answer is asked again; one that did is not, whatever strangers send.
      keys ??= discover().catch((error: unknown) => {
        keys = null
        throw error
      })
      const { payload } = await jwtVerify(token, await keys, { issuer, audience })
      return accountOf(payload)
    } catch {
      return null
    }
  }
}
