/** Who may ask what: tokens with roles, hosts, and nothing that a page of another site can make a browser do. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isLoopbackHost } from '#lib/runtime/listen.ts'
import { isSameSecret } from '#lib/runtime/secret.ts'
import type { Role, Token } from '../config.ts'

export type Refusal = { readonly status: 401 | 403; readonly error: string }
export type Person = { readonly name: string; readonly role: Role }

const ranks: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 }

/**
 * The person who asks, or why the request is refused. Without tokens only requests that name a loopback host are answered: a page of
 * another site must not read mail through a name that it points at loopback.
 */
export function personOf(request: FastifyRequest, tokens: readonly Token[]): Person | Refusal {
  if (tokens.length === 0) {
    const host = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
    if (isLoopbackHost(host)) return { name: 'local', role: 'admin' }
    return { status: 403, error: 'Ask for this page as localhost, or set CONSOLE_TOKEN' }
  }
  const [scheme, value = ''] = (request.headers.authorization ?? '').split(' ')
  const given =
    scheme?.toLowerCase() === 'bearer'
      ? value
      : scheme?.toLowerCase() === 'basic'
        ? Buffer.from(value, 'base64')
            .toString('utf8')
            .replace(/^[^:]*:/, '')
        : ''
  // All are compared, so that the time tells nothing.
  const [known] = tokens.filter(({ token }) => isSameSecret(given, token))
  return known ?? { status: 401, error: 'This needs the token of CONSOLE_TOKEN' }
}

export const isRefusal = (found: Person | Refusal): found is Refusal => 'status' in found

/** Null: the person may do it. Reading is for all; changes are for operators, and come from our own page or from no page. */
export function refuseMethod(request: FastifyRequest, { role }: Person): Refusal | null {
  if (request.method === 'GET' || request.method === 'HEAD') return null
  const site = request.headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    return { status: 403, error: 'Changes are taken from this page alone' }
  const { origin } = request.headers
  if (origin !== undefined && origin !== 'null' && !isOwn(origin, request.headers.host ?? ''))
    return { status: 403, error: 'Changes are taken from this page alone' }
  return ranks[role] < ranks.operator ? { status: 403, error: 'This token may only read' } : null
}

function isOwn(origin: string, host: string): boolean {
  try {
    return new URL(origin).host === host
  } catch {
    return false
  }
}

/** HTML of a message: in a frame of our page alone, without scripts, without network. */
export function framed(reply: FastifyReply): void {
  reply.header(
    'content-security-policy',
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox",
  )
}

/** Nothing runs or is loaded that is not ours. */
export function secure(reply: FastifyReply): void {
  reply.headers({
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
    'cross-origin-resource-policy': 'same-origin',
  })
}
