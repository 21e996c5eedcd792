/** The legacy system's own suppression list against what the mail says. */
import { html, useState } from '/vendor/preact.js'
import { ask } from '../api.js'
import { count, Problem, Table } from '../parts.js'

const hours = (ms) => (ms / 3_600_000).toFixed(1)

export function Audit() {
  const [state, setState] = useState({ error: null, found: null, busy: false })
  const send = async (event) => {
    event.preventDefault()
    const [file] = event.target.elements.list.files
    if (!file) return
    setState({ error: null, found: null, busy: true })
    try {
      const found = await ask('/api/audit', { method: 'POST', headers: { 'content-type': 'text/csv' }, body: file })
      setState({ error: null, found, busy: false })
    } catch (error) {
      setState({ error: error.message, found: null, busy: false })
    }
  }
  const { error, found, busy } = state
  return html`
    <p>Choose the legacy system’s suppression list, a CSV file with a line of names: a column of addresses (email, address …), and if it has them a time and a reason. Nothing of it is kept.</p>
    <form id="audit" onSubmit=${send}>
      <label>List <input name="list" type="file" accept=".csv,text/csv" required /></label>
      <button disabled=${busy}>Compare</button>
    </form>
    <p role="status">${busy ? 'Comparing…' : ''}</p>
    <${Problem} error=${error} />
    ${
      found === null
        ? null
        : html`<ul class="figures" id="sums">
              <li><strong>${count(found.listed)}</strong> in the list</li>
              <li><strong>${count(found.supported)}</strong> that mail supports</li>
              <li><strong>${count(found.unsupported)}</strong> that no mail supports</li>
              <li><strong>${count(found.missed)}</strong> missed</li>
              <li><strong>${hours(found.late.medianMs)} h</strong> late at the median</li>
              <li><strong>${hours(found.late.mostMs)} h</strong> late at most</li>
            </ul>
            <h2>By reason of the list</h2>
            <${Table} caption="By reason of the list" rows=${found.byReason} columns=${[
              ['Reason', ({ reason }) => reason || '(none)'],
              ['Supported', ({ supported }) => count(supported), 'number'],
              ['Unsupported', ({ unsupported }) => count(unsupported), 'number'],
            ]} />
            <h2>Findings</h2>
            <${Table} id="findings" caption="Findings" rows=${found.findings} columns=${[
              [
                'Address',
                ({ address }) => html`<a href="#/messages?address=${encodeURIComponent(address)}">${address}</a>`,
              ],
              ['Finding', ({ finding }) => finding],
              ['Reason of the list', ({ reason }) => reason],
              ['What mail says', ({ cause }) => cause],
            ]} />`
    }`
}
