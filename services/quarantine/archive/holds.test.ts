import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openTestPorts, type TestPorts } from '#lib/testing/embedded.ts'
import { startFacade } from '#lib/testing/imap.ts'
import { until } from '#lib/testing/wait.ts'
import { event } from '#schemas/events.ts'
import { holdCopyOf, holdsGroup, parseHoldRules } from './holds.ts'

const rules = '[{"kind":"opt-out"},{"reason":"userunknown"}]'
const optOut = 'From: a@b.example\r\nSubject: unsubscribe\r\n\r\nunsubscribe\r\n'
const other = 'From: c@d.example\r\nSubject: hello\r\n\r\nhello\r\n'

async function ask(ports: TestPorts, messageId: string, type: 'hold-asked' | 'release-asked'): Promise<void> {
  const stored = (await ports.decoded('mail.events', 'event')).find(
    (each) => each.type === 'stored' && each.messageId === messageId,
  )
  const { location = null, position = { partition: 0, offset: 0 } } = stored ?? {}
  const given = { messageId, type, at: Date.now(), service: 'console', position, location, detail: 'otto' }
  await ports.log.append('mail.events', {
    key: messageId,
    partition: 0,
    value: ports.codec.encode('event', event(given)),
  })
}

describe('holds', { timeout: 60_000 }, () => {
  it('are rules of a closed form, none of which keeps everything', () => {
    assert.deepEqual(parseHoldRules(JSON.parse(rules)), [
      { kind: 'opt-out', variant: '*', reason: '*' },
      { kind: '*', variant: '*', reason: 'userunknown' },
    ])
    for (const wrong of [{}, [{}], [{ kind: '*' }], [{ kind: 1 }], [{ kind: 'bounce', days: 3 }], ['bounce'], [null]])
      assert.equal(parseHoldRules(wrong), null, JSON.stringify(wrong))
  })

  it('copy what a rule names, and what a person asks for, once; and let it go', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports, { HOLD_RULES: rules })
    await facade.store(optOut, other)
    using session = await facade.open()
    const held = async () => /\* (\d+) EXISTS/.exec(await session.ask('EXAMINE Hold'))?.[1]
    await until('the rule', async () => (await held()) === '1')
    assert.match(await session.ask('FETCH 1 (BODY.PEEK[] ENVELOPE)'), /Subject: unsubscribe[\s\S]*"unsubscribe"/)
    await ask(ports, 'm1', 'hold-asked')
    await until('the person', async () => (await held()) === '2')
    assert.match(await session.ask('SEARCH FROM c@d.example'), /\* SEARCH 2\r/)
    const told = async (type: string) =>
      (await ports.decoded('mail.events', 'event')).filter((each) => each.type === type)
    await ask(ports, 'm1', 'hold-asked')
    await until('the repeat', async () => (await told('held')).length === 3)
    assert.equal(await held(), '2')
    assert.deepEqual((await told('held')).map(({ detail }) => detail).toSorted(), [
      `otto ${holdCopyOf('m1')}`,
      `otto ${holdCopyOf('m1')}`,
      `rule opt-out * * ${holdCopyOf('m0')}`,
    ])
    await ask(ports, 'm1', 'release-asked')
    await until('the release', async () => (await held()) === '1')
    await until('the object', async () => (await ports.objects.list('hold/', { limit: 9 })).length === 1)
    assert.match(await session.ask('FETCH 1 BODY.PEEK[]'), /Subject: unsubscribe/)
  })

  it('passes over what cannot be held, and holds what comes behind it', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    await facade.store(optOut, other)
    const stored = (await ports.decoded('mail.events', 'event')).find(({ type }) => type === 'stored')
    const location = { ...(stored?.location ?? assert.fail('no location')), blockOffset: 7, blockLength: 1_000 }
    const given = {
      messageId: 'm1',
      type: 'hold-asked',
      at: 0,
      service: 'console',
      position: { partition: 0, offset: 1 },
    }
    await ports.log.append('mail.events', {
      key: 'm0',
      partition: 0,
      value: ports.codec.encode('event', event({ ...given, location, detail: 'eve' })),
    })
    await ask(ports, 'm0', 'hold-asked')
    await ports.log.append('mail.events', { key: 'm0', partition: 0, value: Buffer.from('garbage') })
    const [end] = await ports.log.admin.offsets('mail.events')
    using session = await facade.open()
    await until('the hold behind it', async () => /\* 1 EXISTS/.test(await session.ask('EXAMINE Hold')))
    await until('the commit', async () =>
      (await ports.log.admin.committed(holdsGroup, 'mail.events')).some(
        ({ partition, offset }) => partition === 0 && (offset ?? 0n) >= (end?.end ?? 0n),
      ),
    )
  })
})
