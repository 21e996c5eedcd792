/** Campaigns: what came back of each, by kind. */
import { html, useState } from '/vendor/preact.js'
import { useAnswer } from '../api.js'
import { Change, count, Hours, Problem, Table } from '../parts.js'

const shown = ['bounce', 'complaint', 'opt-out', 'auto-reply']

export function Campaigns() {
  const [hours, setHours] = useState(168)
  const all = useAnswer(`/api/series?by=campaign&hours=${hours}&step=day&limit=50`)
  const byKind = Object.fromEntries(
    shown.map((kind) => [kind, useAnswer(`/api/series?by=campaign&kind=${kind}&hours=${hours}&step=day&limit=50`)]),
  )
  const of = (kind, name) => byKind[kind].data?.series.find((each) => each.name === name)?.total ?? 0
  const rows = (all.data?.series ?? []).filter(({ name }) => name !== '')
  return html`
    <${Hours} hours=${hours} onChange=${setHours} />
    <${Problem} error=${all.error} />
    <${Table} id="campaigns" caption="Campaigns" rows=${rows} empty="No message names a campaign" columns=${[
      ['Campaign', ({ name }) => html`<a href="#/messages?campaign=${encodeURIComponent(name)}">${name}</a>`],
      ['Messages', ({ total }) => count(total), 'number'],
      ['Change', ({ total, before }) => html`<${Change} now=${total} before=${before} />`, 'number'],
      ...shown.map((kind) => [
        kind,
        ({ name, total }) => {
          const number = of(kind, name)
          return html`<a href="#/messages?${new URLSearchParams({ campaign: name, kind })}">${count(number)}</a> <span class="quiet">${Math.round((number * 100) / total)} %</span>`
        },
        'number',
      ]),
    ]} />`
}
