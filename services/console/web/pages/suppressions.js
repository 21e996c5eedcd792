/** Addresses that must not be written to, why, and until when; a person may add one, or lift it. */
import { html, useState } from '/vendor/preact.js'
import { ask, change, useAnswer, useDoing } from '../api.js'
import { count, Problem, Table, time } from '../parts.js'

const states = ['suppressed', 'watched', 'lifted']
const causes = ['hard-bounce', 'soft-bounces', 'complaint', 'opt-out', 'person']

export function Suppressions({ query }) {
  const [form, setForm] = useState({ text: query.get('text') ?? '', state: '', cause: '' })
  const [said, doing] = useDoing()
  const [version, setVersion] = useState(0)
  const parameters = new URLSearchParams({ limit: '100' })
  for (const [name, value] of Object.entries(form)) if (value) parameters.set(name, value)
  const { data, error } = useAnswer(`/api/suppressions?${parameters}`, { version })
  const set = (event) => setForm({ ...form, [event.target.name]: event.target.value })
  const act = async (work, done) => {
    if (await doing(work, () => done)) setVersion(version + 1)
  }
  const lift = (address) =>
    act(
      () => ask(`/api/suppressions/${encodeURIComponent(address)}`, { method: 'DELETE' }),
      `${address} may be written to again`,
    )
  const add = (event) => {
    event.preventDefault()
    const fields = new FormData(event.target)
    const address = String(fields.get('address'))
    act(
      () => change(`/api/suppressions/${encodeURIComponent(address)}`, 'PUT', { note: String(fields.get('note')) }),
      `${address} is suppressed`,
    )
  }
  const choice = (name, label, values) => html`<label>${label} <select name=${name} onInput=${set}>
    <option value="">any</option>${values.map((value) => html`<option value=${value}>${value}</option>`)}
  </select></label>`
  return html`
    <ul class="figures">${(data?.counts ?? []).map(({ state, cause, addresses }) => html`<li><strong>${count(addresses)}</strong> ${state}, ${cause}</li>`)}</ul>
    <p>Export: <a href="/api/suppressions/export?format=csv" download>CSV</a> · <a href="/api/suppressions/export?format=jsonl" download>JSON Lines</a></p>
    <search><form onSubmit=${(event) => event.preventDefault()}>
      <label>Address <input name="text" type="search" value=${form.text} onInput=${set} maxlength="320" autocomplete="off" /></label>
      ${choice('state', 'State', states)} ${choice('cause', 'Cause', causes)}
    </form></search>
    <p role="status">${said.done}</p>
    <${Problem} error=${said.error ?? error} />
    <${Table} id="suppressions" caption="Suppressions" rows=${data?.suppressions ?? []} columns=${[
      ['Address', ({ address }) => html`<a href="#/messages?address=${encodeURIComponent(address)}">${address}</a>`],
      ['State', ({ state }) => state],
      ['Cause', ({ cause }) => cause],
      ['Since', ({ since }) => time(since)],
      ['Until', ({ until }) => (until === 0 ? 'no end' : time(until))],
      ['Messages', ({ count: number }) => count(number), 'number'],
      ['Note', ({ note }) => note],
      [
        'Change',
        ({ address, state }) =>
          state === 'lifted'
            ? ''
            : html`<button type="button" onClick=${() => lift(address)}>Lift <span class="hidden">${address}</span></button>`,
      ],
    ]} />
    <h2>Suppress an address</h2>
    <form id="add" onSubmit=${add}>
      <label>Address <input name="address" type="email" required maxlength="320" autocomplete="off" /></label>
      <label>Note <input name="note" maxlength="500" autocomplete="off" /></label>
      <button>Suppress</button>
    </form>`
}
