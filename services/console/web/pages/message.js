/** One message: its trace as a timeline, the verdict with the bytes that decided, what a person reads, the exact bytes. */
import { html, useEffect, useState } from '/vendor/preact.js'
import { ask, change, useAnswer, useDoing } from '../api.js'
import { bytes, kinds, Problem, Table, time } from '../parts.js'

/** Of a larger message so much is shown as it stands. */
const sourceMax = 256 * 1024

const Step = ({ step: { at, type, service, position: _, ...rest } }) => html`<li>
  <strong>${type}</strong> <span class="quiet">${time(at)} by ${service}</span>
  ${Object.keys(rest).length === 0 ? null : html`<pre tabindex="0">${JSON.stringify(rest, null, 1)}</pre>`}
</li>`

/** The bytes with those marked that decided; offsets are bytes, so they are cut as bytes. */
function marked(source, evidence) {
  const decoder = new TextDecoder()
  const text = (from, to) => decoder.decode(source.subarray(from, to))
  const pieces = []
  let at = 0
  for (const { start, end, decided, rule } of evidence.toSorted((a, b) => a.start - b.start)) {
    if (start < at || end <= start || end > source.length) continue
    pieces.push(text(at, start), html`<mark title=${`${decided}: ${rule}`}>${text(start, end)}</mark>`)
    at = end
  }
  return [...pieces, text(at, source.length)]
}

function Source({ path, size }) {
  const { data } = useAnswer(`${path}/evidence`, { live: false })
  const [state, setState] = useState({ source: null, error: null })
  useEffect(() => {
    let over = false
    const load = async () => {
      const response = await fetch(`${path}/raw`)
      if (!response.ok) throw new Error((await response.json()).error)
      const source = new Uint8Array(await response.arrayBuffer()).subarray(0, sourceMax)
      if (!over) setState({ source, error: null })
    }
    load().catch((error) => setState({ source: null, error: error.message }))
    return () => {
      over = true
    }
  }, [path])
  return html`
    <${Problem} error=${state.error} />
    <${Table} id="evidence" caption="Evidence" rows=${data?.evidence ?? []} empty="It is not stored yet, or nothing decided" columns=${[
      ['Decided', ({ decided }) => decided],
      ['By', ({ rule }) => rule],
      ['Bytes', ({ start, end }) => `${start} to ${end}`],
      ['Text', ({ text }) => text],
    ]} />
    ${state.source === null ? null : html`<pre id="source" tabindex="0">${marked(state.source, data?.evidence ?? [])}</pre>`}
    ${size > sourceMax ? html`<p class="quiet">The first ${bytes(sourceMax)} of ${bytes(size)}</p>` : null}`
}

/** Loaded when it is opened. */
function Folded({ title, id, children }) {
  const [isOpen, setOpen] = useState(false)
  return html`<details id=${id} onToggle=${(event) => setOpen(event.target.open)}><summary>${title}</summary>${isOpen ? children : null}</details>`
}

function Actions({ path, message }) {
  const [said, act] = useDoing()
  const label = (event) => {
    event.preventDefault()
    const given = Object.fromEntries(new FormData(event.target))
    act(
      () => change(`${path}/label`, 'POST', given),
      () => 'Kept as a sample',
    )
  }
  const redrive = () =>
    act(
      () => change('/api/dead-letters/redrive', 'POST', { ids: [message.id] }),
      ({ redriven }) => (redriven > 0 ? 'It goes once more' : 'It was driven again before, or is retried'),
    )
  const hold = (method, done) =>
    act(
      () => ask(`${path}/hold`, { method }),
      () => done,
    )
  return html`
    ${
      message.held
        ? html`<button type="button" id="release" onClick=${() => hold('DELETE', 'It will be released')}>Release it</button>`
        : html`<button type="button" id="hold" onClick=${() => hold('PUT', 'It will be held')}>Hold it past its expiry</button>`
    }
    ${message.state === 'dead' ? html`<button type="button" id="redrive" onClick=${redrive}>Drive once more to the legacy system</button>` : null}
    <details id="label"><summary>Wrong verdict?</summary>
      <form onSubmit=${label}>
        <label>It is <select name="kind">${kinds.map((kind) => html`<option value=${kind} selected=${kind === message.kind}>${kind}</option>`)}</select></label>
        <label>Reason <input name="reason" maxlength="40" autocomplete="off" /></label>
        <label>Note <input name="note" maxlength="500" autocomplete="off" /></label>
        <button>Keep as a sample</button>
      </form>
    </details>
    <p id="said" role="status">${said.done}</p>
    <${Problem} error=${said.error} />`
}

export function Message({ id }) {
  const path = `/api/messages/${encodeURIComponent(id)}`
  const { data, error } = useAnswer(path)
  const content = useAnswer(data === null ? null : `${path}/content`, { live: false })
  if (data === null) return html`<${Problem} error=${error} />`
  const verdict = data.trace.find(({ type }) => type === 'classified')
  return html`
    <p>${data.id} · ${time(data.receivedAt)} · ${bytes(data.size)} · from ${data.client || 'unknown'} · ${data.state} <a id="raw" href="${path}/raw" download>the exact bytes</a></p>
    ${data.mailbox ? html`<p>Stored in the mailbox <strong>${data.mailbox}</strong> until ${time(data.expiresAt)}${data.held ? ', and held in Hold past that' : ''}</p>` : null}
    <section>
      <h2>Verdict</h2>
      <p>${data.kind ? `${data.kind}${data.variant ? `, ${data.variant}` : ''}` : 'not classified yet'}${verdict?.confidence ? `, ${Math.round(verdict.confidence * 100)} % sure` : ''}</p>
      <${Table} id="recipients" caption="Recipients" rows=${verdict?.recipients ?? []} empty="It names no recipient" columns=${[
        ['Address', ({ address }) => html`<a href="#/messages?address=${encodeURIComponent(address)}">${address}</a>`],
        ['Status', ({ status }) => status],
        ['Reason', ({ reason }) => reason],
        ['For good', ({ permanent }) => (permanent ? 'yes' : 'no')],
        ['What was said', ({ reply }) => reply],
      ]} />
      ${Object.entries(verdict?.original ?? {}).map(([name, value]) => html`<p class="quiet">${name}: ${value}</p>`)}
      <${Actions} path=${path} message=${data} />
    </section>
    <section>
      <h2>Trace</h2>
      <ol id="trace">${data.trace.map((step) => html`<${Step} step=${step} />`)}</ol>
    </section>
    <section>
      <h2>Content</h2>
      <${Problem} error=${content.error} />
      ${
        content.data === null
          ? null
          : html`<pre id="content" tabindex="0">${[
              ...content.data.headers.map(({ name, value }) => `${name}: ${value}`),
              '',
              content.data.text,
            ].join('\n')}</pre>
            <ul id="attachments">${content.data.attachments.map(
              ({ name, type, size }, index) =>
                html`<li><a href="${path}/attachments/${index}" download>${name || 'attachment'}</a> ${type}, ${bytes(size)}</li>`,
            )}</ul>
            ${
              content.data.hasHtml
                ? html`<${Folded} id="html" title="As HTML, without scripts and without network"><iframe sandbox="" title="The HTML of the message" src="${path}/html"></iframe></${Folded}>`
                : null
            }`
      }
      <${Folded} id="marked" title="The source, with the bytes marked that decided"><${Source} path=${path} size=${data.size} /></${Folded}>
    </section>`
}
