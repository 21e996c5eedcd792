/** The whole way in one process on the embedded default, as `npm start` runs it. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { listenSettings, runMailweir, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { corpusMessages, corpusMissing, largeMessage, testMessages } from '#lib/testing/messages.ts'
import { sendAll } from '#lib/testing/send.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { ask, checkFlow, checkTrace, type Flow, ledgerOf, received } from './flow.ts'

const exec = promisify(execFile)

async function startAll(dataDir: string) {
  const { ports, settings } = await listenSettings()
  const environment = { ...settings, DATA_DIR: dataDir, SEGMENT_MS: '200' }
  const start = async () => {
    const process = startMailweir(['up'], environment)
    await whenReady(process, ports.console)
    return process
  }
  const process = await start()
  const flow: Flow = {
    ports,
    dataDir,
    user: 'mailweir',
    password: readFileSync(join(dataDir, 'imap-password'), 'utf8').trim(),
  }
  return { flow, process, start, environment, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() }
}

describe('the whole way, embedded', () => {
  it('takes, forwards, classifies, stores and shows every message unchanged, and stops cleanly', async () => {
    using folder = temporaryFolder()
    await using all = await startAll(folder.path)
    const { flow, process } = all
    const { ports } = flow
    const out = await until('the lines for a person', () => /Mailweir is up/.test(process.stdout()) && process.stdout())
    assert.match(out, new RegExp(`smtp://127.0.0.1:${ports.smtp}`))
    assert.match(out, new RegExp(`password ${flow.password}`))
    const messages = [...testMessages(), largeMessage()]
    const ids = await sendAll(ports.smtp, messages)
    assert.equal(new Set(ids).size, messages.length)
    await checkFlow(flow, messages, { repeats: false, metricsPorts: [ports.console] })
    await checkTrace(flow, ids[0] ?? '', messages[0] as (typeof messages)[0])
    assert.equal(await process.end('SIGTERM'), 0, process.stderr())
    assert.equal(process.stderr(), '')
  })

  it('loses nothing when it is killed in the middle of it', async () => {
    using folder = temporaryFolder()
    await using all = await startAll(folder.path)
    const { flow, process, start } = all
    const messages = testMessages()
    let second: Promise<Awaited<ReturnType<typeof start>>> | null = null
    await sendAll(flow.ports.smtp, messages, {
      sent: (count) => {
        if (count === 120) second = process.end('SIGKILL').then(start)
      },
    })
    assert.ok(second)
    await using again = await (second as Promise<Awaited<ReturnType<typeof start>>>)
    await checkFlow(flow, messages, { repeats: true, metricsPorts: [flow.ports.console] })
    const { accepted } = await ledgerOf(flow.ports)
    // Of each of the four clients at most one message was on its way.
    assert.ok(accepted <= messages.length + 4, `${accepted}`)
    assert.ok(received(folder.path).length <= messages.length + 250)
    assert.equal(await again.end('SIGTERM'), 0, again.stderr())
  })

  it('takes mail from swaks, and replays it without touching what runs', async () => {
    using folder = temporaryFolder()
    await using all = await startAll(folder.path)
    const { flow, process, environment } = all
    await exec('swaks', [
      '--server',
      `127.0.0.1:${flow.ports.smtp}`,
      '--from',
      'person@remote.example',
      '--to',
      'unsubscribe@bounces.example.com',
      '--header',
      'Subject: unsubscribe',
      '--body',
      'please',
    ])
    await sendAll(flow.ports.smtp, testMessages(40))
    await until('all is stored', async () => (await ledgerOf(flow.ports)).stored === 41)
    const { kinds } = await ask<{ kinds: { kind: string; messages: number }[] }>(flow.ports, '/api/overview')
    assert.equal(kinds.find(({ kind }) => kind === 'opt-out')?.messages, 1)
    const before = await ledgerOf(flow.ports)
    const replay = ['replay', '--from', new Date(Date.now() - 60_000).toISOString(), '--name', 'again', '--json']
    const same = await runMailweir(replay, environment)
    assert.equal(same.code, 0, same.stderr)
    assert.deepEqual(JSON.parse(same.stdout.trim().split('\n').at(-1) ?? ''), {
      messages: 41,
      changed: 0,
      unknown: 0,
      undecodable: 0,
      topic: 'mail.replay.again',
    })
    const other = await runMailweir(replay.with(4, 'other-rules'), { ...environment, OPT_OUT_ADDRESSES: 'bounces' })
    const lines = other.stdout.trim().split('\n')
    const summary = JSON.parse(lines.at(-1) ?? '')
    assert.ok(summary.changed > 0, other.stdout)
    assert.equal(lines.length, summary.changed + 1)
    assert.deepEqual(await ledgerOf(flow.ports), before)
    assert.equal(await process.end('SIGTERM'), 0, process.stderr())
  })

  const corpus = corpusMessages()
  it('does so with the shared corpus', { skip: corpus === null && corpusMissing }, async () => {
    using folder = temporaryFolder()
    await using all = await startAll(folder.path)
    const { flow, process } = all
    const messages = corpus ?? []
    await sendAll(flow.ports.smtp, messages)
    await checkFlow(flow, messages, { repeats: false, metricsPorts: [flow.ports.console] })
    assert.equal(await process.end('SIGTERM'), 0, process.stderr())
  })
})
