/** The console's view: how fast it takes events, and how long its questions take with so many messages in it. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger } from '#lib/runtime/logger.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { openCodec } from '#schemas/codec.ts'
import { event } from '#schemas/events.ts'
import type { Event } from '#schemas/types.ts'
import { EventView } from '#services/console/view/view.ts'
import { median } from '../measure.ts'

/** The time between two messages. */
export const gapMs = 400
export const messages = Number(process.env['BENCH_MESSAGES'] ?? 1_000_000)
const batch = 500
const reasons = ['userunknown', 'mailboxfull', 'blocked', 'spamdetected', 'expired']
export const start = Date.UTC(2026, 10, 1)

export function* eventsOf(n: number): Generator<Event> {
  const position = { partition: n % 4, offset: Math.floor(n / 4) }
  const base = { messageId: `message-${n}`, position, at: start + n * gapMs }
  const address = `user${n % 400_000}@domain${n % 997}.example`
  yield event({
    ...base,
    type: 'accepted',
    service: 'ingest',
    size: 4_000,
    clientAddress: `192.0.${n % 200}.1`,
    recipients: [],
  })
  yield event({
    ...base,
    type: 'forwarded',
    service: 'forward',
    state: 'forwarded',
    host: 'legacy:25',
    reply: '250 ok',
  })
  yield event({
    ...base,
    type: 'classified',
    service: 'classify',
    kind: n % 5 === 0 ? 'auto-reply' : 'bounce',
    variant: n % 2 === 0 ? 'hard' : 'soft',
    subject: `Undelivered mail ${n}`,
    original: { campaign: `campaign-${n % 50}` },
    recipients: [
      {
        address,
        status: '5.1.1',
        reason: reasons[n % reasons.length] ?? '',
        permanent: n % 2 === 0,
        reply: `550 5.1.1 mailbox of host${n % 5_000} unavailable`,
      },
    ],
  })
  yield event({
    ...base,
    type: 'stored',
    service: 'quarantine',
    mailbox: 'Bounces/Hard/2026-11-24',
    location: { object: 'x', blockOffset: 0, blockLength: 1, recordIndex: 0 },
  })
}

export async function run(): Promise<string> {
  using folder = temporaryFolder()
  const codec = await openCodec({ registryUrl: null })
  const path = join(folder.path, 'view.sqlite')
  const view = new EventView({ path, codec, logger: silentLogger, undecodable: () => {} })
  for (let partition = 0; partition < 4; partition++) view.setBase(partition, 0)
  const offsets = [0n, 0n, 0n, 0n]
  let applying = 0
  const rates: number[] = []
  for (let n = 0; n < messages; n += batch) {
    const records = Array.from({ length: Math.min(batch, messages - n) }, (_, k) => [...eventsOf(n + k)])
      .flat()
      .map((each) => {
        const { partition } = each.position
        const offset = offsets[partition] ?? 0n
        offsets[partition] = offset + 1n
        return {
          topic: 'mail.events',
          partition,
          offset,
          key: each.messageId,
          value: codec.encode('event', each),
          timestamp: each.at,
        }
      })
    const from = performance.now()
    view.apply(records)
    const ms = performance.now() - from
    applying += ms
    if (n + batch * 40 > messages) rates.push((records.length * 1000) / ms)
  }
  view.close()
  // Asked by a process that has not made the events: what it takes is what a console takes.
  const answers = execFileSync(process.execPath, [join(import.meta.dirname, 'ask.ts'), path], { encoding: 'utf8' })
  const page = await openPage(path)
  return `${messages} messages, ${messages * 4} events: ${((messages * 4 * 1000) / applying).toFixed(0)} events/s over all, ${median(rates).toFixed(0)} at the end; ${(statSync(path).size / 1024 / 1024).toFixed(0)} MiB on disk\n\n${answers}${page}`
}

const browserPath = '/usr/bin/chromium'

/** The page over that view in Chromium: from the address to something that takes keys, and to all that the overview shows. */
async function openPage(path: string): Promise<string> {
  if (!existsSync(browserPath)) return '\nThe page: no chromium\n'
  const server = spawn(process.execPath, [join(import.meta.dirname, 'serve.ts'), path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let said = ''
  server.stdout.on('data', (chunk) => {
    said += String(chunk)
  })
  const port = await until('the port', () => /^(\d+)\n/.exec(said)?.[1])
  // Not in the memory of the processes that take the events from here.
  const { chromium } = await import('playwright-core')
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic'],
  })
  const interactive: number[] = []
  const whole: number[] = []
  for (let round = 0; round < 11; round++) {
    const page = await (await browser.newContext()).newPage()
    await page.goto(`http://127.0.0.1:${port}/`)
    await page.locator('nav a').first().waitFor()
    interactive.push(Number(await page.evaluate('performance.now()')))
    for (const id of ['ledger', 'kinds']) await page.locator(`#${id} tr`).first().waitFor()
    await page.locator('figure svg rect').first().waitFor()
    await page.locator('.columns section').nth(3).locator('tr').nth(1).waitFor()
    whole.push(Number(await page.evaluate('performance.now()')))
    await page.context().close()
  }
  await browser.close()
  server.stdin.end()
  await once(server, 'exit')
  const memory = said.trim().split('\n').at(-1)
  return `\nThe page in Chromium, milliseconds at the median (most): the menu ${median(interactive).toFixed(0)} (${Math.max(...interactive).toFixed(0)}), all of the overview ${median(whole).toFixed(0)} (${Math.max(...whole).toFixed(0)}); the process that serves it: ${memory} MiB\n`
}
