/** What the pages share: tables, charts, numbers. Text is only ever set as text. */
import { html } from '/vendor/preact.js'

export const kinds = ['bounce', 'auto-reply', 'opt-out', 'complaint', 'report', 'reply', 'unknown']

export const count = (number) => Number(number ?? 0).toLocaleString('en')
export const time = (at) => (at ? new Date(at).toISOString().replace('T', ' ').slice(0, 19) : '')
export const bytes = (size) =>
  size > 1e9
    ? `${(size / 1e9).toFixed(1)} GB`
    : size > 1e6
      ? `${(size / 1e6).toFixed(1)} MB`
      : `${Math.ceil(size / 1000)} KB`

export function duration(ms) {
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  const [days, hours] = [Math.floor(minutes / 1440), Math.floor((minutes % 1440) / 60)]
  return days > 0 ? `${days} d ${hours} h` : hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`
}

/** What went wrong, where anything did. */
export const Problem = ({ error }) => (error ? html`<p class="bad" role="alert">${error}</p>` : null)

/** @param columns [title, row => cell, 'number'?] */
export function Table({ id, caption, columns, rows, empty = 'Nothing yet' }) {
  return html`<div class="scroll" tabindex="0" role="group" aria-label=${caption}>
    <table>
      <caption class="hidden">${caption}</caption>
      <thead><tr>${columns.map(([title, , kind]) => html`<th scope="col" class=${kind ?? ''}>${title}</th>`)}</tr></thead>
      <tbody id=${id}>
        ${rows.map((row) => html`<tr>${columns.map(([, cell, kind]) => html`<td class=${kind ?? ''}>${cell(row)}</td>`)}</tr>`)}
      </tbody>
    </table>
    ${rows.length === 0 ? html`<p class="quiet">${empty}</p>` : null}
  </div>`
}

/** Change against the stretch before. */
export function Change({ now, before }) {
  if (before === 0) return html`<span class="quiet">${now === 0 ? '' : 'new'}</span>`
  const percent = Math.round(((now - before) * 100) / before)
  return html`<span class=${percent > 0 ? 'up' : percent < 0 ? 'down' : 'quiet'}>${percent > 0 ? '+' : ''}${percent} %</span>`
}

const colours = 8

/** Stacked bars over time. */
export function Bars({ title, series, steps, step }) {
  const [width, height] = [900, 220]
  const totals = steps.map((_, at) => series.reduce((sum, { points }) => sum + (points[at] ?? 0), 0))
  const most = Math.max(1, ...totals)
  const each = width / Math.max(1, steps.length)
  const label = (at) => new Date(at).toISOString().slice(step === 'day' ? 5 : 11, step === 'day' ? 10 : 16)
  const every = Math.max(1, Math.ceil(steps.length / 8))
  return html`<figure>
    <svg viewBox="0 0 ${width} ${height + 24}" role="img" aria-label=${`${title}: ${count(totals.reduce((a, b) => a + b, 0))} messages, ${count(most)} at most in one ${step}`}>
      ${steps.map((at, index) => {
        let top = height
        return html`<g>
          ${series.map(({ name, points }, n) => {
            const size = ((points[index] ?? 0) * height) / most
            top -= size
            return size === 0
              ? null
              : html`<rect class="c${n % colours}" x=${index * each + 1} y=${top} width=${Math.max(1, each - 2)} height=${size}><title>${name || '(none)'}: ${count(points[index])} at ${time(at)}</title></rect>`
          })}
          ${index % every === 0 ? html`<text x=${index * each} y=${height + 18}>${label(at)}</text>` : null}
        </g>`
      })}
      <text x="0" y="12">${count(most)}</text>
    </svg>
    <figcaption>
      ${series.map(({ name }, n) => html`<span class="key"><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="c${n % colours}" width="10" height="10" /></svg> ${name || '(none)'}</span>`)}
    </figcaption>
  </figure>`
}

/** A choice of what to compare with. */
export function Against({ against, onChange }) {
  const choices = [
    ['before', 'the stretch before'],
    ['day', 'a day earlier'],
    ['week', 'a week earlier'],
  ]
  return html`<label>Against <select name="against" value=${against} onInput=${(event) => onChange(event.target.value)}>
    ${choices.map(([value, name]) => html`<option value=${value} selected=${value === against}>${name}</option>`)}
  </select></label>`
}

/** A choice of how far back. */
export function Hours({ hours, onChange }) {
  const choices = [
    [1, 'an hour'],
    [24, 'a day'],
    [168, 'a week'],
    [720, 'a month'],
  ]
  return html`<label>Over <select name="hours" value=${hours} onInput=${(event) => onChange(Number(event.target.value))}>
    ${choices.map(([value, name]) => html`<option value=${value} selected=${value === hours}>${name}</option>`)}
  </select></label>`
}
