/** The routes as they are set, and what each did in the last hour. */
import { html } from '/vendor/preact.js'
import { useAnswer } from '../api.js'
import { count, Problem, Table, time } from '../parts.js'

const conditions = (when) =>
  Object.entries(when)
    .map(([name, patterns]) => `${name} ${patterns.join(' or ')}`)
    .join(', and ') || 'every message'

export function Routes() {
  const { data, error } = useAnswer('/api/routes')
  const sum = ({ outcomes }, what) => count(outcomes.reduce((total, outcome) => total + outcome[what], 0))
  return html`
    <p>Routes hand copies on, beside the legacy system: <code>ROUTES</code> says which. They are changed there.</p>
    <${Problem} error=${error} />
    <${Table} id="routes" caption="Routes" rows=${data?.routes ?? []} empty="No routes are set" columns=${[
      ['Route', ({ name }) => name],
      ['Takes', ({ when }) => conditions(when)],
      ['To', ({ kind, to, isSigned }) => `${kind} ${to.join(', ')}${isSigned ? ', signed' : ''}`],
      ['Taken in the last hour', (row) => sum(row, 'taken'), 'number'],
      ['Refused', (row) => sum(row, 'refused'), 'number'],
      [
        'The last refusal',
        ({ outcomes }) =>
          outcomes
            .map(({ lastRefusal, lastRefusalAt }) => (lastRefusal ? `${time(lastRefusalAt)}: ${lastRefusal}` : ''))
            .join(' '),
      ],
    ]} />`
}
