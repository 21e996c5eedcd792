/** Replays by the API: started, listed, compared; and the routes and series beside them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { startTestConsole, tellEvent } from '#lib/testing/console.ts'
import { openTestPorts, rawRecord, type TestPorts } from '#lib/testing/embedded.ts'
import { until } from '#lib/testing/wait.ts'
import { classify } from '#services/classify/classify.ts'
import { replay } from '#services/classify/replay.ts'
import { classifiedEvent } from '#services/classify/service.ts'

const notice = (n: number): Buffer =>
  Buffer.from(
    `From: mailer-daemon@mx.example\r\nTo: b@bounces.example.com\r\nSubject: Undelivered Mail\r\n\r\n<u${n}@a.example>: 550 5.1.1 user unknown\r\n`,
  )

/** Messages, and what was said of them: of the odd ones something else than now. */
async function fill(ports: TestPorts, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const raw = rawRecord({ id: `m${n}`, content: notice(n) })
    const { offset, partition } = await ports.log.append('mail.raw', {
      key: raw.id,
      partition: n % 2,
      value: ports.codec.encode('raw', raw),
    })
    const position = { partition, offset: Number(offset) }
    const verdict = classify(notice(n), raw.envelope)
    const said = n % 2 === 1 ? { ...verdict, kind: 'unknown' } : verdict
    await ports.log.append('mail.events', {
      key: raw.id,
      partition,
      value: ports.codec.encode('event', classifiedEvent({ id: raw.id, position, verdict: said }, '', Date.now())),
    })
  }
}

const post = (body: object) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

describe('replays', { timeout: 60_000 }, () => {
  it('start, run beside the rest, and tell what would be said otherwise, page by page', async () => {
    await using ports = await openTestPorts()
    await fill(ports, 10)
    await using api = await startTestConsole(ports)
    const started = await api.json('/api/replays', post({ name: 'new-rules', from: 0 }))
    assert.equal(started.status, 202)
    await until('its end', async () => (await api.json('/api/replays')).body['replays']?.['length'] === 1)
    const { body } = await api.json('/api/replays')
    assert.equal(body['running'], null)
    const [found] = body['replays'] as unknown as Record<string, unknown>[]
    assert.deepEqual(
      { name: found?.['name'], from: found?.['from'], messages: found?.['messages'], changed: found?.['changed'] },
      { name: 'new-rules', from: 0, messages: 10, changed: 5 },
    )
    const ids: string[] = []
    for (let after: string | null = ''; after !== null; ) {
      const page = await api.json(`/api/replays/new-rules?limit=2${after === '' ? '' : `&after=${after}`}`)
      for (const { id, before, after: now } of page.body['changes'] as unknown as Record<string, string>[]) {
        ids.push(id ?? '')
        assert.match(before ?? '', /^unknown\/hard; u\d@a\.example 5\.1\.1 userunknown permanent$/)
        assert.match(now ?? '', /^bounce\/hard; u\d@a\.example 5\.1\.1 userunknown permanent$/)
      }
      after = page.body['next'] as unknown as string | null
    }
    assert.deepEqual(ids.sort(), ['m1', 'm3', 'm5', 'm7', 'm9'])
  })

  it('one at a time, by a name of its own; what is wrong is said', async () => {
    await using ports = await openTestPorts()
    await fill(ports, 2)
    await replay({ name: 'by-hand', from: 0, to: Date.now() + 1_000, classify: {} }, ports, () => {})
    await using api = await startTestConsole(ports)
    assert.equal((await api.json('/api/replays')).body['replays']?.['length'], 1)
    for (const [body, status] of [
      [{ name: 'by-hand', from: 0 }, 409],
      [{ name: 'Not A Name', from: 0 }, 400],
      [{ name: 'backwards', from: 10, to: 5 }, 400],
      [{ name: 'x' }, 400],
    ] as const) {
      assert.equal((await api.json('/api/replays', post(body))).status, status, JSON.stringify(body))
    }
    assert.equal((await api.json('/api/replays/never')).status, 404)
    assert.equal((await api.json('/api/replays/by-hand?after=zero')).status, 400)
    const answers = await Promise.all(['a', 'b', 'c'].map((name) => api.json('/api/replays', post({ name, from: 0 }))))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [202, 409, 409])
  })

  it('of two of one name at once, one runs, and writes each message once', async () => {
    await using ports = await openTestPorts()
    await fill(ports, 6)
    const range = { name: 'same', from: 0, to: Date.now() + 1_000, classify: {} }
    const found = await Promise.allSettled([1, 2, 3].map(() => replay(range, ports, () => {})))
    assert.deepEqual(found.map(({ status }) => status).sort(), ['fulfilled', 'rejected', 'rejected'])
    const ends = await ports.log.admin.offsets('mail.replay.same')
    assert.equal(
      ends.reduce((sum, { end }) => sum + Number(end), 0),
      6,
    )
  })

  it('the log holds one of that name already: told as failed', async () => {
    await using ports = await openTestPorts()
    await fill(ports, 2)
    await replay({ name: 'twice', from: 0, to: Date.now() + 1_000, classify: {} }, ports, () => {})
    await ports.objects.remove('replays/twice.json')
    await using api = await startTestConsole(ports)
    assert.equal((await api.json('/api/replays', post({ name: 'twice', from: 0 }))).status, 202)
    const failed = await until('the failure', async () => (await api.json('/api/replays')).body['failed'] ?? false)
    assert.match(JSON.stringify(failed), /mail\.replay\.twice holds a replay already/)
  })
})

