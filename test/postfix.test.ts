/** A real Postfix whose bounces (the null reverse-path) go to Mailweir as their next hop. */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { listenSettings, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { freePort } from '#lib/testing/ports.ts'
import { postfixMissing, startPostfix } from '#lib/testing/postfix.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import type { MessageRow } from '#services/console/view/view.ts'
import { ask, ledgerOf, received } from './flow.ts'

/** Refuses every recipient for good, in the words of a host that does not know the user. */
async function startRefuser(): Promise<{ port: number; close(): void }> {
  const server = createServer((socket) => {
    socket.write('220 refuser.example ESMTP\r\n')
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const line of chunk.toString('latin1').split('\r\n').slice(0, -1)) {
        const verb = line.slice(0, 4).toUpperCase()
        if (verb === 'EHLO') socket.write('250 refuser.example\r\n')
        else if (verb === 'RCPT')
          socket.write('550 5.1.1 <nobody@remote.example>: Recipient address rejected: User unknown\r\n')
        else if (verb === 'QUIT') socket.end('221 bye\r\n')
        else socket.write('250 ok\r\n')
      }
    })
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return { port, close: () => server.close() }
}

describe('Postfix', { skip: postfixMissing() }, () => {
  it('hands its bounces over, and the verdict names the recipient, the status and the reason', async () => {
    using folder = temporaryFolder()
    const { ports, settings } = await listenSettings()
    await using mailweir = startMailweir(['up'], {
      ...settings,
      DATA_DIR: folder.path,
      SEGMENT_MS: '200',
      MAIL_DOMAINS: 'bounces.example.com',
    })
    await whenReady(mailweir, ports.console)
    const refuser = await startRefuser()
    const postfix = await startPostfix({ bouncesTo: ports.smtp, mailTo: refuser.port })
    try {
      await postfix.submit(
        'news+42@bounces.example.com',
        'nobody@remote.example',
        'From: News <news@bounces.example.com>\nTo: nobody@remote.example\nSubject: our letter\nMessage-ID: <letter.42@bounces.example.com>\n\nHello\n',
      )
      await until('the bounce', async () => (await ledgerOf(ports)).stored === 1).catch((error: unknown) => {
        throw new Error(postfix.log(), { cause: error })
      })
      const { messages } = await ask<{ messages: MessageRow[] }>(ports, '/api/messages?address=nobody@remote.example')
      const [bounce] = messages
      assert.ok(bounce)
      assert.equal(bounce.reversePath, '')
      assert.equal(bounce.recipient, 'news+42@bounces.example.com')
      assert.deepEqual([bounce.kind, bounce.variant, bounce.reason], ['bounce', 'hard', 'userunknown'])
      const { trace } = await ask<{
        trace: { type: string; recipients: { address: string; status: string }[]; original: { messageId: string } }[]
      }>(ports, `/api/messages/${bounce.id}`)
      const verdict = trace.find((step) => step.type === 'classified')
      assert.deepEqual(
        verdict?.recipients.map(({ address, status }) => [address, status]),
        [['nobody@remote.example', '5.1.1']],
      )
      assert.equal(verdict?.original.messageId, '<letter.42@bounces.example.com>')
      const ledger = await until('the books', async () => {
        const now = await ledgerOf(ports)
        return now.forwarded === 1 && now
      })
      assert.equal(ledger.balanced, true)
      assert.deepEqual(
        received(folder.path).map(({ reversePath, forwardPaths }) => [reversePath, forwardPaths[0]?.address]),
        [['', 'news+42@bounces.example.com']],
      )
    } finally {
      await postfix.stop()
      refuser.close()
    }
  })
})
