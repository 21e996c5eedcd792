/** Bounces: reasons over time, and reason by receiving domain or by the mail system that wrote the bounce. */
import { html, useState } from '/vendor/preact.js'
import { useAnswer } from '../api.js'
import { Bars, Change, count, Hours, Problem, Table } from '../parts.js'

const columnsMax = 8

export function Bounces() {
  const [hours, setHours] = useState(168)
  const [by, setBy] = useState('domain')
  const step = hours > 48 ? 'day' : hours > 6 ? 'hour' : 'minute'
  const reasons = useAnswer(`/api/series?by=reason&kind=bounce&hours=${hours}&step=${step}&limit=12`)
  const table = useAnswer(`/api/table?of=reason/${by}&hours=${hours}`)
  const cells = table.data?.cells ?? []
  const sums = new Map()
  for (const { column, messages } of cells) sums.set(column, (sums.get(column) ?? 0) + messages)
  const names = [...sums].sort((a, b) => b[1] - a[1]).slice(0, columnsMax)
  const rows = [...new Set(cells.map(({ row }) => row))]
  const link = (more) => `#/messages?kind=bounce&${new URLSearchParams(more)}`
  return html`
    <${Hours} hours=${hours} onChange=${setHours} />
    <${Problem} error=${reasons.error ?? table.error} />
    ${reasons.data === null ? null : html`<${Bars} title="Bounces by reason" step=${step} series=${reasons.data.series} steps=${reasons.data.steps} />`}
    <${Table} id="reasons" caption="Bounces by reason" rows=${reasons.data?.series ?? []} columns=${[
      ['Reason', ({ name }) => html`<a href=${link({ reason: name })}>${name || '(none)'}</a>`],
      ['Messages', ({ total }) => count(total), 'number'],
      ['Change', ({ total, before }) => html`<${Change} now=${total} before=${before} />`, 'number'],
    ]} />
    <h2>Reason by whom</h2>
    <label>By <select name="by" value=${by} onInput=${(event) => setBy(event.target.value)}>
      <option value="domain">receiving domain</option><option value="system">mail system</option>
    </select></label>
    <${Table} id="matrix" caption=${by === 'domain' ? 'Reason by receiving domain' : 'Reason by mail system'} rows=${rows} columns=${[
      ['Reason', (reason) => reason || '(none)'],
      ...names.map(([name]) => [
        name || '(none)',
        (reason) => {
          const cell = cells.find(({ row, column }) => row === reason && column === name)
          return cell ? html`<a href=${link({ reason, [by]: name })}>${count(cell.messages)}</a>` : ''
        },
        'number',
      ]),
    ]} />`
}
