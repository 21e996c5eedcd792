/** Programs that tests drive. */
import { execFileSync } from 'node:child_process'

/** Why a test that needs a program cannot run; false: it is there. */
export function programMissing(program: string, argument: string, debianPackage: string): string | false {
  try {
    execFileSync(program, [argument], { stdio: 'ignore' })
    return false
  } catch {
    return `no ${program}: install ${debianPackage}`
  }
}
