/** Forward beside its rivals: from a load through a server to a sink; the client alone; the backlog of an outage. */
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startMailweir } from '#lib/testing/mailweir.ts'
import { freePort } from '#lib/testing/ports.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { cpuOf, listens, load, median, type Running, rssOf, settleDisk } from '../measure.ts'
import { between, environmentOf } from './servers.ts'
import type { SinkReport } from './sink.ts'

const exec = promisify(execFile)
const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const backlogMessages = Number(process.env['BENCH_BACKLOG'] ?? 200_000)
const bytes = 4_096
const connections = 50

async function startSink() {
  const port = await freePort()
  const child = fork(join(import.meta.dirname, 'sink.ts'), [String(port)])
  await once(child, 'message')
  const ask = async (what: 'report' | 'reset'): Promise<SinkReport> => {
    child.send(what)
    const [report] = (await once(child, 'message')) as [SinkReport] // What sink.ts sends.
    return report
  }
  return {
    port,
    ask,
    /** Waits until so many have come. */
    all: async (messages: number): Promise<SinkReport> => {
      for (;;) {
        const report = await ask('report')
        if (report.received >= messages) return report
        await sleep(20)
      }
    },
    stop: () => child.kill('SIGKILL'),
  }
}
type Sink = Awaited<ReturnType<typeof startSink>>

type Figures = { perSecond: number; cpuPerThousand: number; p50: number; p99: number; rssMiB: number }

async function pass(running: Running, sink: Sink, messages: number, more: readonly string[]): Promise<Figures> {
  await settleDisk()
  await sink.ask('reset')
  const before = cpuOf(running)
  const startedAt = Date.now()
  await load(running.port, [connections, messages, bytes, 'stamp', ...more])
  const { lastAt, p50, p99 } = await sink.all(messages)
  return {
    perSecond: (messages * 1000) / (lastAt - startedAt),
    cpuPerThousand: ((cpuOf(running) - before) * 1000) / messages,
    p50,
    p99,
    rssMiB: rssOf(running),
  }
}

const row = (name: string, all: readonly Figures[]): string => {
  const of = (pick: (each: Figures) => number, digits: number): string => median(all.map(pick)).toFixed(digits)
  return `| ${name} | ${of((f) => f.perSecond, 0)} | ${of((f) => f.cpuPerThousand, 3)} | ${of((f) => f.p50, 1)} | ${of((f) => f.p99, 1)} | ${of((f) => f.rssMiB, 0)} |`
}
const head =
  '| between | end to end/s | CPU-s per 1,000 | delay p50 ms | delay p99 ms | RSS MiB |\n| --- | --- | --- | --- | --- | --- |'

async function throughput(): Promise<string> {
  const sink = await startSink()
  const servers: { readonly name: string; readonly messages: number; readonly running: Running }[] = []
  for (const { name, skip, messages, start } of between) {
    if (skip !== false) continue
    const running = await start(sink.port)
    servers.push({ name, messages, running })
    for (let warm = 0; warm < 2; warm++) await pass(running, sink, messages, [])
  }
  const full = new Map<string, Figures[]>()
  const half = new Map<string, Figures[]>()
  const note = (all: Map<string, Figures[]>, name: string, figures: Figures): void => {
    process.stderr.write(`${name}: ${figures.perSecond.toFixed(0)}/s, p50 ${figures.p50.toFixed(1)} ms\n`)
    all.set(name, [...(all.get(name) ?? []), figures])
  }
  for (let round = 0; round < rounds; round++) {
    for (const { name, messages, running } of servers) note(full, name, await pass(running, sink, messages, []))
    for (const { name, messages, running } of servers) {
      const rate = Math.floor(median((full.get(name) ?? []).map(({ perSecond }) => perSecond)) / 2)
      note(half, name, await pass(running, sink, Math.min(messages, rate * 4), [`rate=${rate}`]))
    }
  }
  for (const { running } of servers) await running.stop()
  sink.stop()
  const rows = (all: Map<string, Figures[]>): string => [...all].map(([name, figures]) => row(name, figures)).join('\n')
  return `As fast as it goes\n\n${head}\n${rows(full)}\n\nAt half of that rate\n\n${head}\n${rows(half)}\n`
}

async function client(): Promise<string> {
  const sink = await startSink()
  const rows: string[] = []
  for (const [name, args] of [
    ['4 KB, 20 connections', [20, 60_000, bytes]],
    ['1 MB, 10 connections', [10, 1_000, 1_048_576]],
  ] as const) {
    const found: { perSecond: number; cpuPerThousand: number }[] = []
    for (let round = 0; round < rounds; round++) {
      const { stdout } = await exec(process.execPath, [
        join(import.meta.dirname, 'client.ts'),
        String(sink.port),
        ...args.map(String),
      ])
      found.push(JSON.parse(stdout) as (typeof found)[number])
    }
    const of = (pick: (each: (typeof found)[number]) => number): number => median(found.map(pick))
    rows.push(`| ${name} | ${of((f) => f.perSecond).toFixed(0)} | ${of((f) => f.cpuPerThousand).toFixed(3)} |`)
  }
  sink.stop()
  return `The client alone\n\n| messages | per second | CPU-s per 1,000 |\n| --- | --- | --- |\n${rows.join('\n')}\n`
}

/** Mail that came in while the legacy system was away, and how fast it goes out when it is back. */
async function backlog(): Promise<string> {
  const folder = temporaryFolder()
  const [port, sinkPort] = await Promise.all([freePort(), freePort()])
  const environment = environmentOf(folder.path, port, sinkPort)
  const ingest = startMailweir(['ingest'], environment)
  await listens(port)
  await load(port, [connections, backlogMessages, bytes])
  await ingest.end('SIGTERM')
  const sink = await startSink()
  const forward = startMailweir(['forward'], { ...environment, LEGACY_SMTP: `smtp://127.0.0.1:${sink.port}` })
  const running: Running = { port, pids: () => [forward.pid], stop: async () => {} }
  const memory: number[] = []
  const timer = setInterval(() => memory.push(rssOf(running)), 200)
  const { firstAt, lastAt } = await sink.all(backlogMessages)
  clearInterval(timer)
  const rate = (backlogMessages * 1000) / (lastAt - firstAt)
  await forward.end('SIGTERM')
  sink.stop()
  folder[Symbol.dispose]()
  const quarter = memory.slice(Math.floor(memory.length / 4))
  return `A backlog of ${backlogMessages} messages on the embedded log: ${rate.toFixed(0)}/s; RSS of forward ${Math.min(...quarter).toFixed(0)} to ${Math.max(...memory).toFixed(0)} MiB after its first quarter\n`
}

export async function run(): Promise<string> {
  return `${await client()}\n${await throughput()}\n${await backlog()}`
}
