/** A private Dovecot for comparison: IMAP in the clear on a port of loopback, one user, its mail in a folder of the caller. */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'

const program = '/usr/sbin/dovecot'

export function dovecotMissing(): string | false {
  if (!existsSync(program)) return 'no Dovecot: install dovecot-imapd'
  return userInfo().uid === 0 ? false : 'Dovecot has to be started by root'
}

export const dovecotUser = { name: 'reader', password: 'secret' }

/** Starts it; gives its process and how to stop it. */
export function startDovecot(folder: string, port: number): { readonly pid: number; stop(): Promise<void> } {
  chmodSync(folder, 0o755)
  for (const name of ['run', 'state', 'mail']) mkdirSync(join(folder, name), { recursive: true })
  chmodSync(join(folder, 'mail'), 0o777)
  const config = join(folder, 'dovecot.conf')
  writeFileSync(join(folder, 'users'), `${dovecotUser.name}:{PLAIN}${dovecotUser.password}::::::\n`)
  writeFileSync(
    config,
    `base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = sdbox:${folder}/mail/%u
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
mail_fsync = never
passdb {
  driver = passwd-file
  args = ${folder}/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${folder}/mail/%u
}
service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
  chroot =
}
service imap {
  process_limit = 2000
}
protocol imap {
  mail_max_userip_connections = 2000
}
service imap-login {
  service_count = 0
  client_limit = 2000
}
service stats {
  chroot =
}
`,
  )
  const child: ChildProcess = spawn(program, ['-F', '-c', config], { stdio: 'ignore' })
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      if (child.exitCode !== null) return
      const ended = new Promise((resolve) => child.once('close', resolve))
      child.kill('SIGTERM')
      await ended
    },
  }
}
