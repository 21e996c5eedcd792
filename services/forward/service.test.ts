import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readSettings } from '#lib/runtime/settings.ts'
import { openTestPorts, rawRecord, type TestPorts } from '#lib/testing/embedded.ts'
import { type Legacy, startLegacy } from '#lib/testing/legacy.ts'
import { until } from '#lib/testing/wait.ts'
import { event } from '#schemas/events.ts'
import type { Event } from '#schemas/types.ts'
import { forwardSettings } from './config.ts'
import { forwardGroup, startForward } from './service.ts'

function start(ports: TestPorts, legacy: Pick<Legacy, 'url'>, more: Record<string, string> = {}) {
  const config = readSettings('test', forwardSettings, {
    environment: {
      LEGACY_SMTP: legacy.url,
      RETRY_FIRST_MS: '50',
      RETRY_MAX_MS: '50',
      FORWARD_REPLY_MS: '1000',
      FORWARD_CONNECT_MS: '1000',
      ...more,
    },
  })
  const service = startForward(config, ports)
  return { service, [Symbol.asyncDispose]: () => service.stop() }
}

const append = (ports: TestPorts, given: Parameters<typeof rawRecord>[0]) =>
  ports.log.append('mail.raw', { key: given.id, partition: 0, value: ports.codec.encode('raw', rawRecord(given)) })

const events = async (ports: TestPorts, id: string): Promise<Event[]> =>
  (await ports.decoded('mail.events', 'event')).filter((event) => event.messageId === id)

const stateOf = async (ports: TestPorts, id: string): Promise<string> => (await events(ports, id)).at(-1)?.state ?? ''
const reaches = (ports: TestPorts, id: string, state: string) =>
  until(`${id} ${state}`, async () => (await stateOf(ports, id)) === state)

