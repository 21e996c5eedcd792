import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readSettings } from '#lib/runtime/settings.ts'
import { startTestConsole, tellEvent } from '#lib/testing/console.ts'
import { openTestPorts, rawRecord, type TestPorts } from '#lib/testing/embedded.ts'
import { until } from '#lib/testing/wait.ts'
import { event } from '#schemas/events.ts'
import type { Event } from '#schemas/types.ts'
import { checkConsole, consoleSettings } from './config.ts'
import type { Ledger } from './ledger.ts'
import { EventView } from './view/view.ts'

async function start(ports: TestPorts, environment: Record<string, string> = {}, viewPath = '') {
  const started = await startTestConsole(ports, { environment, viewPath })
  const get = (path: string, headers: Record<string, string> = {}) => started.ask(path, { headers })
  return {
    console: started.service,
    get,
    ledger: async (): Promise<Ledger> => {
      await new Promise((resolve) => setTimeout(resolve, 550)) // The ledger is read at most twice a second.
      return (await (await get('/api/ledger')).json()) as Ledger
    },
    [Symbol.asyncDispose]: () => started.service.stop(),
  }
}

/** Message n at offset n of mail.raw, and events of it. */
async function accept(ports: TestPorts, n: number): Promise<void> {
  const raw = rawRecord({ id: `m${n}`, content: `message ${n}\r\n` })
  const { offset } = await ports.log.append('mail.raw', {
    key: raw.id,
    partition: 0,
    value: ports.codec.encode('raw', raw),
  })
  assert.equal(Number(offset), n)
  await tell(ports, n, {
    type: 'accepted',
    size: raw.size,
    reversePath: 'S@remote.example',
    recipients: [recipient('b@bounces.example.com')],
  })
}

const recipient = (address: string, more: Partial<Event['recipients'][0]> = {}) => ({
  address,
  status: '',
  reason: '',
  permanent: false,
  reply: '',
  ...more,
})

const tell = (ports: TestPorts, n: number, given: Partial<Event> & { type: string }) =>
  tellEvent(ports, n, { service: 'test', ...given })

const stored = {
  type: 'stored',
  mailbox: 'Unknown/2026-11-24',
  location: { object: 'none', blockOffset: 0, blockLength: 1, recordIndex: 0 },
}

/** Commits as the consumer group of a stage would: everything up to an offset. */
async function commit(ports: TestPorts, group: string, topic: string, through: number, metadata = ''): Promise<void> {
  const seen: bigint[] = []
  const consumer = ports.log.consume({
    group,
    topics: [topic],
    windowRecords: 1_000,
    windowBytes: 1_000_000,
    assign: () => ({
      process: async (record) => {
        if (Number(record.offset) > through) return new Promise(() => {})
        seen.push(record.offset)
        return metadata
      },
    }),
  })
  await consumer.ready
  await until('the commit', async () => {
    const [committed] = await ports.log.admin.committed(group, topic)
    return Number(committed?.offset ?? 0n) >= through + 1
  })
  await consumer.stop({ drainMs: 10 })
}

const books = ({ accepted, forwarded, waiting, dead, classified, stored, storing, undecodable, balanced }: Ledger) => ({
  accepted,
  forwarded,
  waiting,
  dead,
  classified,
  stored,
  storing,
  undecodable,
  balanced,
})