describe('routes and series', { timeout: 60_000 }, () => {
  it('routes as they are set, with what they did', async () => {
    await using ports = await openTestPorts()
    const route = { name: 'crm', group: 'route-crm', when: { kind: ['bounce'] }, to: ['https://crm.example/hook'] }
    await using api = await startTestConsole(ports, { routes: [{ ...route, kind: 'webhook', isSigned: true }] })
    await tellEvent(ports, 0, { type: 'routed', service: 'route-crm', host: 'crm.example', reply: '200' })
    const outcomes = await until('the outcome', async () => {
      const { body } = await api.json('/api/routes')
      const [found] = body['routes'] as unknown as { name: string; outcomes: { host: string; taken: number }[] }[]
      return found?.outcomes.length === 1 && found.outcomes
    })
    assert.deepEqual([outcomes[0]?.host, outcomes[0]?.taken], ['crm.example', 1])
  })

  it('series by minute of the last hours, and against a day or a week earlier', async () => {
    await using ports = await openTestPorts()
    await using api = await startTestConsole(ports)
    const [minute, day] = [60_000, 86_400_000]
    const now = Date.now()
    const ages = [2 * minute, 2 * minute, 30 * minute, day + 5 * minute, 7 * day + 5 * minute, 7 * day + 6 * minute]
    for (const [n, age] of ages.toReversed().entries()) {
      await tellEvent(ports, n, { at: now - age, kind: 'bounce' })
    }
    await until('all', async () => (await api.json('/api/messages')).body['messages']?.['length'] === ages.length)
    const series = async (query: string): Promise<{ total: number; before: number; points: number[] } | undefined> => {
      const { body } = await api.json(`/api/series?by=kind&${query}`)
      return (body['series'] as unknown as { total: number; before: number; points: number[] }[])[0]
    }
    const byMinute = await series('hours=1&step=minute')
    assert.equal(byMinute?.total, 3)
    assert.deepEqual(
      byMinute?.points.filter((n) => n > 0),
      [1, 2],
    )
    assert.equal((await series('hours=2&against=day'))?.before, 1)
    assert.equal((await series('hours=2&against=week'))?.before, 2)
    assert.equal((await series('hours=2'))?.before, 0)
  })
})
