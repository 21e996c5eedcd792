/** What the legacy system refused for good: drive it once more, or set it aside with a reason. */
import { html, useState } from '/vendor/preact.js'
import { change, useAnswer, useDoing } from '../api.js'
import { count, Problem, Table, time } from '../parts.js'

export function DeadLetters() {
  const [dropped, setDropped] = useState(false)
  const [chosen, setChosen] = useState([])
  const [said, doing] = useDoing()
  const [version, setVersion] = useState(0)
  const { data, error } = useAnswer(`/api/dead-letters?limit=100&dropped=${dropped}`, { version })
  const letters = data?.letters ?? []
  const ids = chosen.filter((id) => letters.some((letter) => letter.id === id))
  const choose = (id, isChosen) => setChosen(isChosen ? [...chosen, id] : chosen.filter((other) => other !== id))
  const act = async (path, body, tell) => {
    if (!(await doing(() => change(path, 'POST', body), tell))) return
    setChosen([])
    setVersion(version + 1)
  }
  const redrive = () =>
    act(
      '/api/dead-letters/redrive',
      { ids },
      ({ redriven, before, retried }) =>
        `${count(redriven)} go once more; ${count(before + retried)} were driven before, or are retried`,
    )
  const drop = (event) => {
    event.preventDefault()
    const reason = String(new FormData(event.target).get('reason'))
    act('/api/dead-letters/drop', { ids, reason }, (answer) => `${count(answer.dropped)} set aside`)
  }
  return html`
    <label><input type="checkbox" name="dropped" checked=${dropped} onInput=${(event) => setDropped(event.target.checked)} /> those that were set aside</label>
    <p role="status">${said.done}</p>
    <${Problem} error=${said.error ?? error} />
    <${Table} id="letters" caption="Dead letters" rows=${letters} empty="None" columns=${[
      [
        'Choose',
        ({ id }) =>
          html`<input type="checkbox" aria-label=${`Choose ${id}`} checked=${ids.includes(id)} onInput=${(event) => choose(id, event.target.checked)} />`,
      ],
      ['Received', ({ receivedAt }) => time(receivedAt)],
      ['What was said', ({ reply }) => reply],
      ['To', ({ recipient }) => recipient],
      ['Kind', ({ kind }) => kind],
      ['Subject', ({ subject }) => subject],
      ['Message', ({ id }) => html`<a href="#/messages/${encodeURIComponent(id)}">${id}</a>`],
    ]} />
    <button type="button" id="all" onClick=${() => setChosen(letters.map(({ id }) => id))}>Choose all of these</button>
    <button type="button" id="redrive" disabled=${ids.length === 0} onClick=${redrive}>Drive ${count(ids.length)} once more</button>
    <form id="drop" onSubmit=${drop}>
      <label>Reason <input name="reason" required maxlength="500" autocomplete="off" /></label>
      <button disabled=${ids.length === 0}>Set ${count(ids.length)} aside</button>
    </form>`
}
