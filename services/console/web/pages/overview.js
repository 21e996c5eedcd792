/** The pipeline as it is now, and what came in: kinds, reasons, domains, campaigns, each beside an earlier stretch. */
import { html, useRef, useState } from '/vendor/preact.js'
import { useAnswer } from '../api.js'
import { Against, Bars, bytes, Change, count, duration, Hours, Problem, Table, time } from '../parts.js'

/** How much the counts of the ledger grew a second, over the last half minute that this page has seen. */
function useRates(ledger) {
  const seen = useRef([])
  const now = Date.now()
  if (ledger !== null && seen.current.at(-1)?.ledger !== ledger) {
    seen.current = [...seen.current.filter(({ at }) => at > now - rateMs), { at: now, ledger }]
  }
  const [first] = seen.current
  const last = seen.current.at(-1)
  return (name) => (first === last ? null : ((last.ledger[name] - first.ledger[name]) * 1000) / (last.at - first.at))
}

/** ingest → log → forward, and classify → quarantine: what each has done, how fast, what waits and how old the oldest of it is. */
function Pipeline({ ledger, lag }) {
  const rate = useRates(ledger)
  const waits = (group) => {
    const { messages = 0, oldestMs = null } = lag?.find((each) => each.group === group) ?? {}
    return `${count(messages)} behind${oldestMs === null || messages === 0 ? '' : `, the oldest ${duration(oldestMs)}`}`
  }
  const boxes = [
    [10, 60, 'accepted', ['']],
    [260, 5, 'forwarded', [`${count(ledger.waiting)} waiting, ${count(ledger.dead)} dead`, waits('forward')]],
    [260, 115, 'classified', [`${count(ledger.undecodable)} undecodable`, waits('classify')]],
    [510, 115, 'stored', [`${count(ledger.storing)} being stored`, waits('quarantine')]],
  ]
  return html`<svg class="pipeline" viewBox="0 0 720 205" role="img" aria-label="Of ${count(ledger.accepted)} accepted messages ${count(ledger.forwarded)} were forwarded and ${count(ledger.stored)} stored">
    <path d="M 200 90 C 230 90 230 45 258 45 M 200 100 C 230 100 230 155 258 155 M 450 155 L 508 155" class="flow" />
    ${boxes.map(([x, y, name, more]) => {
      const each = rate(name)
      return html`<g>
        <rect class="box" x=${x} y=${y} width="190" height="84" rx="6" />
        <text x=${x + 12} y=${y + 22}>${name[0].toUpperCase() + name.slice(1)}</text>
        <text class="figure" x=${x + 12} y=${y + 42}>${count(ledger[name])}</text>
        <text class="small rate" x=${x + 178} y=${y + 42} text-anchor="end">${each === null ? '' : `${each < 10 ? each.toFixed(1) : count(Math.round(each))}/s`}</text>
        ${more.map((text, line) => html`<text class="small" x=${x + 12} y=${y + 58 + line * 15}>${text}</text>`)}
      </g>`
    })}
  </svg>`
}

function Top({ title, by, hours, against, link }) {
  const { data, error } = useAnswer(
    `/api/series?by=${by}&hours=${hours}&against=${against}&step=day&limit=8${by === 'reason' ? '&kind=bounce' : ''}`,
  )
  const rows = (data?.series ?? []).filter(({ name }) => name !== '')
  return html`<section>
    <h2>${title}</h2>
    <${Problem} error=${error} />
    <${Table} caption=${title} rows=${rows} columns=${[
      [title, ({ name }) => html`<a href=${link(name)}>${name}</a>`],
      ['Messages', ({ total }) => count(total), 'number'],
      ['Change', ({ total, before }) => html`<${Change} now=${total} before=${before} />`, 'number'],
    ]} />
  </section>`
}

const lateMs = 15 * 60_000
const rateMs = 30_000
const nearMs = 2 * 86_400_000
/** What waits, and whether the books balance, changes with offsets, too, of which there is no news. */
const againMs = 5_000
const deadMax = 200

/** What a person should look at now, as the alert rules see it, without a Prometheus. */
function Alerts({ ledger, dead, lag, hosts }) {
  const said = [
    ledger !== null && !ledger.balanced && ['The books do not balance: a message is missing', '#/'],
    dead > 0 && [
      `${dead < deadMax ? count(dead) : `${deadMax} or more`} ${dead === 1 ? 'message was' : 'messages were'} refused for good`,
      '#/dead-letters',
    ],
    ...(lag ?? []).map(
      ({ group, oldestMs }) =>
        oldestMs > lateMs && [`${group} has a message that waits for ${duration(oldestMs)}`, '#/'],
    ),
    ...(lag ?? []).map(
      ({ topic, oldestMs, retentionLeftMs }) =>
        retentionLeftMs !== null &&
        // Of a topic that is kept for a day, half of it.
        retentionLeftMs < Math.min(nearMs, (oldestMs + retentionLeftMs) / 2) && [
          `retention drops mail of ${topic} in ${duration(retentionLeftMs)}`,
          '#/',
        ],
    ),
    ...(hosts ?? []).map(
      ({ host, taken, deferred, refused }) =>
        taken === 0 && deferred + refused > 0 && [`${host} took nothing in the last hour`, '#/'],
    ),
  ].filter((alert) => alert)
  return said.length === 0
    ? null
    : html`<ul id="alerts" class="bad">${said.map(([text, link]) => html`<li><a href=${link}>${text}</a></li>`)}</ul>`
}

