import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { until } from '#lib/testing/wait.ts'
import { event } from '#schemas/events.ts'
import { SpanExporter, spanOf } from './spans.ts'

const id = '019ad0aa-3c00-7000-8000-00000000000a'
const traceId = id.replaceAll('-', '')
const position = { partition: 0, offset: 0 }
const accepted = event({ messageId: id, type: 'accepted', at: 1_000, service: 'ingest', position, size: 7 })
const forwarded = event({
  messageId: id,
  type: 'forwarded',
  at: 1_090,
  service: 'forward',
  position,
  host: 'legacy:25',
  state: 'forwarded',
  addedDelayMs: 90,
  recipients: [{ address: 'secret@person.example', status: '', reason: '', permanent: false, reply: '' }],
})

/** A collector whose answers a test sets. */
async function collector() {
  const spans: { traceId: string; name: string }[] = []
  const state = { answers: [] as number[], spans, bodies: [] as string[] }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString('utf8')
    const status = request.url === '/otlp/v1/traces' ? (state.answers.shift() ?? 200) : 404
    if (status === 200) {
      state.bodies.push(body)
      for (const { scopeSpans } of JSON.parse(body).resourceSpans)
        for (const scope of scopeSpans) spans.push(...scope.spans)
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return Object.assign(state, {
    url: `http://127.0.0.1:${port}/otlp/`,
    [Symbol.dispose]: () => {
      server.close()
      server.closeAllConnections()
    },
  })
}

describe('spans', { timeout: 30_000 }, () => {
  it('have the id of the message for a trace, the acceptance for a parent, and no address', () => {
    const root = spanOf(accepted)
    const child = spanOf(forwarded)
    assert.deepEqual([root?.traceId, root?.parentSpanId, root?.kind], [traceId, undefined, 2])
    assert.deepEqual([child?.traceId, child?.parentSpanId, child?.kind], [traceId, root?.spanId, 3])
    assert.deepEqual([child?.startTimeUnixNano, child?.endTimeUnixNano], ['1000000000', '1090000000'])
    assert.ok(!JSON.stringify([root, child]).includes('person.example'))
    for (const messageId of ['', 'x', '0'.repeat(32)]) assert.equal(spanOf({ ...accepted, messageId }), null)
  })

  it('go to a collector that was away, each once, and past one that refuses them', async () => {
    await using ports = await openTestPorts()
    using server = await collector()
    server.answers.push(503, 503)
    const counts = { sent: 0, refused: 0 }
    const told = (outcome: 'sent' | 'refused', spans: number): void => {
      counts[outcome] += spans
    }
    const append = (given: typeof accepted) =>
      ports.log.append('mail.events', { key: given.messageId, value: ports.codec.encode('event', given) })
    await append(accepted)
    await append(forwarded)
    await ports.log.append('mail.events', { key: 'x', value: Buffer.from('garbage') })
    {
      const exporter = new SpanExporter(server.url, { ...ports, told })
      await exporter.ready
      await until('the spans', async () => counts.sent === 2)
      server.answers.push(400)
      await append({ ...forwarded, type: 'classified' })
      await until('the refusal', async () => counts.refused === 1)
      await until('the commit', async () =>
        (await ports.log.admin.committed('spans', 'mail.events')).some(({ offset }) => (offset ?? 0n) > 0n),
      )
      await exporter.stop()
    }
    assert.deepEqual(server.spans.map(({ name }) => name).toSorted(), ['accepted', 'forwarded'])
    assert.ok(server.bodies.join('').includes('mailweir-forward'))
    assert.ok(!server.bodies.join('').includes('person.example'))
  })
})
