/** The service on the embedded log: what a record cannot hold, and records that nobody can read, stop nothing behind them. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import type { AppendRecord } from '#lib/log/log.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { openTestPorts, rawRecord, type TestPorts } from '#lib/testing/embedded.ts'
import { until } from '#lib/testing/wait.ts'
import { classifySettings } from './config.ts'
import { startClassify } from './service.ts'

const config = readSettings('test', classifySettings, { environment: {} })

/** Appends these to one partition, classifies until something stands behind the last one, and ends. */
async function classified(ports: TestPorts, values: readonly Buffer[]) {
  const last = ports.codec.encode('raw', rawRecord({ id: 'last', content: 'From: a@b.example\r\n\r\nHello\r\n' }))
  for (const [n, value] of [...values, last].entries()) {
    await ports.log.append('mail.raw', { key: `key${n}`, partition: 0, value })
  }
  const service = startClassify(config, ports)
  await service.ready
  await until('the last message is classified', async () =>
    (await ports.decoded('mail.classified', 'classified')).some(({ id }) => id === 'last'),
  )
  await service.stop()
  return ports.decoded('mail.classified', 'classified')
}

describe('classify, the service', () => {
  it('gives a message its verdict, however much the message makes of it', async () => {
    await using ports = await openTestPorts()
    // One word on all of them, which each of the thousand has in its verdict.
    const recipients = Array.from({ length: 1_000 }, (_, n) => `  user${n}@x.example\r\n`)
    const content = `From: MAILER-DAEMON@x.example\r\nSubject: Undelivered mail\r\n\r\n${recipients.join('')}`
    const found = await classified(ports, [ports.codec.encode('raw', rawRecord({ id: 'large', content }))])
    const large = found.find(({ id }) => id === 'large')
    assert.equal(large?.verdict.recipients.length, 1_000)
    assert.equal(large?.verdict.recipients.at(-1)?.address, 'user999@x.example')
    assert.equal(large?.bytes?.toString(), content)
  })

  it('keeps the bytes as a claim where the log would not take the record with its verdict', async () => {
    await using ports = await openTestPorts()
    const content = Buffer.concat([Buffer.from('From: a@b.example\r\n\r\n'), randomBytes(1_048_414)])
    const value = ports.codec.encode('raw', rawRecord({ id: 'full', content }))
    assert.ok(value.length <= ports.log.recordBytesMax - 4 && value.length > ports.log.recordBytesMax - 60)
    const full = (await classified(ports, [value])).find(({ id }) => id === 'full')
    assert.equal(full?.bytes, null)
    assert.equal(full?.verdict.kind, 'unknown')
    assert.ok(full?.claim && (await ports.objects.get(full.claim.key))?.equals(content))
  })

  it('puts what is no record into mail.dead, as a claim where it is too large for that', async () => {
    await using ports = await openTestPorts()
    const rubbish = [Buffer.from('rubbish'), randomBytes(1_048_500)]
    await classified(ports, rubbish)
    const dead = await ports.decoded('mail.dead', 'dead')
    assert.deepEqual(
      dead.map(({ reason }) => reason),
      ['undecodable', 'undecodable'],
    )
    const small = dead.find(({ bytes }) => bytes !== null)
    const large = dead.find(({ claim }) => claim !== null)
    assert.ok(small?.bytes?.equals(rubbish[0] ?? Buffer.alloc(0)))
    assert.ok(large?.claim && (await ports.objects.get(large.claim.key))?.equals(rubbish[1] ?? Buffer.alloc(0)))
  })

  it('appends nothing behind a record that could not be: what comes again finds no gap', async () => {
    await using ports = await openTestPorts(1)
    const count = 400
    for (let n = 0; n < count; n++) {
      const value = ports.codec.encode(
        'raw',
        rawRecord({ id: `message ${n}`, content: 'From: a@b.example\r\n\r\nHello\r\n' }),
      )
      await ports.log.append('mail.raw', { key: null, partition: 0, value })
    }
    const refused = new Set(['mail.classified message 7', 'mail.events message 20'])
    /** As every log, it takes nothing more of a topic in the turn of a failure. */
    const failing = new Set<string>()
    const append = (topic: string, record: AppendRecord) => {
      if (refused.delete(`${topic} ${record.key}`)) {
        failing.add(topic)
        setImmediate(() => failing.delete(topic))
      }
      return failing.has(topic)
        ? Promise.reject(new MailweirError('LOG_UNAVAILABLE', 'not now', { retriable: true }))
        : ports.log.append(topic, record)
    }
    const log = new Proxy(ports.log, {
      get(target, name) {
        const own: unknown = Reflect.get(target, name, target)
        return name === 'append' ? append : typeof own === 'function' ? own.bind(target) : own
      },
    })
    // Of a thread the verdicts come in several turns.
    const service = startClassify({ ...config, classifyThreads: 1 }, { ...ports, log })
    await until('all are classified', async () =>
      (await ports.decoded('mail.classified', 'classified')).some(({ position }) => position.offset === count - 1),
    )
    await service.stop()
    assert.equal(refused.size, 0)
    for (const offsets of [
      (await ports.decoded('mail.classified', 'classified')).map(({ position }) => position.offset),
      (await ports.decoded('mail.events', 'event')).map(({ position }) => position?.offset ?? -1),
    ]) {
      let next = 0
      for (const offset of offsets) {
        assert.ok(offset <= next, `${offset} stands in front of ${next}`)
        if (offset === next) next++
      }
      assert.equal(next, count)
    }
  })
})
