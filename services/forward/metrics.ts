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
  addedDelay: metrics.histogram('mailweir_forward_added_delay_seconds', "From accepted to the legacy system's 250.", {
    buckets: secondsBuckets,
  }),
  waiting: metrics.gauge('mailweir_forward_retry_waiting', 'Messages in mail.retry that this process waits on.'),
  hostsUp: metrics.gauge('mailweir_forward_hosts_up', 'Legacy hosts that take mail now.'),
})
export type ForwardMetrics = ReturnType<typeof forwardMetrics>
