/** Search as one types; a row opens to the message. */
import { html, useEffect, useState } from '/vendor/preact.js'
import { ask, useAnswer } from '../api.js'
import { kinds, Problem, Table, time } from '../parts.js'

const states = ['accepted', 'waiting', 'forwarded', 'dead']
const typingMs = 150

/** What a term is: an id, an address, or words. */
function termQuery(term) {
  if (/^[^\s@]+@[^\s@]+$/.test(term)) return { address: term }
  return term === '' ? {} : { text: term }
}

export function Messages({ query }) {
  const given = Object.fromEntries(query)
  const [form, setForm] = useState({
    term: given.address ?? given.text ?? '',
    kind: '',
    state: '',
    reason: '',
    domain: '',
    system: '',
    campaign: '',
    ...given,
  })
  const [asked, setAsked] = useState(form)
  const [older, setOlder] = useState({ messages: [], next: undefined })
  useEffect(
    () => setForm((before) => ({ ...before, kind: '', reason: '', domain: '', system: '', campaign: '', ...given })),
    [query.toString()],
  )
  useEffect(() => {
    const timer = setTimeout(() => setAsked(form), typingMs)
    return () => clearTimeout(timer)
  }, [form])
  useEffect(() => setOlder({ messages: [], next: undefined }), [asked])
  const term = asked.term.trim()
  const isId = /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(term)
  const parameters = new URLSearchParams({ limit: '50' })
  for (const [name, value] of Object.entries({
    ...termQuery(term),
    kind: asked.kind,
    state: asked.state,
    reason: asked.reason,
    domain: asked.domain,
    system: asked.system,
    campaign: asked.campaign,
  })) {
    if (value) parameters.set(name, value)
  }
  const path = isId ? `/api/messages/${term}` : `/api/messages?${parameters}`
  const { data, error } = useAnswer(path)
  const first = data === null ? [] : isId ? [data] : (data.messages ?? [])
  const next = older.next === undefined ? (data?.next ?? null) : older.next
  const set = (event) => setForm({ ...form, [event.target.name]: event.target.value })
  const more = async () => {
    const page = await ask(`${path}&before=${next}`)
    setOlder({ messages: [...older.messages, ...page.messages], next: page.next })
  }
  const field = (name, label) =>
    html`<label>${label} <input name=${name} value=${form[name]} onInput=${set} autocomplete="off" maxlength="300" /></label>`
  const choice = (name, label, values) => html`<label>${label} <select name=${name} value=${form[name]} onInput=${set}>
    <option value="">any</option>${values.map((value) => html`<option value=${value}>${value}</option>`)}
  </select></label>`
  return html`
    <search><form id="search" onSubmit=${(event) => event.preventDefault()}>
      <label>Address, id or words <input name="term" type="search" value=${form.term} onInput=${set} autocomplete="off" maxlength="320" /></label>
      ${choice('kind', 'Kind', kinds)} ${choice('state', 'State', states)}
      ${field('reason', 'Reason')} ${field('domain', 'Domain')} ${field('system', 'Mail system')} ${field('campaign', 'Campaign')}
    </form></search>
    <${Problem} error=${error} />
    <${Table} id="messages" caption="Messages" rows=${[...first, ...older.messages]} empty="No message fits" columns=${[
      ['Received', ({ receivedAt }) => time(receivedAt)],
      ['State', ({ state }) => state],
      ['Kind', ({ kind, variant }) => (variant ? `${kind}, ${variant}` : kind)],
      ['Reason', ({ reason }) => reason],
      ['Address', ({ address, recipient }) => address || recipient],
      ['Subject', ({ subject }) => subject],
      ['Message', ({ id }) => html`<a href="#/messages/${encodeURIComponent(id)}">${id}</a>`],
    ]} />
    ${next === null ? null : html`<button type="button" onClick=${more}>Older messages</button>`}`
}
