import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { readSettings } from '#lib/runtime/settings.ts'
import { openTestPorts, rawRecord, type TestPorts } from '#lib/testing/embedded.ts'
import { startLegacy } from '#lib/testing/legacy.ts'
import { until } from '#lib/testing/wait.ts'
import type { Classified } from '#schemas/types.ts'
import { relaySettings } from '../config.ts'
import { checkRoutes, routesSettings } from './config.ts'
import { mismatch, parseRoutes, type Route } from './rules.ts'
import { startRoutes } from './service.ts'

const classified = (id: string, verdict: Partial<Classified['verdict']> = {}): Classified => {
  const { envelope, receivedAt, size, sha256, bytes, claim } = rawRecord({
    id,
    content: `Subject: ${id}\r\n\r\nx\ny\r\n`,
  })
  return {
    id,
    position: { partition: 0, offset: 0 },
    receivedAt,
    envelope,
    size,
    sha256,
    bytes,
    claim,
    verdict: {
      kind: 'bounce',
      variant: 'hard',
      confidence: 1,
      version: '1',
      recipients: [
        {
          address: 'gone@remote.example',
          originalAddress: '',
          action: 'failed',
          status: '5.1.1',
          reply: '550',
          reason: 'userunknown',
          permanent: true,
          remoteMta: '',
          diagnostic: '',
        },
      ],
      evidence: [],
      original: { campaign: 'spring-2026' },
      reporter: '',
      ...verdict,
    },
  }
}

const append = (ports: TestPorts, message: Classified) =>
  ports.log.append('mail.classified', {
    key: message.id,
    partition: 0,
    value: ports.codec.encode('classified', message),
  })

function start(ports: TestPorts, routes: readonly unknown[], more: Record<string, string> = {}) {
  const config = readSettings(
    'test',
    { ...relaySettings, ...routesSettings },
    {
      environment: { ROUTES: JSON.stringify(routes), FORWARD_REPLY_MS: '1000', ...more },
    },
  )
  assert.deepEqual(checkRoutes(config), [])
  const service = startRoutes(config, ports)
  return { service, [Symbol.asyncDispose]: () => service.stop() }
}

type Heard = { readonly headers: IncomingHttpHeaders; readonly body: string }

