/** Exim, OpenSMTPD and Sendmail of Debian, unpacked and run in a folder of the test. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { debianFiles, systemUser } from './debian.ts'

/** Mail for a domain (`*`: any) goes to a port of loopback. */
export type Route = { readonly domain: string; readonly port: number }

export type Exim = { readonly program: string; readonly config: string }

/**
 * Its program and a configuration.
 * @param options.listen a port for a daemon that takes mail for everybody; absent: none
 */
export function prepareExim(
  folder: string,
  options: { readonly listen?: number; readonly routes: readonly Route[] },
): Exim {
  // It gives up root and starts itself again, so it has to stand where anybody may go.
  const program = join(folder, 'exim4')
  copyFileSync(join(debianFiles('exim4-daemon-light'), 'usr', 'sbin', 'exim4'), program)
  systemUser('Debian-exim', '/nonexistent')
  chmodSync(folder, 0o755)
  const spool = join(folder, 'spool')
  mkdirSync(spool)
  chmodSync(spool, 0o777)
  const routers = options.routes.map(
    ({ domain }, n) =>
      `to${n}:\n  driver = manualroute\n  domains = ${domain}\n  transport = to${n}\n  route_list = * 127.0.0.1 byname\n  self = send\n`,
  )
  const transports = options.routes.map(
    ({ port }, n) => `to${n}:\n  driver = smtp\n  port = ${port}\n  allow_localhost\n  hosts_try_chunking = *\n`,
  )
  const daemon =
    options.listen === undefined
      ? ''
      : `local_interfaces = 127.0.0.1\ndaemon_smtp_ports = ${options.listen}\nchunking_advertise_hosts = *\ntls_advertise_hosts =\nacl_smtp_rcpt = take\nbegin acl\ntake:\n  accept\n`
  const config = join(folder, 'exim.conf')
  writeFileSync(
    config,
    `exim_path = ${program}
primary_hostname = exim.example
exim_user = nobody
exim_group = nogroup
never_users =
spool_directory = ${spool}
log_file_path = ${spool}/%slog
pid_file_path = ${spool}/pid
keep_environment =
${daemon}begin routers
${routers.join('')}begin transports
${transports.join('')}`,
  )
  chmodSync(config, 0o644)
  return { program, config }
}

/**
 * Keeps a daemon running until it is stopped: of OpenSMTPD there is one on a machine, and while another test has it, ours ends at
 * once.
 */
function keepRunning(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): () => Promise<void> {
  let stopping = false
  let child: ChildProcess
  const ended = (async (): Promise<void> => {
    while (!stopping) {
      child = spawn(program, args, { stdio: 'ignore', env: { ...process.env, ...environment } })
      await new Promise((resolve) => child.once('close', resolve))
      if (!stopping) await sleep(200)
    }
  })()
  return async () => {
    stopping = true
    child.kill('SIGTERM')
    await ended
  }
}

/** A daemon; gives how to stop it. */
export function startExim(folder: string, listen: number, routes: readonly Route[]): () => Promise<void> {
  const { program, config } = prepareExim(folder, { listen, routes })
  return keepRunning(program, ['-C', config, '-bdf', '-q1m'])
}

/** A daemon; gives how to stop it. */
export function startOpenSmtpd(folder: string, listen: number, routes: readonly Route[]): () => Promise<void> {
  const files = debianFiles('opensmtpd')
  const home = '/var/lib/opensmtpd/empty'
  for (const user of ['opensmtpd', 'opensmtpq']) systemUser(user, home)
  for (const path of [home, '/var/spool/smtpd']) mkdirSync(path, { recursive: true })
  chmodSync('/var/spool/smtpd', 0o711)
  const actions = routes.map(({ port }, n) => `action "to${n}" relay host smtp://127.0.0.1:${port}`)
  const matches = routes.map(
    ({ domain }, n) => `match from any for ${domain === '*' ? 'any' : `domain "${domain}"`} action "to${n}"`,
  )
  const config = join(folder, 'smtpd.conf')
  writeFileSync(config, `${[`listen on lo port ${listen}`, ...actions, ...matches].join('\n')}\n`)
  return keepRunning(join(files, 'usr', 'sbin', 'smtpd'), ['-d', '-f', config])
}

/** A daemon; gives how to stop it. */
export function startSendmail(folder: string, listen: number, routes: readonly Route[]): () => Promise<void> {
  const cf = join(debianFiles('sendmail-cf'), 'usr', 'share', 'sendmail', 'cf')
  const libraries = ['libwrap0', 'libsigsegv2'].map((name) =>
    join(debianFiles(name), 'usr', 'lib', process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'),
  )
  const environment = { LD_LIBRARY_PATH: libraries.join(':') }
  // Without its set-group-id bit, or the loader would not look where we say.
  const program = join(folder, 'sendmail')
  copyFileSync(join(debianFiles('sendmail-bin'), 'usr', 'libexec', 'sendmail', 'sendmail'), program)
  chmodSync(program, 0o755)
  for (const user of ['smmta', 'smmsp']) systemUser(user, '/nonexistent')
  mkdirSync(join(folder, 'queue'), { mode: 0o700 })
  const mailers = routes.map(
    ({ port }, n) =>
      `Mto${n}, P=[IPC], F=mDFMuXa8k, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP, E=\\r\\n, L=990, T=DNS/RFC822/SMTP, A=TCP [127.0.0.1] ${port}`,
  )
  const rules = routes.flatMap(({ domain }, n) =>
    [`${domain} . `, `${domain} `].map((name) => `R$* <@ ${name}> $*\t$#to${n} $@ [127.0.0.1] $: $1 <@ ${name}> $2`),
  )
  const source = join(folder, 'sendmail.mc')
  writeFileSync(
    source,
    `OSTYPE(\`linux')dnl
define(\`confDOMAIN_NAME', \`sendmail.example')dnl
define(\`QUEUE_DIR', \`${folder}/queue')dnl
define(\`confPID_FILE', \`${folder}/pid')dnl
define(\`STATUS_FILE', \`${folder}/statistics')dnl
define(\`ALIAS_FILE', \`/dev/null')dnl
define(\`confTRUSTED_USER', \`root')dnl
define(\`confRUN_AS_USER', \`root')dnl
define(\`confTO_IDENT', \`0')dnl
define(\`confDONT_PROBE_INTERFACES', \`True')dnl
FEATURE(\`nocanonify')dnl
FEATURE(\`accept_unresolvable_domains')dnl
FEATURE(\`promiscuous_relay')dnl
FEATURE(\`no_default_msa')dnl
DAEMON_OPTIONS(\`Port=${listen}, Addr=127.0.0.1, Name=MTA')dnl
MAILER(\`smtp')dnl
MAILER_DEFINITIONS
${mailers.join('\n')}
LOCAL_RULE_0
${rules.join('\n')}
`,
  )
  const config = join(folder, 'sendmail.cf')
  writeFileSync(
    config,
    execFileSync(join(debianFiles('m4'), 'usr', 'bin', 'm4'), [`-D_CF_DIR_=${cf}/`, join(cf, 'm4', 'cf.m4'), source], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )
  // It waits for a minute where the machine's name has no domain; so it gets one of its own.
  const command = `hostname sendmail.example; exec "${program}" -C "${config}" -bD -q1m`
  return keepRunning('unshare', ['--uts', 'sh', '-c', command], environment)
}
