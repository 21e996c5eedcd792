/** Metrics of routes. */
import type { Metrics } from '#lib/runtime/metrics.ts'

export const routesMetrics = (metrics: Metrics) => ({
  outcomes: metrics.counter(
    'mailweir_routes_outcomes_total',
    'Attempts by route and outcome: taken, deferred (it comes again), dead (in mail.dead), undecodable.',
    ['route', 'outcome'],
  ),
})
export type RoutesMetrics = ReturnType<typeof routesMetrics>
