/** The dashboard: each panel asks for metrics that exist, in a language that Prometheus' own tool takes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { stringify } from 'yaml'
import { programMissing } from '#lib/testing/programs.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'

const root = join(import.meta.dirname, '..')
type Panel = {
  id: number
  type: string
  title: string
  gridPos: { x: number; w: number }
  targets?: { expr: string }[]
}
const { panels } = JSON.parse(readFileSync(join(root, 'k8s/grafana/mailweir.json'), 'utf8')) as { panels: Panel[] }
const asked = panels.flatMap(({ title, targets }) => (targets ?? []).map(({ expr }) => ({ title, expr })))

describe('the dashboard', () => {
  it('asks for metrics that exist, in panels that fit', () => {
    const page = readFileSync(join(root, 'docs/METRICS.md'), 'utf8')
    const known = new Set(
      [...page.matchAll(/^\| `(mailweir_\w+)` \| (\w+)/gm)].flatMap(([, name = '', kind]) =>
        kind === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
      ),
    )
    for (const { title, expr } of asked) {
      const names = expr.match(/mailweir_\w+/g) ?? []
      assert.ok(names.length > 0, title)
      assert.deepEqual(
        names.filter((name) => !known.has(name)),
        [],
        title,
      )
    }
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    for (const { title, gridPos } of panels) assert.ok(gridPos.x + gridPos.w <= 24, title)
  })

  it('is understood by Prometheus', { skip: programMissing('promtool', '--version', 'prometheus') }, () => {
    using folder = temporaryFolder()
    const rules = asked.map(({ expr }, n) => ({
      record: `panel:${n}`,
      expr: expr.replaceAll('$__rate_interval', '5m'),
    }))
    const path = join(folder.path, 'rules.yaml')
    writeFileSync(path, stringify({ groups: [{ name: 'dashboard', rules }] }))
    assert.match(execFileSync('promtool', ['check', 'rules', path], { encoding: 'utf8' }), /SUCCESS/)
  })
})
