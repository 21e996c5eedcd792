/** The legacy system's own suppression list, or its log, against what the mail says. */
import { html, useState } from '/vendor/preact.js'
import { ask } from '../api.js'
import { count, Problem, Table } from '../parts.js'

const hours = (ms) => (ms / 3_600_000).toFixed(1)

/** What was compared last, for its export. */
let sent = null

async function download() {
  const response = await fetch('/api/audit?format=csv', sent)
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await response.blob())
  link.download = 'audit.csv'
  link.click()
  URL.revokeObjectURL(link.href)
}

export function Audit() {
  const [state, setState] = useState({ error: null, found: null, busy: false })
  const send = async (event) => {
    event.preventDefault()
    const [file] = event.target.elements.list.files
    if (!file) return
    setState({ error: null, found: null, busy: true })
    const type = event.target.elements.kind.value
    const options = { method: 'POST', headers: { 'content-type': type }, body: file }
    try {
      const found = await ask('/api/audit', options)
      sent = options
      setState({ error: null, found, busy: false })
    } catch (error) {
      setState({ error: error.message, found: null, busy: false })
    }
  }
  const { error, found, busy } = state
  return html`
    <p>Choose the legacy system’s suppression list, a CSV file with a line of names: a column of addresses (email, address …), and if it has them a time and a reason; or its log, of which <code>AUDIT_LOG_PATTERN</code> says which lines count. Nothing of it is kept.</p>
    <form id="audit" onSubmit=${send}>
      <label>It is <select name="kind"><option value="text/csv">a list (CSV)</option><option value="text/plain">a log</option></select></label>
      <label>File <input name="list" type="file" accept=".csv,.log,.txt,text/*" required /></label>
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
            <h2>By campaign</h2>
            <${Table} caption="By campaign" rows=${found.byCampaign} columns=${[
              ['Campaign', ({ campaign }) => campaign || '(none)'],
              ['Supported', ({ supported }) => count(supported), 'number'],
              ['Missed', ({ missed }) => count(missed), 'number'],
            ]} />
            <h2>Findings</h2>
            <button type="button" id="export" onClick=${download}>All findings as CSV</button>
            <${Table} id="findings" caption="Findings" rows=${found.findings} columns=${[
              [
                'Address',
                ({ address }) => html`<a href="#/messages?address=${encodeURIComponent(address)}">${address}</a>`,
              ],
              ['Finding', ({ finding }) => finding],
              ['Reason of the list', ({ reason }) => reason],
              ['What mail says', ({ cause }) => cause],
              ['Campaign', ({ campaign }) => campaign],
              ['Late', ({ lateMs }) => (lateMs === null ? '' : `${hours(lateMs)} h`)],
            ]} />`
    }`
}
