/** Writes the pages and manifests that are made from the code: `npm run generate`. `test/docs.test.ts` compares them. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asMarkdown } from '#cli/commands/config.ts'
import { logSettings } from '#lib/log/config.ts'
import { Metrics } from '#lib/runtime/metrics.ts'
import { topicSpecs, topics } from '#schemas/topics.ts'
import { classifyMetrics } from '#services/classify/metrics.ts'
import { consoleMetrics } from '#services/console/metrics.ts'
import { forwardMetrics } from '#services/forward/metrics.ts'
import { ingestMetrics } from '#services/ingest/metrics.ts'
import { imapMetrics, quarantineMetrics } from '#services/quarantine/metrics.ts'

const recordBytesMax = Number(logSettings.recordBytesMax.fallback)

const made = 'This page is made by `npm run generate`.'

function topicsPage(): string {
  const rows = topics.map(
    (topic) =>
      `| \`${topic.name}\` | [${topic.record}](../schemas/${topic.record}.avsc) | ${topic.key} | ${topic.partitions === 'few' ? '2' : '`PARTITIONS`'} | ${topic.cleanup} | ${topic.retentionDays === null ? 'until compacted' : `${topic.retentionDays} days`} | ${topic.writers.join(', ')} | ${topic.readers.join(', ')} |`,
  )
  return `# Topics

${made} The declarations are in \`schemas/topics.ts\`. \`mailweir topics\` makes them, \`mailweir topics --check\` compares. A run of
\`mailweir replay\` makes one more, \`mail.replay.<name>\`, kept for 7 days.

| topic | record | key | partitions | cleanup | kept | written by | read by |
| --- | --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

async function metricsPage(): Promise<string> {
  const sections: string[] = []
  for (const [name, declare] of [
    ['ingest', ingestMetrics],
    ['forward', forwardMetrics],
    ['classify', classifyMetrics],
    ['quarantine', quarantineMetrics],
    ['imap', imapMetrics],
    ['console', consoleMetrics],
  ] as const) {
    const metrics = new Metrics()
    declare(metrics)
    const rows = (await metrics.registry.getMetricsAsJSON()).map(
      (metric) => `| \`${metric.name}\` | ${String(metric.type)} | ${metric.help} |`,
    )
    sections.push(`## ${name}\n\n| metric | type | meaning |\n| --- | --- | --- |\n${rows.join('\n')}\n`)
  }
  return `# Metrics

${made} Every process answers \`/metrics\` on \`HEALTH_LISTEN\`, the console and \`mailweir up\` on \`CONSOLE_LISTEN\`, in Prometheus's text
format. Beside these there are prom-client's figures of the process, with the prefix \`mailweir_\`.

${sections.join('\n')}`
}

/** Partitions in the manifests: an installation that wants others changes PARTITIONS and these. */
const manifestPartitions = 12

function topicsManifest(): string {
  const docs = topicSpecs(manifestPartitions).map(
    ({ name, partitions, cleanup, retentionMs }) => `apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata:
  name: ${name}
  labels:
    strimzi.io/cluster: kafka
spec:
  topicName: ${name}
  partitions: ${partitions}
  replicas: 3
  config:
    cleanup.policy: ${cleanup}
    retention.ms: ${retentionMs ?? -1}
    min.insync.replicas: 2
    max.message.bytes: ${recordBytesMax + 65_536}
`,
  )
  return `# Made by npm run generate from schemas/topics.ts.\n${docs.join('---\n')}`
}

export const pages = async (): Promise<Readonly<Record<string, string>>> => ({
  'CONFIGURATION.md': asMarkdown(),
  'TOPICS.md': topicsPage(),
  'METRICS.md': await metricsPage(),
  '../k8s/base/topics.yaml': topicsManifest(),
})

if (process.argv[1] === import.meta.filename) {
  for (const [name, text] of Object.entries(await pages())) writeFileSync(join(import.meta.dirname, name), text)
}
