/** The API of the console: suppressions, the audit, roles, what other sites may not do, and its own description. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startTestConsole, tellEvent } from '#lib/testing/console.ts'
import { openTestPorts, type TestPorts } from '#lib/testing/embedded.ts'
import { until } from '#lib/testing/wait.ts'
import { pseudonymOf } from '#schemas/pseudonym.ts'
import type { Event } from '#schemas/types.ts'
import { erase } from '#services/quarantine/archive/erase.ts'

const tokens = [
  { name: 'eve', role: 'viewer', token: 'viewer-token-0123456789' },
  { name: 'otto', role: 'operator', token: 'operator-token-0123456789' },
]

const start = (ports: TestPorts, environment: Record<string, string> = {}) => startTestConsole(ports, { environment })

const recipient = (address: string, permanent: boolean, reply = '550 5.1.1 no') => ({
  address,
  status: '5.1.1',
  reason: permanent ? 'userunknown' : 'mailboxfull',
  permanent,
  reply,
})
const bounce = (ports: TestPorts, n: number, address: string, more: Partial<Event> = {}) =>
  tellEvent(ports, n, { kind: 'bounce', variant: 'hard', recipients: [recipient(address, true)], ...more })

describe('the API', { timeout: 60_000 }, () => {
  it('suppresses by what mail says, explains it, lets a person lift it, and exports what holds', async () => {
    await using ports = await openTestPorts()
    await using api = await start(ports)
    await bounce(ports, 0, 'Gone@a.example')
    await tellEvent(ports, 1, {
      kind: 'auto-reply',
      variant: 'out-of-office',
      recipients: [recipient('away@a.example', false)],
    })
    await tellEvent(ports, 2, { kind: 'bounce', variant: 'delayed', recipients: [recipient('late@a.example', false)] })
    await tellEvent(ports, 3, { kind: 'complaint', variant: 'abuse', recipients: [recipient('=cmd@a.example', false)] })
    await until(
      'the suppressions',
      async () => (await api.json('/api/suppressions')).body['suppressions']?.['length'] === 2,
    )
    const known = await api.json('/api/suppressions/gone@a.example')
    assert.deepEqual(
      [known.body['state'], known.body['cause'], known.body['suppressed']],
      ['suppressed', 'hard-bounce', true],
    )
    assert.equal(known.body['messages']?.[0]?.['id'], 'm0')
    assert.equal((await api.ask('/api/suppressions/nobody@a.example')).status, 404)
    const csv = await (await api.ask('/api/suppressions/export')).text()
    assert.match(csv, /^address,cause,since,until,count\r\n'=cmd@a\.example,complaint,/)
    assert.equal((await (await api.ask('/api/suppressions/export?format=jsonl')).text()).trim().split('\n').length, 2)
    await api.ask('/api/suppressions/gone@a.example', { method: 'DELETE' })
    await bounce(ports, 0, 'gone@a.example', { at: Date.now() - 60_000 })
    await bounce(ports, 9, 'other@a.example')
    await until('the other', async () => (await api.ask('/api/suppressions/other@a.example')).status === 200)
    assert.equal((await api.json('/api/suppressions/gone@a.example')).body['state'], 'lifted')
    const imported = await api.json('/api/suppressions/import', {
      method: 'POST',
      headers: { 'content-type': 'text/csv' },
      body: 'email,reason\nx@b.example,manual\ny@b.example,manual\n',
    })
    assert.deepEqual(imported.body, { imported: 2 })
    assert.equal(
      (await api.json('/api/suppressions?cause=person&state=suppressed')).body['suppressions']?.['length'],
      2,
    )
    // Nobody waits for the event of a change: it is there soon after.
    const told = async () =>
      (await ports.decoded('mail.events', 'event')).filter(({ service }) => service === 'console')
    await until('the changes', async () => (await told()).length >= 2)
    const changes = await told()
    assert.deepEqual(changes.map(({ type, detail }) => `${type} ${detail}`).sort(), [
      'imported local 2',
      'lifted local gone@a.example',
    ])
  })

  it('finds whoever was pseudonymised by the address, and keeps it so', async () => {
    await using ports = await openTestPorts()
    await using api = await start(ports)
    await bounce(ports, 0, 'gone@a.example')
    await until('the suppression', async () => (await api.ask('/api/suppressions/gone@a.example')).status === 200)
    const { suppressionPseudonymised } = await erase(ports, {
      address: 'Gone@a.example',
      dryRun: false,
      pseudonymise: true,
    })
    assert.ok(suppressionPseudonymised)
    const pseudonym = pseudonymOf('gone@a.example')
    await until(
      'the pseudonym',
      async () => (await api.json('/api/suppressions?text=gone')).body['suppressions']?.['length'] === 0,
    )
    const known = await api.json('/api/suppressions/gone@a.example')
    assert.deepEqual([known.body['address'], known.body['suppressed'], known.body['count']], [pseudonym, true, 1])
    await bounce(ports, 1, 'gone@a.example')
    await until(
      'the second message',
      async () => Number((await api.json('/api/suppressions/gone@a.example')).body['count']) === 2,
    )
    assert.equal((await api.json('/api/suppressions?text=gone')).body['suppressions']?.['length'], 0)
    assert.equal((await api.ask('/api/suppressions/gone@a.example', { method: 'DELETE' })).status, 200)
    assert.equal((await api.json('/api/suppressions/gone@a.example')).body['state'], 'lifted')
  })

  it('reads the suppressions from the log when it starts, and does not count an event twice', async () => {
    await using ports = await openTestPorts()
    {
      await using first = await start(ports)
      await bounce(ports, 0, 'a@a.example')
      await until('the suppression', async () => (await first.ask('/api/suppressions/a@a.example')).status === 200)
    }
    await using second = await start(ports)
    assert.equal((await second.json('/api/suppressions/a@a.example')).body['count'], 1)
  })

  it('compares a list, and says what is wrong with one by line and column', async () => {
    await using ports = await openTestPorts()
    await using api = await start(ports)
    await bounce(ports, 0, 'right@a.example')
    await bounce(ports, 1, 'missed@a.example')
    await until('both', async () => (await api.json('/api/suppressions')).body['suppressions']?.['length'] === 2)
    const post = (body: string, type = 'text/csv') =>
      api.json('/api/audit', { method: 'POST', headers: { 'content-type': type }, body })
    const found = await post('address\nright@a.example\nwrong@a.example\n')
    assert.deepEqual([found.body['supported'], found.body['unsupported'], found.body['missed']], [1, 1, 1])
    const wrong = await post('address\nnone\n')
    assert.equal(wrong.status, 400)
    assert.match(String(wrong.body['error']), /line 2, column 1/)
    assert.equal((await post('{}', 'application/json')).status, 415)
  })

  it('compares a log, exports a line for each finding, and tells the campaigns', async () => {
    await using ports = await openTestPorts()
    await using api = await start(ports)
    await bounce(ports, 0, 'right@a.example', { original: { campaign: '=november' } })
    await bounce(ports, 1, 'missed@a.example')
    await until('both', async () => (await api.json('/api/suppressions')).body['suppressions']?.['length'] === 2)
    const log = 'started\n2030-01-01T00:00:00Z suppressed right@a.example reason=bounce\nsuppressed other@a.example\n'
    const post = (path: string) =>
      api.ask(path, { method: 'POST', headers: { 'content-type': 'text/plain' }, body: log })
    const { listed, byCampaign } = (await (await post('/api/audit')).json()) as Record<string, unknown>
    assert.equal(listed, 2)
    assert.deepEqual(byCampaign, [
      { campaign: '=november', supported: 1, missed: 0 },
      { campaign: '', supported: 0, missed: 1 },
    ])
    const exported = await post('/api/audit?format=csv')
    assert.match(exported.headers.get('content-disposition') ?? '', /attachment; filename="audit.csv"/)
    const lines = (await exported.text()).trim().split('\r\n')
    assert.match(lines[1] ?? '', /^right@a\.example,supported,hard-bounce,bounce,'=november,\d+\.\d\d,m0$/)
    assert.deepEqual(lines.slice(2), ['other@a.example,unsupported,,,,,', 'missed@a.example,missed,hard-bounce,,,,m1'])
    const csv = (body: string) =>
      api.ask('/api/audit?format=csv', { method: 'POST', headers: { 'content-type': 'text/csv' }, body })
    const wrong = await csv('email\nnot an address\n')
    assert.equal(wrong.status, 400)
    assert.match(await wrong.text(), /line 2, column 1/)
    // More than is made ahead; and somebody who takes none of it.
    const many = Array.from({ length: 60_000 }, (_, n) => `u${n}@a-rather-long-name.example,bounce`).join('\n')
    const abort = new AbortController()
    const left = await api.ask('/api/audit?format=csv', {
      method: 'POST',
      headers: { 'content-type': 'text/csv' },
      body: `email,reason\n${many}\n`,
      signal: abort.signal,
    })
    abort.abort()
    await assert.rejects(left.text())
    assert.equal((await (await csv(`email,reason\n${many}\n`)).text()).trim().split('\r\n').length, 60_003)
    await using own = await start(ports, { AUDIT_LOG_PATTERN: '^started(?<address>x)?' })
    assert.equal(
      (await own.json('/api/audit', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: log })).body[
        'listed'
      ],
      0,
    )
  })

  it('counts by hour and dimension, beside the stretch before, and finds by words', async () => {
    await using ports = await openTestPorts()
    await using api = await start(ports)
    const day = 24 * 3_600_000
    for (let n = 0; n < 6; n++) {
      await bounce(ports, n, `u${n}@${n < 4 ? 'big' : 'small'}.example`, {
        at: Date.now() - (n === 0 ? day + 3_600_000 : 0),
        original: { campaign: 'november' },
        subject: n === 5 ? 'Undelivered: Entwürfe' : 'Undelivered',
      })
    }
    await until('all', async () => (await api.json('/api/messages')).body['messages']?.['length'] === 6)
    const { body } = await api.json('/api/series?by=domain&kind=bounce')
    const series = body['series'] as unknown as { name: string; total: number; before: number; points: number[] }[]
    assert.deepEqual(
      series.map(({ name, total, before }) => [name, total, before]),
      [
        ['big.example', 3, 1],
        ['small.example', 2, 0],
      ],
    )
    assert.equal(
      series[0]?.points.reduce((sum, n) => sum + n, 0),
      3,
    )
    assert.equal((await api.json('/api/messages?text=entw')).body['messages']?.['length'], 1)
    assert.equal((await api.json('/api/messages?text=%22%20OR%20*')).status, 200)
    assert.equal(
      (await api.json('/api/messages?campaign=november&domain=small.example')).body['messages']?.['length'],
      2,
    )
    assert.equal((await api.json('/api/series?by=nothing')).status, 400)
    const cells = (await api.json('/api/table?of=reason/domain')).body['cells'] as unknown as object[]
    assert.equal(cells.length, 2)
  })

  it('lets a viewer read, an operator change, and no page of another site do either', async () => {
    await using ports = await openTestPorts()
    await using api = await start(ports, { CONSOLE_TOKENS: JSON.stringify(tokens) })
    const as = (name: string) => ({ authorization: `Bearer ${tokens.find((each) => each.name === name)?.token}` })
    const put = (headers: Record<string, string>) =>
      api.json('/api/suppressions/a@a.example', {
        method: 'PUT',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{}',
      })
    assert.deepEqual((await api.json('/api/me', { headers: as('eve') })).body, { name: 'eve', role: 'viewer' })
    const stranger = await api.json('/api/me', { headers: { authorization: 'Bearer wrong' } })
    assert.deepEqual([stranger.status, stranger.body], [401, { error: 'This needs the token of CONSOLE_TOKEN' }])
    assert.equal((await put(as('eve'))).status, 403)
    assert.equal((await put({ ...as('otto'), 'sec-fetch-site': 'cross-site' })).status, 403)
    assert.equal((await put({ ...as('otto'), origin: 'https://evil.example' })).status, 403)
    assert.equal((await put(as('otto'))).status, 200)
    assert.equal((await put({ ...as('otto'), origin: api.base })).status, 200)
  })

  it('describes each of its answers, and nothing that is not there', async () => {
    await using ports = await openTestPorts()
    await using api = await start(ports)
    const { body } = await api.json('/api/openapi.json')
    assert.match(String(body['openapi']), /^3\.1/)
    const paths = Object.entries(body['paths'] as unknown as Record<string, Record<string, { summary?: string }>>)
    assert.ok(paths.length >= 12)
    for (const [path, methods] of paths) {
      for (const [method, { summary }] of Object.entries(methods)) {
        assert.ok(summary, `${method} ${path}`)
        if (method !== 'get' || path === '/api/events') continue
        const status = (await api.ask(path.replace('{id}', 'x').replace('{address}', 'x@y.example'))).status
        assert.ok([200, 400, 404].includes(status), `${path}: ${status}`)
      }
    }
  })

  it('tells by server-sent events that there is news', async () => {
    await using ports = await openTestPorts()
    await using api = await start(ports)
    const over = new AbortController()
    const response = await api.ask('/api/events', { signal: over.signal })
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    const reader = response.body?.getReader()
    const read = async (): Promise<string> => new TextDecoder().decode((await reader?.read())?.value)
    assert.match(await read(), /event: change/)
    await bounce(ports, 0, 'a@a.example')
    assert.match(await read(), /event: change\ndata: 1/)
    over.abort()
  })
})
