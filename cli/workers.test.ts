import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import { readAll } from '#lib/log/read-all.ts'
import { silentLogger } from '#lib/runtime/logger.ts'
import { listenSettings, runMailweir, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { testMessages } from '#lib/testing/messages.ts'
import { freePort } from '#lib/testing/ports.ts'
import { sendAll } from '#lib/testing/send.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'

const childrenOf = (pid: number): number[] =>
  execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child = 0]) => child)

describe('mailweir ingest --workers', () => {
  it('shares the listener, counts for all, starts again what dies, and stops without losing anything', async () => {
    using folder = temporaryFolder()
    const { ports, settings } = await listenSettings()
    const health = await freePort()
    await using ingest = startMailweir(['ingest', '--workers', '2'], {
      ...settings,
      DATA_DIR: folder.path,
      MAIL_DOMAINS: '*',
      LOG_LEVEL: 'error',
      HEALTH_LISTEN: `127.0.0.1:${health}`,
    })
    await whenReady(ingest, health)
    const workers = childrenOf(ingest.pid)
    assert.equal(workers.length, 2)
    const ids = [...(await sendAll(ports.smtp, testMessages(60), { connections: 8 }))]
    const metrics = await (await fetch(`http://127.0.0.1:${health}/metrics`)).text()
    assert.match(metrics, /^mailweir_ingest_accepted_total 60$/m)
    process.kill(workers[0] ?? 0, 'SIGKILL')
    ids.push(...(await sendAll(ports.smtp, testMessages(60), { connections: 8 })))
    await until('the new worker', () => childrenOf(ingest.pid).length === 2)
    await whenReady(ingest, health)
    assert.match(
      await (await fetch(`http://127.0.0.1:${health}/metrics`)).text(),
      /^mailweir_worker_restarts_total 1$/m,
    )
    assert.equal(await ingest.end('SIGTERM'), 0, ingest.stderr())
    const log = openEmbeddedLog({ path: `${folder.path}/log.sqlite`, logger: silentLogger, recordBytesMax: 1_048_576 })
    const stored = new Set<string | null>()
    for await (const { key } of readAll(log, 'mail.raw')) stored.add(key)
    await log.close()
    assert.deepEqual(
      ids.filter((id) => !stored.has(id)),
      [],
    )
  })

  it('ends with the exit code of wrong settings, and says them once', async () => {
    const { code, stderr } = await runMailweir(['ingest', '--workers', '3'], { SMTP_LISTEN: 'x' })
    assert.equal(code, 78)
    assert.equal(stderr.match(/SMTP_LISTEN="x"/g)?.length, 1)
  })
})
