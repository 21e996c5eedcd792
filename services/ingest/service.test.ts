import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import type { Log } from '#lib/log/log.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { Dialogue } from '#lib/testing/dialogue.ts'
import { openTestPorts, type TestPorts } from '#lib/testing/embedded.ts'
import { start as startIngest } from '#lib/testing/ingest.ts'
import { until } from '#lib/testing/wait.ts'

const start = (ports: TestPorts, more: Record<string, string> = {}) =>
  startIngest(ports, { MAIL_DOMAINS: 'bounces.example.com,bücher.example', ...more })

const begin = async (dialogue: Dialogue): Promise<void> => {
  assert.match(await dialogue.smtp('EHLO client.example'), /^250/)
  assert.match(await dialogue.smtp('MAIL FROM:<>'), /^250 2\.1\.0/)
  assert.match(await dialogue.smtp('RCPT TO:<b@bounces.example.com>'), /^250 2\.1\.5/)
  assert.match(await dialogue.smtp('DATA'), /^354/)
}

describe('ingest', () => {
  it('keeps the envelope and the exact bytes, and says the id under which they stand in mail.raw', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports)
    using dialogue = await ingest.open()
    assert.match(await dialogue.smtp('EHLO client.example'), /250-PIPELINING[\s\S]*8BITMIME[\s\S]*SMTPUTF8/)
    await dialogue.smtp('MAIL FROM:<Sender@remote.example> BODY=8BITMIME RET=FULL ENVID=QQ+3D1 SIZE=100')
    await dialogue.smtp(
      'RCPT TO:<B+x=y@Bounces.Example.COM> NOTIFY=FAILURE,DELAY ORCPT=rfc822;b+2Bx@bounces.example.com',
    )
    await dialogue.smtp('RCPT TO:<"odd one"@bounces.example.com>')
    await dialogue.smtp('DATA')
    const content = Buffer.from('Subject: x\r\n\r\n.dot\r\n\n.\n..\r.\r\0\xff\r\n', 'latin1')
    const reply = await dialogue.smtp(
      Buffer.from(`${content.toString('latin1').replace(/(^|\r\n)\./g, '$1..')}.\r\n`, 'latin1'),
    )
    const id = /^250 2\.0\.0 Queued as (\S+)\r\n$/.exec(reply)?.[1]
    const [raw] = await ports.decoded('mail.raw', 'raw')
    assert.ok(raw)
    assert.equal(raw.id, id)
    assert.deepEqual(raw.bytes, content)
    assert.equal(raw.size, content.length)
    assert.deepEqual(raw.sha256, createHash('sha256').update(content).digest())
    assert.equal(raw.envelope.reversePath, 'Sender@remote.example')
    assert.deepEqual(raw.envelope.parameters, { BODY: '8BITMIME', RET: 'FULL', ENVID: 'QQ+3D1' })
    assert.deepEqual(structuredClone(raw.envelope.forwardPaths.map((path) => ({ ...path }))), [
      {
        address: 'B+x=y@Bounces.Example.COM',
        parameters: { NOTIFY: 'FAILURE,DELAY', ORCPT: 'rfc822;b+2Bx@bounces.example.com' },
      },
      { address: '"odd one"@bounces.example.com', parameters: {} },
    ])
    assert.equal(raw.envelope.client.name, 'client.example')
    assert.equal(raw.envelope.client.address, '127.0.0.1')
    const event = await until('the event', async () => (await ports.decoded('mail.events', 'event'))[0])
    assert.deepEqual([event.type, event.messageId, event.size], ['accepted', id, content.length])
  })

  it('takes pipelined commands, and several messages on one connection', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports)
    using dialogue = await ingest.open()
    await dialogue.smtp('EHLO client.example')
    for (let n = 0; n < 5; n++) {
      dialogue.say('MAIL FROM:<>\r\nRCPT TO:<b@bounces.example.com>\r\nDATA\r\n')
      await dialogue.hear(/^354 /)
      dialogue.say(`message ${n}\r\n.\r\n`)
      await dialogue.hear(/^250 2\.0\.0 Queued/)
    }
    assert.equal((await ports.read('mail.raw')).length, 5)
  })

  it('does not let a look-alike of the end of data end a message', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports)
    for (const mark of ['\n.\n', '\n.\r\n', '\r.\r', '\r.\r\n', '\r\n.\n', '\r\n.\r', '\r\n\0.\r\n']) {
      using dialogue = await ingest.open()
      await begin(dialogue)
      const smuggled = `hello${mark}MAIL FROM:<evil@remote.example>\r\nRCPT TO:<b@bounces.example.com>\r\nDATA\r\nevil`
      assert.match(await dialogue.smtp(`${smuggled}\r\n.`), /^250 2\.0\.0 Queued/, JSON.stringify(mark))
      assert.match(await dialogue.smtp('NOOP'), /^250/)
    }
    assert.equal((await ports.read('mail.raw')).length, 7)
  })

  it('refuses what it does not take, each with its reply', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports, {
      MESSAGE_BYTES_MAX: '2000',
      SMTP_RECIPIENTS_MAX: '100',
      RECEIVED_FIELDS_MAX: '10',
    })
    using dialogue = await ingest.open()
    await dialogue.smtp('EHLO client.example')
    assert.match(await dialogue.smtp('MAIL FROM:<> SIZE=2001'), /^552 5\.3\.4/)
    assert.match(await dialogue.smtp('MAIL FROM:<a@remote.example'), /^50\d 5/)
    assert.match(await dialogue.smtp('MAIL FROM:<>'), /^250/)
    assert.match(await dialogue.smtp('RCPT TO:<a@elsewhere.example>'), /^550 5\.7\.1/)
    assert.match(await dialogue.smtp('RCPT TO:<a@bounces.example.com.evil.example>'), /^550 5\.7\.1/)
    assert.match(await dialogue.smtp('RCPT TO:<a%elsewhere.example@bounces.example.com>'), /^250/)
    assert.match(await dialogue.smtp('RCPT TO:<Postmaster>'), /^250/)
    for (let n = 2; n < 100; n++) await dialogue.smtp(`RCPT TO:<a${n}@bounces.example.com>`)
    assert.match(await dialogue.smtp('RCPT TO:<one-more@bounces.example.com>'), /^452 4\.5\.3/)
    await dialogue.smtp('RSET')
    await begin(dialogue)
    assert.match(await dialogue.smtp(`${'a line of text\r\n'.repeat(200)}.`), /^552 5\.3\.4/)
    await begin(dialogue)
    assert.match(await dialogue.smtp(`${'Received: from a by b\r\n'.repeat(11)}\r\nx\r\n.`), /^554 5\.4\.6/)
    for (const command of ['VRFY a', 'EXPN a', 'AUTH PLAIN', 'STARTTLS', 'XYZZY']) {
      assert.match(await dialogue.smtp(command), /^(?:25[0-2]|5\d\d) /, command)
    }
    await begin(dialogue)
    assert.match(await dialogue.smtp('good\r\n.'), /^250 2\.0\.0 Queued/)
    assert.equal((await ports.read('mail.raw')).length, 1)
  })

  it('takes a hundred recipients whatever they are like, and of more only what a record can hold', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports)
    using dialogue = await ingest.open()
    await dialogue.smtp('EHLO client.example')
    await dialogue.smtp('MAIL FROM:<>')
    const rcpt = (n: number): string =>
      `RCPT TO:<${'a'.repeat(60)}${n}@bounces.example.com> ORCPT=rfc822;${'b'.repeat(400)}@x.example`
    let taken = 0
    let answer = ''
    for (; taken < 1_000; taken++) {
      answer = await dialogue.smtp(rcpt(taken))
      if (!answer.startsWith('250')) break
    }
    assert.match(answer, /^452 4\.5\.3/)
    assert.ok(taken >= 100 && taken < 400, `${taken}`)
    await dialogue.smtp('DATA')
    assert.match(await dialogue.smtp(`${'a line of the message\r\n'.repeat(22_000)}.`), /^250/)
    const [raw] = await ports.decoded('mail.raw', 'raw')
    assert.equal(raw?.envelope.forwardPaths.length, taken)
    assert.ok(raw?.bytes !== null)
  })

  it('answers 421 above its limits of connections, and takes them again when others have gone', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports, { SMTP_CONNECTIONS_PER_ADDRESS_MAX: '2' })
    const first = await ingest.open()
    using _second = await ingest.open()
    const third = await Dialogue.open(ingest.service.port)
    assert.match(await third.hear(/^\d/), /^421 4\.7\.0/)
    await third.end()
    first[Symbol.dispose]()
    await until('room', async () => {
      const again = await Dialogue.open(ingest.service.port)
      const greeting = await again.hear(/^\d/)
      again[Symbol.dispose]()
      return greeting.startsWith('220')
    })
  })

  it('streams a large message to the object store, and its record carries the claim', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports, { CLAIM_BYTES: '65536' })
    using dialogue = await ingest.open()
    await begin(dialogue)
    const content = Buffer.alloc(400_000, 'a line of the message\r\n')
    content.write('\r\n', content.length - 2)
    assert.match(await dialogue.smtp(Buffer.concat([content, Buffer.from('.\r\n')])), /^250/)
    const [raw] = await ports.decoded('mail.raw', 'raw')
    assert.ok(raw?.claim)
    assert.equal(raw.bytes, null)
    assert.equal(raw.claim.size, content.length)
    assert.ok((await ports.objects.get(raw.claim.key))?.equals(content))
  })

  it('answers 451 while the log does not acknowledge, within its bound, is not ready, and recovers', async () => {
    await using ports = await openTestPorts()
    let broken: 'rejects' | 'hangs' | null = null
    const log: Log = new Proxy(ports.log, {
      get: (target, name) => {
        if (name === 'isReady') return () => broken === null
        if (name === 'append' && broken === 'rejects') {
          return () => Promise.reject(new MailweirError('LOG_UNAVAILABLE', 'gone', { retriable: true }))
        }
        if (name === 'append' && broken === 'hangs') return () => new Promise(() => {})
        const value = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    await using ingest = await start({ ...ports, log }, { INGEST_APPEND_MS: '300' })
    using dialogue = await ingest.open()
    for (const how of ['rejects', 'hangs'] as const) {
      broken = how
      await begin(dialogue)
      const before = Date.now()
      assert.match(await dialogue.smtp('x\r\n.'), /^451 4\.3\.0/)
      assert.ok(Date.now() - before < 3_000)
      assert.equal(ingest.service.isReady(), false)
    }
    broken = null
    await begin(dialogue)
    assert.match(await dialogue.smtp('x\r\n.'), /^250/)
    assert.equal(ingest.service.isReady(), true)
  })

  it('ends the transaction under way when it stops, and answers 421 to the idle', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports)
    using idle = await ingest.open()
    using busy = await ingest.open()
    await begin(busy)
    busy.say('half of it\r\n')
    const stopped = ingest.service.stop()
    assert.match(await idle.end(), /^421 4\.3\.2/)
    assert.match(await busy.smtp('the other half\r\n.'), /^250/)
    await stopped
    const [raw] = await ports.decoded('mail.raw', 'raw')
    assert.equal(raw?.bytes?.toString(), 'half of it\r\nthe other half\r\n')
  })

  it('lives through lines without end, binary rubbish and sudden hang-ups', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports)
    for (const rubbish of [
      Buffer.alloc(1_000_000, 'x'),
      Buffer.alloc(10_000),
      Buffer.from('MAIL FROM:<\0>\r\n'.repeat(100)),
      Buffer.from([0x16, 0x03, 0x01, 0x00, 0xff, 0x01]),
      Buffer.from(`EHLO ${'a'.repeat(5_000)}\r\n`),
      Buffer.from('RCPT TO:<>\r\nDATA\r\n.\r\nRSET\r\nQUIT\r\n'),
    ]) {
      const dialogue = await ingest.open()
      dialogue.say(rubbish)
      await new Promise((resolve) => setTimeout(resolve, 20))
      dialogue[Symbol.dispose]()
    }
    using dialogue = await ingest.open()
    await begin(dialogue)
    assert.match(await dialogue.smtp('x\r\n.'), /^250/)
    assert.equal((await ports.read('mail.raw')).length, 1)
  })
})
