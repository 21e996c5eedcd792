/** The relay's client against a scripted server, smtp-server (TLS, AUTH) and our own front (CHUNKING). */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { imapTls } from '#cli/account.ts'
import { startLegacy } from '#lib/testing/legacy.ts'
import { freePort } from '#lib/testing/ports.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { type SmtpClientOptions, SmtpConnection } from './client.ts'
import { originWords } from './origin.ts'
import type { OutgoingMessage } from './outgoing.ts'
import { createSmtpServer } from './server.ts'

const options: SmtpClientOptions = { name: 'mx.sender.example', connectMs: 2_000, replyMs: 1_000, dataEndMs: 1_500 }
const at = (port: number, tls = false) => ({ host: '127.0.0.1', port, tls })
const path = (address: string) => ({ address, parameters: {} })
const message = (content: Buffer | Readable, size: number, ...to: string[]): OutgoingMessage => ({
  reversePath: path(''),
  forwardPaths: (to.length > 0 ? to : ['b@x.example']).map(path),
  size,
  content,
})

async function certificate(): Promise<{ path: string; pem: Buffer; [Symbol.dispose](): void }> {
  const folder = temporaryFolder()
  const { cert } = await imapTls({ dataDir: folder.path, imapTlsCert: null, imapTlsKey: null })
  const file = join(folder.path, 'pem')
  writeFileSync(file, cert)
  return { path: file, pem: cert, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

async function startSmtpServer(
  more: SMTPServerOptions,
): Promise<{ port: number; received: Buffer[]; users: string[]; [Symbol.asyncDispose](): Promise<void> }> {
  const port = await freePort()
  const received: Buffer[] = []
  const users: string[] = []
  const server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    logger: false,
    onAuth: (auth, _session, done) => {
      users.push(`${auth.method} ${auth.username}`)
      if (auth.password === 'right') done(null, { user: auth.username })
      else done(new Error('no'))
    },
    onData: (stream, session, done) => {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        received.push(Buffer.from(`${session.secure ? 'tls' : 'plain'} ${Buffer.concat(chunks).toString()}`))
        done()
      })
    },
    ...more,
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { port, received, users, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) }
}

/** Our own front, which keeps messages as they came. */
async function startFront(sizeMax = 1_000_000) {
  const received: Buffer[] = []
  const server = createSmtpServer({
    name: 'front.example',
    sizeMax,
    connectionsMax: 100,
    limits: { idleMs: 10_000, transactionMs: 10_000, errorsMax: 100, idleCommandsMax: 100 },
    tls: () => null,
    proxies: null,
    connect: () => null,
    disconnected: () => {},
    dismissed: () => {},
    mail: () => null,
    rcpt: ({ address }) => (address.startsWith('no') ? { code: 550, enhancedStatus: '5.1.1', text: 'nobody' } : null),
    data: () => {
      const chunks: Buffer[] = []
      return {
        write: (chunk) => chunks.push(Buffer.from(chunk)) > 0,
        ready: async () => {},
        end: async () => {
          received.push(Buffer.concat(chunks))
          return { code: 250, enhancedStatus: '2.0.0', text: 'taken' }
        },
        abort: () => {},
      }
    },
    failed: () => {},
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.plain.listen(port, '127.0.0.1', resolve))
  return {
    port,
    received,
    [Symbol.dispose]: () => {
      server.close()
      for (const session of [...server.sessions]) session.dismiss({ code: 421, enhancedStatus: '4.3.2', text: 'bye' })
    },
  }
}

describe('chunks', () => {
  it('carry any bytes as they are: without a line end at the end, with look-alikes, by the buffer and by the stream', async () => {
    using front = await startFront()
    const connection = await SmtpConnection.open(at(front.port), options)
    const contents = [
      Buffer.from('no line end'),
      Buffer.from('x\n.\nMAIL FROM:<evil@x>\r\n.\r\n'),
      Buffer.alloc(0),
      Buffer.alloc(300_000, 'a\0\xff'),
    ]
    for (const content of contents) {
      const [reply] = await connection.send(message(content, content.length))
      assert.equal(reply?.code, 250)
      const [again] = await connection.send(
        message(Readable.from([content.subarray(0, 7), content.subarray(7)]), content.length),
      )
      assert.equal(again?.code, 250)
    }
    assert.deepEqual(
      front.received,
      contents.flatMap((content) => [content, content]),
    )
    await connection.quit()
  })

  it('give each recipient its reply, and leave the connection fit for the next message', async () => {
    using front = await startFront(1_000)
    const connection = await SmtpConnection.open(at(front.port), options)
    const small = Buffer.from('x\r\n')
    const codes = async (...args: Parameters<typeof message>) =>
      (await connection.send(message(...args))).map(({ code }) => code)
    assert.deepEqual(await codes(small, 3, 'no@x.example', 'b@x.example'), [550, 250])
    assert.deepEqual(await codes(small, 3, 'no@x.example'), [550])
    assert.deepEqual(await codes(Buffer.alloc(2_000), 2_000), [552])
    assert.deepEqual(await codes(Buffer.alloc(70_000), 70_000, 'b@x.example', 'c@x.example'), [552, 552])
    assert.deepEqual(await codes(small, 3, 'b@x.example'), [250])
    assert.equal(front.received.length, 2)
    await connection.quit()
  })

  it('are sent once, though the reply comes before the stream has said that it has ended', async () => {
    using front = await startFront()
    const connection = await SmtpConnection.open(at(front.port), options)
    for (let n = 0; n < 3; n++) {
      const late = async function* () {
        yield Buffer.from('all of it')
        await new Promise((resolve) => setTimeout(resolve, 80))
      }
      const [reply] = await connection.send(message(Readable.from(late()), 9))
      assert.equal(reply?.code, 250)
    }
    assert.equal(front.received.length, 3)
    await connection.quit()
  })

  it('that are on their way when the server hangs up make one error, which is told', async () => {
    const unhandled: unknown[] = []
    const listener = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', listener)
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write('220 x\r\n')
      socket.on('data', (chunk) => {
        if (chunk.toString().startsWith('EHLO')) socket.write('250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n')
        else socket.destroy()
      })
    })
    const port = await freePort()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    const connection = await SmtpConnection.open(at(port), options)
    await assert.rejects(connection.send(message(Buffer.from('x\r\n'), 3)), { code: 'SMTP_CONNECTION' })
    await new Promise((resolve) => setTimeout(resolve, 50))
    process.removeListener('unhandledRejection', listener)
    server.close()
    assert.deepEqual(unhandled, [])
  })

  it('are not ended like a whole message where the stream breaks or lies', async () => {
    using front = await startFront()
    for (const pieces of [['short'], ['much too long for it']]) {
      const connection = await SmtpConnection.open(at(front.port), options)
      await assert.rejects(connection.send(message(Readable.from(pieces.map((piece) => Buffer.from(piece))), 10)))
      assert.equal(connection.isUsable, false)
    }
    assert.equal(front.received.length, 0)
  })
})

