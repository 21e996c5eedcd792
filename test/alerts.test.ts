/** The alert rules: each has its page, and fires when it should, as Prometheus' own tool computes it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse, stringify } from 'yaml'
import { programMissing } from '#lib/testing/programs.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'

const root = join(import.meta.dirname, '..')
type Rules = {
  groups: { rules: { alert: string; labels: Record<string, string>; annotations: Record<string, string> }[] }[]
}
const { spec } = parse(readFileSync(join(root, 'k8s/alerts/rules.yaml'), 'utf8')) as { spec: Rules }
const rules = spec.groups.flatMap((group) => group.rules)

/** For each alert: series that make it fire, series that do not, and after how long. */
const cases: Readonly<
  Record<
    string,
    { readonly fires: Record<string, string>; readonly quiet: Record<string, string>; readonly at: string }
  >
> = {
  MailweirRetentionNear: {
    fires: { mailweir_forward_retention_left_seconds: '100000x60' },
    quiet: { mailweir_forward_retention_left_seconds: '400000x60' },
    at: '30m',
  },
  MailweirLegacyDown: {
    fires: { mailweir_forward_hosts_up: '0x60' },
    quiet: { mailweir_forward_hosts_up: '1x60' },
    at: '30m',
  },
  MailweirForwardLate: {
    fires: { mailweir_forward_oldest_waiting_seconds: '1000x60' },
    quiet: { mailweir_forward_oldest_waiting_seconds: '10x60' },
    at: '30m',
  },
  MailweirDeadLetters: {
    fires: { mailweir_forward_dead_total: '0+10x120' },
    quiet: { mailweir_forward_dead_total: '0+1x120' },
    at: '90m',
  },
  MailweirUnbalanced: {
    fires: { mailweir_ledger_balanced: '0x60' },
    quiet: { mailweir_ledger_balanced: '1x60' },
    at: '30m',
  },
  MailweirIngestRefusing: {
    fires: { 'mailweir_ingest_refused_total{reply="451"}': '0+120x60' },
    quiet: { 'mailweir_ingest_refused_total{reply="550"}': '0+120x60' },
    at: '30m',
  },
  MailweirUnknownRising: {
    fires: {
      'mailweir_classify_classified_total{kind="unknown"}': '0+60x240',
      'mailweir_classify_classified_total{kind="bounce"}': '0+60x240',
    },
    quiet: {
      'mailweir_classify_classified_total{kind="unknown"}': '0+1x240',
      'mailweir_classify_classified_total{kind="bounce"}': '0+60x240',
    },
    at: '180m',
  },
  MailweirClassifyThreadsLost: {
    fires: { mailweir_classify_threads_lost_total: '0x20 1x60' },
    quiet: { mailweir_classify_threads_lost_total: '0x80' },
    at: '40m',
  },
  MailweirStoreFailing: {
    fires: { mailweir_quarantine_failures_total: '0+2x60' },
    quiet: { mailweir_quarantine_failures_total: '0x60' },
    at: '40m',
  },
  MailweirCertificateEnds: {
    fires: {
      mailweir_ingest_certificate_expiry_timestamp_seconds: '1000000x120',
      mailweir_imap_certificate_expiry_timestamp_seconds: '90000000x120',
    },
    quiet: { mailweir_ingest_certificate_expiry_timestamp_seconds: '90000000x120' },
    at: '90m',
  },
}

describe('the alerts', () => {
  it('have a paragraph each of what to do', () => {
    const page = readFileSync(join(root, 'docs/operate/alerts.md'), 'utf8')
    assert.deepEqual(
      [...page.matchAll(/^## (\w+)$/gm)].map(([, name]) => name),
      rules.map(({ alert }) => alert),
    )
  })

  it('fire when they should, and not otherwise', {
    skip: programMissing('promtool', '--version', 'prometheus'),
  }, () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'rules.yaml'), stringify(spec))
    assert.deepEqual(
      Object.keys(cases),
      rules.map(({ alert }) => alert),
    )
    const tests = rules.flatMap(({ alert, labels, annotations }) => {
      const { fires, quiet, at } = cases[alert] ?? { fires: {}, quiet: {}, at: '0m' }
      const one = (series: Record<string, string>, expected: object[]) => ({
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        alert_rule_test: [{ eval_time: at, alertname: alert, exp_alerts: expected }],
      })
      return [one(fires, [{ exp_labels: labels, exp_annotations: annotations }]), one(quiet, [])]
    })
    const file = join(folder.path, 'tests.yaml')
    writeFileSync(file, stringify({ rule_files: ['rules.yaml'], evaluation_interval: '1m', tests }))
    assert.match(execFileSync('promtool', ['test', 'rules', file], { encoding: 'utf8' }), /SUCCESS/)
  })
})
