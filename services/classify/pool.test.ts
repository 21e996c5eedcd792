/** The pool of threads: same verdicts as without, and a message that costs a thread costs nobody else. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { demoMessage } from '#cli/demo-mail.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { readSettings } from '#lib/runtime/settings.ts'
import { ManualClock } from '#lib/testing/clock.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { classify } from './classify.ts'
import { classifyOptions, classifySettings } from './config.ts'
import { openClassifier } from './pool.ts'

const logger = silentLogger
const config = { ...readSettings('test', classifySettings, { environment: {} }), classifyThreads: 2 }
const envelope = { reversePath: '', forwardPaths: [] }

describe('the pool', { timeout: 60_000 }, () => {
  it('finds what this thread would find, for messages that are views into one buffer', async () => {
    const clock = new ManualClock()
    const pool = openClassifier(config, { logger, clock, lost: () => assert.fail('no thread should be lost') })
    const mails = Array.from({ length: 200 }, (_, n) => Buffer.from(demoMessage(n).content))
    const all = Buffer.concat(mails)
    let at = 0
    const views = mails.map(({ length }) => {
      at += length
      return all.subarray(at - length, at)
    })
    const found = await Promise.all(views.map((bytes, n) => pool.ask({ id: String(n), bytes, envelope })))
    const options = classifyOptions(config)
    assert.deepEqual(
      found.map(({ verdict }) => verdict),
      mails.map((mail) => classify(mail, envelope, options)),
    )
    await pool.close()
    await assert.rejects(pool.ask({ id: '', bytes: all, envelope }), { code: 'LOG_CLOSED' })
  })

  it('waits for a file of rules that is gone when a thread begins, and then goes by it', async () => {
    using folder = temporaryFolder()
    const reasonRules = join(folder.path, 'rules.json')
    let lost = 0
    const clock = new ManualClock()
    const pool = openClassifier({ ...config, reasonRules, classifyThreads: 1 }, { logger, clock, lost: () => lost++ })
    const bytes = Buffer.from(
      'From: MAILER-DAEMON@x.example\r\nSubject: Undelivered\r\n\r\n<a@b.example>: 550 5.1.1 mauve\r\n',
    )
    const asked = pool.ask({ id: 'm', bytes, envelope })
    await until('the thread has given up', () => lost > 0, 10_000)
    writeFileSync(reasonRules, JSON.stringify([{ reason: 'blocked', pattern: 'mauve', example: 'mauve' }]))
    const timer = setInterval(() => clock.advance(1_000), 100).unref()
    assert.equal((await asked).verdict.recipients[0]?.reason, 'blocked')
    clearInterval(timer)
    await pool.close()
  })

  it('ends a thread that is silent, and says of its message alone that it is unknown', async () => {
    using folder = temporaryFolder()
    const reasonRules = join(folder.path, 'rules.json')
    // An operator's rule that never ends where it does not match.
    writeFileSync(reasonRules, JSON.stringify([{ reason: 'blocked', pattern: 'slow (a+)+$', example: 'slow aa' }]))
    const clock = new ManualClock()
    let lost = 0
    const pool = openClassifier({ ...config, reasonRules, classifyThreads: 1 }, { logger, clock, lost: () => lost++ })
    const bounce = (words: string): Buffer =>
      Buffer.from(
        `From: MAILER-DAEMON@x.example\r\nSubject: Undelivered Mail\r\n\r\n<a@b.example>: 550 5.1.1 user unknown ${words}\r\n`,
      )
    const asked = ['first', `slow ${'a'.repeat(60)}!`, 'third', 'fourth'].map((words, n) =>
      pool.ask({ id: String(n), bytes: bounce(words), envelope }),
    )
    // Real time for the thread to begin, and then its silence: seven steps of it are less than a thread may take to begin.
    const timer = setInterval(() => clock.advance(16_000), 1_500).unref()
    const kinds = (await Promise.all(asked)).map(({ verdict }) => verdict.kind)
    clearInterval(timer)
    assert.deepEqual(kinds, ['bounce', 'unknown', 'bounce', 'bounce'])
    assert.ok(lost >= 2)
    await pool.close()
  })

  it('keeps what it is asked while no thread can begin, and does not begin one after the other', async () => {
    const clock = new ManualClock()
    let lost = 0
    const broken = { ...config, optOutAddresses: null as unknown as string[], classifyThreads: 1 } // No thread can use it.
    const pool = openClassifier(broken, { logger, clock, lost: () => lost++ })
    try {
      const asked = pool.ask({ id: 'm', bytes: Buffer.from(demoMessage(0).content), envelope })
      asked.catch(() => {})
      for (const count of [1, 2, 3]) {
        await until('the thread to be lost', async () => lost === count, 10_000)
        await new Promise((resolve) => setTimeout(resolve, 500))
        assert.equal(lost, count)
        clock.advance(1_000)
      }
      await pool.close()
      await assert.rejects(asked, { code: 'LOG_CLOSED' })
    } finally {
      await pool.close()
    }
  })
})
