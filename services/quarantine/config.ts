/** Settings of quarantine and of the IMAP facade. */
import * as setting from '#lib/runtime/settings.ts'
import { parseHoldRules } from './archive/holds.ts'
import { defaultRetention, parseRetention } from './archive/retention.ts'

export const quarantineSettings = {
  retention: setting.json('RETENTION', JSON.stringify(defaultRetention), {
    meaning:
      'retention classes: the first entry that fits a message decides; kind and variant "*" fit any; the bucket gets a lifecycle rule for each class',
    expected:
      'a JSON array of {"kind", "variant", "class", "days"}, its last entry for any kind; a class has one number of days',
    check: parseRetention,
  }),
  holdRules: setting.json('HOLD_RULES', '[]', {
    meaning: 'messages that are copied to Hold when they are stored, past any expiry; "*" or an absent field fits any',
    expected: 'a JSON array of {"kind", "variant", "reason"}, each with at least one of them',
    check: parseHoldRules,
  }),
  segmentBytes: setting.integer('SEGMENT_BYTES', 16_777_216, {
    unit: 'bytes',
    min: 65_536,
    max: 134_217_728,
    meaning: 'a partition is flushed to segments when so much waits',
  }),
  segmentMs: setting.integer('SEGMENT_MS', 5_000, {
    unit: 'milliseconds',
    min: 50,
    max: 600_000,
    meaning: 'or when its oldest message waits so long; 1000 with npm start',
  }),
} as const

export type QuarantineConfig = setting.Values<typeof quarantineSettings>

export const imapSettings = {
  imapListen: setting.listen('IMAP_LISTEN', '127.0.0.1:1143', {
    meaning: 'IMAP listener; login needs STARTTLS unless the client is on loopback',
  }),
  imapsListen: setting.listen('IMAPS_LISTEN', '127.0.0.1:1993', { meaning: 'IMAP over TLS' }),
  imapUser: setting.text('IMAP_USER', 'mailweir', { meaning: 'the account that reads the quarantine' }),
  imapPassword: setting.text('IMAP_PASSWORD', '', {
    meaning: 'its password; absent on the embedded default: made and printed',
    secret: true,
  }),
  imapAccounts: setting.optionalText('IMAP_ACCOUNTS', {
    meaning: 'file of further accounts, made by "mailweir imap user add"; read again when it changes; absent: none',
  }),
  imapOidcIssuer: setting.optionalText('IMAP_OIDC_ISSUER', {
    meaning: 'issuer of OpenID Connect whose tokens log in by OAUTHBEARER; absent: not offered',
  }),
  imapOidcAudience: setting.text('IMAP_OIDC_AUDIENCE', 'mailweir', { meaning: 'audience that its tokens must have' }),
  imapQuotaBytes: setting.integer('IMAP_QUOTA_BYTES', 10_737_418_240, {
    unit: 'bytes',
    min: 1_048_576,
    max: Number.MAX_SAFE_INTEGER,
    meaning: 'what all folders together may hold',
  }),
  imapSessionsPerAccountMax: setting.integer('IMAP_SESSIONS_PER_ACCOUNT_MAX', 100, {
    min: 1,
    max: 100_000,
    meaning: 'IMAP sessions at once of one account',
  }),
  imapTlsCert: setting.optionalText('IMAP_TLS_CERT', {
    meaning: 'file of the certificate chain, PEM; absent: a self-signed one is made below DATA_DIR',
  }),
  imapTlsKey: setting.optionalText('IMAP_TLS_KEY', { meaning: 'file of its private key, PEM' }),
  imapSessionsMax: setting.integer('IMAP_SESSIONS_MAX', 1_000, {
    min: 1,
    max: 100_000,
    meaning: 'IMAP sessions at once',
  }),
  imapIdleMs: setting.integer('IMAP_IDLE_MS', 1_800_000, {
    unit: 'milliseconds',
    min: 10_000,
    max: 86_400_000,
    meaning: 'a session that sends nothing for so long is ended (RFC 9051 section 5.4: 30 minutes at least)',
  }),
  imapCacheBytes: setting.integer('IMAP_CACHE_BYTES', 67_108_864, {
    unit: 'bytes',
    min: 1_048_576,
    max: 68_719_476_736,
    meaning: 'cache of blocks of segments, and of messages that were read',
  }),
} as const

export type ImapConfig = setting.Values<typeof imapSettings>
