/** Python with packages of its own, kept outside the tree. */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './kafka.ts'

const exec = promisify(execFile)

/** Why there can be none; false: there can. */
export function pythonMissing(): string | false {
  try {
    execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' })
    return false
  } catch {
    return 'no pip: install python3-pip'
  }
}

/** Runs a program with packages from PyPI; gives what it prints. */
export async function runPython(
  packages: readonly string[],
  program: string,
  args: readonly string[],
): Promise<string> {
  const folder = join(cacheFolder, `python-${packages.join('-').replace(/[^\w.-]/g, '_')}`)
  if (!existsSync(folder)) {
    mkdirSync(cacheFolder, { recursive: true })
    await exec('python3', ['-m', 'pip', 'install', '-q', '--target', `${folder}.new`, ...packages])
    await exec('mv', [`${folder}.new`, folder])
  }
  const { stdout } = await exec('python3', ['-c', program, ...args], {
    env: { ...process.env, PYTHONPATH: folder },
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout
}