describe('the ledger', () => {
  it('balances at every step, and a deferred message waits until it is settled', async () => {
    await using ports = await openTestPorts()
    await using view = await start(ports)
    const empty = {
      accepted: 0,
      forwarded: 0,
      waiting: 0,
      dead: 0,
      classified: 0,
      stored: 0,
      storing: 0,
      undecodable: 0,
      balanced: true,
    }
    assert.deepEqual(books(await view.ledger()), empty)
    for (let n = 0; n < 4; n++) await accept(ports, n)
    assert.deepEqual(books(await view.ledger()), { ...empty, accepted: 4, waiting: 4, storing: 4 })
    await tell(ports, 0, { type: 'forwarded', state: 'forwarded', service: 'forward' })
    await tell(ports, 1, { type: 'deferred', state: 'waiting', service: 'forward' })
    await tell(ports, 2, { type: 'rejected', state: 'dead', service: 'forward' })
    for (let n = 0; n < 3; n++)
      await tell(ports, n, { type: 'classified', kind: 'bounce', variant: 'hard', service: 'classify' })
    await tell(ports, 3, { type: 'undecodable', service: 'classify' })
    await commit(ports, 'forward', 'mail.raw', 2)
    assert.deepEqual(books(await view.ledger()), {
      ...empty,
      accepted: 4,
      forwarded: 1,
      waiting: 2,
      dead: 1,
      classified: 3,
      undecodable: 1,
      storing: 3,
    })
    await tell(ports, 1, { type: 'forwarded', state: 'forwarded', service: 'forward' })
    await tell(ports, 1, { type: 'deferred', state: 'waiting', service: 'forward' }) // A late repeat.
    await tell(ports, 3, { type: 'forwarded', state: 'forwarded', service: 'forward' })
    for (let n = 0; n < 3; n++) await tell(ports, n, stored)
    await tell(ports, 0, stored)
    await commit(ports, 'forward', 'mail.raw', 3)
    assert.deepEqual(books(await view.ledger()), {
      ...empty,
      accepted: 4,
      forwarded: 3,
      dead: 1,
      classified: 3,
      stored: 3,
      undecodable: 1,
    })
  })

  it('does not balance where a stage committed a message without an outcome', async () => {
    await using ports = await openTestPorts()
    await using view = await start(ports)
    for (let n = 0; n < 3; n++) await accept(ports, n)
    for (const n of [0, 2]) await tell(ports, n, { type: 'forwarded', state: 'forwarded' })
    await commit(ports, 'forward', 'mail.raw', 2)
    const ledger = await view.ledger()
    assert.equal(ledger.balanced, false)
    assert.equal(ledger.partitions[0]?.balanced, false)
    assert.equal(ledger.partitions[1]?.balanced, true)
    assert.match(await ports.metrics.text(), /mailweir_ledger_balanced 0/)
  })

  it('does not balance where quarantine says that it stored what it did not', async () => {
    await using ports = await openTestPorts()
    await using view = await start(ports)
    for (let n = 0; n < 3; n++) {
      await accept(ports, n)
      await tell(ports, n, { type: 'forwarded', state: 'forwarded' })
      await ports.log.append('mail.classified', { key: `m${n}`, partition: 0, value: Buffer.from('x') })
    }
    for (const n of [0, 2]) await tell(ports, n, stored)
    await commit(ports, 'quarantine', 'mail.classified', 2, '2')
    const ledger = await view.ledger()
    assert.deepEqual([ledger.stored, ledger.storing, ledger.balanced], [2, 0, false])
  })
})

describe('the view of events', () => {
  it('keeps what it knows over a restart, and starts again where the log was made anew', async () => {
    await using ports = await openTestPorts()
    const path = `${ports.folder}/view.sqlite`
    for (const round of [0, 1]) {
      await using view = await start(ports, {}, path)
      await accept(ports, round)
      assert.equal((await view.ledger()).accepted, round + 1)
    }
    await using other = await openTestPorts()
    await using view = await start(other, {}, path)
    assert.equal((await view.ledger()).accepted, 0)
    assert.equal(((await (await view.get('/api/messages')).json()) as { messages: [] }).messages.length, 0)
  })

  it('forgets by age and by number what is settled and stored, keeps its counts, and never forgets what waits', async () => {
    await using ports = await openTestPorts()
    await using console = await start(ports)
    for (let n = 0; n < 6; n++) {
      await accept(ports, n)
      if (n !== 1) await tell(ports, n, { type: 'forwarded', state: 'forwarded' })
      await tell(ports, n, stored)
    }
    await console.ledger()
    const view = new EventView({ path: '', codec: ports.codec, logger: ports.logger, undecodable: () => {} })
    view.setBase(0, 0)
    const [offsets] = await ports.log.admin.offsets('mail.events')
    for await (const records of ports.log.read('mail.events', {
      from: new Map([[0, 0n]]),
      to: new Map([[0, offsets?.end ?? 0n]]),
    }))
      view.apply(records)
    assert.equal(view.evict(0, 4), 2)
    assert.equal(view.evict(Date.now() + 1_000, 100), 3)
    assert.deepEqual(
      view.messages({ limit: 10 }).map(({ id }) => id),
      ['m1'],
    )
    assert.equal(view.counts(0, 6).forwarded, 5)
    assert.equal(view.trace('m0').length, 0)
    // What somebody does with a message that is forgotten is forgotten, too.
    const read = (id: string, offset: bigint) => ({
      topic: 'mail.events',
      partition: 1,
      offset,
      key: id,
      timestamp: 0,
      value: ports.codec.encode(
        'event',
        event({ messageId: id, type: 'read', at: 5, service: 'imap', position: { partition: -1, offset: -1 } }),
      ),
    })
    const steps = view.trace('m1').length
    view.apply([read('m0', 0n), read('m1', 1n), read('', 2n)])
    view.evict(5, 100)
    assert.equal(view.trace('m0').length, 1)
    view.evict(6, 100)
    assert.deepEqual(
      ['m0', 'm1', ''].map((id) => view.trace(id).length),
      [0, steps + 1, 0],
    )
    view.close()
  })
})

