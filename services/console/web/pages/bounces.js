/** Bounces: reasons over time, and reason by mail system. */
import { html, useState } from '/vendor/preact.js'
import { useAnswer } from '../api.js'
import { Bars, Change, count, Hours, Problem, Table } from '../parts.js'

const columnsMax = 8

export function Bounces() {
  const [hours, setHours] = useState(168)
  const step = hours > 48 ? 'day' : 'hour'
  const reasons = useAnswer(`/api/series?by=reason&kind=bounce&hours=${hours}&step=${step}&limit=12`)
  const table = useAnswer(`/api/table?of=reason/domain&hours=${hours}`)
  const cells = table.data?.cells ?? []
  const sums = new Map()
  for (const { column, messages } of cells) sums.set(column, (sums.get(column) ?? 0) + messages)
  const domains = [...sums].sort((a, b) => b[1] - a[1]).slice(0, columnsMax)
  const rows = [...new Set(cells.map(({ row }) => row))]
  const link = (more) => `#/messages?kind=bounce&${new URLSearchParams(more)}`
  return html`
    <${Hours} hours=${hours} onChange=${setHours} />
    <${Problem} error=${reasons.error ?? table.error} />
    ${reasons.data === null ? null : html`<${Bars} title="Bounces by reason" step=${step} series=${reasons.data.series} steps=${reasons.data.steps} />`}
    <${Table} id="reasons" caption="Bounces by reason" rows=${reasons.data?.series ?? []} columns=${[
      ['Reason', ({ name }) => html`<a href=${link({ reason: name })}>${name || '(none)'}</a>`],
      ['Messages', ({ total }) => count(total), 'number'],
      ['Before', ({ total, before }) => html`<${Change} now=${total} before=${before} />`, 'number'],
    ]} />
    <h2>Reason by receiving domain</h2>
    <${Table} id="matrix" caption="Reason by receiving domain" rows=${rows} columns=${[
      ['Reason', (reason) => reason || '(none)'],
      ...domains.map(([domain]) => [
        domain || '(none)',
        (reason) => {
          const cell = cells.find(({ row, column }) => row === reason && column === domain)
          return cell ? html`<a href=${link({ reason, domain })}>${count(cell.messages)}</a>` : ''
        },
        'number',
      ]),
    ]} />`
}
