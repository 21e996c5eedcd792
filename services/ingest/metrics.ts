/** Metrics of ingest. */
import { type Metrics, secondsBuckets } from '#lib/runtime/metrics.ts'

export const ingestMetrics = (metrics: Metrics) => ({
  accepted: metrics.counter('mailweir_ingest_accepted_total', 'Messages answered 250.'),
  acceptedBytes: metrics.counter('mailweir_ingest_accepted_bytes_total', 'Bytes of messages answered 250.'),
  refused: metrics.counter('mailweir_ingest_refused_total', 'Refusals, by reply.', ['reply']),
  dismissed: metrics.counter('mailweir_ingest_dismissed_total', 'Sessions that we ended, by the last reply.', [
    'reply',
  ]),
  tls: metrics.counter('mailweir_ingest_tls_total', 'Messages answered 250, by the version of TLS.', ['version']),
  broken: metrics.counter('mailweir_ingest_broken_total', 'Messages whose client went away before the end of data.'),
  claims: metrics.counter('mailweir_ingest_claims_total', 'Messages streamed to the object store.'),
  eventsLost: metrics.counter(
    'mailweir_ingest_events_lost_total',
    'Accepted events that could not be appended; the message itself is in mail.raw.',
  ),
  connections: metrics.gauge('mailweir_ingest_connections', 'Connections open.'),
  certificate: metrics.gauge(
    'mailweir_ingest_certificate_expiry_timestamp_seconds',
    'When the certificate of the listeners ends, Unix time; absent: no TLS.',
  ),
  inFlight: metrics.gauge('mailweir_ingest_in_flight_bytes', 'Bytes of messages being received or appended.'),
  receive: metrics.histogram('mailweir_ingest_receive_seconds', 'From DATA to the end of data.', {
    buckets: secondsBuckets,
  }),
  append: metrics.histogram(
    'mailweir_ingest_append_seconds',
    'From the end of data to the acknowledgement of the log.',
    {
      buckets: secondsBuckets,
    },
  ),
})
