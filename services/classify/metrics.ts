/** Metrics of classify. */
import { type Metrics, secondsBuckets } from '#lib/runtime/metrics.ts'

export const classifyMetrics = (metrics: Metrics) => ({
  classified: metrics.counter('mailweir_classify_classified_total', 'Messages classified, by kind.', ['kind']),
  undecodable: metrics.counter('mailweir_classify_undecodable_total', 'Records of mail.raw that could not be read.'),
  claimsMissing: metrics.counter('mailweir_classify_claims_missing_total', 'Messages whose claim was not there.'),
  threadsLost: metrics.counter(
    'mailweir_classify_threads_lost_total',
    'Threads that ended or had to be ended over a message.',
  ),
  duration: metrics.histogram('mailweir_classify_duration_seconds', 'Time to classify one message.', {
    buckets: secondsBuckets,
  }),
})
