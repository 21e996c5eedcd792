/** Metrics of forward. */
import { type Metrics, secondsBuckets } from '#lib/runtime/metrics.ts'

export const forwardMetrics = (metrics: Metrics) => ({
  forwarded: metrics.counter(
    'mailweir_forward_forwarded_total',
    'Messages whose recipients all were taken by the legacy system.',
  ),
  deferred: metrics.counter(
    'mailweir_forward_deferred_total',
    'Deferrals: a message went to mail.retry, once for each attempt.',
  ),
  dead: metrics.counter('mailweir_forward_dead_total', 'Dead letters, by reason.', ['reason']),
  normalised: metrics.counter(
    'mailweir_forward_normalised_total',
    'Messages with a look-alike of the end of data whose line ends were normalised.',
  ),
  failures: metrics.counter('mailweir_forward_host_failures_total', 'Connections to a legacy host that failed.'),
  addedDelay: metrics.histogram(
    'mailweir_forward_added_delay_seconds',
    "From accepted to the legacy host's 250, by host.",
    { labelNames: ['host'], buckets: secondsBuckets },
  ),
  waited: metrics.histogram(
    'mailweir_forward_handover_seconds',
    'From accepted to the first command of the transaction with the legacy host: what is ours of the delay.',
    { buckets: secondsBuckets },
  ),
  answered: metrics.histogram(
    'mailweir_forward_legacy_seconds',
    'From the first command of a transaction to its last reply: what is the legacy host’s of the delay.',
    { labelNames: ['host'], buckets: secondsBuckets },
  ),
  repeatsDropped: metrics.counter(
    'mailweir_forward_repeats_dropped_total',
    'Records that came again after their outcome was recorded, and were not sent again.',
  ),
  waiting: metrics.gauge('mailweir_forward_retry_waiting', 'Messages in mail.retry that this process waits on.'),
  lag: metrics.gauge(
    'mailweir_forward_lag_messages',
    'Messages behind the committed offset, in the partitions of this process.',
  ),
  lagBytes: metrics.gauge(
    'mailweir_forward_lag_bytes',
    'About how many bytes of the log they are: their number times the mean size of a record.',
  ),
  oldest: metrics.gauge(
    'mailweir_forward_oldest_waiting_seconds',
    'Age of the oldest message that waits in the partitions of this process; 0: none waits.',
  ),
  retentionLeft: metrics.gauge(
    'mailweir_forward_retention_left_seconds',
    'Time until the retention of mail.raw would drop the oldest message that waits.',
  ),
  hostsUp: metrics.gauge('mailweir_forward_hosts_up', 'Legacy hosts that take mail now.'),
})
export type ForwardMetrics = ReturnType<typeof forwardMetrics>