describe('TLS', () => {
  it('is begun where it is offered, demanded where it is required, and verified where that is asked for', async () => {
    using pem = await certificate()
    await using server = await startSmtpServer({ cert: pem.pem, key: pem.pem })
    await using plain = await startSmtpServer({ disabledCommands: ['STARTTLS'] })
    const content = Buffer.from('hello\r\n')
    const open = async (port: number, tls: SmtpClientOptions['tls']) => {
      const connection = await SmtpConnection.open(at(port), { ...options, tls })
      const [reply] = await connection.send(message(content, content.length))
      assert.equal(reply?.code, 250)
      await connection.quit()
      return connection.isTls
    }
    assert.equal(await open(server.port, { startTls: 'offered', verify: false }), true)
    assert.equal(await open(server.port, { startTls: 'off', verify: false }), false)
    assert.equal(await open(server.port, { startTls: 'required', verify: true, ca: pem.pem }), true)
    assert.equal(await open(plain.port, { startTls: 'offered', verify: false }), false)
    await assert.rejects(open(plain.port, { startTls: 'required', verify: false }), { code: 'SMTP_CONNECTION' })
    await assert.rejects(open(server.port, { startTls: 'required', verify: true }), { code: 'SMTP_CONNECTION' })
    // Opportunistic, and the certificate is not to be trusted: without, rather than not at all.
    assert.equal(await open(server.port, { startTls: 'offered', verify: true }), false)
    assert.deepEqual(
      server.received.map((text) => text.toString().split(' ')[0]),
      ['tls', 'plain', 'tls', 'plain'],
    )
  })

  it('may be there from the first byte', async () => {
    using pem = await certificate()
    await using server = await startSmtpServer({ cert: pem.pem, key: pem.pem, secure: true })
    const connection = await SmtpConnection.open(at(server.port, true), {
      ...options,
      tls: { startTls: 'off', verify: true, ca: pem.pem },
    })
    assert.equal(connection.isTls, true)
    await connection.quit()
    await assert.rejects(SmtpConnection.open(at(server.port, true), options), { code: 'SMTP_CONNECTION' })
  })
})

