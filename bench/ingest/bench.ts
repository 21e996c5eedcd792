/** Ingest beside its rivals, each scenario in turn in every round; prints JSON and tables. */
import { connect, type Socket } from 'node:net'
import type { LoadResult } from '../load.ts'
import { cpuOf, load, median, type Running, rssOf, settleDisk } from '../measure.ts'
import { rivals } from './servers.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)

/** Each server is loaded for so long before it is measured: code is compiled until then, Java's longest. */
const warmUpMs = 6_000
/** About how long a server's turn is: as many messages as it takes in that time, so a fast one is not measured by its first second. */
const turnMs = 3_000
const only = new RegExp(process.env['BENCH_SCENARIOS'] ?? '')

type Figures = LoadResult & { readonly cpuPerThousand: number; readonly rssMiB: number }
type Scenario = {
  readonly name: string
  readonly connections: number
  /** Of the first load, before the server's rate is known. */
  readonly messages: number
  readonly bytes: number
  readonly options?: readonly string[]
  readonly without?: RegExp
}

const scenarios: readonly Scenario[] = [
  { name: '4 KB, 50 connections', connections: 50, messages: 4_000, bytes: 4_096 },
  { name: '50 KB, 50 connections', connections: 50, messages: 1_000, bytes: 51_200 },
  {
    name: '4 KB, one message a connection',
    connections: 50,
    messages: 1_000,
    bytes: 4_096,
    options: ['per-connection'],
  },
  {
    name: '4 KB, STARTTLS, 50 connections',
    connections: 50,
    messages: 4_000,
    bytes: 4_096,
    options: ['tls'],
    without: /Postfix|Kafka|Haraka/,
  },
  {
    name: '4 KB, open loop at 250/s',
    connections: 20,
    messages: 750,
    bytes: 4_096,
    options: ['rate=250'],
    without: /smtp-server/,
  },
]

const turn = (
  running: Running,
  { connections, bytes, options = [] }: Scenario,
  messages: number,
): Promise<LoadResult> => load(running.port, [connections, messages, bytes, ...options])

/** Gives how many messages a turn of this server has. */
async function warmUp(running: Running, scenario: Scenario): Promise<number> {
  const until = Date.now() + warmUpMs
  let { messages } = scenario
  while (Date.now() < until) {
    const { perSecond } = await turn(running, scenario, messages)
    messages = Math.ceil((perSecond * turnMs) / 1000)
  }
  return messages
}

async function measure(running: Running, scenario: Scenario, messages: number): Promise<Figures> {
  await settleDisk()
  const before = cpuOf(running)
  const result = await turn(running, scenario, messages)
  const cpu = cpuOf(running) - before
  return { ...result, cpuPerThousand: (cpu * 1000) / messages, rssMiB: rssOf(running) }
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
  for (const scenario of scenarios.filter(({ name }) => only.test(name))) {
    const found = new Map<string, Figures[]>()
    const servers: { readonly name: string; readonly messages: number; readonly running: Running }[] = []
    for (const rival of rivals) {
      if (rival.skip !== false || scenario.without?.test(rival.name)) continue
      const running = await rival.start()
      servers.push({ name: rival.name, messages: await warmUp(running, scenario), running })
    }
    for (let round = 0; round < rounds; round++) {
      for (const { name, messages, running } of servers) {
        const figures = await measure(running, scenario, messages)
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
