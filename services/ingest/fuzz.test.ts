/** Random dialogues with ingest. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { begin, hello, startIn, ways } from '#lib/testing/ingest.ts'
import { seeded } from '#lib/testing/random.ts'

/** A run of its own takes longer: FUZZ_SECONDS=600 npm test -- services/ingest/fuzz.test.ts */
const fuzzMs = Number(process.env['FUZZ_SECONDS'] ?? 15) * 1000

for (const way of ways) {
  describe(`a random dialogue, ${way}`, () => {
    it('crashes nothing, hangs nothing and stores only what was queued', async () => {
      await using ports = await openTestPorts()
      await using ingest = await startIn(way, ports, ports.folder, {
        MESSAGE_BYTES_MAX: '10000',
        SMTP_ERRORS_MAX: '100000',
        SMTP_IDLE_COMMANDS_MAX: '100000',
      })
      const random = seeded(8)
      const words = [
        'EHLO x\r\n',
        'HELO x\r\n',
        'MAIL FROM:<>\r\n',
        'MAIL FROM:<a@b> SIZE=5\r\n',
        'MAIL FROM:<a@b> X=1\r\n',
        'RCPT TO:<b@bounces.example.com>\r\n',
        'RCPT TO:<x@y>\r\n',
        'DATA\r\n',
        '.\r\n',
        '\r\n.\r\n',
        'BDAT 5\r\nabcde',
        'BDAT 3 LAST\r\nabc',
        'BDAT 99999999999\r\n',
        'RSET\r\n',
        'NOOP\r\n',
        'VRFY x\r\n',
        'STARTTLS\r\n',
        'HELP\r\n',
        '\0',
        '\r',
        '\n',
        'text of a line\r\n',
        'MAIL',
        ' FROM:',
        '<',
        '>',
        'x'.repeat(5_000),
        'QUIT\r\n',
      ]
      let queued = 0
      let settled = 0
      const until = Date.now() + fuzzMs
      for (let round = 0; Date.now() < until; round++) {
        if (round === 100) settled = process.memoryUsage().rss

        const dialogue = await ingest.open()
        let heard = ''
        dialogue.socket.on('data', (text: string) => {
          heard += text
        })
        dialogue.say('EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@bounces.example.com>\r\n')
        for (let n = 0; n < 80; n++)
          dialogue.say(words[random.next(words.length - (random.next(10) === 0 ? 0 : 1))] ?? '')
        await new Promise((resolve) => setTimeout(resolve, 15))
        await new Promise<void>((resolve) => {
          if (dialogue.socket.destroyed) return resolve()
          dialogue.socket.once('close', () => resolve())
          dialogue.socket.end()
          setTimeout(() => dialogue.socket.destroy(), 100)
        })
        queued += heard.match(/Queued as/g)?.length ?? 0
      }
      const grown = (process.memoryUsage().rss - settled) / 1_048_576
      assert.ok(settled > 0 && grown < 150, `memory grew by ${grown} MiB`)
      using last = await ingest.open()
      await hello(last)
      await begin(last)
      assert.match(await last.smtp('x\r\n.'), /^250/)
      const stored = (await ports.read('mail.raw')).length
      // A message whose 250 its client did not wait for is stored, too.
      assert.ok(stored >= queued + 1, `${stored} ${queued}`)
      assert.ok(queued > 20, `${queued}`)
    })
  })
}
