/**
 * Prometheus metrics. Each is declared with a help sentence before use; counters end in `_total`, durations in
 * `_seconds`, sizes in `_bytes`; labels are small closed sets, never addresses or hosts.
 */
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

export type { Counter, Gauge, Histogram }

/** Declares metrics on one registry; asking twice for a name gives the same metric, so that services can share a process. */
export class Metrics {
  readonly registry = new Registry()
  /** Other threads whose metrics are shown together with ours. */
  readonly #others: (() => Promise<unknown[]>)[] = []

  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry, prefix: 'mailweir_' })
  }

  counter<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    const known = this.registry.getSingleMetric(name)
    if (known !== undefined) return known as Counter<L> // Declared by the same sentence elsewhere in this process.
    return new Counter({ name, help, labelNames, registers: [this.registry] })
  }

  gauge<L extends string = never>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    const known = this.registry.getSingleMetric(name)
    if (known !== undefined) return known as Gauge<L> // As above.
    return new Gauge({ name, help, labelNames, registers: [this.registry] })
  }

  histogram<L extends string = never>(
    name: string,
    help: string,
    options: { buckets: readonly number[]; labelNames?: readonly L[] },
  ): Histogram<L> {
    const known = this.registry.getSingleMetric(name)
    if (known !== undefined) return known as Histogram<L> // As above.
    return new Histogram({
      name,
      help,
      labelNames: options.labelNames ?? [],
      buckets: [...options.buckets],
      registers: [this.registry],
    })
  }

  join(other: () => Promise<unknown[]>): void {
    this.#others.push(other)
  }

  /** What `/metrics` answers, in Prometheus's text format. */
  async text(): Promise<string> {
    if (this.#others.length === 0) return this.registry.metrics()
    const parts = await Promise.all([this.registry.getMetricsAsJSON(), ...this.#others.map((other) => other())])
    // The aggregator takes what other threads posted as JSON; its types know only its own class.
    return AggregatorRegistry.aggregate(parts as never).metrics()
  }
}

/** Buckets in seconds from a millisecond to a minute. */
export const secondsBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const
