/** What is stored, where, until when, how much of it. */
import { html } from '/vendor/preact.js'
import { useAnswer } from '../api.js'
import { bytes, count, Problem, Table, time } from '../parts.js'

export function Retention() {
  const { data, error } = useAnswer('/api/retention')
  const held = useAnswer('/api/messages?held=true&limit=100')
  const mailboxes = data?.mailboxes ?? []
  const sum = (name) => mailboxes.reduce((total, row) => total + row[name], 0)
  return html`
    <ul class="figures">
      <li><strong>${count(sum('messages'))}</strong> messages stored</li>
      <li><strong>${bytes(sum('bytes'))}</strong> as received; the store packs them smaller</li>
    </ul>
    <${Problem} error=${error} />
    <${Table} id="retention" caption="What is stored" rows=${mailboxes} columns=${[
      ['Mailbox', ({ mailbox }) => mailbox],
      ['Messages', ({ messages }) => count(messages), 'number'],
      ['Bytes', (row) => bytes(row.bytes), 'number'],
      ['The first goes', ({ firstExpiry }) => time(firstExpiry)],
      ['The last goes', ({ lastExpiry }) => time(lastExpiry)],
    ]} />
    <h2>Held</h2>
    <${Problem} error=${held.error} />
    <${Table} id="held" caption="Held past their expiry" rows=${held.data?.messages ?? []} empty="Nothing is held" columns=${[
      ['Received', ({ receivedAt }) => time(receivedAt)],
      ['Would go', ({ expiresAt }) => time(expiresAt)],
      ['Kind', ({ kind }) => kind],
      ['Subject', ({ subject }) => subject],
      ['Message', ({ id }) => html`<a href="#/messages/${encodeURIComponent(id)}">${id}</a>`],
    ]} />`
}
