/** Settings of forward. */
import { existsSync } from 'node:fs'
import * as setting from '#lib/runtime/settings.ts'

/** How messages are sent: read by forward and by routes. */
export const relaySettings = {
  forwardName: setting.text('FORWARD_NAME', 'mailweir.localhost', { meaning: 'host name that forward says in EHLO' }),
  forwardConnectMs: setting.integer('FORWARD_CONNECT_MS', 10_000, {
    unit: 'milliseconds',
    min: 100,
    max: 300_000,
    meaning: 'a legacy host that does not take a connection in this time is down',
  }),
  forwardReplyMs: setting.integer('FORWARD_REPLY_MS', 120_000, {
    unit: 'milliseconds',
    min: 100,
    max: 600_000,
    meaning:
      'a legacy host that does not answer a command in this time is down; the end of data gets five times as long',
  }),
  forwardTls: setting.choice('FORWARD_TLS', ['offered', 'required', 'off'], 'offered', {
    meaning: 'STARTTLS to legacy hosts of smtp://: where it is offered, always, or never',
  }),
  forwardTlsVerify: setting.flag('FORWARD_TLS_VERIFY', false, {
    meaning: 'the certificate of a legacy host has to be valid for its name; otherwise its host is taken for down',
  }),
  forwardTlsCa: setting.optionalText('FORWARD_TLS_CA', {
    meaning: "file of the legacy hosts' certificate authority, PEM; absent: those of the system",
  }),
  lookAlike: setting.choice('FORWARD_LOOK_ALIKE', ['normalise', 'dead'], 'normalise', {
    meaning:
      'a message with a look-alike of the end of data (a lone dot between bare CR or LF), where the host does not offer CHUNKING: its line ends are made CR LF, or it goes to mail.dead',
  }),
} as const

/** What forward alone reads. */
export const forwardOnlySettings = {
  legacySmtp: setting.list('LEGACY_SMTP', null, {
    meaning: 'legacy hosts that get the originals; with npm start: the built-in stand-in',
    expected:
      'smtp://host:port[?weight=n][,smtp://host:port?backup…]; smtps:// for implicit TLS; a backup is used while no other host is up',
    item: /^smtps?:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?\/?(\?(weight=[1-9]\d{0,3}|backup)(&(weight=[1-9]\d{0,3}|backup))?)?$/,
    required: true,
  }),
  forwardConnections: setting.integer('FORWARD_CONNECTIONS', 20, {
    min: 1,
    max: 1_000,
    meaning: 'connections to each legacy host; to one of less weight than the heaviest, its share of them',
  }),
  forwardWindow: setting.integer('FORWARD_WINDOW', 200, {
    unit: 'messages',
    min: 1,
    max: 100_000,
    meaning: 'messages in flight for each partition',
  }),
  forwardWindowBytes: setting.integer('FORWARD_WINDOW_BYTES', 33_554_432, {
    unit: 'bytes',
    min: 1_048_576,
    max: 4_294_967_296,
    meaning: 'bytes in flight for each partition',
  }),
  forwardUser: setting.text('FORWARD_USER', '', {
    meaning: 'user of AUTH PLAIN to legacy hosts, under TLS or to loopback; empty: no AUTH',
  }),
  forwardPassword: setting.text('FORWARD_PASSWORD', '', { meaning: 'its password', secret: true }),
  forwardOrigin: setting.choice('FORWARD_ORIGIN', ['xforward', 'xclient', 'off'], 'xforward', {
    meaning:
      'how legacy hosts are told the client, its port and its HELO: XFORWARD, which they log; XCLIENT, by which they treat the message as if it came from there; where they offer it',
  }),
  forwardReceived: setting.flag('FORWARD_RECEIVED', false, {
    meaning: 'a Received field of ours goes before each message; otherwise not a byte is added',
  }),
  retryFirstMs: setting.integer('RETRY_FIRST_MS', 60_000, {
    unit: 'milliseconds',
    min: 10,
    max: 86_400_000,
    meaning: 'delay before a deferred message is tried again; each further one is twice as long, with jitter',
  }),
  retryMaxMs: setting.integer('RETRY_MAX_MS', 7_200_000, {
    unit: 'milliseconds',
    min: 10,
    max: 86_400_000,
    meaning: 'longest delay between tries',
  }),
  retryAgeMs: setting.integer('RETRY_AGE_MS', 432_000_000, {
    unit: 'milliseconds',
    min: 1_000,
    max: 2_592_000_000,
    meaning:
      'a message deferred for so long since it was accepted goes to mail.dead (RFC 5321 section 4.5.4.1: 4 to 5 days)',
  }),
} as const

export const forwardSettings = { ...relaySettings, ...forwardOnlySettings } as const

export type RelayConfig = setting.Values<typeof relaySettings>
export type ForwardConfig = setting.Values<typeof forwardSettings>

/** Rules between these settings. */
export function checkRelay(values: RelayConfig): readonly setting.Problem[] {
  if (values.forwardTlsCa === null || existsSync(values.forwardTlsCa)) return []
  return [
    {
      variable: 'FORWARD_TLS_CA',
      line: `FORWARD_TLS_CA=${JSON.stringify(values.forwardTlsCa)}: expected a file that exists`,
    },
  ]
}