/** An HTTP server that hears everything and answers as it is told. */
async function receiver(answer: (heard: Heard, count: number) => number) {
  const heard: Heard[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one = { headers: request.headers, body: Buffer.concat(chunks).toString() }
      heard.push(one)
      response.writeHead(answer(one, heard.length), { location: 'http://127.0.0.1:1/' }).end('x')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    heard,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, // It listens on TCP.
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('the table of routes', () => {
  it('says what is wrong, each thing with its place', () => {
    const { problems } = parseRoutes(
      JSON.stringify([
        { name: 'A b', when: { kindd: 'x', reason: [] }, to: { webhook: 'ftp://x' }, extra: 1 },
        { name: 'one', to: { smtp: 'smtp://a:25', webhook: 'http://b' } },
        { name: 'one', to: { smtp: 'a:25', recipients: ['x'] } },
        { name: 'two', to: { webhook: 'https://x.example/', batch: { count: 0, ms: 5 } } },
        7,
      ]),
    )
    assert.deepEqual(
      problems.map((problem) => problem.split(':')[0]),
      [
        'routes[0].extra',
        'routes[0].name',
        'routes[0].when.kindd',
        'routes[0].when.reason',
        'routes[0].to.webhook',
        'routes[1].to',
        'routes[2].name',
        'routes[2].to.smtp',
        'routes[3].to.batch',
        'routes[4]',
        'routes[4].name',
        'routes[4].to',
      ],
    )
    assert.match(parseRoutes('[').problems[0] ?? '', /^not JSON/)
    assert.match(checkRoutes({ routes: '/nowhere/at/all', routesAgeMs: 1 })[0]?.line ?? '', /cannot be read/)
  })

  it('takes what fits every condition, and says what did not fit', () => {
    const route = (when: Route['when']): Route => ({
      name: 'x',
      when,
      to: { kind: 'webhook', url: '', secret: '', batch: null },
    })
    const message = classified('a')
    for (const when of [
      {},
      { kind: ['complaint', 'BOUNCE'] },
      { recipient: ['*@remote.example'] },
      { recipient: ['bounces@*'] },
      { campaign: ['spring-*', 'x'], reason: ['user*'], variant: ['*'] },
      { recipient: ['*one*', 'g*e@*.example'] },
    ]) {
      assert.equal(mismatch(route(when), message), null, JSON.stringify(when))
    }
    assert.equal(mismatch(route({ kind: ['complaint'] }), message), 'kind is bounce, not complaint')
    assert.match(
      mismatch(route({ recipient: ['*ee*', 'gone'] }), message) ?? '',
      /^recipient is gone@remote\.example, /,
    )
    assert.equal(
      mismatch(route({ campaign: ['x'] }), classified('b', { original: {} })),
      'campaign is not known, not x',
    )
  })
})

describe('routes', () => {
  it('post signed CloudEvents, again where the receiver is not well, and give up where it refuses', async () => {
    await using ports = await openTestPorts()
    await using hook = await receiver(({ body }, count) => (body.includes('"b"') ? 400 : count === 1 ? 503 : 204))
    const route = { name: 'hard', when: { kind: 'bounce' }, to: { webhook: hook.url, secret: 'key' } }
    await using _running = start(ports, [route])
    await append(ports, classified('a'))
    await append(ports, classified('c', { kind: 'reply' }))
    await append(ports, classified('b'))
    const events = () => ports.decoded('mail.events', 'event')
    await until('both have an outcome', async () => (await events()).length === 2)
    assert.equal(hook.heard.filter(({ body }) => body.includes('"id":"a"')).length, 2)
    assert.ok(!hook.heard.some(({ body }) => body.includes('"id":"c"')))
    const { headers, body } = hook.heard.at(-1) ?? { headers: {}, body: '' }
    assert.equal(headers['content-type'], 'application/cloudevents+json; charset=utf-8')
    const id = headers['webhook-id']
    const signed = `${id}.${headers['webhook-timestamp']}.${body}`
    assert.equal(headers['webhook-signature'], `v1,${createHmac('sha256', 'key').update(signed).digest('base64')}`)
    const event = JSON.parse(body) as Record<string, unknown>
    assert.equal(event['specversion'], '1.0')
    assert.equal(event['type'], 'mailweir.mail.bounce')
    assert.equal(event['subject'], 'gone@remote.example')
    const byId = new Map((await events()).map((each) => [each.messageId, each]))
    assert.equal(byId.get('a')?.reply, '204 No Content')
    assert.equal(byId.get('a')?.attempt, 2)
    assert.equal(byId.get('a')?.service, 'route-hard')
    assert.match(byId.get('b')?.detail ?? '', /mail\.dead/)
    const dead = await ports.decoded('mail.dead', 'dead')
    assert.deepEqual(
      dead.map(({ id, reason, service }) => ({ id, reason, service })),
      [{ id: 'b', reason: 'rejected', service: 'route-hard' }],
    )
  })

  it('post many at once in the batch format', async () => {
    await using ports = await openTestPorts()
    await using hook = await receiver(() => 200)
    await using _running = start(ports, [{ name: 'all', to: { webhook: hook.url, batch: { count: 5, ms: 200 } } }])
    for (let n = 0; n < 12; n++) await append(ports, classified(`m${n}`))
    await until('all are routed', async () => (await ports.read('mail.events')).length === 12)
    const batches = hook.heard.map(({ body }) => (JSON.parse(body) as { id: string }[]).map(({ id }) => id))
    assert.equal(new Set(batches.flat()).size, 12)
    assert.ok(batches.length >= 3 && batches.every((batch) => batch.length <= 5), JSON.stringify(batches))
    assert.match(hook.heard[0]?.headers['content-type'] ?? '', /^application\/cloudevents-batch\+json/)
  })

  it('send the original to an SMTP target, and a broken target holds up nobody else', async () => {
    await using ports = await openTestPorts()
    await using legacy = await startLegacy()
    await using broken = await startLegacy({ rcpt: () => '450 4.2.1 not now' })
    await using _running = start(
      ports,
      [
        { name: 'broken', to: { smtp: broken.url } },
        { name: 'nowhere', to: { webhook: 'http://127.0.0.1:1/' } },
        { name: 'desk', when: { kind: 'bounce' }, to: { smtp: legacy.url, recipients: ['desk@a.example'] } },
      ],
      { ROUTES_AGE_MS: '1500' },
    )
    await append(ports, classified('a'))
    await until('the desk has it', () => legacy.messages.length === 1)
    assert.deepEqual(legacy.messages[0]?.rcpts, ['TO:<desk@a.example>'])
    assert.equal(legacy.messages[0]?.content.toString(), 'Subject: a\r\n\r\nx\ny\r\n')
    await until('the others gave up', async () => (await ports.read('mail.dead')).length === 2)
    const dead = await ports.decoded('mail.dead', 'dead')
    assert.deepEqual(dead.map(({ service, reason }) => `${service} ${reason}`).sort(), [
      'route-broken expired',
      'route-nowhere expired',
    ])
  })

  it('deliver what waits for company when they stop, and take up later what they did not', async () => {
    await using ports = await openTestPorts()
    await using hook = await receiver(() => 200)
    const route = { name: 'all', to: { webhook: hook.url, batch: { count: 100, ms: 60_000 } } }
    {
      await using running = start(ports, [route])
      await running.service.ready
      for (let n = 0; n < 7; n++) await append(ports, classified(`m${n}`))
      await new Promise((resolve) => setTimeout(resolve, 300))
      assert.equal(hook.heard.length, 0)
    }
    assert.equal((JSON.parse(hook.heard[0]?.body ?? '[]') as unknown[]).length, 7)
    assert.equal((await ports.read('mail.events')).length, 7)
    await using down = await startLegacy()
    await down.down()
    const relayed = { name: 'down', to: { smtp: down.url } }
    {
      await using running = start(ports, [relayed])
      await running.service.ready
      await new Promise((resolve) => setTimeout(resolve, 300))
      const before = Date.now()
      await running.service.stop()
      assert.ok(Date.now() - before < 10_000)
    }
    await down.up()
    await using _again = start(ports, [relayed])
    await until('all of them', () => down.messages.length === 7)
  })
})