describe('the API', () => {
  it('searches by address, kind, reason and state, page by page', async () => {
    await using ports = await openTestPorts()
    await using view = await start(ports)
    for (let n = 0; n < 7; n++) {
      await accept(ports, n)
      await tell(ports, n, {
        type: 'classified',
        kind: n % 2 === 0 ? 'bounce' : 'reply',
        recipients: [recipient(`User${n % 3}@Remote.example`, { reason: 'userunknown' })],
      })
    }
    await view.ledger()
    const ask = async (query: string) =>
      (await (await view.get(`/api/messages?${query}`)).json()) as { messages: { id: string }[]; next: string | null }
    const ids = async (query: string) => (await ask(query)).messages.map(({ id }) => id).sort()
    assert.deepEqual(await ids('address=user1@remote.EXAMPLE'), ['m1', 'm4'])
    assert.deepEqual(await ids('kind=reply&reason=userunknown'), ['m1', 'm3', 'm5'])
    assert.equal((await ids('state=accepted')).length, 7)
    assert.deepEqual(await ids('address=s@remote.example&kind=bounce&address=nobody@x').catch(() => []), [])
    const seen: string[] = []
    for (let next: string | null = '', pages = 0; next !== null && pages < 10; pages++) {
      const page = await ask(`limit=3${next === '' ? '' : `&before=${next}`}`)
      seen.push(...page.messages.map(({ id }) => id))
      next = page.next
    }
    assert.equal(new Set(seen).size, 7)
    assert.equal(seen.length, 7)
    for (const wrong of ['limit=0', 'limit=x', 'before=x', 'state=none', `address=${'a'.repeat(400)}`]) {
      assert.equal((await view.get(`/api/messages?${wrong}`)).status, 400, wrong)
    }
  })

  it('gives a trace, and the bytes from the log until they are stored; 404 for what nobody knows', async () => {
    await using ports = await openTestPorts()
    await using view = await start(ports)
    await accept(ports, 0)
    await view.ledger()
    const message = (await (await view.get('/api/messages/m0')).json()) as { trace: { type: string }[] }
    assert.deepEqual(
      message.trace.map(({ type }) => type),
      ['accepted'],
    )
    const raw = await view.get('/api/messages/m0/raw')
    assert.equal(raw.headers.get('content-disposition'), 'attachment; filename="m0.eml"')
    assert.equal(await raw.text(), 'message 0\r\n')
    assert.deepEqual(await (await view.get('/api/messages/m0/content')).json(), {
      headers: [{ name: '', value: 'message 0' }],
      text: '',
      attachments: [],
      hasHtml: false,
      cut: false,
    })
    assert.equal((await view.get('/api/messages/none')).status, 404)
    assert.equal((await view.get('/api/messages/none/content')).status, 404)
    assert.equal((await view.get('/api/messages/none/raw')).status, 404)
    assert.equal((await view.get('/api/none')).status, 404)
    assert.equal((await view.get('/../../package.json')).status, 404)
  })

  it('lets nobody in without the token, where there is one', async () => {
    await using ports = await openTestPorts()
    const token = 'a-token-of-some-length'
    await using view = await start(ports, { CONSOLE_TOKEN: token })
    assert.equal((await view.get('/api/ledger')).status, 401)
    assert.equal((await view.get('/')).status, 401)
    assert.equal((await view.get('/api/ledger', { authorization: 'Bearer wrong' })).status, 401)
    assert.equal((await view.get('/api/ledger', { authorization: `Bearer ${token}` })).status, 200)
    const basic = Buffer.from(`anybody:${token}`).toString('base64')
    const page = await view.get('/', { authorization: `Basic ${basic}` })
    assert.equal(page.status, 200)
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/)
    assert.match(page.headers.get('www-authenticate') ?? '', /^$/)
  })

  it('without a token answers only to a name of loopback, and is not started on any other address', async () => {
    await using ports = await openTestPorts()
    await using view = await start(ports)
    const config = readSettings('test', consoleSettings, { environment: { CONSOLE_LISTEN: '0.0.0.0:8080' } })
    assert.match(checkConsole({ ...config, otlpEndpoint: null })[0]?.line ?? '', /CONSOLE_TOKEN is not set/)
    const { request } = await import('node:http')
    const status = await new Promise((resolve, reject) => {
      request({ port: view.console.port, path: '/api/ledger', headers: { host: 'mail.evil.example' } }, (response) =>
        resolve(response.statusCode),
      )
        .once('error', reject)
        .end()
    })
    assert.equal(status, 403)
  })
})
