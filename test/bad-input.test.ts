/** What is wrong outside: each has a clear error or a dead letter, nothing is lost, nothing crashes. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import { readAll } from '#lib/log/read-all.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { SmtpConnection } from '#lib/smtp/client.ts'
import { listenSettings, runMailweir, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { testMessages } from '#lib/testing/messages.ts'
import { freePort } from '#lib/testing/ports.ts'
import { programMissing } from '#lib/testing/programs.ts'
import { sendAll } from '#lib/testing/send.ts'
import { objectServerMissing, testObjectServer } from '#lib/testing/services.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { openCodec } from '#schemas/codec.ts'
import { ask, ledgerOf } from './flow.ts'

const client = { name: 'sender.example', connectMs: 5_000, replyMs: 30_000, dataEndMs: 30_000 }

async function startAll(dataDir: string, more: Record<string, string> = {}, wrapper: readonly string[] = []) {
  const { ports, settings } = await listenSettings()
  const environment = { ...settings, DATA_DIR: dataDir, SEGMENT_MS: '100', LOG_LEVEL: 'error', ...more }
  const process = startMailweir(['up'], environment, wrapper)
  await whenReady(process, ports.console)
  return { ports, environment, process, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() }
}

async function sendContents(connection: SmtpConnection, contents: readonly Buffer[]): Promise<void> {
  for (const content of contents) {
    const [reply] = await connection.send({
      reversePath: { address: '', parameters: {} },
      forwardPaths: [{ address: 'b@bounces.example.com', parameters: {} }],
      size: content.length,
      content,
    })
    assert.equal(reply?.code, 250)
  }
}

describe('bad input', () => {
  it('undecodable records of any topic are dead-lettered or counted, and what is behind them goes on', async () => {
    using folder = temporaryFolder()
    await using all = await startAll(folder.path, { PARTITIONS: '1' })
    const { ports, process } = all
    await sendAll(ports.smtp, testMessages(3))
    const log = openEmbeddedLog({
      path: join(folder.path, 'log.sqlite'),
      logger: silentLogger,
      recordBytesMax: 1_048_576,
    })
    const garbage = [
      Buffer.alloc(0),
      Buffer.from('garbage'),
      Buffer.from([0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
      null,
    ]
    for (const topic of ['mail.raw', 'mail.classified', 'mail.events', 'mail.index', 'mail.retry']) {
      for (const value of garbage) await log.append(topic, { key: 'nobody', partition: 0, value })
    }
    await sendAll(ports.smtp, testMessages(3))
    const ledger = await until('the books', async () => {
      const now = await ledgerOf(ports)
      return now.accepted === 10 && now.stored === 6 && now.forwarded === 6 && now.dead === 4 && now
    })
    assert.equal(ledger.undecodable, 4)
    assert.equal(ledger.balanced, true)
    const codec = await openCodec({ registryUrl: null })
    const dead: string[] = []
    for await (const record of readAll(log, 'mail.dead')) {
      const letter = codec.decode('dead', record.value)
      dead.push(`${letter.service} ${letter.topic} ${letter.reason}`)
    }
    await log.close()
    const count = (text: string): number => dead.filter((line) => line === text).length
    assert.equal(count('forward mail.raw undecodable'), 4)
    assert.equal(count('classify mail.raw undecodable'), 4)
    assert.equal(count('quarantine mail.classified undecodable'), 4)
    const metrics = await (await fetch(`http://127.0.0.1:${ports.console}/metrics`)).text()
    assert.match(metrics, /^mailweir_console_undecodable_total 4$/m)
    assert.match(metrics, /^mailweir_imap_undecodable_total 4$/m)
    assert.match(process.stderr(), /"event":"record.undecodable"/)
    assert.equal(await process.end('SIGTERM'), 0, process.stderr())
  })

  it('a client that goes away in the middle of its message leaves nothing behind', async () => {
    using folder = temporaryFolder()
    await using all = await startAll(folder.path)
    const { ports } = all
    for (const size of [100, 2_000_000]) {
      const connection = await SmtpConnection.open({ host: '127.0.0.1', port: ports.smtp, tls: false }, client)
      const { Readable } = await import('node:stream')
      const broken = Readable.from(
        (async function* () {
          yield Buffer.alloc(size, 'a line\r\n')
          await new Promise((resolve) => setTimeout(resolve, 100))
          throw new Error('the client died')
        })(),
      )
      await assert.rejects(
        connection.send({
          reversePath: { address: '', parameters: {} },
          forwardPaths: [{ address: 'b@bounces.example.com', parameters: {} }],
          size: size + 100,
          content: broken,
        }),
      )
    }
    await until('the count', async () =>
      /^mailweir_ingest_broken_total 2$/m.test(await (await fetch(`http://127.0.0.1:${ports.console}/metrics`)).text()),
    )
    assert.equal((await ledgerOf(ports)).accepted, 0)
    await sendAll(ports.smtp, testMessages(1))
    await until('the next message', async () => (await ledgerOf(ports)).stored === 1)
  })

  it('connections to the console that say nothing stop nobody else, and go', async () => {
    using folder = temporaryFolder()
    const few = ['bash', '-c', 'ulimit -n 1024; exec "$0" "$@"']
    await using all = await startAll(folder.path, {}, few)
    const { ports } = all
    let closed = 0
    const sockets = Array.from({ length: 2_000 }, () => {
      const socket = connect(ports.console, '127.0.0.1').resume()
      socket.on('error', () => {})
      return socket.on('close', () => closed++)
    })
    try {
      await until('what is too much is closed', () => closed >= 2_000 - 256)
      await sendAll(ports.smtp, testMessages(20))
      await until('all are closed', () => closed === 2_000)
    } finally {
      for (const socket of sockets) socket.destroy()
    }
    await until('all are stored', async () => (await ledgerOf(ports)).stored === 20)
    const metrics = await (await fetch(`http://127.0.0.1:${ports.console}/metrics`)).text()
    const [, refused] = /^mailweir_console_connections_refused_total (\d+)$/m.exec(metrics) ?? []
    assert.ok(Number(refused) >= 2_000 - 256, `${refused}`)
    assert.doesNotMatch(all.process.stderr(), /EMFILE/)
  })

  it('messages that are no messages get a verdict, and an unknown domain a refusal', async () => {
    using folder = temporaryFolder()
    await using all = await startAll(folder.path, { MAIL_DOMAINS: 'bounces.example.com' })
    const { ports } = all
    const connection = await SmtpConnection.open({ host: '127.0.0.1', port: ports.smtp, tls: false }, client)
    const contents = [
      Buffer.from('\0\0\0\r\n'),
      Buffer.from([0xff, 0xfe, 0x80, 0x0d, 0x0a]),
      Buffer.from(`Subject: ${'x'.repeat(100_000)}\r\n\r\n`),
      Buffer.from(
        'Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\nFinal-Recipient: rfc822; cut@remote.exam\r\n',
      ),
      Buffer.from('\r\n'),
    ]
    await sendContents(connection, contents)
    const [reply] = await connection.send({
      reversePath: { address: '', parameters: {} },
      forwardPaths: [{ address: 'b@elsewhere.example', parameters: {} }],
      size: 2,
      content: Buffer.from('\r\n'),
    })
    assert.deepEqual([reply?.code, reply?.enhancedStatus], [550, '5.7.1'])
    await connection.quit()
    await until('all are stored', async () => (await ledgerOf(ports)).stored === contents.length)
    const { messages } = await ask<{ messages: { kind: string; address: string }[] }>(ports, '/api/messages')
    assert.equal(messages.length, contents.length)
    assert.ok(messages.every(({ kind }) => kind !== ''))
    assert.ok(messages.some(({ kind, address }) => kind === 'bounce' && address === 'cut@remote.exam'))
  })

  const noPython = programMissing('python3', '--version', 'python3')
  it('mail that is made to cost much goes the whole way, and programs list it', { skip: noPython }, async () => {
    using folder = temporaryFolder()
    await using all = await startAll(folder.path, { IMAP_USER: 'anna', IMAP_PASSWORD: 'a-password-of-tests' })
    const { ports } = all
    const header = 'From: MAILER-DAEMON@x.example\r\nTo: b@bounces.example.com\r\nSubject: Undelivered mail\r\n'
    const times = (count: number, of: (n: number) => string): string =>
      Array.from({ length: count }, (_, n) => of(n)).join('')
    const multipart = (parts: string): string =>
      `${header}Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts}--b--\r\n`
    const contents = [
      `${header}\r\n${times(1_000, (n) => `  user${n}@x.example\r\n`)}`,
      multipart(times(1_900, (n) => `--b\r\nContent-Type: multipart/mixed; boundary=never${n}\r\n\r\nx\r\n`)),
      multipart(times(2_500, () => '--b\r\nContent-Type: text/html\r\n\r\n<b>user</b> text\r\n')),
      multipart('--b-\r\n'.repeat(80_000)),
      `${header}${'Content-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\n'.repeat(38)}\r\n${'\r\n'.repeat(200_000)}`,
      `Subject: ${'[a]'.repeat(2_600)}\r\n${header}\r\nx\r\n`,
      `Subject: ${'s'.repeat(1_500_000)}\r\n${header}\r\nx\r\n`,
      `From: ${'('.repeat(60_000)}\r\nSubject: ${'=?utf-8?q?some_text?=\r\n '.repeat(15_000)}\r\n\r\nx\r\n`,
      `${header}Content-Type: text/plain${';a=b'.repeat(50_000)}; name="${'n'.repeat(100_000)}"\r\n\r\nx\r\n`,
    ].map((text) => Buffer.from(text))
    const connection = await SmtpConnection.open({ host: '127.0.0.1', port: ports.smtp, tls: false }, client)
    await sendContents(connection, contents)
    await connection.quit()
    const ledger = await until('all are stored', async () => {
      const now = await ledgerOf(ports)
      return now.stored === contents.length && now.forwarded === contents.length && now
    })
    assert.equal(ledger.balanced, true)
    const listing = join(import.meta.dirname, 'imap_listing.py')
    const args = [listing, String(ports.imap), 'anna', 'a-password-of-tests']
    const listed = await until('the mailboxes', () => {
      const count = execFileSync('python3', args, { encoding: 'utf8', timeout: 60_000 })
      return Number(count) === contents.length && count
    })
    assert.equal(Number(listed), contents.length)
    const { messages } = await ask<{ messages: { id: string }[] }>(ports, '/api/messages')
    for (const { id } of messages) await ask(ports, `/api/messages/${id}/content`)
    assert.doesNotMatch(all.process.stderr(), /"level":"error"/)
  })

  it('wrong settings are reported together, each with its value and what was expected, and end with 78', async () => {
    using folder = temporaryFolder()
    const config = join(folder.path, 'settings')
    writeFileSync(config, 'SEGMENT_MS=soon\n# a remark\nPARTITIONS=4\n')
    const { code, stderr } = await runMailweir(['--config', config, 'up'], {
      DATA_DIR: join(folder.path, 'data'),
      SMTP_LISTEN: '2525',
      LEGACY_SMTP: 'legacy.example',
      IMAP_PASSWORD: '',
      AWS_SECRET_ACCESS_KEY: '',
    })
    assert.equal(code, 78)
    assert.match(stderr, /^mailweir up: 3 settings are wrong$/m)
    assert.match(stderr, /SMTP_LISTEN="2525" \(environment\): expected host:port/)
    assert.match(stderr, /LEGACY_SMTP="legacy\.example" \(environment\): expected smtp:\/\//)
    assert.ok(stderr.includes(`SEGMENT_MS="soon" (${config}): expected a whole number of milliseconds`))
    const relay = await runMailweir(['ingest'], { DATA_DIR: folder.path, MAIL_DOMAINS: '*', SMTP_LISTEN: '0.0.0.0:0' })
    assert.equal(relay.code, 78)
    assert.match(relay.stderr, /open relay/)
    const open = await runMailweir(['console'], { DATA_DIR: folder.path, CONSOLE_LISTEN: '0.0.0.0:0' })
    assert.equal(open.code, 78)
    assert.match(open.stderr, /CONSOLE_TOKEN/)
    const none = await runMailweir(['--config', join(folder.path, 'none'), 'up'], {})
    assert.equal(none.code, 78)
    assert.match(none.stderr, /Cannot read the settings file/)
  })

  it('a port in use is named, with what to do', async () => {
    using folder = temporaryFolder()
    const port = await freePort()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    try {
      const { settings } = await listenSettings()
      for (const variable of ['SMTP_LISTEN', 'IMAP_LISTEN', 'CONSOLE_LISTEN']) {
        const environment = { ...settings, DATA_DIR: folder.path, [variable]: `127.0.0.1:${port}` }
        const { code, stderr } = await runMailweir(['up'], environment)
        assert.equal(code, 78, stderr)
        assert.match(stderr, new RegExp(`Cannot listen on 127\\.0\\.0\\.1:${port}: .* set ${variable} to a free port`))
      }
    } finally {
      server.close()
    }
  })

  it('a missing bucket ends quarantine with its name, and the doctor says what to do', {
    skip: testObjectServer === undefined && objectServerMissing,
  }, async () => {
    using folder = temporaryFolder()
    const environment = {
      DATA_DIR: folder.path,
      S3_ENDPOINT: testObjectServer?.endpoint ?? '',
      S3_BUCKET: 'nobody-made-this',
      AWS_ACCESS_KEY_ID: testObjectServer?.accessKeyId ?? '',
      AWS_SECRET_ACCESS_KEY: testObjectServer?.secretAccessKey ?? '',
    }
    const { code, stderr } = await runMailweir(['quarantine'], environment)
    assert.equal(code, 1)
    assert.match(stderr, /nobody-made-this/)
    const doctor = await runMailweir(['doctor'], environment)
    assert.equal(doctor.code, 1)
    assert.match(doctor.stdout, /^FAIL store bucket nobody-made-this: .*mailweir topics --bucket/m)
  })

  it('a full disk defers mail and stops nothing; with room again all goes on', { skip: mountMissing() }, async () => {
    using folder = temporaryFolder()
    const { ports, settings } = await listenSettings()
    const mount = join(folder.path, 'small')
    mkdirSync(mount)
    // The mount is the process's own: it goes with it.
    await using process = startMailweir(
      ['up'],
      { ...settings, DATA_DIR: join(mount, 'data'), SEGMENT_MS: '100', LOG_LEVEL: 'warn' },
      ['unshare', '-rm', 'sh', '-c', `mount -t tmpfs -o size=24m none '${mount}' && exec "$@"`, 'sh'],
    )
    await whenReady(process, ports.console)
    const inside = join('/proc', String(process.pid), 'root', mount)
    await sendAll(ports.smtp, testMessages(20))
    await until('the first are stored', async () => (await ledgerOf(ports)).stored === 20)
    const ballast = join(inside, 'ballast')
    fill(ballast)
    const replies: number[] = []
    const connection = await SmtpConnection.open({ host: '127.0.0.1', port: ports.smtp, tls: false }, client)
    const content = Buffer.alloc(300_000, 'a line of the message\r\n')
    for (let n = 0; n < 20; n++) {
      const [reply] = await connection.send({
        reversePath: { address: '', parameters: {} },
        forwardPaths: [{ address: 'b@bounces.example.com', parameters: {} }],
        size: content.length,
        content,
      })
      replies.push(reply?.code ?? 0)
    }
    await connection.quit()
    assert.ok(replies.includes(451), replies.join())
    assert.ok(
      replies.every((code) => code === 250 || code === 451),
      replies.join(),
    )
    assert.equal((await fetch(`http://127.0.0.1:${ports.console}/healthz`)).status, 200)
    rmSync(ballast)
    const accepted = replies.filter((code) => code === 250).length
    await sendAll(ports.smtp, testMessages(5))
    const ledger = await until('all goes on', async () => {
      const now = await ledgerOf(ports)
      return now.stored >= 25 + accepted && now.forwarded === now.accepted && now.stored === now.accepted && now
    })
    assert.equal(ledger.balanced, true)
    assert.match(process.stderr(), /full/)
    assert.equal(await process.end('SIGTERM'), 0, process.stderr())
  })
})

function fill(path: string): void {
  const block = Buffer.alloc(64 * 1024)
  writeFileSync(path, '')
  for (const size of [block.length, 4_096, 1]) {
    try {
      for (;;) writeFileSync(path, block.subarray(0, size), { flag: 'a' })
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
    }
  }
}

function mountMissing(): string | false {
  try {
    execFileSync('unshare', ['-rm', 'true'], { stdio: 'ignore' })
    return false
  } catch {
    return "this kernel gives no mount namespace of one's own: run as root"
  }
}
