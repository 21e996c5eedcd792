/** The page: a menu, and one page at a time by the part of the address behind #. */
import { html, render, useEffect, useState } from '/vendor/preact.js'
import { Audit } from './pages/audit.js'
import { Bounces } from './pages/bounces.js'
import { Campaigns } from './pages/campaigns.js'
import { DeadLetters } from './pages/dead-letters.js'
import { Message } from './pages/message.js'
import { Messages } from './pages/messages.js'
import { Overview } from './pages/overview.js'
import { Replays } from './pages/replays.js'
import { Retention } from './pages/retention.js'
import { Routes } from './pages/routes.js'
import { Suppressions } from './pages/suppressions.js'

const pages = [
  ['', 'Overview', Overview],
  ['messages', 'Messages', Messages],
  ['bounces', 'Bounces', Bounces],
  ['campaigns', 'Campaigns', Campaigns],
  ['suppressions', 'Suppressions', Suppressions],
  ['dead-letters', 'Dead letters', DeadLetters],
  ['replays', 'Replays', Replays],
  ['routes', 'Routes', Routes],
  ['retention', 'Retention', Retention],
  ['audit', 'Audit', Audit],
]

function place() {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?')
  const [name = '', ...rest] = path.split('/')
  return { name, rest: rest.map(decodeURIComponent), query: new URLSearchParams(query) }
}

function App() {
  const [at, setAt] = useState(place())
  useEffect(() => {
    const move = () => {
      setAt(place())
      document.querySelector('h1')?.focus()
    }
    addEventListener('hashchange', move)
    return () => removeEventListener('hashchange', move)
  }, [])
  const [, title, Page] = pages.find(([name]) => name === at.name) ?? pages[0]
  const isMessage = at.name === 'messages' && at.rest.length > 0
  document.title = `${isMessage ? 'Message' : title} · Mailweir`
  return html`
    <a class="skip" href="#main">To the content</a>
    <header>
      <strong>Mailweir</strong>
      <nav aria-label="Pages">
        ${pages.map(([name, label]) => html`<a href="#/${name}" aria-current=${name === at.name ? 'page' : null}>${label}</a>`)}
      </nav>
    </header>
    <main id="main">
      <h1 tabindex="-1">${isMessage ? 'Message' : title}</h1>
      ${isMessage ? html`<${Message} id=${at.rest[0]} />` : html`<${Page} query=${at.query} />`}
    </main>`
}

render(html`<${App} />`, document.getElementById('app'))
