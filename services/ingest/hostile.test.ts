/** What strangers on the Internet do, over real sockets. */
import assert from 'node:assert/strict'
import { createHmac, X509Certificate } from 'node:crypto'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { networkOf } from '#lib/runtime/network.ts'
import { Dialogue } from '#lib/testing/dialogue.ts'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { begin, certificate, hello, start, startIn, ways } from '#lib/testing/ingest.ts'
import { seeded } from '#lib/testing/random.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'

const files = temporaryFolder()
after(() => files[Symbol.dispose]())

for (const way of ways) {
  describe(`exact bytes, ${way}`, () => {
    it('of any message come back from mail.raw, by DATA and by BDAT, however they are cut into packets', async () => {
      await using ports = await openTestPorts()
      await using ingest = await startIn(way, ports, files.path, { CLAIM_BYTES: '65536' })
      const random = seeded(7)
      using dialogue = await ingest.open()
      await hello(dialogue)
      const sent: Buffer[] = []
      for (let round = 0; round < 150; round++) {
        const alphabet = round % 3 === 0 ? undefined : [0x2e, 0x0d, 0x0a, 0x61, 0]
        const length = round % 25 === 24 ? 70_000 + random.next(50_000) : random.next(round % 2 === 0 ? 60 : 4_000)
        const body = random.bytes(length, alphabet)
        const chunked = round % 4 === 3
        const message = chunked ? body : Buffer.concat([body, Buffer.from('\r\n')])
        sent.push(message)
        const wire: Buffer[] = []
        if (chunked) {
          for (let at = 0; at < message.length; ) {
            const size = 1 + random.next(message.length)
            wire.push(Buffer.from(`BDAT ${Math.min(size, message.length - at)}\r\n`), message.subarray(at, at + size))
            at += size
          }
          wire.push(Buffer.from('BDAT 0 LAST\r\n'))
          dialogue.say('MAIL FROM:<>\r\nRCPT TO:<b@bounces.example.com>\r\n')
        } else {
          dialogue.say('MAIL FROM:<>\r\nRCPT TO:<b@bounces.example.com>\r\nDATA\r\n')
          await dialogue.hear(/^354 /)
          wire.push(
            Buffer.from(message.toString('latin1').replace(/(^|\r\n)\./g, '$1..'), 'latin1'),
            Buffer.from('.\r\n'),
          )
        }
        const bytes = Buffer.concat(wire)
        for (let at = 0; at < bytes.length; ) {
          const size = 1 + random.next(round % 7 === 0 ? 9 : 70_000)
          dialogue.say(bytes.subarray(at, at + size))
          at += size
          if (random.next(20) === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        await dialogue.hear(/^250 2\.0\.0 Queued/)
      }
      const stored = new Set<string>()
      for (const raw of await ports.decoded('mail.raw', 'raw')) {
        const bytes = raw.bytes ?? (raw.claim === null ? null : await ports.objects.get(raw.claim.key))
        assert.ok(bytes)
        stored.add(bytes.toString('base64'))
      }
      for (const [round, message] of sent.entries()) assert.ok(stored.has(message.toString('base64')), `round ${round}`)
      assert.equal((await ports.read('mail.raw')).length, sent.length)
    })
  })
}

for (const way of ways) {
  describe(`chunks, ${way}`, () => {
    it('are refused without a transaction, but read; do not mix with DATA; and bound the message', async () => {
      await using ports = await openTestPorts()
      await using ingest = await startIn(way, ports, files.path, { MESSAGE_BYTES_MAX: '2000' })
      using dialogue = await ingest.open()
      await hello(dialogue)
      dialogue.say('BDAT 6 LAST\r\nNOOP\r\nNOOP\r\n')
      assert.match(await dialogue.hear(/^\d{3} /), /^503/)
      assert.match(await dialogue.hear(/^\d{3} /), /^250 2\.0\.0 OK/)
      await dialogue.smtp('MAIL FROM:<>')
      await dialogue.smtp('RCPT TO:<b@bounces.example.com>')
      assert.match(await dialogue.smtp('BDAT x'), /^501/)
      assert.match(await dialogue.smtp(Buffer.from('BDAT 3\r\nabc')), /^250 2\.0\.0 Chunk/)
      assert.match(await dialogue.smtp('DATA'), /^503/)
      assert.match(
        await dialogue.smtp(Buffer.concat([Buffer.from('BDAT 3000\r\n'), Buffer.alloc(3_000, 'x')])),
        /^552 5\.3\.4/,
      )
      assert.match(await dialogue.smtp('BDAT 0 LAST'), /^552 5\.3\.4/)
      assert.match(await dialogue.smtp('RSET'), /^250/)
      assert.equal((await ports.read('mail.raw')).length, 0)
    })
  })
}

for (const way of ways) {
  describe(`limits, ${way}`, () => {
    it('end a session after so many refusals, so many idle commands, and lines without end', async () => {
      await using ports = await openTestPorts()
      await using ingest = await startIn(way, ports, files.path, { SMTP_ERRORS_MAX: '5', SMTP_IDLE_COMMANDS_MAX: '10' })
      const wrong = await ingest.open()
      wrong.say('X\r\n'.repeat(20))
      const answers = await wrong.end()
      assert.equal(answers.match(/^500 /gm)?.length, 5)
      assert.match(answers, /421 4\.7\.0 Too many errors\r\n$/)
      const idle = await ingest.open()
      idle.say('NOOP\r\n'.repeat(20))
      assert.match(await idle.end(), /421 4\.7\.0 Too many commands without a message\r\n$/)
      const long = await ingest.open()
      long.say(Buffer.alloc(1_000_000, 'x'))
      assert.match(await long.end(), /421 4\.5\.2/)
      using once = await ingest.open()
      assert.match(await once.smtp(`EHLO ${'x'.repeat(5_000)}`), /^500 5\.5\.2/)
      assert.match(await hello(once), /^250/)
    })

    it('let nobody hold a slot by sending a byte now and then, or nothing', async () => {
      await using ports = await openTestPorts()
      await using ingest = await startIn(way, ports, files.path, { SMTP_IDLE_MS: '1000', SMTP_TRANSACTION_MS: '2500' })
      const silent = await ingest.open()
      const slow = await ingest.open()
      await hello(slow)
      await begin(slow)
      const timer = setInterval(() => slow.say('x'), 100)
      assert.match(await silent.end(), /^421 4\.4\.2/)
      assert.match(await slow.end(), /^421 4\.4\.2/)
      clearInterval(timer)
      assert.equal((await ports.read('mail.raw')).length, 0)
      await until('the room', async () => /mailweir_ingest_in_flight_bytes 0/.test(await ports.metrics.text()))
    })

    it('count connections by network and messages by minute', async () => {
      assert.equal(networkOf('192.0.2.7'), networkOf('192.0.2.200'))
      assert.notEqual(networkOf('192.0.2.7'), networkOf('192.0.3.7'))
      assert.equal(networkOf('2001:db8::1'), networkOf('2001:0db8:0:0:ffff::1'))
      assert.notEqual(networkOf('2001:db8::1'), networkOf('2001:db8:0:1::1'))
      await using ports = await openTestPorts()
      await using ingest = await startIn(way, ports, files.path, {
        SMTP_CONNECTIONS_PER_NETWORK_MAX: '2',
        SMTP_RATE_PER_ADDRESS_MAX: '3',
      })
      using first = await ingest.open()
      using _second = await ingest.open()
      const third = await Dialogue.open(ingest.service.port)
      assert.match(await third.end(), /^421 4\.7\.0/)
      await hello(first)
      for (let n = 0; n < 3; n++) {
        await begin(first)
        assert.match(await first.smtp('x\r\n.'), /^250/)
      }
      assert.match(await first.smtp('MAIL FROM:<>'), /^421 4\.7\.0/)
      await first.end()
    })

    it('stop reading where too much is in flight, then answer 452, and take mail again when there is room', async () => {
      await using ports = await openTestPorts()
      await using ingest = await startIn(way, ports, files.path, {
        INGEST_IN_FLIGHT_BYTES_MAX: '1048576',
        CLAIM_BYTES: '524288',
        INGEST_OVERLOAD_MS: '300',
      })
      const holders = await Promise.all([0, 1].map(() => ingest.open()))
      for (const holder of holders) {
        await hello(holder)
        await holder.smtp('MAIL FROM:<> SIZE=524288')
        await holder.smtp('RCPT TO:<b@bounces.example.com>')
        assert.match(await holder.smtp('DATA'), /^354/)
      }
      using other = await ingest.open()
      await hello(other)
      await other.smtp('MAIL FROM:<> SIZE=524288')
      await other.smtp('RCPT TO:<b@bounces.example.com>')
      assert.match(await other.smtp('DATA'), /^452 4\.3\.1/)
      const waiting = begin(other)
      for (const holder of holders) {
        assert.match(await holder.smtp('x\r\n.'), /^250/)
        holder[Symbol.dispose]()
      }
      await waiting
      assert.match(await other.smtp('x\r\n.'), /^250/)
    })
  })
}

describe('who speaks before the greeting', () => {
  it('is refused', async () => {
    await using ports = await openTestPorts()
    await using ingest = await start(ports)
    // All of it is in the first packet: the kernel has it before the greeting can be sent.
    const answers = await Promise.all(
      Array.from(
        { length: 20 },
        () =>
          new Promise<string>((resolve) => {
            const socket = connectTcp(ingest.service.port, '127.0.0.1')
            let heard = ''
            socket.write('EHLO early\r\nMAIL FROM:<>\r\nRCPT TO:<b@bounces.example.com>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n')
            socket.on('data', (chunk) => {
              heard += chunk.toString()
            })
            socket.on('error', () => {})
            socket.once('close', () => resolve(heard))
          }),
      ),
    )
    for (const answer of answers) assert.match(answer, /^(?:554 5\.5\.1 |220 )/)
  })
})

for (const way of ways) {
  describe(`line ends, ${way}`, () => {
    it('of their own are kept, refused where they could only go on changed, or refused', async () => {
      await using ports = await openTestPorts()
      for (const [policy, bare, lookAlike] of [
        ['accept', 250, 250],
        ['normalise-never', 250, 550],
        ['reject', 550, 550],
      ] as const) {
        await using ingest = await startIn(way, ports, files.path, { BARE_LINE_ENDS: policy })
        using dialogue = await ingest.open()
        await hello(dialogue)
        for (const [content, code] of [
          ['a\nb\r\n', bare],
          ['a\rb\r\n', bare],
          ['a\n.\nb\r\n', lookAlike],
          ['a\r\nb\r\n', 250],
        ] as const) {
          await begin(dialogue)
          assert.match(
            await dialogue.smtp(`${content}.`),
            new RegExp(`^${code} `),
            `${policy} ${JSON.stringify(content)}`,
          )
        }
      }
    })
  })
}

for (const way of ways) {
  describe(`recipients, ${way}`, () => {
    it('that fit no pattern are refused, or taken and marked', async () => {
      await using ports = await openTestPorts()
      const RECIPIENT_PATTERNS = '["^bounce-\\\\d+@", "^prvs=[0-9a-f]{10}="]'
      {
        await using ingest = await startIn(way, ports, files.path, { RECIPIENT_PATTERNS })
        using dialogue = await ingest.open()
        await hello(dialogue)
        await dialogue.smtp('MAIL FROM:<>')
        assert.match(await dialogue.smtp('RCPT TO:<anybody@bounces.example.com>'), /^550 5\.1\.1/)
        for (const known of ['bounce-17', 'BOUNCE-1', 'prvs=1234567890=news', 'postmaster']) {
          assert.match(await dialogue.smtp(`RCPT TO:<${known}@bounces.example.com>`), /^250/, known)
        }
      }
      {
        const BATV_KEYS = '{"3": "secret"}'
        await using ingest = await startIn(way, ports, files.path, { RECIPIENT_PATTERNS, BATV_KEYS })
        using dialogue = await ingest.open()
        await hello(dialogue)
        await dialogue.smtp('MAIL FROM:<>')
        const day = String((Math.floor(Date.now() / 86_400_000) + 7) % 1000).padStart(3, '0')
        const sign = (address: string): string =>
          `prvs=3${day}${createHmac('sha1', 'secret').update(`3${day}${address}`).digest('hex').slice(0, 6)}=${address}`
        const signed = sign('news@bounces.example.com')
        assert.match(await dialogue.smtp(`RCPT TO:<${signed}>`), /^250/)
        assert.match(await dialogue.smtp(`RCPT TO:<${signed.replace('=news', '=olds')}>`), /^550 5\.1\.1/)
        assert.match(await dialogue.smtp('RCPT TO:<bounce-17@bounces.example.com>'), /^250/)
      }
      await using ingest = await startIn(way, ports, files.path, { RECIPIENT_PATTERNS, RECIPIENT_CHECK: 'mark' })
      using dialogue = await ingest.open()
      await hello(dialogue)
      await begin(dialogue)
      assert.match(await dialogue.smtp('x\r\n.'), /^250/)
      const event = await until('the event', async () => (await ports.decoded('mail.events', 'event'))[0])
      assert.equal(event.detail, 'a recipient fits no pattern')
    })
  })
}

describe('the PROXY protocol', () => {
  it('is required from balancers, tells the client, and is not heard from anybody else', async () => {
    await using ports = await openTestPorts()
    {
      await using ingest = await start(ports, { PROXY_NETWORKS: '127.0.0.0/8,::1' })
      using dialogue = await Dialogue.open(ingest.service.port)
      dialogue.say('PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\n')
      await dialogue.hear(/^220 /)
      await hello(dialogue)
      await begin(dialogue)
      await dialogue.smtp('x\r\n.')
      const [raw] = await ports.decoded('mail.raw', 'raw')
      assert.deepEqual([raw?.envelope.client.address, raw?.envelope.client.port], ['192.0.2.7', 40_000])
      const without = await Dialogue.open(ingest.service.port)
      without.say('EHLO client.example\r\n')
      assert.equal(await without.end(), '')
      const early = await Dialogue.open(ingest.service.port)
      early.say('PROXY TCP4 192.0.2.7 198.51.100.1 40000 25\r\nEHLO client.example\r\n')
      assert.match(await early.end(), /^554 5\.5\.1/)
    }
    await using ingest = await start(ports, { PROXY_NETWORKS: '203.0.113.0/24' })
    using dialogue = await ingest.open()
    assert.match(await dialogue.smtp('PROXY TCP4 192.0.2.7 198.51.100.1 40000 25'), /^500/)
  })
})

describe('TLS', () => {
  it('holds no slot for a handshake that does not end', async () => {
    await using ports = await openTestPorts()
    const { cert, key } = await certificate(join(ports.folder, 'tls'))
    await using ingest = await start(ports, {
      SMTP_TLS_CERT: cert,
      SMTP_TLS_KEY: key,
      SMTPS_LISTEN: '127.0.0.1:0',
      SMTP_IDLE_MS: '1000',
      SMTP_CONNECTIONS_MAX: '1',
    })
    const silent = await Dialogue.open(ingest.service.tlsPort)
    assert.equal(await silent.end(), '')
    const plain = await ingest.open()
    await hello(plain)
    assert.match(await plain.smtp('STARTTLS'), /^220/)
    await plain.end()
    using next = await ingest.open()
    await hello(next)
  })

  const secure = (socket: Socket | undefined, port: number): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const tls = connectTls(
        { ...(socket ? { socket } : { port, host: '127.0.0.1' }), rejectUnauthorized: false },
        () => resolve(tls),
      )
      tls.once('error', reject)
    })
  const ask = (tls: TLSSocket, command: string): Promise<string> =>
    new Promise((resolve) => {
      let heard = ''
      const listener = (chunk: Buffer): void => {
        heard += chunk.toString('latin1')
        if (!/^\d{3} .*\r\n$/m.test(heard)) return
        tls.removeListener('data', listener)
        resolve(heard)
      }
      tls.on('data', listener)
      tls.write(command === '' ? '' : `${command}\r\n`)
    })
  const startTls = async (dialogue: Dialogue): Promise<TLSSocket> => {
    assert.match(await hello(dialogue), /250[- ]STARTTLS/)
    assert.match(await dialogue.smtp('STARTTLS'), /^220 2\.0\.0/)
    dialogue.socket.removeAllListeners('data')
    return secure(dialogue.socket, 0)
  }

  it('begins with STARTTLS or at once, and the record says which', async () => {
    await using ports = await openTestPorts()
    const { cert, key } = await certificate(join(ports.folder, 'tls'))
    await using ingest = await start(ports, { SMTP_TLS_CERT: cert, SMTP_TLS_KEY: key, SMTPS_LISTEN: '127.0.0.1:0' })
    const upgraded = await startTls(await ingest.open())
    assert.match(await ask(upgraded, 'MAIL FROM:<>'), /^503/)
    assert.doesNotMatch(await ask(upgraded, 'EHLO client.example'), /STARTTLS/)
    assert.match(await ask(upgraded, 'STARTTLS'), /^502/)
    const implicit = await secure(undefined, ingest.service.tlsPort)
    assert.match(await ask(implicit, ''), /^220 /)
    await ask(implicit, 'EHLO client.example')
    for (const tls of [upgraded, implicit]) {
      await ask(tls, 'MAIL FROM:<>')
      await ask(tls, 'RCPT TO:<b@bounces.example.com>')
      await ask(tls, 'DATA')
      assert.match(await ask(tls, 'x\r\n.'), /^250 2\.0\.0 Queued/)
      tls.destroy()
    }
    const versions = (await ports.decoded('mail.raw', 'raw')).map(({ envelope }) => envelope.client.tls?.protocol)
    assert.deepEqual(versions, ['TLSv1.3', 'TLSv1.3'])
  })

  it('takes no command that came in the clear behind STARTTLS', async () => {
    await using ports = await openTestPorts()
    const { cert, key } = await certificate(join(ports.folder, 'tls'))
    await using ingest = await start(ports, { SMTP_TLS_CERT: cert, SMTP_TLS_KEY: key })
    const dialogue = await ingest.open()
    await hello(dialogue)
    dialogue.say('STARTTLS\r\nEHLO injected.example\r\nMAIL FROM:<evil@remote.example>\r\n')
    await dialogue.hear(/^220 /)
    dialogue.socket.removeAllListeners('data')
    const tls = await secure(dialogue.socket, 0)
    assert.match(await ask(tls, 'RCPT TO:<b@bounces.example.com>'), /^503/)
    assert.match(await ask(tls, 'MAIL FROM:<>'), /^503 5\.5\.1 Say EHLO first/)
    tls.destroy()
  })

  it('uses a certificate that was changed on disk, and the last one where the new one is none', async () => {
    await using ports = await openTestPorts()
    const { cert, key } = await certificate(join(ports.folder, 'tls'))
    const other = await certificate(join(ports.folder, 'other'))
    await using ingest = await start(ports, { SMTP_TLS_CERT: cert, SMTP_TLS_KEY: key })
    const serial = async (): Promise<string> => {
      const tls = await startTls(await ingest.open())
      const { serialNumber } = tls.getPeerCertificate()
      tls.destroy()
      return serialNumber
    }
    const first = await serial()
    const ends = /^mailweir_ingest_certificate_\w+ (\S+)/m.exec(await ports.metrics.text())?.[1]
    assert.equal(Number(ends) * 1000, Date.parse(new X509Certificate(readFileSync(cert)).validTo))
    writeFileSync(cert, 'no certificate')
    await sleep(1_100)
    assert.equal(await serial(), first)
    copyFileSync(other.cert, cert)
    copyFileSync(other.key, key)
    await sleep(1_100)
    assert.notEqual(await serial(), first)
  })

  it('lives through handshakes that are none', async () => {
    await using ports = await openTestPorts()
    const { cert, key } = await certificate(join(ports.folder, 'tls'))
    await using ingest = await start(ports, { SMTP_TLS_CERT: cert, SMTP_TLS_KEY: key, SMTPS_LISTEN: '127.0.0.1:0' })
    for (const rubbish of [Buffer.from('EHLO x\r\n'), Buffer.alloc(5_000, 0x16), Buffer.from([0x16, 3, 1, 0, 5])]) {
      const plain = await ingest.open()
      await hello(plain)
      await plain.smtp('STARTTLS')
      plain.say(rubbish)
      await sleep(30)
      plain[Symbol.dispose]()
      const implicit = await Dialogue.open(ingest.service.tlsPort)
      implicit.say(rubbish)
      await sleep(30)
      implicit[Symbol.dispose]()
    }
    const tls = await startTls(await ingest.open())
    tls.destroy()
  })
})