describe('AUTH', () => {
  it('logs in, says when it is refused, and never says a password in the clear to another machine', async () => {
    using pem = await certificate()
    await using server = await startSmtpServer({ cert: pem.pem, key: pem.pem, authOptional: false })
    const tls = { startTls: 'required', verify: false } as const
    const connection = await SmtpConnection.open(at(server.port), {
      ...options,
      tls,
      auth: { user: 'weir', password: 'right' },
    })
    assert.equal((await connection.send(message(Buffer.from('x\r\n'), 3)))[0]?.code, 250)
    await connection.quit()
    assert.deepEqual(server.users, ['PLAIN weir'])
    await assert.rejects(
      SmtpConnection.open(at(server.port), { ...options, tls, auth: { user: 'weir', password: 'wrong' } }),
      /refuses our credentials/,
    )
    await using none = await startSmtpServer({ disabledCommands: ['AUTH', 'STARTTLS'] })
    await assert.rejects(
      SmtpConnection.open(at(none.port), { ...options, auth: { user: 'weir', password: 'right' } }),
      /does not offer AUTH PLAIN/,
    )
  })
})

describe('XFORWARD', () => {
  it('tells the attributes that are asked for, in xtext', () => {
    const origin = { address: '2001:db8::7', port: 4_000, name: 'müller+=.example' }
    assert.deepEqual(originWords(origin, 'name addr helo'), [
      'NAME=[UNAVAILABLE]',
      'ADDR=IPv6:2001:db8::7',
      'HELO=m+C3+BCller+2B+3D.example',
    ])
    assert.deepEqual(originWords({ ...origin, address: '192.0.2.7' }, 'ADDR PORT PROTO SOURCE'), [
      'ADDR=192.0.2.7',
      'PORT=4000',
      'PROTO=ESMTP',
      'SOURCE=REMOTE',
    ])
    assert.deepEqual(originWords(origin, ''), [])
  })
})

describe('a server that misbehaves', () => {
  /** Answers `ok` commands, then does what it is told. */
  async function startOdd(ok: number, act: (socket: Socket) => void) {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      let left = ok
      let inData = false
      const answer = (text: string): void => {
        if (left-- > 0) socket.write(text)
        else act(socket)
      }
      socket.on('error', () => {})
      answer('220 odd.example\r\n')
      socket.on('data', (chunk) => {
        for (const line of chunk.toString('latin1').split('\r\n').slice(0, -1)) {
          if (inData) {
            if (line !== '.') continue
            inData = false
            answer('250 taken\r\n')
          } else if (line.startsWith('DATA')) {
            inData = true
            answer('354 go\r\n')
          } else answer('250 odd.example\r\n')
        }
      })
    })
    const port = await freePort()
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return {
      port,
      [Symbol.dispose]: () => {
        for (const socket of sockets) socket.destroy()
        server.close()
      },
    }
  }

  const acts: readonly (readonly [string, (socket: Socket) => void])[] = [
    ['is silent', () => {}],
    ['hangs up', (socket) => void socket.destroy()],
    ['says rubbish', (socket) => void socket.write('\0\xff hello\r\n')],
    ['says 421', (socket) => void socket.end('421 4.3.2 going down\r\n')],
    ['speaks without end', (socket) => void socket.write(Buffer.alloc(100_000, '2'))],
    ['answers without end', (socket) => void socket.write('250-more\r\n'.repeat(1_000))],
  ]
  for (const [name, act] of acts) {
    it(`that ${name} at any step makes an error of the connection, within its time`, async () => {
      // Greeting, EHLO, MAIL, RCPT, DATA, end of data.
      for (let ok = 0; ok < 6; ok++) {
        using odd = await startOdd(ok, act)
        await assert.rejects(
          async () => {
            const connection = await SmtpConnection.open(at(odd.port), { ...options, replyMs: 250, dataEndMs: 250 })
            await connection.send(message(Buffer.from('x\r\n'), 3))
          },
          { code: 'SMTP_CONNECTION', retriable: true },
          `step ${ok}`,
        )
      }
    })
  }

  it('is told of by a reply where it only refuses, with odd EHLO keywords passed over', async () => {
    await using legacy = await startLegacy({
      extensions: ['X-ODD', 'SIZE 99999999999999999999', '=', 'AUTH=LOGIN', '8BITMIME extra words'],
      data: () => '554 5.7.1 no',
    })
    const connection = await SmtpConnection.open(at(legacy.port), options)
    assert.deepEqual((await connection.send(message(Buffer.from('x\r\n'), 3)))[0], {
      code: 554,
      enhancedStatus: '5.7.1',
      text: 'no',
    })
    await connection.quit()
  })
})
