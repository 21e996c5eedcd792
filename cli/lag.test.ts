import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { lagOf } from '#lib/log/lag.ts'
import { openTestPorts, rawRecord } from '#lib/testing/embedded.ts'
import { runMailweir } from '#lib/testing/mailweir.ts'

const dayMs = 86_400_000

describe('mailweir lag', () => {
  it('tells what waits, about how large it is, and when retention would drop it', async () => {
    await using ports = await openTestPorts(2)
    const before = Date.now()
    assert.deepEqual(await lagOf(ports.log, 'forward', 'mail.raw', before), {
      group: 'forward',
      topic: 'mail.raw',
      messages: 0,
      bytes: 0,
      oldestMs: null,
      retentionLeftMs: null,
    })
    for (let n = 0; n < 200; n++) {
      const value = ports.codec.encode('raw', rawRecord({ id: `m${n}`, content: 'x'.repeat(1_000) }))
      await ports.log.append('mail.raw', { key: `m${n}`, partition: n % 2, value })
    }
    const lag = await lagOf(ports.log, 'forward', 'mail.raw', before + 3 * dayMs)
    assert.equal(lag.messages, 200)
    assert.ok(lag.bytes > 200_000 && lag.bytes < 400_000, `${lag.bytes}`)
    assert.ok(Math.abs((lag.oldestMs ?? 0) - 3 * dayMs) < 60_000)
    assert.ok(Math.abs((lag.retentionLeftMs ?? 0) - 4 * dayMs) < 60_000)
  })

  it('prints a row for each service, and what an outage needs', async () => {
    await using ports = await openTestPorts(2)
    const { code, stdout } = await runMailweir(['lag'], { DATA_DIR: ports.folder, PARTITIONS: '2' })
    assert.equal(code, 0)
    assert.match(stdout, /^group +topic +waiting +about +oldest +dropped in$/m)
    for (const group of ['forward', 'classify', 'quarantine']) assert.match(stdout, new RegExp(`^${group} `, 'm'))
    assert.match(stdout, /an outage of 3 days needs/)
  })
})
