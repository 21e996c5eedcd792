/** A private Haraka for benchmarks: installed by npm outside the tree. */
import { execFile, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './kafka.ts'
import { temporaryFolder } from './temporary.ts'

const exec = promisify(execFile)
const version = '3.3.4'

async function harakaFolder(): Promise<string> {
  const prefix = join(cacheFolder, `haraka-${version}`)
  const found = join(prefix, 'node_modules', 'Haraka')
  if (!existsSync(found)) {
    mkdirSync(prefix, { recursive: true })
    await exec('npm', ['install', '--no-audit', '--no-fund', '--prefix', prefix, `Haraka@${version}`])
  }
  return found
}

export type Haraka = { readonly pid: number; stop(): void }

/**
 * One process that takes mail for everybody.
 * @param options.mailTo a port on loopback that it passes each message on to before it answers; absent: it keeps them in
 *   its own queue, where they stay
 */
export async function startHaraka(options: { readonly listen: number; readonly mailTo?: number }): Promise<Haraka> {
  const program = await harakaFolder()
  const folder = temporaryFolder()
  for (const name of ['config', 'plugins', 'queue']) mkdirSync(join(folder.path, name))
  const config = (name: string, text: string): void => writeFileSync(join(folder.path, 'config', name), text)
  copyFileSync(join(program, 'config', 'connection.ini'), join(folder.path, 'config', 'connection.ini'))
  config('smtp.ini', `listen=127.0.0.1:${options.listen}\nnodes=0\n`)
  config('me', 'haraka.example\n')
  config('loglevel', 'CRIT\n')
  config('outbound.ini', options.mailTo === undefined ? 'disabled=true\n' : '')
  config('smtp_forward.ini', `host=127.0.0.1\nport=${options.mailTo ?? 0}\nenable_outbound=false\n`)
  config('plugins', options.mailTo === undefined ? 'take_all\n' : 'take_all\nqueue/smtp_forward\n')
  writeFileSync(
    join(folder.path, 'plugins', 'take_all.js'),
    `exports.hook_connect = (next, connection) => { connection.relaying = ${options.mailTo === undefined}; next() }
exports.hook_rcpt = (next) => next(OK)\n`,
  )
  const child = spawn(process.execPath, [join(program, 'bin', 'haraka'), '-c', folder.path], { stdio: 'ignore' })
  return {
    pid: child.pid ?? 0,
    stop: () => {
      child.kill('SIGKILL')
      folder[Symbol.dispose]()
    },
  }
}
