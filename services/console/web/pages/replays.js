/** Replays: what the present classifier would say of the mail of a stretch of time, beside what was said. */
import { html, useEffect, useState } from '/vendor/preact.js'
import { change, useAnswer, useDoing } from '../api.js'
import { count, Problem, Table, time } from '../parts.js'

/** What changed in one replay, page by page. */
function Changes({ name }) {
  const [places, setPlaces] = useState([''])
  const after = places.at(-1)
  const { data, error } = useAnswer(
    `/api/replays/${encodeURIComponent(name)}?limit=50${after === '' ? '' : `&after=${after}`}`,
    { live: false },
  )
  return html`<section>
    <h2>What ${name} would say otherwise</h2>
    <${Problem} error=${error} />
    <${Table} id="changes" caption="Changed verdicts" rows=${data?.changes ?? []} empty="Nothing" columns=${[
      ['Message', ({ id }) => html`<a href="#/messages/${encodeURIComponent(id)}">${id}</a>`],
      ['Before', ({ before }) => before],
      ['Now', (row) => row.after],
    ]} />
    ${places.length > 1 ? html`<button type="button" onClick=${() => setPlaces(places.slice(0, -1))}>Back</button>` : null}
    ${data?.next ? html`<button type="button" id="more" onClick=${() => setPlaces([...places, data.next])}>More</button>` : null}
  </section>`
}

export function Replays({ query }) {
  const [said, doing] = useDoing()
  const [version, setVersion] = useState(0)
  const { data, error } = useAnswer('/api/replays', { version })
  const name = query.get('name')
  const start = async (event) => {
    event.preventDefault()
    const given = new FormData(event.target)
    const instant = (field) => (given.get(field) ? Date.parse(`${given.get(field)}Z`) : undefined)
    const body = { name: given.get('name'), from: instant('from'), to: instant('to') }
    const started = await doing(
      () => change('/api/replays', 'POST', body),
      (answer) => `${answer.name} has started`,
    )
    if (started) setVersion((before) => before + 1)
  }
  const { running = null, failed = null, replays = [] } = data ?? {}
  // Its end is no news of the view: it is asked for.
  useEffect(() => {
    if (running === null) return
    const timer = setTimeout(() => setVersion((before) => before + 1), 1_000)
    return () => clearTimeout(timer)
  }, [data])
  return html`
    <p>A replay reads mail that came in before through the classifier as it is now. Nothing is sent, and what was said stays as it is.</p>
    <p role="status">${running ? `${running.name} runs` : said.done}</p>
    <${Problem} error=${said.error ?? error ?? (failed ? `${failed.name}: ${failed.why}` : null)} />
    <form id="replay" onSubmit=${start}>
      <label>Name <input name="name" required pattern="[a-z0-9][a-z0-9\\-]*" maxlength="60" autocomplete="off" /></label>
      <label>From, UTC <input name="from" type="datetime-local" required /></label>
      <label>To, UTC; empty: now <input name="to" type="datetime-local" /></label>
      <button disabled=${running !== null}>Start</button>
    </form>
    <${Table} id="replays" caption="Replays" rows=${[...replays].reverse()} empty="None" columns=${[
      ['Name', (row) => html`<a href="#/replays?name=${encodeURIComponent(row.name)}">${row.name}</a>`],
      ['From', ({ from }) => time(from)],
      ['To', ({ to }) => time(to)],
      ['Messages', ({ messages }) => count(messages), 'number'],
      ['Changed', ({ changed }) => count(changed), 'number'],
      ['Without a verdict before', ({ unknown }) => count(unknown), 'number'],
      ['Unreadable', ({ undecodable }) => count(undecodable), 'number'],
      ['Done', ({ at }) => time(at)],
    ]} />
    ${name === null ? null : html`<${Changes} key=${name} name=${name} />`}`
}
