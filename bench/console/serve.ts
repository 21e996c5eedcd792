/** The HTTP side over a view that was filled before: prints its port, and at the end of its input the memory that it took. */
import { silentLogger } from '#lib/runtime/logger.ts'
import { openCodec } from '#schemas/codec.ts'
import { createApp } from '#services/console/app.ts'
import { EventView } from '#services/console/view/view.ts'
import { gapMs, messages, start } from './bench.ts'

const codec = await openCodec({ registryUrl: null })
const view = new EventView({ path: process.argv[2] ?? '', codec, logger: silentLogger, undecodable: () => {} })
const entries = { accepted: messages, forwarded: messages, classified: messages, stored: messages }
const app = await createApp({
  view,
  logger: silentLogger,
  now: () => start + messages * gapMs,
  suppressions: {
    get: () => null,
    list: () => [],
    all: function* () {},
    set: () => Promise.reject(new Error('not here')),
    counts: () => [],
  },
  auditLog: /(?<address>.)/,
  tokens: [],
  changed: () => {},
  ledger: async () => ({
    ...entries,
    waiting: 0,
    dead: 0,
    storing: 0,
    undecodable: 0,
    current: true,
    balanced: true,
    partitions: [],
  }),
  raw: async () => null,
  evidence: async () => null,
  lag: async () => [],
  redrive: async () => ({ redriven: 0, unsendable: 0, before: 0, retried: 0 }),
  told: async () => {},
  samples: { add: async () => {}, list: async () => ({ labels: [], next: null }) },
  replays: {
    list: async () => ({ replays: [], running: null, failed: null }),
    start: () => false,
    changes: async () => null,
  },
  routes: [],
  erasures: async () => [],
  health: async () => null,
})
const address = await app.listen({ host: '127.0.0.1', port: 0 })
process.stdout.write(`${new URL(address).port}\n`)
process.stdin.resume()
process.stdin.once('end', () => {
  process.stdout.write(`${(process.memoryUsage.rss() / 1024 / 1024).toFixed(0)}\n`)
  process.exit(0)
})
