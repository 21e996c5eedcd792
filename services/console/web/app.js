/** The page: asks the API every two seconds and shows the answers. Text is only ever set as text. */

const refreshMs = 2000
const element = (id) => document.getElementById(id)
const statusLine = element('status')
const form = element('search')
let selected = null

async function ask(path) {
  const response = await fetch(path, { headers: { accept: 'application/json' } })
  const body = await response.json()
  if (!response.ok) throw new Error(body.error ?? `${response.status}`)
  return body
}

function row(cells) {
  const tr = document.createElement('tr')
  for (const cell of cells) {
    const td = document.createElement('td')
    if (cell instanceof Node) td.append(cell)
    else td.textContent = cell
    tr.append(td)
  }
  return tr
}

const count = (number) => number.toLocaleString('en')
const time = (at) => (at === 0 ? '' : new Date(at).toISOString().replace('T', ' ').slice(0, 19))

function showLedger(ledger) {
  const cells = ['accepted', 'forwarded', 'waiting', 'dead', 'classified', 'stored', 'storing', 'undecodable']
  const tr = row([...cells.map((name) => count(ledger[name])), ledger.balanced ? 'yes' : 'NO'])
  if (!ledger.balanced) tr.lastElementChild.className = 'bad'
  element('ledger').replaceChildren(tr)
  return ledger.current
}

function showMessages(messages) {
  element('messages').replaceChildren(
    ...messages.map((message) => {
      const open = document.createElement('button')
      open.type = 'button'
      open.textContent = message.id
      open.addEventListener('click', () => {
        selected = message.id
        element('content').textContent = ''
        showContent(message.id).catch((error) => {
          element('content').textContent = error.message
        })
        refresh()
      })
      const kind = message.variant === '' ? message.kind : `${message.kind}, ${message.variant}`
      const address = message.address || message.recipient
      return row([time(message.receivedAt), message.state, kind, message.reason, address, message.subject, open])
    }),
  )
}

async function showContent(id) {
  const content = await ask(`/api/messages/${encodeURIComponent(id)}/content`)
  if (selected !== id) return
  const fields = content.headers.map(({ name, value }) => `${name}: ${value}`)
  const attached = content.attachments.map(
    ({ name, type, size }) => `[${name || 'attachment'}: ${type}, ${size} bytes]`,
  )
  element('content').textContent = [...fields, '', content.text, ...attached].join('\n')
}

function showTrace(message) {
  element('trace-section').hidden = false
  element('trace-title').textContent = `Trace of ${message.id}`
  element('raw').href = `/api/messages/${encodeURIComponent(message.id)}/raw`
  element('trace').replaceChildren(
    ...message.trace.map((step) => {
      const li = document.createElement('li')
      const { at, type, service, position, ...rest } = step
      const title = document.createElement('strong')
      title.textContent = `${time(at)} ${type} `
      const detail = document.createElement('pre')
      detail.textContent = JSON.stringify(rest, null, 1)
      li.append(title, `by ${service}`, detail)
      return li
    }),
  )
}

async function search() {
  const fields = new FormData(form)
  const term = String(fields.get('term')).trim()
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(term)) return [await ask(`/api/messages/${term}`)]
  const query = new URLSearchParams({ limit: '50' })
  for (const name of ['kind', 'state']) if (fields.get(name)) query.set(name, fields.get(name))
  if (term) query.set('address', term)
  return (await ask(`/api/messages?${query}`)).messages
}

let asking = null
async function refresh() {
  asking?.cancel()
  let cancelled = false
  asking = { cancel: () => (cancelled = true) }
  try {
    const [ledger, overview, messages, message] = await Promise.all([
      ask('/api/ledger'),
      ask('/api/overview'),
      search(),
      selected === null ? null : ask(`/api/messages/${encodeURIComponent(selected)}`),
    ])
    if (cancelled) return
    const current = showLedger(ledger)
    element('kinds').replaceChildren(
      ...overview.kinds.map((kind) => row([kind.kind, kind.variant, count(kind.messages)])),
    )
    showMessages(messages)
    if (message !== null) showTrace(message)
    statusLine.textContent = `${current ? 'Up to date' : 'The view is behind the log'} at ${time(Date.now())} UTC`
  } catch (error) {
    if (!cancelled) statusLine.textContent = `${error.message}`
  }
}

form.addEventListener('submit', (event) => event.preventDefault())
form.addEventListener('input', refresh)
setInterval(refresh, refreshMs)
refresh()
