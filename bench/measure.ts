/** Servers under test, what a process costs, and the median. */
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '#lib/testing/wait.ts'
import type { LoadResult } from './load.ts'

const exec = promisify(execFile)

export type Running = { readonly port: number; pids(): readonly number[]; stop(): Promise<void> }
/** Runs the load as a process of its own; `load.ts` says what its arguments are. */
export const load = async (port: number, args: readonly (string | number)[]): Promise<LoadResult> =>
  JSON.parse(
    (
      await exec(process.execPath, [join(import.meta.dirname, 'load.ts'), String(port), ...args.map(String)], {
        maxBuffer: 1_000_000,
      })
    ).stdout,
  ) as LoadResult

export const listens = (port: number) =>
  until(
    'the listener',
    () =>
      new Promise<boolean>((resolve) => {
        const socket = connect(port, '127.0.0.1')
        socket.once('connect', () => {
          socket.destroy()
          resolve(true)
        })
        socket.once('error', () => resolve(false))
      }),
  )

/** A process and all below it. */
export function family(pid: number): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number))
  const found = [pid]
  for (const parent of found) for (const [child = 0, of = 0] of rows) if (of === parent) found.push(child)
  return found
}

/** Of those that still run; of one that has ended its parent has the time. */
const alive = <T>(pids: readonly number[], of: (pid: number) => T): T[] =>
  pids.flatMap((pid) => {
    try {
      return [of(pid)]
    } catch {
      return []
    }
  })
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
const rss = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

/** Writes out what earlier servers left to be written, so that no server pays for another's disk. */
export const settleDisk = (): Promise<unknown> => exec('sync')

/** CPU seconds of all processes of a server so far. */
export const cpuOf = (running: Running): number => sum(alive(running.pids(), cpuSeconds))
/** Their resident memory now, MiB. */
export const rssOf = (running: Running): number => sum(alive(running.pids(), rss))

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** CPU seconds of a process and the children that it waited for, so far (proc(5), /proc/pid/stat fields 14 to 17). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0) / ticksPerSecond
}

export const median = (numbers: readonly number[]): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