/** What waits for each consumer group. */
function Lag({ data, error }) {
  return html`<section>
    <h2>What waits</h2>
    <${Problem} error=${error} />
    <${Table} id="lag" caption="What waits" rows=${data?.groups ?? []} columns=${[
      ['Consumer group', ({ group }) => group],
      ['Topic', ({ topic }) => topic],
      ['Messages', ({ messages }) => count(messages), 'number'],
      ['About', (row) => bytes(row.bytes), 'number'],
      ['The oldest', ({ oldestMs }) => (oldestMs === null ? '' : duration(oldestMs))],
      ['Retention drops it in', ({ retentionLeftMs }) => (retentionLeftMs === null ? '' : duration(retentionLeftMs))],
    ]} />
  </section>`
}

/** The legacy hosts and the targets of routes, of the last hour. */
function Hosts({ data, error }) {
  return html`<section>
    <h2>The legacy system, in the last hour</h2>
    <${Problem} error=${error} />
    <${Table} id="hosts" caption="Hosts" rows=${[...(data?.hosts ?? []), ...(data?.routes ?? [])]} empty="Nothing was handed over" columns=${[
      ['Host', ({ service, host }) => (service === 'forward' ? host : `${host} (${service})`)],
      ['Taken', ({ taken }) => count(taken), 'number'],
      ['Deferred', ({ deferred }) => count(deferred), 'number'],
      ['Refused', ({ refused }) => count(refused), 'number'],
      ['Added delay', ({ addedDelayMs }) => `${count(addedDelayMs)} ms`, 'number'],
      ['Of it the host', ({ legacyMs }) => `${count(legacyMs)} ms`, 'number'],
      [
        'The last refusal',
        ({ lastRefusal, lastRefusalAt }) => (lastRefusal ? `${time(lastRefusalAt)}: ${lastRefusal}` : ''),
      ],
    ]} />
  </section>`
}

export function Overview() {
  const [hours, setHours] = useState(24)
  const [against, setAgainst] = useState('before')
  const ledger = useAnswer('/api/ledger', { everyMs: againMs })
  const dead = useAnswer(`/api/dead-letters?limit=${deadMax}`)
  const lag = useAnswer('/api/lag', { everyMs: againMs })
  const hosts = useAnswer('/api/hosts?minutes=60')
  const step = hours > 48 ? 'day' : hours > 6 ? 'hour' : 'minute'
  const kinds = useAnswer(`/api/series?by=kind&hours=${hours}&against=${against}&step=${step}&limit=8`)
  const now = ledger.data
  return html`
    <p id="status" role="status">${
      now === null
        ? (ledger.error ?? 'Loading…')
        : `${now.current ? 'Up to date' : 'The view is behind the log'}; the books ${now.balanced ? 'balance' : 'DO NOT BALANCE'}`
    }</p>
    <${Alerts} ledger=${now} dead=${dead.data?.letters.length ?? 0} lag=${lag.data?.groups} hosts=${hosts.data?.hosts} />
    ${now === null ? null : html`<${Pipeline} ledger=${now} lag=${lag.data?.groups} />`}
    <section>
      <h2>Ledger</h2>
      <${Table} id="ledger" caption="Ledger" rows=${now === null ? [] : [now]} columns=${[
        ...['accepted', 'forwarded', 'waiting', 'dead', 'classified', 'stored', 'storing', 'undecodable'].map(
          (name) => [name[0].toUpperCase() + name.slice(1), (row) => count(row[name]), 'number'],
        ),
        ['Balanced', (row) => html`<span class=${row.balanced ? '' : 'bad'}>${row.balanced ? 'yes' : 'NO'}</span>`],
      ]} />
    </section>
    <${Lag} ...${lag} />
    <${Hosts} ...${hosts} />
    <section>
      <h2>Kinds</h2>
      <${Hours} hours=${hours} onChange=${setHours} />
      <${Against} against=${against} onChange=${setAgainst} />
      <${Problem} error=${kinds.error} />
      ${kinds.data === null ? null : html`<${Bars} title="Messages by kind" step=${step} series=${kinds.data.series} steps=${kinds.data.steps} />`}
      <${Table} id="kinds" caption="Messages by kind" rows=${kinds.data?.series ?? []} columns=${[
        ['Kind', ({ name }) => html`<a href="#/messages?kind=${encodeURIComponent(name)}">${name}</a>`],
        ['Messages', ({ total }) => count(total), 'number'],
        ['Change', ({ total, before }) => html`<${Change} now=${total} before=${before} />`, 'number'],
      ]} />
    </section>
    <div class="columns">
      <${Top} title="Reasons of bounces" by="reason" hours=${hours} against=${against} link=${(name) => `#/messages?kind=bounce&reason=${encodeURIComponent(name)}`} />
      <${Top} title="Receiving domains" by="domain" hours=${hours} against=${against} link=${(name) => `#/messages?domain=${encodeURIComponent(name)}`} />
      <${Top} title="Campaigns" by="campaign" hours=${hours} against=${against} link=${(name) => `#/messages?campaign=${encodeURIComponent(name)}`} />
      <${Top} title="Networks of clients" by="network" hours=${hours} against=${against} link=${() => '#/messages'} />
    </div>`
}
