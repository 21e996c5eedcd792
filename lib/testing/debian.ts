/** Programs of Debian packages that cannot be installed side by side (mail servers): unpacked into the cache, not installed. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { cacheFolder } from './kafka.ts'

/** The folder with the files of a package; throws where this is no Debian, or its packages cannot be had. */
export function debianFiles(name: string): string {
  const folder = join(cacheFolder, `debian-${name}`)
  if (existsSync(folder)) return folder
  mkdirSync(cacheFolder, { recursive: true })
  const work = mkdtempSync(join(cacheFolder, 'get-'))
  try {
    execFileSync('apt-get', ['download', '-q', name], { cwd: work, stdio: 'ignore' })
    for (const file of readdirSync(work).filter((path) => path.endsWith('.deb'))) {
      execFileSync('dpkg', ['-x', file, 'files'], { cwd: work })
    }
    renameSync(join(work, 'files'), folder)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return folder
}

/** Mail servers look up their own users at start; only root can make them. */
export function systemUser(name: string, home: string): void {
  try {
    execFileSync('id', [name], { stdio: 'ignore' })
  } catch {
    execFileSync('useradd', ['-r', '-M', '-d', home, '-s', '/usr/sbin/nologin', name], { stdio: 'ignore' })
  }
}

/** Why a test that needs root on a Debian cannot run; false: it can. */
export function debianMissing(): string | false {
  if (!existsSync('/usr/bin/apt-get')) return 'no Debian: its mail servers are got with apt-get'
  return userInfo().uid === 0 ? false : 'mail servers have to be started by root'
}
