/** What those do who have no account: nothing that keeps out those who have one. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import type { Log } from '#lib/log/log.ts'
import { ManualClock } from '#lib/testing/clock.ts'
import { Dialogue } from '#lib/testing/dialogue.ts'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { mailbox, startFacade } from '#lib/testing/imap.ts'
import { until } from '#lib/testing/wait.ts'
import { Accounts } from './accounts.ts'

describe('those without an account', { timeout: 60_000 }, () => {
  it('make room for the next when the sessions are full; those with an account keep theirs', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports, { IMAP_SESSIONS_MAX: '3' })
    const silent = connect(facade.imap.tlsPort, '127.0.0.1')
    silent.on('error', () => {})
    await new Promise((resolve) => silent.once('connect', resolve))
    using first = await facade.open(false)
    using second = await facade.open(false)
    using anna = await facade.open()
    await until('the silent one to be gone', async () => silent.closed)
    using berta = await facade.open()
    assert.match(await first.end(), /^\* BYE \[LIMIT\]/)
    using carla = await facade.open()
    assert.match(await second.end(), /^\* BYE \[LIMIT\]/)
    using late = await Dialogue.open(facade.imap.port)
    assert.match(await late.end(), /^\* BYE \[LIMIT\]/)
    for (const session of [anna, berta, carla]) assert.match(await session.ask('NOOP'), /OK/)
    // Who leaves gives the place back, under TLS too.
    for (const session of [anna, berta]) session.socket.destroy()
    for (let n = 0; n < 5; n++) {
      await until('a place', async () => {
        using session = await Dialogue.openTls(facade.imap.tlsPort).catch(() => null)
        if (session === null) return false
        session.say('a LOGIN reader "secret word"\r\nb LOGOUT\r\n')
        return /^b OK/m.test(await session.end())
      })
    }
    assert.match(await carla.ask('NOOP'), /OK/)
  })

  it('bring no more than a login needs', async () => {
    await using ports = await openTestPorts()
    await using facade = await startFacade(ports)
    using session = await facade.open(false)
    assert.match(await session.ask('COMPRESS DEFLATE'), /BAD log in first/)
    assert.match(await session.ask('LOGIN reader {100000}'), /BAD \[TOOBIG\]/)
    session.say(`l ID ("x" "${'y'.repeat(30_000)}")\r\n`)
    assert.match(await session.end(), /^\* BYE \[TOOBIG\]/)
    using other = await facade.open(false)
    other.say('a LOGIN {6}\r\n')
    await other.hear(/^\+/)
    for (const byte of 'reader') other.say(byte)
    other.say(' {11+}\r\nsecret word\r\n')
    assert.match(await other.hear(/^a /), /OK/)
  })

  it('lock nobody out of an account by failing on it', async () => {
    const clock = new ManualClock()
    const accounts = new Accounts({ user: 'reader', password: 'secret word' }, null, clock)
    const ask = async (password: string, address: string) => {
      const started = clock.now()
      let found: Awaited<ReturnType<Accounts['authenticate']>> | undefined
      void accounts.authenticate('reader', password, address).then((account) => {
        found = account
      })
      while (found === undefined) {
        await new Promise((resolve) => setImmediate(resolve))
        clock.advance(1_000)
      }
      return { account: found, ms: clock.now() - started }
    }
    for (let n = 0; n < 30; n++) assert.equal((await ask('wrong', `198.51.100.${n}`)).account, null)
    const owner = await ask('secret word', '192.0.2.1')
    assert.equal(owner.account?.name, 'reader')
    assert.ok(owner.ms <= 10_000, `${owner.ms} ms`)
    // From one network nothing is tried any more, whatever the account.
    for (let n = 0; n < 20; n++) assert.equal((await ask('wrong', `2001:db8::${n}`)).account, null)
    assert.equal((await ask('secret word', '2001:db8::ffff')).account, null)
    assert.equal((await ask('secret word', '2001:db8:0:1::1')).account?.name, 'reader')
  })
})

describe('a log that takes no events', { timeout: 60_000 }, () => {
  it('lets readers wait: what is on its way to it does not grow', async () => {
    await using ports = await openTestPorts()
    let held: (() => void)[] | null = null
    const append: Log['append'] = async (topic, record) => {
      const waiting = held
      if (topic === 'mail.events' && waiting !== null) await new Promise<void>((resolve) => waiting.push(resolve))
      return ports.log.append(topic, record)
    }
    const log = new Proxy(ports.log, {
      get: (target, name) => {
        if (name === 'append') return append
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    await using facade = await startFacade({ ...ports, log })
    await facade.store('Subject: x\r\n\r\ny\r\n')
    using session = await facade.open()
    await session.ask(`SELECT ${mailbox}`)
    held = []
    session.say(Array.from({ length: 1_200 }, (_, n) => `f${n} FETCH 1 BODY.PEEK[]\r\n`).join(''))
    await session.hear(/^f999 OK/)
    await assert.rejects(session.hear(/^f1000 OK/, 300))
    assert.equal(held.length, 1_000)
    const waiting: (() => void)[] = held
    held = null
    for (const go of waiting) go()
    await session.hear(/^f1199 OK/)
  })
})
