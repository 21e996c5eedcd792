/**
 * The PROXY protocol, versions 1 and 2 (haproxy.org, doc/proxy-protocol.txt): what a load balancer says of the client in front of
 * the first byte of SMTP. Pure: bytes in, a finding out.
 *
 *   version 1: "PROXY" SP ("TCP4" | "TCP6") SP source SP destination SP port SP port CR LF, at most 107 bytes; or "PROXY UNKNOWN" … CR LF
 *   version 2: 12 bytes of signature, version and command, family, length (2 bytes), addresses, TLVs
 */
import { isIP } from 'node:net'

export type ProxyFinding =
  | { readonly kind: 'more' }
  | { readonly kind: 'bad' }
  /** `client` null: the balancer speaks for itself (a health check), or does not know. */
  | {
      readonly kind: 'ok'
      readonly length: number
      readonly client: { readonly address: string; readonly port: number } | null
    }

const signature = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])
const lineMax = 107
const headerBytes = 16
/** Addresses and TLVs; what is longer is no balancer's. */
const lengthMax = 2_048
const bad: ProxyFinding = { kind: 'bad' }
const more: ProxyFinding = { kind: 'more' }

export function parseProxy(bytes: Buffer): ProxyFinding {
  if (bytes.length === 0) return more
  return bytes[0] === signature[0] ? parseBinary(bytes) : parseLine(bytes)
}

function parseLine(bytes: Buffer): ProxyFinding {
  const prefix = 'PROXY '
  const start = bytes.toString('latin1', 0, Math.min(bytes.length, lineMax))
  if (!start.startsWith(prefix.slice(0, start.length))) return bad
  const end = start.indexOf('\r\n')
  if (end < 0) return bytes.length >= lineMax ? bad : more
  const words = start.slice(0, end).split(' ')
  const length = end + 2
  if (words[1] === 'UNKNOWN') return { kind: 'ok', length, client: null }
  const [, family, address = '', , port = ''] = words
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : 0
  if (version === 0 || words.length !== 6 || isIP(address) !== version || !/^\d{1,5}$/.test(port)) return bad
  return { kind: 'ok', length, client: { address, port: Number(port) } }
}

function parseBinary(bytes: Buffer): ProxyFinding {
  const known = Math.min(bytes.length, signature.length)
  if (!bytes.subarray(0, known).equals(signature.subarray(0, known))) return bad
  if (bytes.length < headerBytes) return more
  const versionAndCommand = bytes[12] ?? 0
  const family = bytes[13] ?? 0
  const addressBytes = bytes.readUInt16BE(14)
  if (versionAndCommand >> 4 !== 2 || (versionAndCommand & 0x0f) > 1 || addressBytes > lengthMax) return bad
  const length = headerBytes + addressBytes
  if (bytes.length < length) return more
  // Command 0 is LOCAL: the balancer itself.
  if ((versionAndCommand & 0x0f) === 0) return { kind: 'ok', length, client: null }
  if (family === 0x11) {
    if (addressBytes < 12) return bad
    const address = [...bytes.subarray(16, 20)].join('.')
    return { kind: 'ok', length, client: { address, port: bytes.readUInt16BE(24) } }
  }
  if (family === 0x21) {
    if (addressBytes < 36) return bad
    const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(16 + at * 2).toString(16))
    return { kind: 'ok', length, client: { address: groups.join(':'), port: bytes.readUInt16BE(48) } }
  }
  return { kind: 'ok', length, client: null }
}