describe('forward', () => {
  it('passes on the envelope, its parameters and the bytes', async () => {
    await using ports = await openTestPorts()
    await using legacy = await startLegacy()
    await using _running = start(ports, legacy)
    const content = Buffer.from('Subject: x\r\n\r\n.\r\n..a\nb\rc\0\xff\r\n', 'latin1')
    const record = rawRecord({ id: 'a', content })
    await ports.log.append('mail.raw', {
      key: 'a',
      value: ports.codec.encode('raw', {
        ...record,
        envelope: {
          ...record.envelope,
          reversePath: 'bücher@remote.example',
          parameters: { BODY: '8BITMIME', SMTPUTF8: '', RET: 'HDRS', ENVID: 'QQ+3D1' },
          forwardPaths: [
            { address: 'one@bounces.example.com', parameters: { NOTIFY: 'NEVER', ORCPT: 'rfc822;x+2By@a.example' } },
            { address: '"two words"@bounces.example.com', parameters: {} },
          ],
        },
      }),
    })
    await reaches(ports, 'a', 'forwarded')
    assert.deepEqual(legacy.messages, [
      {
        mail: `FROM:<bücher@remote.example> SIZE=${content.length} BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+3D1`,
        rcpts: [
          'TO:<one@bounces.example.com> NOTIFY=NEVER ORCPT=rfc822;x+2By@a.example',
          'TO:<"two words"@bounces.example.com>',
        ],
        content,
        connection: 0,
      },
    ])
  })

  it('offers nothing that the legacy system does not know, and pipelines only where it may', async () => {
    await using ports = await openTestPorts()
    await using legacy = await startLegacy({ extensions: [] })
    await using _running = start(ports, legacy)
    await append(ports, { id: 'a', content: 'x\r\n', parameters: { BODY: '8BITMIME', RET: 'FULL' } })
    await reaches(ports, 'a', 'forwarded')
    assert.equal(legacy.messages[0]?.mail, 'FROM:<>')
  })

  it('retries a deferred recipient alone, until it is taken, and settles mail.retry with a tombstone', async () => {
    await using ports = await openTestPorts()
    let tries = 0
    await using legacy = await startLegacy({
      rcpt: (path) => (path.includes('busy') && ++tries < 3 ? '451 4.2.1 not now' : null),
    })
    await using _running = start(ports, legacy)
    await append(ports, {
      id: 'a',
      content: 'x\r\n',
      forwardPaths: ['one@b.example', 'busy@b.example', 'three@b.example'],
    })
    await append(ports, { id: 'b', content: 'y\r\n', forwardPaths: ['one@b.example'] })
    await reaches(ports, 'a', 'forwarded')
    await reaches(ports, 'b', 'forwarded')
    assert.deepEqual(
      legacy.messages.filter(({ content }) => content.toString() === 'x\r\n').map(({ rcpts }) => rcpts),
      [['TO:<one@b.example>', 'TO:<three@b.example>'], ['TO:<busy@b.example>']],
    )
    assert.deepEqual(
      (await events(ports, 'a')).map(({ type, attempt, state }) => [type, attempt, state]),
      [
        ['deferred', 1, 'waiting'],
        ['deferred', 2, 'waiting'],
        ['forwarded', 3, 'forwarded'],
      ],
    )
    await until('the tombstone', async () => (await ports.read('mail.retry')).at(-1)?.value === null)
  })

  it('dead-letters what is refused for good, with the message, and what was deferred for too long', async () => {
    await using ports = await openTestPorts()
    await using legacy = await startLegacy({
      rcpt: (path) =>
        path.includes('gone') ? '550 5.1.1 no such user' : path.includes('busy') ? '452 4.2.2 full' : null,
      data: ({ content }) => (content.toString().startsWith('spam') ? '554 5.7.1 not here' : '250 ok'),
    })
    await using _running = start(ports, legacy, { RETRY_AGE_MS: '1000' })
    await append(ports, { id: 'refused', content: 'x\r\n', forwardPaths: ['gone@b.example', 'here@b.example'] })
    await append(ports, { id: 'spam', content: 'spam\r\n' })
    await append(ports, { id: 'late', content: 'z\r\n', forwardPaths: ['busy@b.example'] })
    for (const id of ['refused', 'spam', 'late']) await reaches(ports, id, 'dead')
    const dead = new Map((await ports.decoded('mail.dead', 'dead')).map((letter) => [letter.id, letter]))
    assert.deepEqual(
      [dead.get('refused')?.reason, dead.get('refused')?.open, dead.get('refused')?.reply],
      ['rejected', [0], '550 5.1.1 no such user'],
    )
    assert.equal(dead.get('spam')?.bytes?.toString(), 'spam\r\n')
    assert.deepEqual([dead.get('late')?.reason, dead.get('late')?.reply], ['expired', '452 4.2.2 full'])
    assert.equal(legacy.messages.length, 1)
  })

  it('waits while the legacy system is down, loses nothing, and sends nothing twice when it is back', async () => {
    await using ports = await openTestPorts()
    await using legacy = await startLegacy()
    await legacy.down()
    await using _running = start(ports, legacy)
    const ids = Array.from({ length: 50 }, (_, n) => `m${n}`)
    await Promise.all(ids.map((id) => append(ports, { id, content: `${id}\r\n` })))
    await until('a failure', async () => /mailweir_forward_hosts_up 0/.test(await ports.metrics.text()))
    assert.equal((await ports.read('mail.dead')).length, 0)
    assert.equal((await ports.read('mail.retry')).length, 0)
    await legacy.up()
    await until('all of them', () => legacy.messages.length >= ids.length)
    await until(
      'the commit',
      async () => (await ports.log.admin.committed(forwardGroup, 'mail.raw'))[0]?.offset === 50n,
    )
    assert.deepEqual(legacy.messages.map(({ content }) => content.toString().trim()).sort(), [...ids].sort())
  })

  it('takes 421, a hang-up and silence for signs of the host, not of the message', async () => {
    await using ports = await openTestPorts()
    let n = 0
    await using legacy = await startLegacy({
      mail: () => (n++ === 0 ? '421 4.3.2 going down' : null),
      data: () => (n++ < 4 ? null : '250 ok'),
    })
    await using _running = start(ports, legacy)
    await append(ports, { id: 'a', content: 'x\r\n' })
    await reaches(ports, 'a', 'forwarded')
    assert.equal(legacy.messages.length, 1)
    assert.deepEqual(
      (await events(ports, 'a')).map(({ type }) => type),
      ['forwarded'],
    )
  })

  it('never sends a look-alike of the end of data as it is', async () => {
    await using ports = await openTestPorts()
    await using legacy = await startLegacy()
    const evil = 'x\r\n\r\nhello\n.\nMAIL FROM:<a@b>\r\n'
    {
      await using _running = start(ports, legacy)
      await append(ports, { id: 'evil', content: evil })
      await reaches(ports, 'evil', 'forwarded')
      assert.equal(legacy.messages[0]?.content.toString(), 'x\r\n\r\nhello\r\n.\r\nMAIL FROM:<a@b>\r\n')
      assert.match((await events(ports, 'evil'))[0]?.detail ?? '', /look-alike/)
    }
    await using _running = start(ports, legacy, { FORWARD_LOOK_ALIKE: 'dead' })
    await append(ports, { id: 'evil2', content: evil })
    await reaches(ports, 'evil2', 'dead')
    assert.equal((await ports.decoded('mail.dead', 'dead'))[0]?.reason, 'look-alike')
    assert.equal(legacy.messages.length, 1)
  })

  it('streams a claim from the object store, and dead-letters one whose object is gone', async () => {
    await using ports = await openTestPorts()
    await using legacy = await startLegacy()
    await using _running = start(ports, legacy)
    const content = Buffer.alloc(1_000_000, 'a line of it\r\n').subarray(0, 999_992)
    for (const id of ['there', 'gone']) {
      const key = `claims/2026-11-24/${id}`
      if (id === 'there') await ports.objects.put(key, content)
      const record = rawRecord({ id, content: '' })
      const claim = { key, size: content.length, sha256: record.sha256 }
      await ports.log.append('mail.raw', {
        key: id,
        value: ports.codec.encode('raw', { ...record, size: content.length, bytes: null, claim }),
      })
    }
    await reaches(ports, 'there', 'forwarded')
    await reaches(ports, 'gone', 'dead')
    const [message] = legacy.messages
    assert.ok(message?.content.subarray(0, content.length).equals(content))
    assert.equal((await ports.decoded('mail.dead', 'dead'))[0]?.reason, 'claim-missing')
  })

  it('goes on after a stop without sending again what was taken', async () => {
    await using ports = await openTestPorts()
    await using legacy = await startLegacy()
    for (const round of [0, 1, 2]) {
      await using _running = start(ports, legacy)
      await Promise.all(
        Array.from({ length: 20 }, (_, n) => append(ports, { id: `${round}-${n}`, content: `${round}-${n}\r\n` })),
      )
      await until('all of them', () => legacy.messages.length >= (round + 1) * 20)
    }
    assert.equal(new Set(legacy.messages.map(({ content }) => content.toString())).size, 60)
    assert.equal(legacy.messages.length, 60)
  })

  it('balances by weight, and uses a backup only while no other host is up', async () => {
    await using ports = await openTestPorts(1)
    await using big = await startLegacy()
    await using small = await startLegacy()
    await using spare = await startLegacy()
    const url = `${big.url}?weight=4,${small.url},${spare.url}?backup`
    await using _running = start(ports, { url }, { FORWARD_CONNECTIONS: '10' })
    const send = (from: number, to: number) =>
      Promise.all(
        Array.from({ length: to - from }, (_, n) => append(ports, { id: `m${from + n}`, content: `m${from + n}\r\n` })),
      )
    await send(0, 200)
    const total = (): number => big.messages.length + small.messages.length + spare.messages.length
    await until('the first lot', () => total() === 200)
    assert.equal(spare.messages.length, 0)
    assert.ok(big.messages.length > small.messages.length, `${big.messages.length} ${small.messages.length}`)
    await big.down()
    await small.down()
    await send(200, 240)
    await until('the spare one has it', () => spare.messages.length > 0 && total() >= 240)
    await big.up()
    await until('it is up', async () => /mailweir_forward_hosts_up 2/.test(await ports.metrics.text()))
    const before = spare.messages.length
    await send(240, 400)
    await until('the rest', () => total() >= 400)
    assert.equal(spare.messages.length, before)
  })

  it('begins with one connection where a host is back', async () => {
    await using ports = await openTestPorts(1)
    let open = 0
    let first = 0
    await using legacy = await startLegacy({
      connected: () => {
        open++
      },
      disconnected: () => {
        open--
      },
      data: () => {
        first ||= open
        return '250 ok'
      },
    })
    await legacy.down()
    await using _running = start(ports, legacy)
    await Promise.all(Array.from({ length: 100 }, (_, n) => append(ports, { id: `m${n}`, content: `${n}\r\n` })))
    await until('a failure', async () => /mailweir_forward_hosts_up 0/.test(await ports.metrics.text()))
    await legacy.up()
    await until('all of them', () => legacy.messages.length === 100)
    assert.equal(first, 1)
    assert.ok(legacy.connections > 1)
  })

  it('tells who the client was by XCLIENT once for each, or by XFORWARD, and adds Received where it is asked', async () => {
    await using ports = await openTestPorts(1)
    const commands: string[] = []
    const script = {
      extensions: ['XCLIENT NAME ADDR PORT PROTO HELO', 'XFORWARD NAME ADDR PORT HELO', 'SIZE'],
      command: (line: string) => void commands.push(line),
    }
    await using legacy = await startLegacy(script)
    {
      await using _running = start(ports, legacy, {
        FORWARD_ORIGIN: 'xclient',
        FORWARD_RECEIVED: 'true',
        FORWARD_CONNECTIONS: '1',
        FORWARD_NAME: 'front.example',
      })
      await append(ports, { id: 'a', content: 'x\r\n', receivedAt: Date.UTC(2026, 10, 25, 4, 5, 6) })
      await append(ports, { id: 'b', content: 'y\r\n' })
      await reaches(ports, 'b', 'forwarded')
    }
    const told = 'XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1 PORT=25000 PROTO=ESMTP HELO=mx.remote.example'
    assert.deepEqual(
      commands.filter((line) => /^(?:XCLIENT|EHLO|XFORWARD)/.test(line)),
      ['EHLO front.example', told, 'EHLO mx.remote.example'],
    )
    assert.equal(
      legacy.messages[0]?.content.toString(),
      'Received: from mx.remote.example ([192.0.2.1])\r\n\tby front.example with ESMTP id a;\r\n\tWed, 25 Nov 2026 04:05:06 +0000\r\nx\r\n',
    )
    const prefix = (legacy.messages[0]?.content.length ?? 0) - 3
    assert.equal(legacy.messages[0]?.mail, `FROM:<> SIZE=${prefix + 3}`)
    commands.length = 0
    await using _running = start(ports, legacy)
    await append(ports, { id: 'c', content: 'z\r\n' })
    await reaches(ports, 'c', 'forwarded')
    assert.ok(commands.includes('XFORWARD NAME=[UNAVAILABLE] ADDR=192.0.2.1 PORT=25000 HELO=mx.remote.example'))
    assert.equal(legacy.messages.at(-1)?.content.toString(), 'z\r\n')
  })

  it('does not send again what was settled and not committed', async () => {
    await using ports = await openTestPorts(1)
    await using legacy = await startLegacy()
    const settle = (id: string, offset: number) =>
      ports.log.append('mail.events', {
        key: id,
        partition: 0,
        value: ports.codec.encode(
          'event',
          event({
            messageId: id,
            type: 'forwarded',
            at: Date.now(),
            service: 'forward',
            position: { partition: 0, offset },
            state: 'forwarded',
          }),
        ),
      })
    for (const id of ['a', 'b', 'c', 'd']) await append(ports, { id, content: `${id}\r\n` })
    await settle('a', 0)
    await settle('c', 2)
    await using _running = start(ports, legacy)
    await reaches(ports, 'd', 'forwarded')
    await until('the commit', async () => (await ports.log.admin.committed(forwardGroup, 'mail.raw'))[0]?.offset === 4n)
    assert.deepEqual(legacy.messages.map(({ content }) => content.toString().trim()).sort(), ['b', 'd'])
    assert.match(await ports.metrics.text(), /mailweir_forward_repeats_dropped_total 2/)
  })

  it('measures what waits, and what of the delay is whose', async () => {
    await using ports = await openTestPorts(1)
    await using legacy = await startLegacy()
    await using _running = start(ports, legacy)
    await append(ports, { id: 'a', content: 'x\r\n', receivedAt: Date.now() - 5_000 })
    await reaches(ports, 'a', 'forwarded')
    const text = await ports.metrics.text()
    const host = new URL(legacy.url).host
    assert.ok(text.includes(`mailweir_forward_added_delay_seconds_count{host="${host}"} 1`))
    assert.match(text, /mailweir_forward_handover_seconds_sum 5\./)
    const [event] = await events(ports, 'a')
    assert.ok(event !== undefined && event.addedDelayMs >= 5_000 && event.legacyMs < 1_000)
  })
})
