/** A private instance of the machine's Postfix. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const exec = promisify(execFile)

/** Why there can be none; false: there can. */
export function postfixMissing(): string | false {
  try {
    execFileSync('postconf', ['mail_version'], { env: { PATH: `${process.env['PATH']}:/usr/sbin` } })
  } catch {
    return 'no Postfix: install postfix'
  }
  return userInfo().uid === 0 ? false : 'Postfix has to be started by root'
}

export type Postfix = {
  log(): string
  /** Puts a message into the queue, as a program on the host would. */
  submit(from: string, to: string, message: string): Promise<void>
  /** Of its master process. */
  readonly pid: number
  stop(): Promise<void>
}

/**
 * An instance of its own: its files, its queue.
 * @param options.listen a port where it accepts mail; absent: none
 * @param options.relay what it accepts goes on to `mailTo`; otherwise it stays in its queue
 */
export async function startPostfix(options: {
  readonly bouncesTo?: number
  readonly mailTo?: number
  readonly listen?: number
  readonly relay?: boolean
}): Promise<Postfix> {
  const folder = mkdtempSync(join(tmpdir(), 'mailweir-postfix-'))
  chmodSync(folder, 0o755)
  const [config, queue, data] = ['config', 'queue', 'data'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  for (const path of [config, queue, data]) mkdirSync(path)
  await exec('chown', ['postfix', data])
  writeFileSync(
    join(config, 'main.cf'),
    `compatibility_level = 3.6
queue_directory = ${queue}
data_directory = ${data}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.sender.example
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
alternate_config_directories = ${config}
maillog_file = ${join(folder, 'log')}
maillog_file_prefixes = ${folder}
default_transport = smtp:[127.0.0.1]:${options.mailTo ?? 1}
${options.relay ? '' : `sender_dependent_default_transport_maps = inline:{{<>=smtp:[127.0.0.1]:${options.bouncesTo ?? 1}}}`}
mynetworks = ${options.relay ? '0.0.0.0/0' : '127.0.0.0/8'}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_authorized_xforward_hosts = 127.0.0.1
smtpd_authorized_xclient_hosts = 127.0.0.1
${options.relay ? '' : 'smtpd_data_restrictions = check_client_access static:HOLD'}
smtpd_client_connection_count_limit = 0
default_process_limit = 200
smtp_host_lookup = native
`,
  )
  // As Debian has it, without chroots.
  writeFileSync(
    join(config, 'master.cf'),
    `${options.listen === undefined ? '' : `127.0.0.1:${options.listen} inet n - n - 200 smtpd`}
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`,
  )
  const environment = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` }
  await exec('postfix', ['-c', config, 'start'], { env: environment })
  return {
    pid: Number(readFileSync(join(queue, 'pid', 'master.pid'), 'utf8')),
    log: () => readFileSync(join(folder, 'log'), 'utf8'),
    submit: (from, to, message) =>
      new Promise<void>((resolve, reject) => {
        const child = spawn('sendmail', ['-C', config, '-i', '-f', from, to], {
          env: environment,
          stdio: ['pipe', 'ignore', 'inherit'],
        })
        child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`sendmail ended with ${code}`))))
        child.stdin.end(message)
      }),
    stop: async () => {
      await exec('postfix', ['-c', config, 'stop'], { env: environment }).catch(() => {})
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
