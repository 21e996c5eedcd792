/** Metrics of the console. */
import type { Metrics } from '#lib/runtime/metrics.ts'

export const consoleMetrics = (metrics: Metrics) => ({
  applied: metrics.counter('mailweir_console_events_total', 'Events that the view of the console applied.'),
  suppressions: metrics.counter(
    'mailweir_console_suppressions_total',
    'Changes of suppressions, by the state that they led to.',
    ['state'],
  ),
  undecodable: metrics.counter(
    'mailweir_console_undecodable_total',
    'Records of mail.events and mail.suppressions that could not be read and were passed over.',
  ),
  refused: metrics.counter(
    'mailweir_console_connections_refused_total',
    'Connections that were closed because there were CONSOLE_CONNECTIONS_MAX.',
  ),
  spans: metrics.counter('mailweir_console_spans_total', 'Spans for the OpenTelemetry collector, by outcome.', [
    'outcome',
  ]),
  ledger: metrics.gauge(
    'mailweir_ledger_messages',
    'The ledger: accepted, forwarded, waiting, dead, classified, stored, storing, undecodable.',
    ['entry'],
  ),
  balanced: metrics.gauge('mailweir_ledger_balanced', '1 where the ledger balances, 0 where a message is missing.'),
})
