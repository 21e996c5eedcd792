/** One message: its trace as a timeline, the verdict, what a person reads, the exact bytes. */
import { html } from '/vendor/preact.js'
import { useAnswer } from '../api.js'
import { bytes, Problem, Table, time } from '../parts.js'

const Step = ({ step: { at, type, service, position: _, ...rest } }) => html`<li>
  <strong>${type}</strong> <span class="quiet">${time(at)} by ${service}</span>
  ${Object.keys(rest).length === 0 ? null : html`<pre tabindex="0">${JSON.stringify(rest, null, 1)}</pre>`}
</li>`

export function Message({ id }) {
  const path = `/api/messages/${encodeURIComponent(id)}`
  const { data, error } = useAnswer(path)
  const content = useAnswer(data === null ? null : `${path}/content`, { live: false })
  if (data === null) return html`<${Problem} error=${error} />`
  const verdict = data.trace.find(({ type }) => type === 'classified')
  return html`
    <p>${data.id} · ${time(data.receivedAt)} · ${bytes(data.size)} · from ${data.client || 'unknown'} · ${data.state} <a id="raw" href="${path}/raw" download>the exact bytes</a></p>
    ${data.mailbox ? html`<p>Stored in the mailbox <strong>${data.mailbox}</strong> until ${time(data.expiresAt)}</p>` : null}
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
              ...content.data.attachments.map(
                ({ name, type, size }) => `[${name || 'attachment'}: ${type}, ${size} bytes]`,
              ),
            ].join('\n')}</pre>`
      }
    </section>`
}
