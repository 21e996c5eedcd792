/** Metrics of quarantine and of the IMAP facade. */
import type { Metrics } from '#lib/runtime/metrics.ts'

export const quarantineMetrics = (metrics: Metrics) => ({
  stored: metrics.counter('mailweir_quarantine_stored_total', 'Messages stored in segments, with their index entries.'),
  segments: metrics.counter('mailweir_quarantine_segments_total', 'Segments put.'),
  segmentBytes: metrics.counter('mailweir_quarantine_segment_bytes_total', 'Bytes of segments put.'),
  repeats: metrics.counter('mailweir_quarantine_repeats_total', 'Records of mail.classified that were repeats.'),
  undecodable: metrics.counter(
    'mailweir_quarantine_undecodable_total',
    'Records of mail.classified that could not be read.',
  ),
  failures: metrics.counter(
    'mailweir_quarantine_failures_total',
    'Attempts to store a batch that failed and were made again.',
  ),
})
export type QuarantineMetrics = ReturnType<typeof quarantineMetrics>

export const imapMetrics = (metrics: Metrics) => ({
  sessions: metrics.gauge('mailweir_imap_sessions', 'Sessions open.'),
  certificate: metrics.gauge(
    'mailweir_imap_certificate_expiry_timestamp_seconds',
    'When the certificate of the listeners ends, Unix time.',
  ),
  logins: metrics.counter('mailweir_imap_logins_total', 'Logins, by outcome.', ['outcome']),
  commands: metrics.counter('mailweir_imap_commands_total', 'Commands, by outcome.', ['outcome']),
  applied: metrics.counter('mailweir_imap_index_applied_total', 'Records of mail.index applied to the view.'),
  undecodable: metrics.counter('mailweir_imap_undecodable_total', 'Records of mail.index that could not be read.'),
})
export type ImapMetrics = ReturnType<typeof imapMetrics>
