/** Forward delivers into the mail servers of others, who pass on what they got to a host of ours. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import { readSettings } from '#lib/runtime/settings.ts'
import { debianMissing } from '#lib/testing/debian.ts'
import { openTestPorts, rawRecord } from '#lib/testing/embedded.ts'
import { type Legacy, type LegacyMessage, startLegacy } from '#lib/testing/legacy.ts'
import { startExim, startOpenSmtpd } from '#lib/testing/mail-servers.ts'
import { freePort } from '#lib/testing/ports.ts'
import { postfixMissing, startPostfix } from '#lib/testing/postfix.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { forwardSettings } from '#services/forward/config.ts'
import { startForward } from '#services/forward/service.ts'

const lines = Array.from({ length: 300 }, (_, n) => (n % 7 === 0 ? '.' : `${'.'.repeat(n % 3)}line ${n} grüße`))
const contents = [
  'Subject: plain\r\n\r\nhello\r\n',
  `Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n\r\n`,
  `Subject: many\r\n\r\n${lines.join('\r\n')}\r\n`,
].map((text) => Buffer.from(text))

const answers = (port: number): Promise<true> =>
  until(
    'the mail server',
    () =>
      new Promise<true | false>((resolve) => {
        const socket = connect(port, '127.0.0.1')
        socket.once('data', () => {
          socket.destroy()
          resolve(true)
        })
        socket.setTimeout(1_000, () => socket.destroy())
        socket.once('error', () => resolve(false))
        socket.once('close', () => resolve(false))
      }),
    20_000,
  ) as Promise<true>

/** Sends the messages to a mail server on `port` and gives what it passed on, once all of it is there. */
async function passedOn(
  port: number,
  behind: Legacy,
  more: Record<string, string> = {},
): Promise<readonly LegacyMessage[]> {
  await using ports = await openTestPorts()
  const config = readSettings('test', forwardSettings, {
    environment: { LEGACY_SMTP: `smtp://127.0.0.1:${port}`, FORWARD_NAME: 'front.example', ...more },
  })
  const service = startForward(config, ports)
  try {
    for (const [index, content] of contents.entries()) {
      const record = rawRecord({
        id: `m${index}`,
        content,
        reversePath: index === 0 ? '' : 'person@remote.example',
        parameters: { BODY: '8BITMIME' },
        forwardPaths: ['one@bounces.example.com', 'two@bounces.example.com'],
      })
      await ports.log.append('mail.raw', { key: record.id, value: ports.codec.encode('raw', record) })
    }
    await until('all have an outcome', async () => (await ports.read('mail.events')).length === contents.length)
    for (const { type, reply } of await ports.decoded('mail.events', 'event')) assert.equal(type, 'forwarded', reply)
    const recipients = (): number => behind.messages.reduce((sum, { rcpts }) => sum + rcpts.length, 0)
    await until('all passed on', () => recipients() >= contents.length * 2, 30_000)
    return [...behind.messages]
  } finally {
    await service.stop()
  }
}

/** They put fields in front, or behind the others at most; the body is what was sent. */
function check(messages: readonly LegacyMessage[]): void {
  for (const content of contents) {
    const subject = content.toString('latin1').split('\r\n')[0] ?? ''
    const body = content.subarray(content.indexOf('\r\n\r\n'))
    const copies = messages.filter((message) => message.content.includes(subject))
    assert.deepEqual(copies.flatMap(({ rcpts }) => rcpts.map((rcpt) => /<(\w+)@/.exec(rcpt)?.[1])).sort(), [
      'one',
      'two',
    ])
    for (const copy of copies) {
      assert.ok(copy.content.subarray(copy.content.indexOf('\r\n\r\n')).equals(body), subject)
      assert.match(copy.mail, subject === 'Subject: plain' ? /FROM:<>/ : /FROM:<person@remote\.example>/)
    }
  }
}

describe('forward delivers into', () => {
  it('Postfix, which is told the client', { skip: postfixMissing() }, async () => {
    await using behind = await startLegacy()
    const listen = await freePort()
    const postfix = await startPostfix({ listen, relay: true, mailTo: behind.port })
    try {
      await answers(listen)
      const messages = await passedOn(listen, behind, { FORWARD_ORIGIN: 'xclient' })
      check(messages)
      // By XCLIENT it takes the message for one from there, and says so.
      for (const { content } of messages) {
        assert.match(content.toString('latin1'), /^Received: from mx\.remote\.example \(unknown \[192\.0\.2\.1\]\)/m)
      }
      behind.messages.length = 0
      check(await passedOn(listen, behind))
      assert.match(postfix.log(), /client=unknown\[192\.0\.2\.1\]/)
    } finally {
      await postfix.stop()
    }
  })

  for (const [name, startServer] of [
    ['Exim, in chunks', startExim],
    ['OpenSMTPD', startOpenSmtpd],
  ] as const) {
    it(name, { skip: debianMissing() }, async () => {
      using folder = temporaryFolder()
      await using behind = await startLegacy()
      const listen = await freePort()
      const stop = startServer(folder.path, listen, [{ domain: '*', port: behind.port }])
      try {
        await answers(listen)
        check(await passedOn(listen, behind))
      } finally {
        await stop()
      }
    })
  }
})
