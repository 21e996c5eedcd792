/** `mailweir imap user add`: a line for the file of IMAP_ACCOUNTS, from a password on the standard input. */
import { appendFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { MailweirError } from '#lib/runtime/errors.ts'
import { hashPassword, readAccounts } from '#services/quarantine/imap/accounts.ts'

export async function runImapUserAdd(
  name: string,
  options: { readonly readOnly?: boolean; readonly tops?: string; readonly file?: string },
): Promise<number> {
  const wrong = (what: string): never => {
    throw new MailweirError('SETTINGS_WRONG', what)
  }
  if (!/^[^\s#]{1,200}$/.test(name)) wrong(`${JSON.stringify(name)}: expected a name without blanks and #`)
  if (options.tops !== undefined && !/^[A-Za-z-]+(?:,[A-Za-z-]+)*$/.test(options.tops))
    wrong('--tops: expected names such as Bounces,Complaints')
  if (process.stdin.isTTY) process.stderr.write('Password: ')
  const [password = ''] = (await text(process.stdin)).split(/\r?\n/)
  if (password.length < 8) wrong('expected a password of at least 8 characters on the standard input')
  const words = [name, await hashPassword(password)]
  if (options.readOnly === true) words.push('read-only')
  if (options.tops !== undefined) words.push(`tops=${options.tops}`)
  const line = `${words.join(' ')}\n`
  if (options.file === undefined) process.stdout.write(line)
  else {
    if (readAccounts(options.file).accounts.some((known) => known.name === name))
      wrong(`${options.file} has ${name} already: remove its line first`)
    appendFileSync(options.file, line, { mode: 0o600 })
  }
  return 0
}
