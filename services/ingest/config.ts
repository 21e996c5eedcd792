/** Settings of ingest. */
import { BlockList, isIP } from 'node:net'
import type { BatvKeys } from '#lib/mail/batv.ts'
import { isLoopbackHost } from '#lib/runtime/listen.ts'
import * as setting from '#lib/runtime/settings.ts'

function parseBatvKeys(value: unknown): BatvKeys | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  const keys = Object.entries(value)
  return keys.every(([number, key]) => /^\d$/.test(number) && typeof key === 'string' && key !== '')
    ? new Map(keys)
    : null
}

export const ingestSettings = {
  smtpListen: setting.listen('SMTP_LISTEN', '127.0.0.1:2525', { meaning: "ingest's SMTP listener" }),
  smtpName: setting.text('SMTP_NAME', 'mailweir.localhost', { meaning: 'host name in the greeting and in EHLO' }),
  mailDomains: setting.list('MAIL_DOMAINS', null, {
    meaning: 'domains that ingest accepts mail for; * for any, on loopback only',
    expected: 'domain[,domain…], for example bounces.example.com',
    item: /^(\*|[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*)$/u,
    required: true,
  }),
  messageBytesMax: setting.integer('MESSAGE_BYTES_MAX', 52_428_800, {
    unit: 'bytes',
    min: 1_024,
    max: 1_073_741_824,
    meaning: 'largest message that is accepted',
  }),
  claimBytes: setting.integer('CLAIM_BYTES', 524_288, {
    unit: 'bytes',
    min: 1_024,
    max: 15_728_640,
    meaning: 'a larger message is streamed to the object store and its record carries the claim',
  }),
  connectionsMax: setting.integer('SMTP_CONNECTIONS_MAX', 2_000, {
    min: 1,
    max: 100_000,
    meaning: 'connections at once; more hear 421',
  }),
  connectionsPerAddressMax: setting.integer('SMTP_CONNECTIONS_PER_ADDRESS_MAX', 200, {
    min: 1,
    max: 100_000,
    meaning: 'connections at once from one address; more hear 421',
  }),
  connectionsPerNetworkMax: setting.integer('SMTP_CONNECTIONS_PER_NETWORK_MAX', 500, {
    min: 1,
    max: 100_000,
    meaning: 'connections at once from one network (/24 of IPv4, /64 of IPv6); more hear 421',
  }),
  ratePerAddressMax: setting.integer('SMTP_RATE_PER_ADDRESS_MAX', 0, {
    unit: 'messages a minute',
    min: 0,
    max: 1_000_000,
    meaning: 'messages from one address; more hear 421; 0: any number',
  }),
  errorsMax: setting.integer('SMTP_ERRORS_MAX', 100, {
    min: 1,
    max: 100_000,
    meaning: 'refusals in one session; then it hears 421 and is ended',
  }),
  idleCommandsMax: setting.integer('SMTP_IDLE_COMMANDS_MAX', 100, {
    min: 10,
    max: 100_000,
    meaning: 'commands that bring no message nearer (NOOP, RSET, EHLO, VRFY …) between two messages; then 421',
  }),
  recipientsMax: setting.integer('SMTP_RECIPIENTS_MAX', 1_000, {
    min: 100,
    max: 100_000,
    meaning: 'recipients of one transaction; more hear 452 (RFC 5321 section 4.5.3.1.8 asks for 100 at least)',
  }),
  receivedFieldsMax: setting.integer('RECEIVED_FIELDS_MAX', 100, {
    min: 10,
    max: 1_000,
    meaning: 'Received fields of one message; more is a loop (RFC 5321 section 6.3)',
  }),
  inFlightBytesMax: setting.integer('INGEST_IN_FLIGHT_BYTES_MAX', 268_435_456, {
    unit: 'bytes',
    min: 1_048_576,
    max: 17_179_869_184,
    meaning: 'bytes of messages being received or appended; over it DATA is answered 452',
  }),
  appendMs: setting.integer('INGEST_APPEND_MS', 30_000, {
    unit: 'milliseconds',
    min: 100,
    max: 300_000,
    meaning:
      "a message that the log has not acknowledged in this time is answered 451; the client's own limit is 10 minutes",
  }),
  idleMs: setting.integer('SMTP_IDLE_MS', 300_000, {
    unit: 'milliseconds',
    min: 1_000,
    max: 3_600_000,
    meaning: 'a client that sends nothing for so long is cut off (RFC 5321 section 4.5.3.2.7: 5 minutes)',
  }),
  transactionMs: setting.integer('SMTP_TRANSACTION_MS', 1_200_000, {
    unit: 'milliseconds',
    min: 1_000,
    max: 86_400_000,
    meaning:
      'a client that has not brought its next message to an end in this time is cut off, however slowly it sends',
  }),
  overloadMs: setting.integer('INGEST_OVERLOAD_MS', 5_000, {
    unit: 'milliseconds',
    min: 0,
    max: 60_000,
    meaning: 'DATA waits for room so long before it is answered 452; meanwhile nothing is read from its connection',
  }),
  bareLineEnds: setting.choice('BARE_LINE_ENDS', ['accept', 'normalise-never', 'reject'], 'accept', {
    meaning:
      'a message with a CR or LF of its own: accept keeps it as it is; normalise-never refuses it if it holds a look-alike of the end of data, which forward could only send on changed; reject refuses it',
  }),
  recipientPatterns: setting.patterns('RECIPIENT_PATTERNS', {
    meaning:
      'regular expressions of the addresses of ours that are in use (VERP, BATV), against the whole address; empty: any',
    expected: 'a JSON array of regular expressions, for example ["^bounce-\\\\d+@", "^prvs=[0-9a-f]{10}="]',
  }),
  recipientCheck: setting.choice('RECIPIENT_CHECK', ['reject', 'mark'], 'reject', {
    meaning: 'an address that fits none of them is refused with 550 5.1.1, or taken and marked in the accepted event',
  }),
  batvKeys: setting.json<BatvKeys>('BATV_KEYS', '{}', {
    meaning:
      'keys that sign our reverse-paths (BATV, prvs), by their number; with any, an address of that form which none of them signed, or whose day has passed, fits no pattern, and one that is signed fits',
    expected: 'a JSON object of digit and secret, for example {"0": "secret"}',
    check: parseBatvKeys,
    secret: true,
  }),
  smtpsListen: setting.optionalListen('SMTPS_LISTEN', { meaning: 'SMTP over TLS from the first byte; absent: off' }),
  proxyNetworks: setting.list('PROXY_NETWORKS', null, {
    meaning: 'balancers that speak the PROXY protocol, version 1 or 2, in front of SMTP; from these it is required',
    expected: 'address[/bits][,address[/bits]…], for example 10.0.0.0/8',
    item: /^[0-9a-fA-F:.]+(?:\/\d{1,3})?$/,
  }),
  tlsCert: setting.optionalText('SMTP_TLS_CERT', {
    meaning: 'file of the certificate chain, PEM, read again when it changes; absent: no TLS',
  }),
  tlsKey: setting.optionalText('SMTP_TLS_KEY', { meaning: 'file of its private key, PEM' }),
} as const

export type IngestConfig = setting.Values<typeof ingestSettings>

/** What a record holds beside the message: an envelope of 128 KiB (policy.ts), a verdict of 256 (classify), and small things. */
const recordRoomBytes = 416 * 1024

/** Rules between the settings of ingest and those of the log. */
export function checkIngest(values: IngestConfig & { readonly recordBytesMax: number }): readonly setting.Problem[] {
  const problems: setting.Problem[] = []
  if (values.mailDomains.includes('*') && !isLoopbackHost(values.smtpListen.host)) {
    problems.push({
      variable: 'MAIL_DOMAINS',
      line: `MAIL_DOMAINS="*" with SMTP_LISTEN on ${values.smtpListen.host}: expected domains, because an open relay would be reachable from outside`,
    })
  }
  // A record carries the message, the envelope with all its recipients, and the verdict later on.
  if (values.claimBytes + recordRoomBytes > values.recordBytesMax) {
    problems.push({
      variable: 'CLAIM_BYTES',
      line: `CLAIM_BYTES=${values.claimBytes}: expected at most RECORD_BYTES_MAX - ${recordRoomBytes} (${values.recordBytesMax - recordRoomBytes}), because the record holds the envelope and the verdict too`,
    })
  }
  if ((values.tlsCert === null) !== (values.tlsKey === null)) {
    problems.push({ variable: 'SMTP_TLS_CERT', line: 'SMTP_TLS_CERT and SMTP_TLS_KEY: expected both or none' })
  }
  if (values.smtpsListen !== null && values.tlsCert === null) {
    problems.push({ variable: 'SMTPS_LISTEN', line: 'SMTPS_LISTEN without SMTP_TLS_CERT: expected a certificate' })
  }
  if (blockListOf(values.proxyNetworks) === null) {
    problems.push({
      variable: 'PROXY_NETWORKS',
      line: `PROXY_NETWORKS=${JSON.stringify(values.proxyNetworks.join(','))}: expected addresses or networks`,
    })
  }
  return problems
}

/** Networks as one list to check against; null: one of them is none. */
export function blockListOf(networks: readonly string[]): BlockList | null {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address)
    if (family === 0) return null
    const width = family === 4 ? 32 : 128
    const prefix = bits === undefined ? width : Number(bits)
    if (prefix > width) return null
    list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
