/** What the whole-way tests share: what has to be true at the end, however the processes were started and killed. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ImapFlow } from 'imapflow'
import type { StandInLine } from '#cli/stand-in.ts'
import { type Ports, startMailweir, whenReady } from '#lib/testing/mailweir.ts'
import { sha256, type TestMessage } from '#lib/testing/messages.ts'
import { freePort } from '#lib/testing/ports.ts'
import { until } from '#lib/testing/wait.ts'
import type { Ledger } from '#services/console/ledger.ts'

const exec = promisify(execFile)

export type Flow = { readonly ports: Ports; readonly dataDir: string; readonly user: string; readonly password: string }

export const ask = async <T>(ports: Ports, path: string): Promise<T> => {
  const response = await fetch(`http://127.0.0.1:${ports.console}${path}`)
  assert.equal(response.status, 200, path)
  return (await response.json()) as T
}

export const ledgerOf = (ports: Ports): Promise<Ledger> => ask(ports, '/api/ledger')

/** The books as a console of its own reads them from the log. */
export async function booksOf(environment: Readonly<Record<string, string>>): Promise<Ledger> {
  const port = await freePort()
  await using console = startMailweir(['console'], { ...environment, CONSOLE_LISTEN: `127.0.0.1:${port}` })
  await whenReady(console, port)
  const found = await until(
    'the ledger',
    async () => {
      const now = (await (await fetch(`http://127.0.0.1:${port}/api/ledger`)).json()) as Ledger
      return now.current && now
    },
    60_000,
  )
  await console.end('SIGTERM')
  return found
}

export function received(dataDir: string): StandInLine[] {
  return readFileSync(join(dataDir, 'legacy', 'received.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

const line = (message: Pick<StandInLine, 'sha256' | 'reversePath' | 'parameters' | 'forwardPaths'>): string =>
  JSON.stringify([message.sha256, message.reversePath, message.parameters, message.forwardPaths])

/** The envelope as the stand-in tells it: DATA has no other body type to tell. */
const sent = (message: TestMessage): string =>
  line({
    sha256: sha256(message.content),
    reversePath: message.reversePath.address,
    parameters: message.reversePath.parameters,
    forwardPaths: message.forwardPaths,
  })

const counts = (lines: readonly string[]): Record<string, number> => {
  const found: Record<string, number> = {}
  for (const text of lines) found[text] = (found[text] ?? 0) + 1
  return found
}

/** Every message of every mailbox, by IMAP: its bytes' hash by mailbox and UID. */
export async function readMailboxes(flow: Flow): Promise<{ mailbox: string; uid: number; sha256: string }[]> {
  const client = new ImapFlow({
    host: '127.0.0.1',
    port: flow.ports.imaps,
    secure: true,
    tls: { rejectUnauthorized: false },
    auth: { user: flow.user, pass: flow.password },
    logger: false,
  })
  await client.connect()
  const found: { mailbox: string; uid: number; sha256: string }[] = []
  try {
    for (const { path, flags } of await client.list()) {
      if (flags.has('\\Noselect')) continue
      const box = await client.mailboxOpen(path, { readOnly: true })
      if (box.exists === 0) continue
      for await (const message of client.fetch('1:*', { uid: true, source: true })) {
        assert.ok(message.source)
        found.push({ mailbox: path, uid: message.uid, sha256: sha256(message.source) })
      }
    }
  } finally {
    await client.logout()
  }
  return found
}

/**
 * The legacy system got every message with its envelope; every mail program sees each accepted one once; the books balance.
 * @param options.repeats a crash lies behind: the legacy system may have got some twice, and a client that did not hear its 250 has
 *   sent its message again
 */
export async function checkFlow(
  flow: Flow,
  messages: readonly TestMessage[],
  options: { readonly repeats: boolean; readonly metricsPorts: readonly number[] },
): Promise<void> {
  const ledger = await until(
    'the ledger',
    async () => {
      const now = await ledgerOf(flow.ports)
      return now.accepted >= messages.length && now.forwarded === now.accepted && now.stored === now.accepted && now
    },
    120_000,
  )
  assert.equal(ledger.balanced, true)
  assert.equal(ledger.current, true)
  assert.equal(ledger.classified, ledger.accepted)
  assert.equal(ledger.waiting, 0)
  assert.equal(ledger.dead, 0)
  const wanted = counts(messages.map(sent))
  const got = counts(received(flow.dataDir).map(line))
  assert.deepEqual(Object.keys(got).sort(), Object.keys(wanted).sort())
  if (!options.repeats) {
    assert.equal(ledger.accepted, messages.length)
    assert.deepEqual(got, wanted)
  }
  for (const [text, times] of Object.entries(wanted)) assert.ok((got[text] ?? 0) >= times, text)

  const stored = await readMailboxes(flow)
  assert.equal(stored.length, ledger.accepted)
  const wantedBytes = counts(messages.map((message) => sha256(message.content)))
  const storedBytes = counts(stored.map((message) => message.sha256))
  assert.deepEqual(Object.keys(storedBytes).sort(), Object.keys(wantedBytes).sort())
  if (!options.repeats) assert.deepEqual(storedBytes, wantedBytes)

  // Another mail program, other code: the same bytes. Not of the first message, whose trace tells each time that it was read.
  const first = messages[0] === undefined ? '' : sha256(messages[0].content)
  const some = stored.filter((message, index) => index % 40 === 0 && message.sha256 !== first)
  for (const { mailbox, uid, sha256: hash } of some) {
    const { stdout } = await exec(
      'curl',
      [
        '-s',
        '-u',
        `${flow.user}:${flow.password}`,
        `imap://127.0.0.1:${flow.ports.imap}/${encodeURIComponent(mailbox)};UID=${uid}`,
      ],
      { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 },
    )
    assert.equal(sha256(stdout), hash, `${mailbox} ${uid}`)
  }

  if (!options.repeats) {
    const text = (
      await Promise.all(
        options.metricsPorts.map(async (port) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
      )
    ).join('\n')
    const sum = (name: string): number =>
      text
        .split('\n')
        .filter((row) => row.startsWith(`${name} `) || row.startsWith(`${name}{`))
        .reduce((total, row) => total + Number(row.slice(row.lastIndexOf(' ') + 1)), 0)
    assert.equal(sum('mailweir_ingest_accepted_total'), messages.length)
    assert.equal(sum('mailweir_forward_forwarded_total'), messages.length)
    assert.equal(sum('mailweir_classify_classified_total'), messages.length)
    assert.equal(sum('mailweir_quarantine_stored_total'), messages.length)
    assert.equal(sum('mailweir_ledger_balanced'), 1)
  }
}

/** A message's trace: in, on, understood, kept; and its bytes by the API. */
export async function checkTrace(flow: Flow, id: string, message: TestMessage): Promise<void> {
  const known = await until('the trace', async () => {
    const found = await ask<{ trace: { type: string }[]; state: string; mailbox: string }>(
      flow.ports,
      `/api/messages/${id}`,
    )
    return found.trace.some((step) => step.type === 'stored') && found
  })
  assert.deepEqual(known.trace.map((step) => step.type).sort(), [
    'accepted',
    'classified',
    'forwarded',
    'read',
    'stored',
  ])
  const raw = await fetch(`http://127.0.0.1:${flow.ports.console}/api/messages/${id}/raw`)
  assert.equal(sha256(Buffer.from(await raw.arrayBuffer())), sha256(message.content))
}
