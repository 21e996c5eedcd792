/** Ingest beside its rivals, each scenario in turn in every round; prints JSON and tables. */
import { connect, type Socket } from 'node:net'
import type { LoadResult } from '../load.ts'
import { cpuOf, load, median, type Running, rssOf, settleDisk } from '../measure.ts'
import { rivals } from './servers.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)

/** Each server is loaded for so long before it is measured: code is compiled until then, Java's longest. */
const warmUpMs = 6_000

type Figures = LoadResult & { readonly cpuPerThousand: number; readonly rssMiB: number }
type Scenario = {
  readonly name: string
  readonly args: readonly (string | number)[]
  readonly messages: number
  readonly without?: RegExp
}

const scenarios: readonly Scenario[] = [
  { name: '4 KB, 50 connections', args: [50, 10_000, 4_096], messages: 10_000 },
  { name: '50 KB, 50 connections', args: [50, 1_500, 51_200], messages: 1_500 },
  { name: '4 KB, one message a connection', args: [50, 3_000, 4_096, 'per-connection'], messages: 3_000 },
  {
    name: '4 KB, STARTTLS, 50 connections',
    args: [50, 6_000, 4_096, 'tls'],
    messages: 6_000,
    without: /Postfix|Kafka|Haraka/,
  },
  { name: '4 KB, open loop at 250/s', args: [20, 750, 4_096, 'rate=250'], messages: 750, without: /smtp-server/ },
]

async function warmUp(running: Running, scenario: Scenario): Promise<void> {
  const until = Date.now() + warmUpMs
  while (Date.now() < until) await load(running.port, scenario.args)
}

async function measure(running: Running, scenario: Scenario): Promise<Figures> {
  await settleDisk()
  const before = cpuOf(running)
  const result = await load(running.port, scenario.args)
  const cpu = cpuOf(running) - before
  return { ...result, cpuPerThousand: (cpu * 1000) / scenario.messages, rssMiB: rssOf(running) }
}

function table(name: string, found: ReadonlyMap<string, readonly Figures[]>): string {
  const rows = [...found].map(([rival, figures]) => {
    const of = (pick: (each: Figures) => number, digits: number): string => median(figures.map(pick)).toFixed(digits)
    const best = Math.max(...figures.map(({ perSecond }) => perSecond)).toFixed(0)
    return `| ${rival} | ${best} | ${of((f) => f.perSecond, 0)} | ${of((f) => f.cpuPerThousand, 3)} | ${of((f) => f.p50, 1)} | ${of((f) => f.p99, 1)} | ${of((f) => f.rssMiB, 0)} |`
  })
  return `\n${name}\n\n| server | best/s | median/s | CPU-s per 1,000 | p50 ms | p99 ms | RSS MiB |\n| --- | --- | --- | --- | --- | --- | --- |\n${rows.join('\n')}\n`
}

/** RSS with so many idle connections, and with 100 clients that send 25 MB each at once. */
async function memory(): Promise<string> {
  const [embedded] = rivals
  if (embedded === undefined) return ''
  const idle = await embedded.start()
  const sockets = await Promise.all(Array.from({ length: 5_000 }, () => greeted(idle)))
  const idleMiB = rssOf(idle)
  for (const socket of sockets) socket.destroy()
  await idle.stop()
  const large = await embedded.start()
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, rssOf(large))
  }, 50)
  const result = await load(large.port, [100, 100, 25 * 1024 * 1024])
  clearInterval(timer)
  await large.stop()
  return `\n| memory | RSS MiB |\n| --- | --- |\n| 5,000 idle connections | ${idleMiB.toFixed(0)} |\n| 100 clients sending 25 MB each at once (peak; ${result.refused} refused) | ${peak.toFixed(0)} |\n`
}

const greeted = (running: Running): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(running.port, '127.0.0.1')
    socket.once('data', () => resolve(socket))
    socket.once('error', reject)
  })

export async function run(): Promise<string> {
  const json: unknown[] = []
  let text = ''
  for (const scenario of scenarios) {
    const found = new Map<string, Figures[]>()
    const servers: { readonly name: string; readonly running: Running }[] = []
    for (const rival of rivals) {
      if (rival.skip !== false || scenario.without?.test(rival.name)) continue
      const running = await rival.start()
      servers.push({ name: rival.name, running })
      await warmUp(running, scenario)
    }
    for (let round = 0; round < rounds; round++) {
      for (const { name, running } of servers) {
        const figures = await measure(running, scenario)
        process.stderr.write(`${scenario.name}: ${name}: ${figures.perSecond.toFixed(0)}/s\n`)
        json.push({ scenario: scenario.name, server: name, round, ...figures })
        found.set(name, [...(found.get(name) ?? []), figures])
      }
    }
    for (const { running } of servers) await running.stop()
    text += table(scenario.name, found)
  }
  return `${JSON.stringify(json)}\n${text}${await memory()}`
}
