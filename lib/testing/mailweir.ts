/** Mailweir as its users run it: processes of the command line, on free ports, with nothing of our environment. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { freePort } from './ports.ts'
import { until } from './wait.ts'

const root = join(import.meta.dirname, '..', '..')
/** As bin/mailweir.cjs and the Dockerfile have it. */
const nodeOptions = '--max-semi-space-size=8'
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export type Running = {
  readonly pid: number
  stdout(): string
  stderr(): string
  /** Sends the signal and waits for the end; gives the exit code, or null after a signal. */
  end(signal: NodeJS.Signals): Promise<number | null>
  readonly exit: Promise<number | null>
  /** SIGKILL, if it still runs. */
  [Symbol.asyncDispose](): Promise<void>
}

/** @param wrapper a program with arguments that runs the rest of its own */
export function startMailweir(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  wrapper: readonly string[] = [],
): Running {
  const [program = process.execPath, ...rest] = [...wrapper, process.execPath, join(root, 'mailweir.ts'), ...args]
  const child = spawn(program, rest, {
    cwd: root,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      NODE_OPTIONS: nodeOptions,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8')
    child[name].on('data', (text: string) => {
      output[name] = (output[name] + text).slice(-1_000_000)
    })
  }
  const exit = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      running.delete(child)
      resolve(code)
    })
  })
  return {
    pid: child.pid ?? 0,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    exit,
    end: (signal) => {
      child.kill(signal)
      return exit
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await exit
    },
  }
}

/** Runs a command to its end. */
export async function runMailweir(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const process = startMailweir(args, environment)
  const code = await process.exit
  return { code, stdout: process.stdout(), stderr: process.stderr() }
}

export type Ports = {
  readonly smtp: number
  readonly imap: number
  readonly imaps: number
  readonly console: number
  readonly standIn: number
}

/** Free ports for everything that listens, and the settings that say so. */
export async function listenSettings(): Promise<{ ports: Ports; settings: Record<string, string> }> {
  const [smtp = 0, imap = 0, imaps = 0, web = 0, standIn = 0] = await Promise.all(Array.from({ length: 5 }, freePort))
  return {
    ports: { smtp, imap, imaps, console: web, standIn },
    settings: {
      SMTP_LISTEN: `127.0.0.1:${smtp}`,
      IMAP_LISTEN: `127.0.0.1:${imap}`,
      IMAPS_LISTEN: `127.0.0.1:${imaps}`,
      CONSOLE_LISTEN: `127.0.0.1:${web}`,
      STAND_IN_LISTEN: `127.0.0.1:${standIn}`,
    },
  }
}

/** Waits until a process says that all its services are ready; fails at once where it has ended. */
export async function whenReady(process: Running, port: number): Promise<void> {
  let ended = false
  void process.exit.then(() => {
    ended = true
  })
  await until(
    'readiness',
    async () => {
      if (ended) throw new Error(`the process ended: ${process.stderr().slice(-2_000)}`)
      const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null)
      return response?.status === 200
    },
    60_000,
  )
}
