/** Ingest on the embedded log beside a bare smtp-server that syncs a file: both durable before 250. */
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { listenSettings, startMailweir } from '#lib/testing/mailweir.ts'
import type { TestMessage } from '#lib/testing/messages.ts'
import { sendAll } from '#lib/testing/send.ts'
import { temporaryFolder } from '#lib/testing/temporary.ts'
import { until } from '#lib/testing/wait.ts'
import { cpuSeconds, type Figures, table } from '../measure.ts'

const rounds = 5
const count = 5_000
const connections = 50

const content = Buffer.from(`Subject: bench\r\n\r\n${'0123456789abcdef'.repeat(4).concat('\r\n').repeat(62)}`)
const message: TestMessage = {
  name: 'bench',
  reversePath: { address: '', parameters: {} },
  forwardPaths: [{ address: 'b@bounces.example.com', parameters: {} }],
  content,
}

const listens = (port: number) =>
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

async function measure(pid: number, port: number): Promise<Figures> {
  await listens(port)
  // The first messages warm the code up.
  await sendAll(port, Array<TestMessage>(1_000).fill(message), { connections })
  const before = cpuSeconds(pid)
  const started = performance.now()
  await sendAll(port, Array<TestMessage>(count).fill(message), { connections })
  const seconds = (performance.now() - started) / 1000
  return { perSecond: count / seconds, cpuPerThousand: ((cpuSeconds(pid) - before) * 1000) / count }
}

async function ours(): Promise<Figures> {
  using folder = temporaryFolder()
  const { ports, settings } = await listenSettings()
  await using process = startMailweir(['ingest'], {
    ...settings,
    DATA_DIR: folder.path,
    MAIL_DOMAINS: '*',
    LOG_LEVEL: 'warn',
  })
  return await measure(process.pid, ports.smtp)
}

async function theirs(): Promise<Figures> {
  using folder = temporaryFolder()
  const { ports } = await listenSettings()
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'rival.ts'), String(ports.smtp), join(folder.path, 'file')],
    { stdio: 'inherit' },
  )
  try {
    return await measure(child.pid ?? 0, ports.smtp)
  } finally {
    child.kill('SIGKILL')
  }
}

export async function run(): Promise<string> {
  const figures: { ours: Figures; theirs: Figures }[] = []
  for (let round = 0; round < rounds; round++) figures.push({ ours: await ours(), theirs: await theirs() })
  return table('smtp-server, file, group sync', figures)
}
