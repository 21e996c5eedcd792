import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type RedriveOptions, redrive } from '#lib/letters/redrive.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { openTestPorts, rawRecord } from '#lib/testing/embedded.ts'
import { startLegacy } from '#lib/testing/legacy.ts'
import { until } from '#lib/testing/wait.ts'
import { EventView } from '#services/console/view/view.ts'
import { forwardSettings } from '#services/forward/config.ts'
import { startForward } from '#services/forward/service.ts'

const any: RedriveOptions = {
  ids: [],
  reason: null,
  reply: null,
  from: 0,
  to: Number.MAX_SAFE_INTEGER,
  dryRun: false,
  again: false,
  rate: 10_000,
  history: false,
}

describe('redrive', () => {
  it('sends the refused recipients of dead letters again, once, by what it is asked for, and the books follow', async () => {
    await using ports = await openTestPorts(1)
    let refusing = true
    await using legacy = await startLegacy({
      rcpt: (path) => (refusing && path.includes('gone') ? '550 5.1.1 no such user' : null),
    })
    const forward = startForward(
      readSettings('test', forwardSettings, {
        environment: { LEGACY_SMTP: legacy.url, RETRY_FIRST_MS: '50', RETRY_MAX_MS: '50' },
      }),
      ports,
    )
    try {
      for (const id of ['a', 'b', 'c']) {
        const raw = rawRecord({
          id,
          content: `${id}\r\n`,
          forwardPaths: id === 'c' ? ['here@b.example'] : ['here@b.example', 'gone@b.example'],
        })
        await ports.log.append('mail.raw', { key: id, value: ports.codec.encode('raw', raw) })
      }
      await ports.log.append('mail.raw', { key: 'x', value: Buffer.from('garbage') })
      await until('the dead', async () => (await ports.read('mail.dead')).length === 3)
      const counts = async () => {
        const view = new EventView({ path: '', codec: ports.codec, logger: ports.logger, undecodable: () => {} })
        view.setBase(0, 0)
        view.apply(
          (await ports.read('mail.events')).map((record) => ({ ...record, topic: 'mail.events', timestamp: 0 })),
        )
        const { forwarded, deferred, dead } = view.counts(0, 4)
        view.close()
        return { forwarded, deferred, dead }
      }
      await until('the events', async () => (await counts()).dead === 3 && (await counts()).forwarded === 1)
      const seen: string[] = []
      const run = (more: Partial<RedriveOptions>) => redrive({ ...any, ...more }, ports, ({ id }) => seen.push(id))
      assert.deepEqual(await run({ dryRun: true }), { redriven: 2, unsendable: 1, before: 0, retried: 0 })
      assert.deepEqual(await run({ reply: 'mailbox full' }), { redriven: 0, unsendable: 0, before: 0, retried: 0 })
      assert.deepEqual(await counts(), { forwarded: 1, deferred: 0, dead: 3 })
      refusing = false
      assert.deepEqual(await run({ ids: ['a'], reason: 'rejected' }), {
        redriven: 1,
        unsendable: 0,
        before: 0,
        retried: 0,
      })
      await until('the second try', async () => (await counts()).forwarded === 2)
      await until('the tombstone', async () => (await ports.read('mail.retry')).at(-1)?.value === null)
      assert.deepEqual(await counts(), { forwarded: 2, deferred: 0, dead: 2 })
      assert.deepEqual(legacy.messages.at(-1)?.rcpts, ['TO:<gone@b.example>'])
      assert.equal(legacy.messages.at(-1)?.content.toString(), 'a\r\n')
      assert.deepEqual(await run({ ids: ['a'] }), { redriven: 0, unsendable: 0, before: 1, retried: 0 })
      assert.deepEqual(await run({}), { redriven: 1, unsendable: 1, before: 1, retried: 0 })
      await until('the other', async () => (await counts()).forwarded === 3)
      assert.deepEqual(await counts(), { forwarded: 3, deferred: 0, dead: 1 })
      assert.deepEqual(seen.sort(), ['a', 'a', 'b', 'b'])
    } finally {
      await forward.stop()
    }
  })

  it('sends what the legacy system took once more, by id or time, and the books stay', async () => {
    await using ports = await openTestPorts(1)
    await using legacy = await startLegacy()
    const forward = startForward(
      readSettings('test', forwardSettings, { environment: { LEGACY_SMTP: legacy.url } }),
      ports,
    )
    try {
      for (const id of ['a', 'b', 'c']) {
        const raw = rawRecord({ id, content: `${id}\r\n`, forwardPaths: ['x@b.example', 'y@b.example'] })
        await ports.log.append('mail.raw', { key: id, value: ports.codec.encode('raw', raw) })
      }
      await until('all', () => legacy.messages.length === 3)
      const run = (more: Partial<RedriveOptions>) => redrive({ ...any, history: true, ...more }, ports, () => {})
      assert.deepEqual(await run({ ids: ['b'] }), { redriven: 1, unsendable: 0, before: 0, retried: 0 })
      await until('the message again', () => legacy.messages.length === 4)
      assert.deepEqual(legacy.messages[3]?.rcpts, ['TO:<x@b.example>', 'TO:<y@b.example>'])
      assert.equal(legacy.messages[3]?.content.toString(), 'b\r\n')
      await until('the tombstone', async () => (await ports.read('mail.retry')).at(-1)?.value === null)
      assert.equal((await run({ ids: ['b'] })).before, 1)
      assert.equal((await run({ ids: ['b'], again: true, dryRun: true })).redriven, 1)
      assert.equal((await run({ from: Date.now() + 60_000 })).redriven, 0)
      const events = (await ports.decoded('mail.events', 'event')).filter(({ messageId }) => messageId === 'b')
      assert.deepEqual(
        events.map(({ type }) => type),
        ['forwarded', 'redriven', 'forwarded'],
      )
    } finally {
      await forward.stop()
    }
  })
})
